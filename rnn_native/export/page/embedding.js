// ---- a row of a table for each index ----

function embedding(layer, x) {
  const width = layer.output[1], last = layer.rows - 1;
  const out = new Float32Array(x.length * width);
  x.forEach((index, t) => {
    const row = Math.floor(Math.min(Math.max(index || 0, 0), last) + 0.5);
    out.set(layer.weight.subarray(row * width, (row + 1) * width), t * width);
  });
  return out;
}

Object.assign(LAYERS, { embedding });
