/* Nets of any layers with any attributes, rows for them, and recipes, drawn at random. */
#ifndef RNN_RANDOM_NETS_H
#define RNN_RANDOM_NETS_H

#include "../../csrc/net/net.h"

enum { ROWS = 21 };

typedef struct {
    uint64_t state;
    const uint8_t *bytes; /* of the fuzzer: choices, two bytes each, then dice again */
    size_t left;
} dice;

uint64_t next(dice *d);

/* A number below n. */
int below(dice *d, int n);

/* A net that is small enough to run, or NULL: what was drawn is refused, or too large. */
rnn_net *draw_net(dice *d);

typedef struct {
    float *x, *dinp, *out, *values;
    int32_t *labels, *order;
    rnn_data data;
} rows;

/* Rows with targets that suit the loss; the caller frees them. */
rows draw_rows(dice *d, const rnn_net *net);
void free_rows(rows *r);

/* How to train on these rows for one epoch, at the rate that `lr` points to. */
rnn_recipe draw_recipe(dice *d, const rows *r, const double *lr);

#endif
