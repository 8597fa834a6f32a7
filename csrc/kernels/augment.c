#include "kernels.h"

#include "../base/rng.h"
#include "../base/simd.h"

#include <math.h>
#include <string.h>

/* Where the pixel at (x, y) of the new image comes from in the old one:
 * (xx x + xy y + x0, yx x + yy y + y0), and what the elastic grid adds. */
typedef struct {
    float xx, xy, x0, yx, yy, y0;
    bool is_elastic;
    float grid_x[RNN_ELASTIC_POINTS][RNN_ELASTIC_POINTS]; /* by row */
    float grid_y[RNN_ELASTIC_POINTS][RNN_ELASTIC_POINTS];
} placement;

/* Where an image has anything but zeros: rows top..bottom and columns left..right. */
typedef struct {
    float left, right, top, bottom;
} ink_box;

/* Uniform in [-most, most]; each number of an image has its own index. */
static float
draw(uint64_t key, int index, float most)
{
    float u = (float)rnn_mask_bits(key, (uint64_t)index) / 4294967296.0f;
    return (2.0f * u - 1.0f) * most;
}

/* The new image is the old one sheared, scaled and turned around its center, then shifted;
 * that is undone in the reverse order to find where a pixel comes from. */
static placement
draw_placement(const rnn_augmentation *a, uint64_t key)
{
    float dx = draw(key, 0, a->shift), dy = draw(key, 1, a->shift);
    float angle = draw(key, 2, a->rotation), factor = 1.0f + draw(key, 3, a->scale);
    float shear = draw(key, 4, a->shear), c = cosf(angle), s = sinf(angle);
    float x_center = (float)(a->width - 1) / 2, y_center = (float)(a->height - 1) / 2;
    placement p = {.xx = (c + shear * s) / factor,
                   .xy = (s - shear * c) / factor,
                   .yx = -s / factor,
                   .yy = c / factor,
                   .is_elastic = a->elastic > 0};
    p.x0 = x_center - p.xx * (x_center + dx) - p.xy * (y_center + dy);
    p.y0 = y_center - p.yx * (x_center + dx) - p.yy * (y_center + dy);
    for (int i = 0, index = 5; p.is_elastic && i < RNN_ELASTIC_POINTS; i++)
        for (int j = 0; j < RNN_ELASTIC_POINTS; j++) {
            p.grid_x[i][j] = draw(key, index++, a->elastic);
            p.grid_y[i][j] = draw(key, index++, a->elastic);
        }
    return p;
}

/* The image among zeros; see RNN_AUGMENTATION_MARGIN. */
static void
copy_with_margin(float *to, const float *image, const rnn_augmentation *a)
{
    int pitch = a->width + RNN_AUGMENTATION_MARGIN;
    size_t row_bytes = (size_t)a->width * sizeof(float);
    memset(to, 0, rnn_augmentation_scratch(a) * sizeof(float));
    for (int c = 0; c < a->channels; c++) {
        to += pitch + 1;
        for (int y = 0; y < a->height; y++, to += pitch, image += a->width)
            memcpy(to, image, row_bytes);
        to += 2 * pitch - 1;
    }
}

static bool
is_blank_row(const float *image, const rnn_augmentation *a, int y)
{
    for (int c = 0; c < a->channels; c++)
        if (!is_blank(image + ((ptrdiff_t)c * a->height + y) * a->width, a->width))
            return false;
    return true;
}

/* Which of the columns begin.. (at most VL) are not blank, as bits. */
static uint32_t
inked_columns(const float *image, const rnn_augmentation *a, int begin)
{
    int lanes = a->width - begin < VL ? a->width - begin : VL;
    ptrdiff_t size = (ptrdiff_t)a->channels * a->height * a->width;
    vf most = {0};
    for (ptrdiff_t i = begin; i < size; i += a->width)
        most = v_max(v_abs(v_load_part(image + i, lanes)), most);
    return v_nonzero(most);
}

static ink_box
find_ink(const float *image, const rnn_augmentation *a)
{
    int top = 0, bottom = a->height - 1, left = a->width, right = 0;
    while (top < bottom && is_blank_row(image, a, top))
        top++;
    while (bottom > top && is_blank_row(image, a, bottom))
        bottom--;
    for (int begin = 0; begin < a->width; begin += VL) {
        uint32_t bits = inked_columns(image, a, begin);
        if (bits == 0)
            continue;
        if (left == a->width)
            left = begin + __builtin_ctz(bits);
        right = begin + 31 - __builtin_clz(bits);
    }
    return (ink_box){(float)left, (float)right, (float)top, (float)bottom};
}

/* The rows of the grid that lie around row y, and their mean by nearness. */
static void
blend_grid_rows(float *row, const float (*grid)[RNN_ELASTIC_POINTS], int y, int height)
{
    const int cells = RNN_ELASTIC_POINTS - 1;
    float at = height > 1 ? (float)(y * cells) / (float)(height - 1) : 0;
    int i = (int)at < cells ? (int)at : cells - 1;
    for (int j = 0; j < RNN_ELASTIC_POINTS; j++)
        row[j] = grid[i][j] + (at - (float)i) * (grid[i + 1][j] - grid[i][j]);
}

