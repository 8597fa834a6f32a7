/* Where the numbers of a channel stand side by side (planes of images, C channels of them),
 * vectors go along a plane. Where the channels do (values; pixels), a pixel's are a line of
 * C numbers, and vectors go along the line. */
#include "kernels.h"

#include "../base/simd.h"

#include <math.h>

/* How many lines are summed in registers, and how many numbers of a plane in vector lanes,
 * before the sum joins the rest: sums stay short, and what is read twice is in the L1
 * cache. */
#define BATCHNORM_LINES 32
#define BATCHNORM_BLOCK 4096

static bool
stands_in_lines(int area, bool pixels)
{
    return pixels || area == 1;
}

/* Some numbers of a channel: sums of their distance from `base` and of its square. */
typedef struct {
    vf sum, squares;
} distances;

/* What moments (a float for each channel: shift, mean, squares) become by n more numbers
 * beside the `before` that they stand for (Chan, Golub and LeVeque 1979). All but the shift
 * are of numbers less the shift: a mean far from zero costs no digits. */
typedef struct {
    vf shift, mean, squares;
} moment_lanes;

static inline moment_lanes
with_group(moment_lanes m, vf base, distances d, float before, float n)
{
    vf mean = d.sum / n, away = (base - m.shift) + mean - m.mean;
    float share = n / (before + n);
    m.mean += away * share;
    m.squares +=
        v_at_least(d.squares - d.sum * mean, 0.0f) + away * away * (before * share);
    return m;
}

static inline vf
load_line(const float *x, int lanes)
{
    return v_load_lanes(x, lanes);
}

static inline distances
line_distances(const float *x, int n, int C, int lanes, vf base)
{
    distances d = {{0}, {0}};
    for (int i = 0; i < n; i++) {
        vf away = load_line(x + (ptrdiff_t)i * C, lanes) - base;
        d.sum += away;
        d.squares += away * away;
    }
    return d;
}

/* n lines, the channels of a vector. */
static inline void
add_lines(float *moments, const float *x, float before, int n, int C, int lanes)
{
    moment_lanes m = {load_line(x, lanes), {0}, {0}};
    vf base = m.shift;
    if (before == 0)
        base += line_distances(x, n, C, lanes, base).sum / (float)n;
    else {
        m = (moment_lanes){load_line(moments, lanes), load_line(moments + C, lanes),
                           load_line(moments + 2 * C, lanes)};
        base = m.shift + m.mean;
    }
    m = with_group(m, base, line_distances(x, n, C, lanes, base), before, (float)n);
    v_store_lanes(moments, m.shift, lanes);
    v_store_lanes(moments + C, m.mean, lanes);
    v_store_lanes(moments + 2 * C, m.squares, lanes);
}

static void
add_all_lines(float *moments, const float *inp, float before, int lines, int C)
{
    for (int begin = 0; begin < lines; begin += BATCHNORM_LINES) {
        int n = lines - begin < BATCHNORM_LINES ? lines - begin : BATCHNORM_LINES, c = 0;
        const float *x = inp + (ptrdiff_t)begin * C;
        for (; c + VL <= C; c += VL)
            add_lines(moments + c, x + c, before, n, C, VL);
        if (c < C)
            add_lines(moments + c, x + c, before, n, C, C - c);
        before += (float)n;
    }
}

/* Parts of planes, `jump` apart, n numbers of each. */
typedef struct {
    const float *x;
    int planes, n;
    ptrdiff_t jump;
} plane_parts;

static inline distances
part_distances(plane_parts p, float base)
{
    distances d = {{0}, {0}}, e = d;
    for (int b = 0; b < p.planes; b++) {
        const float *x = p.x + b * p.jump;
        int i = 0;
        for (; i + 2 * VL <= p.n; i += 2 * VL) {
            vf away = v_load(x + i) - base, next = v_load(x + i + VL) - base;
            d.sum += away;
            d.squares += away * away;
            e.sum += next;
            e.squares += next * next;
        }
        for (; i < p.n; i += VL) {
            int lanes = p.n - i < VL ? p.n - i : VL;
            vf away = v_first(v_load_lanes(x + i, lanes) - base, lanes, 0.0f);
            d.sum += away;
            d.squares += away * away;
        }
    }
    return (distances){v_set(v_sum(d.sum + e.sum)), v_set(v_sum(d.squares + e.squares))};
}

