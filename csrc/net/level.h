/* One CPU level: everything that is compiled several times, behind one table. */
#ifndef RNN_LEVEL_H
#define RNN_LEVEL_H

#include "../base/augmentation.h"
#include "../base/nonzeros.h"
#include "layer.h"
#include "optimizer.h"

/* What a loss is taken against: a class number a row, or a value for each output. */
typedef enum { RNN_LABELS, RNN_VALUES } rnn_target_kind;

typedef struct {
    const char *name;
    rnn_target_kind targets;
    /* Rows begin..end: dout is per row, not divided by the batch. `targets` is int32_t or
     * float, as the kind says; smoothing is 0 for values. NULL: the net has no loss, and
     * can only predict and backpropagate what it is given. */
    void (*gradient)(float *dout, double *loss, uint8_t *hit, const float *out,
                     const void *targets, float smoothing, int size, int begin, int end);
    /* From the last layer's outputs to what predict returns; NULL: as they are. */
    void (*predict)(float *prediction, const float *out, int size, int begin, int end);
    const char *function; /* what predict is called as an activation; "linear" for NULL */
} rnn_loss_type;

/* The facts about an activation before a layer has one. */
typedef struct {
    const char *name;
    double alpha; /* the default; 0: it has no such parameter */
    bool bounded_below, bounded_above;
} rnn_activation_info;

/* Most parameters of a net that has a fused epoch. */
#define RNN_MAX_FUSED_PARAMS 1024

/* A whole epoch of SGD in one kernel, for nets that match it exactly. params is the net's
 * arena, which begins with the first layer's; loss and hits are added to. */
typedef struct {
    bool (*matches)(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss,
                    int batch_size);
    void (*run)(const rnn_layer *layers, int n_layers, const rnn_loss_type *loss,
                float *params, double *sum, int64_t *hits, const float *x,
                const void *targets, const int32_t *order, int n, int batch_size, float lr);
} rnn_fused_epoch;

/* Replaces a run of layers, from layers[0] on, by one that does the same: fills in *fused
 * and returns how many it replaces, or 0 when they do not match. */
typedef int (*rnn_fusion)(rnn_layer *fused, const rnn_layer *layers, int n_layers);

typedef struct {
    const char *name;
    const rnn_layer_type *const *layers;    /* ends with NULL */
    const rnn_loss_type *losses;            /* ends with a NULL name */
    const rnn_activation_info *activations; /* ends with a NULL name */
    const rnn_optimizer_type *optimizers;   /* ends with a NULL name */
    const rnn_fused_epoch *fused_epochs;    /* ends with NULL functions */
    const rnn_fusion *fusions; /* ends with NULL; the first that matches is taken */
    /* Fills in a layer that in inference does what `layer` and some of the n above it do,
     * and returns how many of these; 0: none. Its parameters, laid out as the layer's, are
     * those of the layer with the first above folded in. */
    int (*folds_above)(rnn_layer *folded, const rnn_layer *layer,
                       const rnn_layer *const *above, int n);
    void (*fold)(float *to, const rnn_layer *layer, const float *params,
                 const rnn_layer *above, const float *above_params,
                 const float *above_state);
    /* Makes the layer that copies images of a shape to the other layout, `layout`. */
    void (*rearranging_layer)(rnn_layer *layer, rnn_shape shape, rnn_layout layout);
    void (*gather_f32)(float *out, const float *x, const int32_t *order, int size,
                       int begin, int end);
    void (*gather_u8)(float *out, const uint8_t *x, const int32_t *order, int size,
                      int begin, int end);
    void (*gather_compressed)(float *out, const rnn_compressed *x, const int32_t *order,
                              int size, int begin, int end);
    void (*nonzeros_by_row)(rnn_nonzeros *to, const void *x, bool is_bytes,
                            const int32_t *order, int begin, int end);
    void (*nonzeros_of_compressed)(rnn_nonzeros *to, const rnn_compressed *x,
                                   const int32_t *order, int begin, int end);
    void (*nonzeros_by_column)(rnn_nonzeros *z, int rows, int range);
    int (*count_nonzeros)(const void *row, bool is_bytes, int n);
    void (*augment)(float *image, const rnn_augmentation *a, uint64_t key, float *scratch);
    void (*mix_row)(float *row, const float *other, float share, int n);
    void (*weigh_rows)(float *dout, double *loss, const float *weight, int size, int begin,
                       int end);
    void (*reduce)(float *target, const float *partials, size_t stride, int count, int n,
                   float alpha, float beta);
    bool (*all_finite)(const float *x, size_t n);
    bool (*all_within)(const float *x, size_t n, float low, float high);
    double (*dot)(const float *x, const float *y, int n);
    double (*sum_of_squares)(const float *x, int n);
    void (*add_scaled)(float *sum, const float *x, int n, float factor);
    void (*move_average)(float *average, const float *p, int n, float step);
    double (*multiply_adds)(float *result, float factor, float term, int n);
    int read_slack; /* floats that kernels may read past the end of a matrix */
} rnn_level;

/* The levels compiled in, lowest first; ends with NULL. */
extern const rnn_level *const rnn_levels[];

/* The level in use: the best that this processor runs, until rnn_level_choose. */
const rnn_level *rnn_level_current(void);

/* Chooses by name. RNN_EINVAL with the reason when unknown or beyond this processor. */
rnn_status rnn_level_choose(const char *name, rnn_error *error);

const rnn_layer_type *rnn_level_find_layer(const rnn_level *level, const char *name);
const rnn_loss_type *rnn_level_find_loss(const rnn_level *level, const char *name);
const rnn_optimizer_type *rnn_level_find_optimizer(const rnn_level *level,
                                                   const char *name);

#endif
