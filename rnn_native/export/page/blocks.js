// Blocks: a fork, branches parted by marks, and what joins them.

function fork(layer, x, state) {
  state.forks.push({ given: x, ends: [] });
  return x;
}

function branch(layer, x, state) {
  const { given, ends } = state.forks.at(-1);
  ends.push({ array: x, shape: layer.input });
  return given;
}

function add(layer, x, state) {
  return added(x, state.forks.pop().ends[0].array);
}

/** Branches' outputs side by side along an axis. */
function concat(layer, x, state) {
  const ends = [...state.forks.pop().ends, { array: x, shape: layer.input }];
  const wide = sizeOf(layer.output.slice(layer.axis)), out = new Float32Array(sizeOf(layer.output));
  let at = 0;
  for (const { array, shape } of ends) {
    const size = sizeOf(shape.slice(layer.axis));
    for (let i = 0; i * wide < out.length; i++) {
      out.set(array.subarray(i * size, (i + 1) * size), i * wide + at);
    }
    at += size;
  }
  return out;
}

Object.assign(LAYERS, { fork, branch, add, concat });