static void
add_parts(float *moments, plane_parts p, float before, int C)
{
    float n = (float)p.planes * (float)p.n, shift = p.x[0], base = shift;
    moment_lanes m = {v_set(shift), {0}, {0}};
    if (before == 0)
        base += part_distances(p, base).sum[0] / n;
    else {
        m = (moment_lanes){v_set(moments[0]), v_set(moments[C]), v_set(moments[2 * C])};
        base = moments[0] + moments[C];
    }
    m = with_group(m, v_set(base), part_distances(p, base), before, n);
    moments[0] = m.shift[0];
    moments[C] = m.mean[0];
    moments[2 * C] = m.squares[0];
}

/* The planes of one channel. */
static void
add_planes(float *moments, const float *inp, float before, int rows, int C, int area)
{
    int together = area < BATCHNORM_BLOCK ? BATCHNORM_BLOCK / area : 1;
    ptrdiff_t jump = (ptrdiff_t)C * area;
    for (int b = 0; b < rows; b += together)
        for (int i = 0; i < area; i += BATCHNORM_BLOCK) {
            int planes = rows - b < together ? rows - b : together;
            int n = area - i < BATCHNORM_BLOCK ? area - i : BATCHNORM_BLOCK;
            add_parts(moments, (plane_parts){inp + b * jump + i, planes, n, jump}, before,
                      C);
            before += (float)planes * (float)n;
        }
}

static void
batchnorm_moments(float *moments, const float *inp, bool begins, int rows, int C, int area,
                  bool pixels)
{
    float before = begins ? 0 : moments[0], *of_channels = moments + BATCHNORM_MOMENTS_AT;
    if (stands_in_lines(area, pixels))
        add_all_lines(of_channels, inp, before, rows * area, C);
    else
        for (int c = 0; c < C; c++)
            add_planes(of_channels + c, inp + (ptrdiff_t)c * area, before, rows, C, area);
    moments[0] = before + (float)rows * (float)area;
}

/* ---- from the moments of slices to those of the batch ---- */

#define BATCHNORM_CHANNELS 32 /* at a time */
#define BATCHNORM_DEPTH 8     /* of a tree over 128 slices */

typedef struct {
    double n;
    double mean[BATCHNORM_CHANNELS], squares[BATCHNORM_CHANNELS];
} subtree;

static void
read_slice(subtree *to, const float *moments, int C, int begin, int end)
{
    const float *shift = moments + BATCHNORM_MOMENTS_AT, *mean = shift + C,
                *squares = mean + C;
    to->n = (double)moments[0];
    for (int c = begin; c < end; c++) {
        to->mean[c - begin] = (double)shift[c] + (double)mean[c];
        to->squares[c - begin] = (double)squares[c];
    }
}

/* b becomes that of a, its left neighbor, and b. */
static void
join_subtrees(subtree *b, const subtree *a, int channels)
{
    double share = b->n / (a->n + b->n);
    for (int c = 0; c < channels; c++) {
        double away = b->mean[c] - a->mean[c];
        b->mean[c] = a->mean[c] + away * share;
        b->squares[c] += a->squares[c] + away * away * (a->n * share);
    }
    b->n += a->n;
}

static void
merge_channels(float *mean, float *rstd, float *variance, const float *moments,
               size_t stride, int slices, int C, int begin, int end, float epsilon)
{
    subtree held[BATCHNORM_DEPTH], sum;
    for (int s = 0; s < slices; s++) {
        int level = __builtin_ctz((unsigned)s + 1); /* of the subtree that s completes */
        read_slice(&sum, moments + (size_t)s * stride, C, begin, end);
        for (int l = 0; l < level; l++)
            join_subtrees(&sum, &held[l], end - begin);
        held[level] = sum;
    }
    for (int c = begin; c < end; c++) {
        double exact = sum.squares[c - begin] / sum.n;
        mean[c] = (float)sum.mean[c - begin];
        variance[c] = (float)exact;
        rstd[c] = (float)(1 / sqrt(exact + (double)epsilon));
    }
}

static void
batchnorm_merge(float *mean, float *rstd, float *variance, const float *moments,
                size_t stride, int slices, int C, int begin, int end, float epsilon)
{
    for (int c = begin; c < end; c += BATCHNORM_CHANNELS)
        merge_channels(mean, rstd, variance, moments, stride, slices, C, c,
                       end - c < BATCHNORM_CHANNELS ? end : c + BATCHNORM_CHANNELS,
                       epsilon);
}

