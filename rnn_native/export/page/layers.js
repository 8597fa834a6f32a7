"use strict";

// What each layer computes. A number between layers is a float32, as in Python; sums are
// doubles until they are stored. Arrays are row-major: the last index changes fastest.
//
// A layer is a function (layer, x, state) that returns a new array, or x itself.
// `state.real[i]` is what masking layer i found: 1 for each real token, 0 for padding.
// `state.forks` are the branches under way: what they begin with, and what they gave.

/** The number of elements of a shape. */
const sizeOf = (shape) => shape.reduce((product, n) => product * n, 1);

/** Channels, height and width; a signal is an image of one row. */
const asImage = (shape) => (shape.length === 2 ? [shape[0], 1, shape[1]] : shape);

// ---- functions of each element: z, alpha ----

const ELEMENTWISE = {
  relu: (z) => (z > 0 ? z : 0),
  leaky_relu: (z, alpha) => (z > 0 ? z : alpha * z),
  elu: (z, alpha) => (z > 0 ? z : alpha * Math.expm1(z)),
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: (z) => Math.tanh(z),
  silu: (z) => z / (1 + Math.exp(-z)),
  gelu: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))),
  gelu_exact: (z) => 0.5 * z * (1 + erf(z * Math.SQRT1_2)),
  softplus: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
  hardsigmoid: (z) => hardSigmoid(z),
  hardswish: (z) => z * hardSigmoid(z),
  exp: (z) => Math.exp(z),
};

const hardSigmoid = (z) => Math.min(Math.max(z + 3, 0), 6) / 6;

/** The error function: 2 / sqrt(pi) e^(-x^2) times the sum of 2^n x^(2n+1) / (1 3 ... 2n+1). */
function erf(x) {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  let term = size, sum = size;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  return (Math.sign(x) * 2 * sum * Math.exp(-size * size)) / Math.sqrt(Math.PI);
}

/** Apply a function to an array, in place; softmax goes over rows of n. */
function activate(array, name, alpha, n) {
  if (name === "softmax") {
    for (let at = 0; at < array.length; at += n) softmaxOf(array, at, n);
  } else if (name !== "linear") {
    const value = ELEMENTWISE[name];
    for (let i = 0; i < array.length; i++) array[i] = value(array[i], alpha);
  }
}

/** e^z / sum of e^z over n numbers from `at`, in place, so that nothing overflows. */
function softmaxOf(array, at, n) {
  let greatest = -Infinity, sum = 0;
  for (let i = at; i < at + n; i++) greatest = Math.max(greatest, array[i]);
  for (let i = at; i < at + n; i++) {
    array[i] = Math.exp(array[i] - greatest);
    sum += array[i];
  }
  for (let i = at; i < at + n; i++) array[i] /= sum;
}

// ---- products ----

/** out[t][u] = bias[u] + sum over i of weight[u][i] x[t][i]. */
function linear(x, weight, bias, inputs) {
  const units = bias.length, rows = x.length / inputs;
  const out = new Float32Array(rows * units);
  for (let t = 0; t < rows; t++) {
    for (let u = 0; u < units; u++) {
      const from = t * inputs, row = u * inputs;
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += weight[row + i] * x[from + i];
      out[t * units + u] = bias[u] + sum;
    }
  }
  return out;
}

function dense(layer, x) {
  return linear(x, layer.weight, layer.bias, layer.input.at(-1));
}

/** Which outputs along an axis a tap `offset` from the window's start has an input for. */
function reached(outputs, inputs, stride, offset) {
  const first = Math.max(0, Math.ceil(-offset / stride));
  const end = Math.min(outputs, Math.floor((inputs - 1 - offset) / stride) + 1);
  return [first, end];
}

/**
 * Go through a window's taps over one channel: visit(tap, first output, end, input of the
 * first output, step from input to input) for each row of outputs.
 */
function eachTap(layer, visit) {
  const [, height, width] = asImage(layer.input), [, rows, columns] = asImage(layer.output);
  const [high, wide] = layer.kernel, [down, right] = layer.stride;
  const [dy, dx] = layer.dilation, [top, left] = layer.before;
  for (let i = 0; i < high; i++) {
    for (let j = 0; j < wide; j++) {
      const [firstRow, endRow] = reached(rows, height, down, i * dy - top);
      const [first, end] = reached(columns, width, right, j * dx - left);
      for (let p = firstRow; p < endRow; p++) {
        const input = (p * down + i * dy - top) * width + first * right + j * dx - left;
        visit(i * wide + j, p * columns + first, p * columns + end, input, right);
      }
    }
  }
}

