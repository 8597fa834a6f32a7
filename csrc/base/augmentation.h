/* How images are distorted while a net trains on them. */
#ifndef RNN_AUGMENTATION_H
#define RNN_AUGMENTATION_H

#include <stddef.h>

/* Points on a side of the coarse grid that an elastic distortion moves. */
#define RNN_ELASTIC_POINTS 5

/* Each number is the most by which an image is changed; a draw is uniform in [-most, most].
 */
typedef struct {
    int channels, height, width;
    float shift;    /* pixels, down and to the right */
    float rotation; /* radians */
    float scale;    /* of both sides, around 1 */
    float shear;    /* pixels to the right for each pixel down */
    float elastic;  /* pixels, of each of the grid's points, down and to the right */
} rnn_augmentation;

/* Rows and columns of zeros around an image: one before and two after, so that a pixel just
 * outside has four neighbors. */
#define RNN_AUGMENTATION_MARGIN 3

/* Floats of scratch for one image. */
static inline size_t
rnn_augmentation_scratch(const rnn_augmentation *a)
{
    return (size_t)a->channels * (size_t)(a->height + RNN_AUGMENTATION_MARGIN)
           * (size_t)(a->width + RNN_AUGMENTATION_MARGIN);
}

#endif
