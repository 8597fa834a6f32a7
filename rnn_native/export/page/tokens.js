// Layers of tokens, which are the rows of their input: patches, places, padding, attention.

/** Each patch of the image becomes a token: the products of a convolution that is as wide. */
function patches(layer, x) {
  const shape = layer.input.length === 2 ? [1, ...layer.input] : layer.input;
  const [channels, height, width] = shape, [high, wide] = layer.patch;
  const columns = width / wide, tokens = (height / high) * columns;
  const inputs = channels * high * wide, taken = new Float32Array(tokens * inputs);
  let at = 0;
  for (let t = 0; t < tokens; t++) {
    const top = Math.floor(t / columns) * high, left = (t % columns) * wide;
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < high; i++) {
        const from = (c * height + top + i) * width + left;
        taken.set(x.subarray(from, from + wide), at);
        at += wide;
      }
    }
  }
  return linear(taken, layer.weight, layer.bias, inputs);
}

function position(layer, x) {
  return added(x, layer.table);
}

/** Tokens of which all numbers are `value` are padding: marked, and zeros from here on. */
function masking(layer, x, state) {
  const n = layer.input[1];
  const real = ofEachRun(x, layer.input[0], (run) => Number(run.some((v) => v !== layer.value)));
  state.real[state.index] = real;
  return x.map((value, i) => (real[Math.floor(i / n)] ? value : 0));
}

/**
 * Each head, which is a part of the columns, makes each token t the mean of v's rows, row j
 * weighed by the softmax over j of q[t] . k[j] / sqrt(size). A token sees only itself and
 * those before it if causal, and no padding; one that sees none gets zeros. The first such
 * layer's weights stay in state.attention: heads x tokens x tokens.
 */
function selfAttention(layer, x, state) {
  const [tokens, width] = layer.input, size = width / layer.heads;
  const [q, k, v] = ["q", "k", "v"].map((letter) =>
    linear(x, layer[`${letter}_weight`], layer[`${letter}_bias`], width));
  const weights = new Float32Array(layer.heads * tokens * tokens);
  let out = new Float32Array(tokens * width);
  for (let h = 0; h < layer.heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const at = (h * tokens + t) * tokens;
      const scores = (j) => {
        let sum = 0;
        for (let i = h * size; i < (h + 1) * size; i++) sum += q[t * width + i] * k[j * width + i];
        return sum / Math.sqrt(size);
      };
      if (!weighTokens(layer, state, t, scores, weights.subarray(at, at + tokens))) continue;
      for (let i = h * size; i < (h + 1) * size; i++) {
        let sum = 0;
        for (let j = 0; j < tokens; j++) sum += weights[at + j] * v[j * width + i];
        out[t * width + i] = sum;
      }
    }
  }
  state.attention ??= { weights, heads: layer.heads, tokens };
  if (layer.out_weight) out = linear(out, layer.out_weight, layer.out_bias, width);
  return layer.residual ? added(out, x) : out;
}

/** Fill `row` with token t's weights; return whether it sees any token. */
function weighTokens(layer, state, t, score, row) {
  const real = state.real[layer.maskedBy];
  let seen = 0;
  for (let j = 0; j < row.length; j++) {
    const sees = (!layer.causal || j <= t) && (!real || real[j]);
    row[j] = sees ? score(j) : -Infinity;
    seen += sees ? 1 : 0;
  }
  if (seen > 0) softmaxOf(row, 0, row.length);
  else row.fill(0);
  return seen > 0;
}

/** The mean over tokens, or over those that are not padding; 0 if all are. */
function meanPool(layer, x, state) {
  const [tokens, width] = layer.input, real = state.real[layer.maskedBy];
  const sums = new Float64Array(width);
  let count = 0;
  for (let t = 0; t < tokens; t++) {
    if (real && !real[t]) continue;
    count++;
    for (let i = 0; i < width; i++) sums[i] += x[t * width + i];
  }
  return Float32Array.from(sums, (sum) => (count > 0 ? sum / count : 0));
}

Object.assign(LAYERS, {
  patch_embed: patches,
  patch_embed1d: patches,
  position,
  self_attention: selfAttention,
  masking,
  mean_pool: meanPool,
});
