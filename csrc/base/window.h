/* A window that slides over an image: what a convolution or a pool sees. */
#ifndef RNN_WINDOW_H
#define RNN_WINDOW_H

#include <stdbool.h>

/* Input (C,H,W), padded by rows at the top and bottom and columns on the left and right;
 * kernel (KH,KW), its taps DH rows and DW columns apart, moved by SH and SW; output
 * (..,P,Q): P = (top + H + bottom - ((KH - 1) DH + 1)) / SH + 1, Q likewise. The channels
 * are in groups, each seen by its part of the filters. counts_padding: a mean is that of KH
 * * KW numbers, zeros of the padding among them. */
typedef struct {
    int C, H, W, KH, KW, SH, SW, DH, DW, top, bottom, left, right, P, Q, groups;
    bool counts_padding;
} rnn_window;

/* Rows and columns from the first tap of a kernel to its last, both included. */
static inline int
rnn_window_high(const rnn_window *s)
{
    return (s->KH - 1) * s->DH + 1;
}

static inline int
rnn_window_wide(const rnn_window *s)
{
    return (s->KW - 1) * s->DW + 1;
}

#endif
