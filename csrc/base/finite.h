/* Whether numbers are finite, by their bits: a comparison would not be vectorized. */
#ifndef RNN_FINITE_H
#define RNN_FINITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool
rnn_all_finite(const float *x, size_t n)
{
    const uint32_t exponent = 0x7f800000; /* all ones: NaN or infinity */
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return found == 0;
}

#endif
