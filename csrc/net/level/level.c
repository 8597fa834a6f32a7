/* One CPU level in one unit: setup.py compiles this file once a level with the level's
 * flags and RNN_LEVEL = its name. Everything but the table at the end is static, so the
 * copies cannot meet at link time. */
#include "../../base/finite.h"
#include "../../base/within.h"
#include "../level.h"

#include "../../kernels/absolute_error.c"
#include "../../kernels/activations.c"
#include "../../kernels/attention.c"
#include "../../kernels/augment.c"
#include "../../kernels/batchnorm.c"
#include "../../kernels/conv2d.c"
#include "../../kernels/dense.c"
#include "../../kernels/dense_transposed.c"
#include "../../kernels/dropout.c"
#include "../../kernels/embedding.c"
#include "../../kernels/gather.c"
#include "../../kernels/gemm.c"
#include "../../kernels/global_pool.c"
#include "../../kernels/huber.c"
#include "../../kernels/noise.c"
#include "../../kernels/nonzeros.c"
#include "../../kernels/normalization.c"
#include "../../kernels/norms.c"
#include "../../kernels/optimizers.c"
#include "../../kernels/peak.c"
#include "../../kernels/pool2d.c"
#include "../../kernels/pixels.c"
/* These build on pool2d.c and pixels.c. */
#include "../../kernels/pixel_pools.c"
#include "../../kernels/pixel_lists.c"
#include "../../kernels/poisson.c"
#include "../../kernels/pooled.c"
#include "../../kernels/prelu.c"
#include "../../kernels/recurrent.c"
#include "../../kernels/reduce.c"
#include "../../kernels/rmsnorm.c"
#include "../../kernels/sigmoid_2_4_1.c"
#include "../../kernels/sigmoid_xent.c"
#include "../../kernels/softmax_xent.c"
#include "../../kernels/squared_error.c"
#include "../../kernels/tiny.c"
#include "../../kernels/tokens.c"
#include "../../kernels/transpose.c"
#include "../../kernels/unfolded.c"
#include "../../kernels/weigh_rows.c"
#include "../../kernels/windows.c"
/* This one continues windows.c. */
#include "../../kernels/window_blocks.c"

/* common.c and window.c are shared by the adapters, which follow; fuse.c looks at them. */
#include "../layers/common.c"
#include "../layers/window.c"

#include "../layers/activation.c"
#include "../layers/batchnorm.c"
#include "../layers/branches.c"
#include "../layers/columns.c"
#include "../layers/pool2d.c"

#include "../layers/conv_setup.c"
/* These build on it. */
#include "../layers/conv2d.c"
#include "../layers/conv_pixels.c"
#include "../fused/conv2d_pool.c"
#include "../fused/conv2d_windows.c"
#include "../fused/conv_pixels_pool.c"
#include "../layers/dense.c"
#include "../layers/dropout.c"
#include "../layers/embedding.c"
#include "../layers/flatten.c"
#include "../layers/reshape.c"
#include "../layers/global_pool.c"
#include "../layers/noise.c"
#include "../layers/normalization.c"
#include "../layers/norms.c"
#include "../layers/prelu.c"
#include "../layers/rearrange.c"
#include "../layers/recurrent.c"
#include "../layers/rmsnorm.c"
#include "../layers/self_attention.c"
#include "../layers/tokens.c"

#include "../fused/patch_attention.c"
#include "../fused/pooled_dense.c"
#include "../fused/tied_memory.c"
#include "../fused/tied_attention.c"
#include "../fused/window_blocks.c"

#include "../fused/folded.c"
#include "../fused/fuse.c"
#include "optimizers.c"

/* In the order in which pages and messages list them. */
static const rnn_layer_type *const layer_types[] = {
    &dense_layer,
    &conv1d_layer,
    &conv2d_layer,
    &maxpool1d_layer,
    &maxpool2d_layer,
    &avgpool1d_layer,
    &avgpool2d_layer,
    &global_avgpool1d_layer,
    &global_avgpool2d_layer,
    &global_maxpool1d_layer,
    &global_maxpool2d_layer,
    &flatten_layer,
    &reshape_layer,
    &activation_layer,
    &prelu_layer,
    &softmax_layer,
    &batchnorm_layer,
    &layernorm_layer,
    &rmsnorm_layer,
    &normalization_layer,
    &dropout_layer,
    &noise_layer,
    &columns_layer,
    &embedding_layer,
    &patch_embed_layer,
    &patch_embed1d_layer,
    &position_layer,
    &self_attention_layer,
    &masking_layer,
    &mean_pool_layer,
    &simple_rnn_layer,
    &gru_layer,
    &lstm_layer,
    &fork_layer,
    &branch_layer,
    &add_layer,
    &concat_layer,
    NULL,
};

static const rnn_loss_type loss_types[] = {
    {"softmax_cross_entropy", RNN_LABELS, softmax_xent, softmax, "softmax"},
    {"sigmoid_cross_entropy", RNN_VALUES, sigmoid_xent, sigmoid_rows, "sigmoid"},
    {"squared_error", RNN_VALUES, squared_error, NULL, "linear"},
    {"absolute_error", RNN_VALUES, absolute_error, NULL, "linear"},
    {"huber", RNN_VALUES, huber, NULL, "linear"},
    {"poisson", RNN_VALUES, poisson, exp_rows, "exp"},
    {"none", RNN_VALUES, NULL, NULL, "linear"},
    {NULL, RNN_LABELS, NULL, NULL, NULL},
};

#define INFO_ROW(name, from_input, alpha, below, above) {#name, alpha, below, above},
static const rnn_activation_info activation_infos[] = {
    ACTIVATIONS(INFO_ROW){NULL, 0, false, false},
};

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

extern const rnn_level JOIN(rnn_level_, RNN_LEVEL);

const rnn_level JOIN(rnn_level_, RNN_LEVEL) = {
    .name = TEXT(RNN_LEVEL),
    .layers = layer_types,
    .losses = loss_types,
    .activations = activation_infos,
    .optimizers = optimizer_types,
    .fused_epochs = fused_epochs,
    .fusions = fusions,
    .folds_above = folds_above,
    .fold = fold_batchnorm,
    .rearranging_layer = rearranging_layer,
    .gather_f32 = gather_f32,
    .gather_u8 = gather_u8,
    .gather_compressed = gather_compressed,
    .nonzeros_by_row = nonzeros_by_row,
    .nonzeros_of_compressed = nonzeros_of_compressed,
    .nonzeros_by_column = nonzeros_by_column,
    .count_nonzeros = count_nonzeros,
    .augment = augment,
    .mix_row = mix_row,
    .weigh_rows = weigh_rows,
    .reduce = reduce,
    .all_finite = rnn_all_finite,
    .all_within = rnn_all_within,
    .dot = dot,
    .sum_of_squares = sum_of_squares,
    .add_scaled = add_scaled,
    .move_average = move_average,
    .multiply_adds = multiply_adds,
    .read_slack = RNN_READ_SLACK,
};