/** A sum of taps over all channels of the group for each output, plus the bias. */
function convolution(layer, x) {
  const [channels, height, width] = asImage(layer.input), filters = layer.bias.length;
  const area = sizeOf(layer.output) / filters, taps = sizeOf(layer.kernel);
  const part = channels / layer.groups, perGroup = filters / layer.groups;
  const out = new Float32Array(filters * area), sums = new Float64Array(area);
  for (let u = 0; u < filters; u++) {
    sums.fill(layer.bias[u]);
    for (let c = 0; c < part; c++) {
      const from = (Math.floor(u / perGroup) * part + c) * height * width;
      const row = (u * part + c) * taps;
      eachTap(layer, (tap, first, end, input, step) => {
        const factor = layer.weight[row + tap];
        for (let q = first, at = from + input; q < end; q++, at += step) {
          sums[q] += factor * x[at];
        }
      });
    }
    out.set(sums, u * area);
  }
  return out;
}

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

// ---- pools ----

/** The greatest value in each window; what lies outside the image never is. */
function maxpool(layer, x) {
  return pooled(layer, x, -Infinity, Math.max);
}

/** The mean of each window; what lies outside the image counts as zeros, or not at all. */
function avgpool(layer, x) {
  const out = pooled(layer, x, 0, (sum, value) => sum + value);
  const area = sizeOf(asImage(layer.output).slice(1));
  const counts = new Float64Array(area).fill(layer.countsPadding ? sizeOf(layer.kernel) : 0);
  if (!layer.countsPadding) {
    eachTap(layer, (tap, first, end) => {
      for (let q = first; q < end; q++) counts[q]++;
    });
  }
  for (let i = 0; i < out.length; i++) out[i] /= counts[i % area];
  return out;
}

function pooled(layer, x, start, joined) {
  const [channels, height, width] = asImage(layer.input);
  const area = sizeOf(layer.output) / channels, out = new Float64Array(channels * area);
  out.fill(start);
  for (let c = 0; c < channels; c++) {
    eachTap(layer, (tap, first, end, input, step) => {
      let at = c * height * width + input;
      for (let q = c * area + first; q < c * area + end; q++, at += step) {
        out[q] = joined(out[q], x[at]);
      }
    });
  }
  return Float32Array.from(out);
}

/** One number for each of `n` runs of x. */
function ofEachRun(x, n, value) {
  const size = x.length / n, out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = value(x.subarray(i * size, (i + 1) * size));
  return out;
}

const sumOf = (array) => array.reduce((sum, value) => sum + value, 0);

function globalAverage(layer, x) {
  return ofEachRun(x, layer.input[0], (run) => sumOf(run) / run.length);
}

function globalMaximum(layer, x) {
  return ofEachRun(x, layer.input[0], (run) => run.reduce((a, b) => Math.max(a, b)));
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

// ---- norms ----

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

/** x where it is positive, else the weight of its channel times x; or there is one weight. */
function prelu(layer, x) {
  const area = x.length / layer.weight.length;
  return x.map((value, i) => (value > 0 ? value : layer.weight[Math.floor(i / area)] * value));
}

// ---- tokens ----

const added = (x, y) => x.map((value, i) => value + y[i]);

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
 * Each head, which is a part of the columns, gives each token t the mean of v's rows, row j
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

// ---- blocks: a fork, branches parted by marks, and what joins them ----

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

const same = (layer, x) => x;

const LAYERS = {
  dense,
  conv1d: convolution,
  conv2d: convolution,
  maxpool1d: maxpool,
  maxpool2d: maxpool,
  avgpool1d: avgpool,
  avgpool2d: avgpool,
  global_avgpool1d: globalAverage,
  global_avgpool2d: globalAverage,
  global_maxpool1d: globalMaximum,
  global_maxpool2d: globalMaximum,
  flatten: same,
  reshape: same,
  activation: (layer, x) => x.slice(), // its function is applied as any layer's
  prelu,
  softmax: (layer, x) => {
    const out = x.slice();
    activate(out, "softmax", 0, layer.input.at(-1));
    return out;
  },
  batchnorm,
  layernorm,
  rmsnorm,
  normalization,
  dropout: same,
  gaussian_noise: same,
  patch_embed: patches,
  patch_embed1d: patches,
  position,
  self_attention: selfAttention,
  masking,
  mean_pool: meanPool,
  fork,
  branch,
  add,
  concat,
};
