/* Patterns of layers that one kernel does at once. Part of level.c. The plain passes
 * stay, and a test holds both to the same numbers. */
#include "../level.h"

#include "../../kernels/kernels.h"

#include <string.h>

static bool
is_sigmoid_dense(const rnn_layer *layer, int in, int units)
{
    return layer->type == &dense_layer && layer->in_size == in && layer->out_size == units
           && dense_activation(layer)->forward == sigmoid_forward;
}

static bool
matches_sigmoid_2_4_1(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss,
                      int batch_size)
{
    return n_layers == 2 && batch_size == 1 && strcmp(loss->name, "squared_error") == 0
           && is_sigmoid_dense(&layers[0], 2, 4) && is_sigmoid_dense(&layers[1], 4, 1);
}

static void
run_sigmoid_2_4_1(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss,
                  float *params, double *sum, int64_t *hits, const float *x,
                  const void *targets, const int32_t *order, int n, int batch_size,
                  float lr)
{
    (void)layers, (void)n_layers, (void)loss, (void)batch_size;
    sigmoid_2_4_1_epoch(params, sum, hits, x, targets, order, n, lr);
}

/* Dense layers of which each fits a vector. */
static bool
matches_tiny(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss,
             int batch_size)
{
    (void)batch_size;
    bool fits = n_layers <= TINY_LAYERS && layers[0].in_size <= TINY_WIDTH
                && loss->gradient != NULL;
    for (int i = 0; i < n_layers; i++)
        fits = fits && layers[i].type == &dense_layer && layers[i].in.rank == 1
               && layers[i].out_size <= VL;
    return fits;
}

static void
run_tiny(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss, float *params,
         double *sum, int64_t *hits, const float *x, const void *targets,
         const int32_t *order, int n, int batch_size, float lr)
{
    size_t values = (size_t)layers[n_layers - 1].out_size;
    tiny_net net = {.n_layers = n_layers,
                    .loss = loss->gradient,
                    .target_bytes = loss->targets == RNN_LABELS ? sizeof(int32_t)
                                                                : values * sizeof(float)};
    size_t offset = 0;
    for (int i = 0; i < n_layers; i++) {
        net.layer[i] = (tiny_layer){.in = layers[i].in_size,
                                    .units = layers[i].out_size,
                                    .activation = (int)layers[i].attr[DENSE_ACTIVATION],
                                    .alpha = (float)layers[i].attr[DENSE_ALPHA],
                                    .offset = offset};
        offset += layers[i].param_count;
    }
    tiny_epoch(&net, params, sum, hits, x, targets, order, n, batch_size, lr);
}

static const rnn_fused_epoch fused_epochs[] = {
    {matches_sigmoid_2_4_1, run_sigmoid_2_4_1},
    {matches_tiny, run_tiny},
    {NULL, NULL},
};

static bool
is_conv(const rnn_layer *layer)
{
    return layer->type == &conv2d_layer || layer->type == &conv1d_layer;
}

static int
fuse_conv_pixels(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    (void)n_layers;
    return is_conv(&layers[0]) && conv_pixels_fuse(fused, &layers[0]);
}

static bool
is_max_pool(const rnn_layer *layer)
{
    return layer->type == &maxpool2d_layer || layer->type == &maxpool1d_layer;
}

static int
fuse_conv_pixels_pool(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches = n_layers >= 2 && is_conv(&layers[0]) && is_max_pool(&layers[1])
                   && conv_pixels_pool_fuse(fused, &layers[0], &layers[1]);
    return matches ? 2 : 0;
}

static int
fuse_conv2d_pool(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches = n_layers >= 2 && layers[0].type == &conv2d_layer
                   && layers[1].type == &maxpool2d_layer
                   && (conv2d_windows_fuse(fused, &layers[0], &layers[1])
                       || conv2d_pool_fuse(fused, &layers[0], &layers[1]));
    return matches ? 2 : 0;
}

static int
fuse_window_blocks(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches = n_layers >= 4 && layers[0].type == &conv2d_layer
                   && layers[1].type == &maxpool2d_layer && layers[2].type == &flatten_layer
                   && layers[3].type == &dense_layer
                   && window_blocks_fuse(fused, &layers[0], &layers[1], &layers[3]);
    return matches ? 4 : 0;
}

static int
fuse_pooled_dense(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches = n_layers >= 2 && layers[0].type == &dense_layer
                   && layers[1].type == &mean_pool_layer && layers[1].masked_by < 0
                   && pooled_dense_fuse(fused, &layers[0], &layers[1]);
    return matches ? 2 : 0;
}

static bool
is_relu(const rnn_layer *layer)
{
    return layer->type == &activation_layer
           && activation_of(layer)->forward == relu_forward;
}

static bool
is_patch_attention(const rnn_layer *layers, int n_layers)
{
    return n_layers >= 4 && layers[0].type == &patch_embed_layer
           && layers[1].type == &position_layer && is_relu(&layers[2])
           && layers[3].type == &self_attention_layer
           && layers[3].attr[ATTENTION_CAUSAL] == 0 && layers[3].masked_by < 0;
}

static int
fuse_tied_attention(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches =
        n_layers >= 5 && is_patch_attention(layers, n_layers)
        && layers[4].type == &dense_layer
        && tied_attention_fuse(fused, &layers[0], &layers[1], &layers[3], &layers[4]);
    return matches ? 5 : 0;
}

static int
fuse_patch_attention(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    bool matches = is_patch_attention(layers, n_layers)
                   && patch_attention_fuse(fused, &layers[0], &layers[1], &layers[3]);
    return matches ? 4 : 0;
}

/* Attention alone in a block that adds its input is attention with residual. */
static int
fuse_added_attention(rnn_layer *fused, const rnn_layer *layers, int n_layers)
{
    if (n_layers < 4 || layers[0].type != &fork_layer
        || layers[1].type != &self_attention_layer
        || layers[1].attr[ATTENTION_RESIDUAL] != 0 || layers[2].type != &branch_layer
        || layers[3].type != &add_layer)
        return 0;
    *fused = layers[1];
    fused->attr[ATTENTION_RESIDUAL] = 1;
    return 4;
}

static const rnn_fusion fusions[] = {
    fuse_window_blocks,  fuse_conv_pixels_pool, fuse_conv_pixels,
    fuse_conv2d_pool,    fuse_pooled_dense,     fuse_added_attention,
    fuse_tied_attention, fuse_patch_attention,  NULL,
};
