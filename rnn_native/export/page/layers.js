"use strict";

// What each layer computes. A number between layers is a float32, as in Python; sums are
// doubles until they are stored. Arrays are row-major: the last index changes fastest.
//
// A layer is a function (layer, x, state) that returns a new array, or x itself.
// `state.real[i]` is what masking layer i found: 1 for each real token, 0 for padding.
// `state.forks` are the branches under way: what they begin with, and what they gave.
//
// Here are the layers of most nets. The files that follow add to LAYERS; a page has those of
// them that its nets need.

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

/** x where it is positive, else the weight of its channel times x; or there is one weight. */
function prelu(layer, x) {
  const area = x.length / layer.weight.length;
  return x.map((value, i) => (value > 0 ? value : layer.weight[Math.floor(i / area)] * value));
}

const added = (x, y) => x.map((value, i) => value + y[i]);

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
  dropout: same,
  gaussian_noise: same,
};
