// ---- columns of a table, and a row of another table for each index ----

function columns(layer, x) {
  const wide = layer.input.at(-1), count = layer.output.at(-1);
  const out = new Float32Array(x.length / wide * count);
  for (let i = 0; i < out.length; i += count) {
    const begin = i / count * wide + layer.first;
    out.set(x.subarray(begin, begin + count), i);
  }
  return out;
}

function embedding(layer, x) {
  const width = layer.output[1], last = layer.rows - 1;
  const out = new Float32Array(x.length * width);
  x.forEach((index, t) => {
    const row = Math.floor(Math.min(Math.max(index || 0, 0), last) + 0.5);
    out.set(layer.weight.subarray(row * width, (row + 1) * width), t * width);
  });
  return out;
}

Object.assign(LAYERS, { columns, embedding });
