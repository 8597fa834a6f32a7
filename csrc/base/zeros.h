/* Aligned memory that holds zeros, and uses memory only once it is written to. */
#ifndef RNN_ZEROS_H
#define RNN_ZEROS_H

#include <stddef.h>

#define RNN_ALIGNMENT 64

/* NULL when there is not as much. From a megabyte on in large pages, where the system has
 * them: rows of wide layers are a page apart, and a translation of addresses can cost more
 * than the products of a row, in virtual machines most of all. */
void *rnn_zeros(size_t bytes);

/* NULL is nothing. */
void rnn_free_zeros(void *zeros);

#endif
