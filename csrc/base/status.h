/* The only error vocabulary below the binding: errors.c turns each into an exception. */
#ifndef RNN_STATUS_H
#define RNN_STATUS_H

typedef enum {
    RNN_OK = 0,
    RNN_ENOMEM,       /* an allocation failed, or a size does not fit size_t */
    RNN_EINVAL,       /* a layer cannot be built; the text is in rnn_error */
    RNN_ENONFINITE,   /* the loss became NaN or infinite */
    RNN_EWEIGHTS,     /* a parameter is NaN or infinite */
    RNN_EMOMENTS,     /* what the optimizer keeps is */
    RNN_EINTERRUPTED, /* the stop hook asked to end */
} rnn_status;

/* One line of text for RNN_EINVAL, filled by whoever finds the fault. */
typedef struct {
    char text[400];
} rnn_error;

#endif