/* The same along a row, at lanes x; `cells` are those of a pixel. Each point of the grid
 * counts by a hat that reaches to its neighbors. */
static inline vf
blend_grid_row(const float *row, vf x, float cells)
{
    vf at = x * cells, sum = {0};
    for (int j = 0; j < RNN_ELASTIC_POINTS; j++)
        sum += v_at_least(1.0f - v_abs(at - (float)j), 0.0f) * row[j];
    return sum;
}

typedef struct {
    vf left, right;
} neighbors;

/* p[at] and p[at + 1] of each lane: one load where the processor can load both at once. */
static inline neighbors
gather_neighbors(const float *p, vi at)
{
#if VL == 16
    __m256i low = _mm512_castsi512_si256((__m512i)at);
    __m256i high = _mm512_extracti64x4_epi64((__m512i)at, 1);
    vf a = (vf)_mm512_i32gather_pd(low, p, sizeof *p);
    vf b = (vf)_mm512_i32gather_pd(high, p, sizeof *p);
    return (neighbors){v_evens(a, b), v_odds(a, b)};
#else
    neighbors found = {{0}, {0}};
    for (int i = 0; i < VL; i++) {
        found.left[i] = p[at[i]];
        found.right[i] = p[at[i] + 1];
    }
    return found;
#endif
}

/* Between the four neighbors of a place at a whole number and a fraction of pixels. */
static inline vf
interpolate(const float *padded, vi at, vf right, vf down, int pitch)
{
    neighbors above = gather_neighbors(padded, at),
              below = gather_neighbors(padded + pitch, at);
    vf upper = above.left + right * (above.right - above.left);
    vf lower = below.left + right * (below.right - below.left);
    return upper + down * (lower - upper);
}

/* The greatest whole number that is not above x, for x of at least -1. */
static inline vi
floor_from_minus_one(vf x)
{
    return __builtin_convertvector(x + 1.0f, vi) - 1;
}

/* Lanes x of row y of the new image, of all channels. */
static inline void
place_lanes(float *out, const float *padded, const rnn_augmentation *a, const ink_box *ink,
            vf x, vf y, int lanes)
{
    ptrdiff_t pitch = a->width + RNN_AUGMENTATION_MARGIN;
    ptrdiff_t plane = (a->height + RNN_AUGMENTATION_MARGIN) * pitch;
    ptrdiff_t area = (ptrdiff_t)a->height * a->width;
    vf inside = v_min(v_min(x - (ink->left - 1), ink->right + 1 - x),
                      v_min(y - (ink->top - 1), ink->bottom + 1 - y));
    if (v_nonzero(v_at_least(inside, 0.0f)) == 0) {
        for (int c = 0; c < a->channels; c++)
            v_store_lanes(out + c * area, (vf){0}, lanes);
        return;
    }
    x = v_at_most(v_at_least(x, -1.0f), (float)a->width);
    y = v_at_most(v_at_least(y, -1.0f), (float)a->height);
    vi column = floor_from_minus_one(x), row = floor_from_minus_one(y);
    vf right = x - __builtin_convertvector(column, vf);
    vf down = y - __builtin_convertvector(row, vf);
    vi at = (row + 1) * (int)pitch + column + 1;
    for (int c = 0; c < a->channels; c++)
        v_store_lanes(out + c * area,
                      interpolate(padded + c * plane, at, right, down, (int)pitch), lanes);
}

static void
place_row(float *out, const float *padded, const rnn_augmentation *a, const placement *p,
          const ink_box *ink, int y)
{
    float row_x[RNN_ELASTIC_POINTS], row_y[RNN_ELASTIC_POINTS];
    float cells =
        a->width > 1 ? (float)(RNN_ELASTIC_POINTS - 1) / (float)(a->width - 1) : 0;
    if (p->is_elastic) {
        blend_grid_rows(row_x, p->grid_x, y, a->height);
        blend_grid_rows(row_y, p->grid_y, y, a->height);
    }
    for (int begin = 0; begin < a->width; begin += VL) {
        int lanes = a->width - begin < VL ? a->width - begin : VL;
        vf x = __builtin_convertvector(v_lanes() + begin, vf);
        vf from_x = p->xx * x + (p->xy * (float)y + p->x0);
        vf from_y = p->yx * x + (p->yy * (float)y + p->y0);
        if (p->is_elastic) {
            from_x += blend_grid_row(row_x, x, cells);
            from_y += blend_grid_row(row_y, x, cells);
        }
        place_lanes(out + begin, padded, a, ink, from_x, from_y, lanes);
    }
}

static void
augment(float *image, const rnn_augmentation *a, uint64_t key, float *scratch)
{
    placement p = draw_placement(a, key);
    ink_box ink = find_ink(image, a);
    copy_with_margin(scratch, image, a);
    for (int y = 0; y < a->height; y++)
        place_row(image + (ptrdiff_t)y * a->width, scratch, a, &p, &ink, y);
}

static void
mix_row(float *row, const float *other, float share, int n)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf a = v_load_part(row + i, lanes), b = v_load_part(other + i, lanes);
        v_store_part(row + i, share * a + (1.0f - share) * b, lanes);
    }
}
