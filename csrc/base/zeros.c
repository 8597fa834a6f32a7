#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include "zeros.h"

#include "size.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#include <sys/mman.h>
#define HAS_LARGE_PAGES 1
#else
#define HAS_LARGE_PAGES 0
#endif

#define LARGE_PAGE ((size_t)2 << 20)

/* Noted in front of the memory. */
typedef struct {
    void *memory;
    size_t mapped; /* bytes; 0: it is calloc's */
} origin;

static origin *
origin_of(void *zeros)
{
    return (origin *)zeros - 1;
}

/* The first address from `memory` on that is aligned and leaves room for the origin. */
static void *
place(void *memory, size_t mapped, size_t alignment)
{
    uintptr_t first = (uintptr_t)memory + sizeof(origin);
    char *zeros =
        (char *)memory + sizeof(origin) + (alignment - first % alignment) % alignment;
    *origin_of(zeros) = (origin){memory, mapped};
    return zeros;
}

#if HAS_LARGE_PAGES
/* As many large pages as are at least half full. */
static void *
large_zeros(size_t bytes)
{
    size_t pages = (bytes + LARGE_PAGE / 2) / LARGE_PAGE;
    size_t mapped = bytes;
    if (!rnn_size_add(&mapped, 2, LARGE_PAGE))
        return NULL;
    void *memory =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    void *zeros = place(memory, mapped, LARGE_PAGE);
    madvise(zeros, pages * LARGE_PAGE, MADV_HUGEPAGE);
    return zeros;
}
#endif

void *
rnn_zeros(size_t bytes)
{
#if HAS_LARGE_PAGES
    if (bytes >= LARGE_PAGE / 2)
        return large_zeros(bytes);
#endif
    if (!rnn_size_add(&bytes, RNN_ALIGNMENT + sizeof(origin), 1))
        return NULL;
    void *memory = calloc(1, bytes);
    return memory != NULL ? place(memory, 0, RNN_ALIGNMENT) : NULL;
}

void
rnn_free_zeros(void *zeros)
{
    if (zeros == NULL)
        return;
    origin from = *origin_of(zeros);
#if HAS_LARGE_PAGES
    if (from.mapped > 0) {
        munmap(from.memory, from.mapped);
        return;
    }
#endif
    free(from.memory);
}
