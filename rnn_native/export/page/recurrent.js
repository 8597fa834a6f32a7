// Recurrent layers: a state that goes through the steps of a sequence, as in PyTorch.

/** What comes after `h` and, of an LSTM, `c`, given the products z and p of unit u's gates. */
const CELLS = {
  simple_rnn: (z, p) => [Math.tanh(z[0] + p[0]), 0],
  gru: (z, p, h) => {
    const n = Math.tanh(z[2] + logistic(z[0] + p[0]) * p[2]);
    return [n + logistic(z[1] + p[1]) * (h - n), 0];
  },
  lstm: (z, p, h, c) => {
    const [add, keep, g, o] = z.map((value, gate) => value + p[gate]);
    const after = logistic(keep) * c + logistic(add) * Math.tanh(g);
    return [logistic(o) * Math.tanh(after), after];
  },
};

const logistic = (x) => 1 / (1 + Math.exp(-x));

/** Padding leaves the state as it is. */
function recurrent(layer, x, state) {
  const [steps, width] = layer.input, units = layer.units, cell = CELLS[layer.type];
  const columns = layer.hidden_bias.length, real = state.real[layer.maskedBy];
  const inputs = linear(x, layer.input_weight, layer.input_bias, width);
  const out = new Float32Array(layer.sequences ? steps * units : units);
  let h = new Float32Array(units), c = new Float32Array(units);
  for (let i = 0; i < steps; i++) {
    const t = layer.reverse ? steps - 1 - i : i;
    const after = h.slice(), cells = c.slice();
    if (!real || real[t]) {
      const products = linear(h, layer.hidden_weight, layer.hidden_bias, units);
      for (let u = 0; u < units; u++) {
        const gates = (of, at) => [0, 1, 2, 3].map((gate) => of[at + gate * units + u]);
        const z = gates(inputs, t * columns), p = gates(products, 0);
        [after[u], cells[u]] = cell(z, p, h[u], c[u]);
      }
    }
    [h, c] = [after, cells];
    if (layer.sequences) out.set(h, t * units);
  }
  return layer.sequences ? out : h;
}

Object.assign(LAYERS, { simple_rnn: recurrent, gru: recurrent, lstm: recurrent });
