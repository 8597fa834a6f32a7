/* A step along a line that meets the strong Wolfe conditions (More and Thuente 1994):
 *
 *     f(t) <= f(0) + DECREASE t f'(0)    and    |f'(t)| <= CURVATURE |f'(0)| */
#ifndef RNN_LINE_SEARCH_H
#define RNN_LINE_SEARCH_H

#include <stdbool.h>

typedef struct {
    double step, value, slope;
} rnn_line_point;

typedef struct {
    rnn_line_point start; /* its step is 0 */
    rnn_line_point best;  /* the least value so far */
    rnn_line_point other; /* the other end of the interval, once there is one */
    double step;          /* to try next */
    double most;          /* no step above it has a finite value */
    double width[2];      /* of the interval: now, and one trial before */
    bool is_bracketed;    /* a minimum lies between best and other */
    bool has_decreased;   /* a trial met the first condition with a slope of at least 0 */
    int trials;
} rnn_line_search;

typedef enum {
    RNN_LINE_TRY,  /* evaluate at search->step */
    RNN_LINE_TAKE, /* the trial meets both conditions */
    RNN_LINE_BEST, /* nothing better is to be found than search->best; its step may be 0 */
} rnn_line_advice;

/* slope < 0 */
void rnn_line_begin(rnn_line_search *search, double value, double slope, double step);

/* What to do after an evaluation at search->step. */
rnn_line_advice rnn_line_see(rnn_line_search *search, double value, double slope);

#endif
