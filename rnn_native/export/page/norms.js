// Layers that bring numbers to a mean and a spread.

function batchnorm(layer, x) {
  const area = x.length / layer.input[0];
  return x.map((value, i) => {
    const c = Math.floor(i / area);
    const scale = layer.weight[c] / Math.sqrt(layer.running_var[c] + layer.epsilon);
    return (value - layer.running_mean[c]) * scale + layer.bias[c];
  });
}

/** Each row minus its mean, divided by its standard deviation, times weight, plus bias. */
function layernorm(layer, x) {
  return byRows(layer, x, (row) => {
    const mean = sumOf(row) / row.length;
    const squares = row.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const scale = 1 / Math.sqrt(squares / row.length + layer.epsilon);
    return row.map((value, i) => (value - mean) * scale * layer.weight[i] + layer.bias[i]);
  });
}

/** Each row divided by the root of its mean square, times weight. */
function rmsnorm(layer, x) {
  return byRows(layer, x, (row) => {
    const squares = row.reduce((sum, value) => sum + value * value, 0);
    const scale = 1 / Math.sqrt(squares / row.length + layer.epsilon);
    return row.map((value, i) => value * scale * layer.weight[i]);
  });
}

function byRows(layer, x, changed) {
  const n = layer.input.at(-1), out = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += n) out.set(changed(x.subarray(at, at + n)), at);
  return out;
}

function normalization(layer, x) {
  const n = layer.mean.length;
  return x.map((value, i) => {
    const c = Math.floor(i / layer.area) % n;
    return (value - layer.mean[c]) * layer.scale[c];
  });
}

Object.assign(LAYERS, { batchnorm, layernorm, rmsnorm, normalization });
