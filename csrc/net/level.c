/* One CPU level in one unit: setup.py compiles this file once a level with the level's
 * flags and RNN_LEVEL = its name. Everything but the table at the end is static, so the
 * copies cannot meet at link time. */
#include "level.h"

#include "../kernels/kernels.h"

#include "../kernels/activations.c"
#include "../kernels/dense.c"
#include "../kernels/gather.c"
#include "../kernels/gemm.c"
#include "../kernels/sigmoid_2_4_1.c"
#include "../kernels/softmax_xent.c"
#include "../kernels/squared_error.c"
#include "layers.c"

#include "fuse.c"

static const rnn_layer_type *const layer_types[] = {&dense_layer, NULL};

static void
softmax_xent_gradient(float *dout, double *loss, uint8_t *hit, const float *out,
                      const void *targets, int size, int begin, int end)
{
    softmax_xent(dout, loss, hit, out, targets, size, begin, end);
}

static void
squared_error_gradient(float *dout, double *loss, uint8_t *hit, const float *out,
                       const void *targets, int size, int begin, int end)
{
    squared_error(dout, loss, hit, out, targets, size, begin, end);
}

static const rnn_loss_type loss_types[] = {
    {"softmax_cross_entropy", RNN_LABELS, softmax_xent_gradient, softmax},
    {"squared_error", RNN_VALUES, squared_error_gradient, NULL},
    {NULL, RNN_LABELS, NULL, NULL},
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
    .fused_epochs = fused_epochs,
    .gather_f32 = gather_f32,
    .gather_u8 = gather_u8,
    .read_slack = RNN_READ_SLACK,
};
