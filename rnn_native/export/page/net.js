"use strict";

// Nets: opened from their description and the bytes of their arrays, and run.

/** The bytes that a text in base64 stands for. */
function bytesOf(base64) {
  const text = atob(base64.trim()), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Open nets: put arrays in the places that stand for them in each layer.
 *
 * `described.nets` is a list of {layers, final}; `bytes` holds `described.floats` float32,
 * little-endian, then int8. The list that is returned has `guard`, {nets, threshold} or null.
 */
function openNets(described, bytes) {
  // Little-endian, as every machine with a browser is.
  const floats = new Float32Array(bytes.buffer, 0, described.floats);
  const rounded = new Int8Array(bytes.buffer, 4 * described.floats);
  const opened = (value) => {
    if (value === null || value.size === undefined) return value;
    if (!value.scales) return floats.subarray(value.at, value.at + value.size);
    const { at, size } = value.scales, perRow = value.size / size;
    const rows = Float32Array.from(rounded.subarray(value.at, value.at + value.size));
    return rows.map((whole, i) => whole * floats[at + Math.floor(i / perRow)]);
  };
  const openedAll = (nets) => nets.map((net) => ({
    final: net.final,
    layers: net.layers.map((layer) => Object.fromEntries(
      Object.entries(layer).map(([key, value]) => [key, opened(value)]))),
  }));
  const { nets, guard } = described;
  return Object.assign(openedAll(nets), {
    guard: guard && { nets: openedAll(guard.nets), threshold: guard.threshold },
  });
}

/** Run one net: its last layer's outputs, and the state that layers left. */
function forward(net, x) {
  const state = { real: {}, forks: [], index: 0, attention: null };
  let values = x;
  net.layers.forEach((layer, index) => {
    state.index = index;
    const out = LAYERS[layer.type](layer, values, state);
    if (layer.activation) activate(out, layer.activation, layer.alpha, layer.output.at(-1));
    values = out;
  });
  return { outputs: values, attention: state.attention };
}

/** What `predict_proba` returns for one sample: of several nets the mean. */
function predict(nets, x) {
  const sums = new Float64Array(sizeOf(nets[0].layers.at(-1).output));
  for (const net of nets) {
    const outputs = forward(net, x).outputs.slice();
    activate(outputs, net.final, 0, outputs.length);
    outputs.forEach((value, i) => (sums[i] += value));
  }
  return Float32Array.from(sums, (sum) => sum / nets.length);
}