static void
batchnorm_running(float *mean, float *rstd, const float *running_mean,
                  const float *running_var, int C, float epsilon)
{
    for (int c = 0; c < C; c++) {
        mean[c] = running_mean[c];
        rstd[c] = 1.0f / sqrtf(running_var[c] + epsilon);
    }
}

/* ---- forward: out = scale (x - mean) + bias, scale = weight rstd ---- */

static inline void
normalize_lines(float *out, const float *x, vf mean, vf scale, vf bias, int n, int C,
                int lanes)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * C; i += C)
        v_store_lanes(out + i, scale * (load_line(x + i, lanes) - mean) + bias, lanes);
}

static void
normalize_all_lines(float *out, const float *inp, const float *mean, const float *rstd,
                    const float *weight, const float *bias, int lines, int C)
{
    for (int begin = 0; begin < lines; begin += BATCHNORM_LINES) {
        int n = lines - begin < BATCHNORM_LINES ? lines - begin : BATCHNORM_LINES, c = 0;
        ptrdiff_t at = (ptrdiff_t)begin * C;
        for (; c + VL <= C; c += VL)
            normalize_lines(out + at + c, inp + at + c, v_load(mean + c),
                            v_load(weight + c) * v_load(rstd + c), v_load(bias + c), n, C,
                            VL);
        if (c < C)
            normalize_lines(out + at + c, inp + at + c, v_load_part(mean + c, C - c),
                            v_load_part(weight + c, C - c) * v_load_part(rstd + c, C - c),
                            v_load_part(bias + c, C - c), n, C, C - c);
    }
}

static void
batchnorm_forward(float *out, const float *inp, const float *mean, const float *rstd,
                  const float *weight, const float *bias, int rows, int C, int area,
                  bool pixels)
{
    if (stands_in_lines(area, pixels)) {
        normalize_all_lines(out, inp, mean, rstd, weight, bias, rows * area, C);
        return;
    }
    for (int b = 0; b < rows; b++)
        for (int c = 0; c < C; c++) {
            ptrdiff_t at = ((ptrdiff_t)b * C + c) * area;
            vf scale = v_set(weight[c] * rstd[c]);
            for (int i = 0; i < area; i += VL) {
                int lanes = area - i < VL ? area - i : VL;
                vf x = v_load_lanes(inp + at + i, lanes);
                v_store_lanes(out + at + i, scale * (x - mean[c]) + bias[c], lanes);
            }
        }
}

/* ---- backward: sums of dout and of dout * xh, xh = (x - mean) rstd ---- */

static inline void
sum_lines(float *dweight, float *dbias, const float *dout, const float *inp, vf mean,
          vf rstd, int n, int C, int lanes, float beta)
{
    vf sum = {0}, along = {0};
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * C; i += C) {
        vf dy = load_line(dout + i, lanes);
        sum += dy;
        along += dy * (load_line(inp + i, lanes) - mean);
    }
    along *= rstd;
    if (beta != 0) {
        sum += beta * load_line(dbias, lanes);
        along += beta * load_line(dweight, lanes);
    }
    v_store_lanes(dbias, sum, lanes);
    v_store_lanes(dweight, along, lanes);
}

static void
sum_all_lines(float *dweight, float *dbias, const float *dout, const float *inp,
              const float *mean, const float *rstd, int lines, int C, float beta)
{
    for (int begin = 0; begin < lines; begin += BATCHNORM_LINES, beta = 1) {
        int n = lines - begin < BATCHNORM_LINES ? lines - begin : BATCHNORM_LINES, c = 0;
        ptrdiff_t at = (ptrdiff_t)begin * C;
        for (; c + VL <= C; c += VL)
            sum_lines(dweight + c, dbias + c, dout + at + c, inp + at + c, v_load(mean + c),
                      v_load(rstd + c), n, C, VL, beta);
        if (c < C)
            sum_lines(dweight + c, dbias + c, dout + at + c, inp + at + c,
                      v_load_part(mean + c, C - c), v_load_part(rstd + c, C - c), n, C,
                      C - c, beta);
    }
}

/* Of one plane; `along` is not yet multiplied by rstd. */
static inline void
sum_plane(float *sum, float *along, const float *dout, const float *inp, float mean, int n)
{
    vf s = {0}, a = {0};
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf dy = v_load_lanes(dout + i, lanes); /* 0 in lanes that are not there */
        s += dy;
        a += dy * (v_load_lanes(inp + i, lanes) - mean);
    }
    *sum += v_sum(s);
    *along += v_sum(a);
}

