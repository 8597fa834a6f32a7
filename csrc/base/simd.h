/* One vector type of VL float lanes for the level being compiled, in GCC/Clang's vector
 * extension, and the few operations that kernels need. Tails are handled by loading a
 * part of a vector, so that every element goes through the same instructions wherever it
 * stands: a row's bits must not depend on its neighbors. */
#ifndef RNN_SIMD_H
#define RNN_SIMD_H

#include "simd_lanes.h"
#include "simd_math.h"
#include "simd_vector.h"

#endif
