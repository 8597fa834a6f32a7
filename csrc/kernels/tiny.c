#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Weights of a layer in vectors. Of the first layer a vector holds all units' weights for
 * one input: z is a sum of vectors. Of a later one it holds all weights of one unit: z is a
 * dot product, and the gradient with respect to its inputs a sum of vectors. */
typedef struct {
    vf weight[TINY_WIDTH];
    vf bias; /* by unit */
} tiny_weights;

typedef struct {
    vf z, y;
} tiny_activations;

/* Element j of vector i among the layer's parameters, (in, units). */
static int
tiny_place(int index, const tiny_layer *layer, int i, int j)
{
    return index == 0 ? i * layer->units + j : j * layer->units + i;
}

static int
tiny_vectors(int index, const tiny_layer *layer)
{
    return index == 0 ? layer->in : layer->units;
}

static int
tiny_lanes(int index, const tiny_layer *layer)
{
    return index == 0 ? layer->units : layer->in;
}

static void
tiny_load(tiny_weights *to, int index, const tiny_layer *layer, const float *params)
{
    float lanes[VL];
    for (int i = 0; i < tiny_vectors(index, layer); i++) {
        memset(lanes, 0, sizeof lanes);
        for (int j = 0; j < tiny_lanes(index, layer); j++)
            lanes[j] = params[tiny_place(index, layer, i, j)];
        to->weight[i] = v_load(lanes);
    }
    to->bias = v_load_part(params + layer->in * layer->units, layer->units);
}

static void
tiny_store(const tiny_weights *from, int index, const tiny_layer *layer, float *params)
{
    float lanes[VL];
    for (int i = 0; i < tiny_vectors(index, layer); i++) {
        v_store(lanes, from->weight[i]);
        for (int j = 0; j < tiny_lanes(index, layer); j++)
            params[tiny_place(index, layer, i, j)] = lanes[j];
    }
    v_store_part(params + layer->in * layer->units, from->bias, layer->units);
}

static inline void
tiny_forward(tiny_activations *out, const tiny_weights *w, int index,
             const tiny_layer *layer, const float *x, vf below)
{
    vf z = w->bias;
    if (index == 0)
        for (int i = 0; i < layer->in; i++)
            z += x[i] * w->weight[i];
    else
        for (int i = 0; i < layer->units; i++)
            z = v_add_to_lane(z, i, v_sum(w->weight[i] * below));
    out->z = z;
    out->y = activation_value(layer->activation, z, layer->alpha);
    /* Lanes beyond the units meet the next layer's zeros, but not as NaN. */
    out->y = v_first(out->y, layer->units, 0.0f);
}

/* Adds step times the gradient to `to`; returns the gradient with respect to the inputs. */
static inline vf
tiny_backward(tiny_weights *to, const tiny_weights *w, int index, const tiny_layer *layer,
              const float *x, vf below, vf dz, float step)
{
    vf dinp = {0}, scaled = step * dz;
    to->bias += scaled;
    if (index == 0) {
        for (int i = 0; i < layer->in; i++)
            to->weight[i] += x[i] * scaled;
        return dinp;
    }
    float d[VL];
    v_store(d, dz);
    for (int i = 0; i < layer->units; i++) {
        dinp += d[i] * w->weight[i];
        to->weight[i] += step * d[i] * below;
    }
    return dinp;
}

static vf
tiny_score(const tiny_net *net, double *loss, int64_t *hits, vf out, const void *targets,
           ptrdiff_t row)
{
    float outputs[VL], gradient[VL] = {0};
    double row_loss;
    uint8_t hit;
    int size = net->layer[net->n_layers - 1].units;
    v_store(outputs, out);
    net->loss(gradient, &row_loss, &hit, outputs,
              (const char *)targets + (size_t)row * net->target_bytes, 0.0f, size, 0, 1);
    *loss += row_loss;
    *hits += hit;
    return v_load(gradient);
}

/* `to` are the weights that the gradient is added to, which for a batch of one may be the
 * weights themselves: a layer's are not needed any more after their own backward. */
static inline void
tiny_row(const tiny_net *net, tiny_weights *to, const tiny_weights *w, double *loss,
         int64_t *hits, const float *x, const void *targets, ptrdiff_t row, float step)
{
    tiny_activations a[TINY_LAYERS];
    int last = net->n_layers - 1;
    x += row * net->layer[0].in;
    for (int l = 0; l <= last; l++)
        tiny_forward(&a[l], &w[l], l, &net->layer[l], x, l > 0 ? a[l - 1].y : a[0].y);
    vf dy = tiny_score(net, loss, hits, a[last].y, targets, row);
    for (int l = last; l >= 0; l--) {
        const tiny_layer *layer = &net->layer[l];
        vf dz = dy * activation_slope(layer->activation, a[l].z, a[l].y, layer->alpha);
        dy = tiny_backward(&to[l], &w[l], l, layer, x, l > 0 ? a[l - 1].y : dz, dz, step);
    }
}

static void
tiny_epoch(const tiny_net *net, float *params, double *loss, int64_t *hits, const float *x,
           const void *targets, const int32_t *order, int n, int batch, float lr)
{
    tiny_weights w[TINY_LAYERS], sum[TINY_LAYERS];
    for (int l = 0; l < net->n_layers; l++)
        tiny_load(&w[l], l, &net->layer[l], params + net->layer[l].offset);
    for (int begin = 0; begin < n; begin += batch) {
        int rows = n - begin < batch ? n - begin : batch;
        float step = -lr / (float)rows;
        if (rows > 1)
            memcpy(sum, w, (size_t)net->n_layers * sizeof *w);
        double batch_loss = 0; /* so that batches sum up the same in several calls */
        for (int i = begin; i < begin + rows; i++)
            tiny_row(net, rows > 1 ? sum : w, w, &batch_loss, hits, x, targets, order[i],
                     step);
        *loss += batch_loss;
        if (rows > 1)
            memcpy(w, sum, (size_t)net->n_layers * sizeof *w);
    }
    for (int l = 0; l < net->n_layers; l++)
        tiny_store(&w[l], l, &net->layer[l], params + net->layer[l].offset);
}