static void
batchnorm_sums(float *dweight, float *dbias, const float *dout, const float *inp,
               const float *mean, const float *rstd, int rows, int C, int area, bool pixels,
               float beta)
{
    if (stands_in_lines(area, pixels)) {
        sum_all_lines(dweight, dbias, dout, inp, mean, rstd, rows * area, C, beta);
        return;
    }
    for (int c = 0; c < C; c++) {
        float sum = 0, along = 0;
        for (int b = 0; b < rows; b++)
            for (int i = 0; i < area; i += BATCHNORM_BLOCK) {
                ptrdiff_t at = ((ptrdiff_t)b * C + c) * area + i;
                sum_plane(&sum, &along, dout + at, inp + at, mean[c],
                          area - i < BATCHNORM_BLOCK ? area - i : BATCHNORM_BLOCK);
            }
        accumulate(&dbias[c], sum, 1.0f, beta);
        accumulate(&dweight[c], along * rstd[c], 1.0f, beta);
    }
}

/* ---- dx = weight rstd (dy - mean(dy) - xh mean(dy xh)), means over the batch ---- */

/* scale (dy - level - slope (x - mean)) */
typedef struct {
    vf scale, level, slope, mean;
} gradient_lanes;

static inline gradient_lanes
gradient_of(vf weight, vf mean, vf rstd, vf dweight, vf dbias, float count)
{
    return (gradient_lanes){weight * rstd, dbias / count, rstd * (dweight / count), mean};
}

static inline vf
input_gradient(gradient_lanes g, vf dy, vf x)
{
    return g.scale * (dy - g.level - g.slope * (x - g.mean));
}

static inline void
gradient_lines(float *dinp, const float *dout, const float *inp, gradient_lanes g, int n,
               int C, int lanes)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * C; i += C) {
        vf dy = load_line(dout + i, lanes), x = load_line(inp + i, lanes);
        v_store_lanes(dinp + i, input_gradient(g, dy, x), lanes);
    }
}

static void
gradient_all_lines(float *dinp, const float *dout, const float *inp, const float *mean,
                   const float *rstd, const float *weight, const float *dweight,
                   const float *dbias, float count, int lines, int C)
{
    for (int begin = 0; begin < lines; begin += BATCHNORM_LINES)
        for (int c = 0; c < C; c += VL) {
            int n = lines - begin < BATCHNORM_LINES ? lines - begin : BATCHNORM_LINES;
            int lanes = C - c < VL ? C - c : VL;
            ptrdiff_t at = (ptrdiff_t)begin * C + c;
            gradient_lanes g =
                gradient_of(load_line(weight + c, lanes), load_line(mean + c, lanes),
                            load_line(rstd + c, lanes), load_line(dweight + c, lanes),
                            load_line(dbias + c, lanes), count);
            if (lanes == VL)
                gradient_lines(dinp + at, dout + at, inp + at, g, n, C, VL);
            else
                gradient_lines(dinp + at, dout + at, inp + at, g, n, C, lanes);
        }
}

static void
gradient_plane(float *dinp, const float *dout, const float *inp, gradient_lanes g, int n)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf dy = v_load_lanes(dout + i, lanes), x = v_load_lanes(inp + i, lanes);
        v_store_lanes(dinp + i, input_gradient(g, dy, x), lanes);
    }
}

static void
batchnorm_backward_input(float *dinp, const float *dout, const float *inp,
                         const float *mean, const float *rstd, const float *weight,
                         const float *dweight, const float *dbias, float count, int rows,
                         int C, int area, bool pixels)
{
    if (stands_in_lines(area, pixels)) {
        gradient_all_lines(dinp, dout, inp, mean, rstd, weight, dweight, dbias, count,
                           rows * area, C);
        return;
    }
    for (int b = 0; b < rows; b++)
        for (int c = 0; c < C; c++) {
            ptrdiff_t at = ((ptrdiff_t)b * C + c) * area;
            gradient_lanes g = gradient_of(v_set(weight[c]), v_set(mean[c]), v_set(rstd[c]),
                                           v_set(dweight[c]), v_set(dbias[c]), count);
            gradient_plane(dinp + at, dout + at, inp + at, g, area);
        }
}
