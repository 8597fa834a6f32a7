/* Loaded before the C library: lets the n-th call of some kind fail, once or always after
 * that. Kinds are calls that have to do with files, wherever they come from, and
 * allocations that one library asks for. Python arms it through ctypes; all other calls go
 * through. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, FILES, ALLOCATIONS };

static atomic_int armed, stays, code;
static atomic_long calls, failing; /* calls so far, and the first that fails */
static uintptr_t library_begin, library_end;
static const char *failed = "";

void
campaign_arm(int what, long n, int from_then_on, int error)
{
    atomic_store(&armed, NOTHING);
    atomic_store(&calls, 0);
    atomic_store(&failing, n);
    atomic_store(&stays, from_then_on);
    atomic_store(&code, error);
    failed = "";
    atomic_store(&armed, what);
}

/* Ends it; the number of calls made. */
long
campaign_disarm(void)
{
    atomic_store(&armed, NOTHING);
    return atomic_load(&calls);
}

/* The function whose call failed last. */
const char *
campaign_failed(void)
{
    return failed;
}

static int
take_range(struct dl_phdr_info *info, size_t size, void *name)
{
    (void)size;
    if (strstr(info->dlpi_name, name) == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;
            if (library_begin == 0 || begin < library_begin)
                library_begin = begin;
            if (end > library_end)
                library_end = end;
        }
    return 1;
}

/* Allocations that fail are those of the library whose path holds `name`; whether there is
 * one. */
int
campaign_library(const char *name)
{
    library_begin = library_end = 0;
    return dl_iterate_phdr(take_range, (void *)name);
}

static bool
fails(int kind, const char *name)
{
    if (atomic_load(&armed) != kind)
        return false;
    long number = atomic_fetch_add(&calls, 1) + 1, first = atomic_load(&failing);
    if (number != first && !(number > first && atomic_load(&stays)))
        return false;
    failed = name;
    errno = atomic_load(&code);
    return true;
}

/* The C library's own function, looked up at its first call. */
#define REAL(name)                 \
    static __typeof__(name) *real; \
    if (real == NULL)              \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FILE_CALL(type, name, parameters, ...)                       \
    type name parameters                                             \
    {                                                                \
        REAL(name);                                                  \
        return fails(FILES, #name) ? (type) - 1 : real(__VA_ARGS__); \
    }

FILE_CALL(ssize_t, read, (int fd, void *to, size_t n), fd, to, n)
FILE_CALL(ssize_t, pread64, (int fd, void *to, size_t n, off64_t at), fd, to, n, at)
FILE_CALL(ssize_t, write, (int fd, const void *from, size_t n), fd, from, n)
FILE_CALL(int, fsync, (int fd), fd)
FILE_CALL(int, ftruncate64, (int fd, off64_t n), fd, n)
FILE_CALL(off64_t, lseek64, (int fd, off64_t at, int from), fd, at, from)
FILE_CALL(int, rename, (const char *from, const char *to), from, to)
FILE_CALL(int, unlink, (const char *path), path)
FILE_CALL(int, mkdir, (const char *path, mode_t mode), path, mode)
FILE_CALL(int, rmdir, (const char *path), path)
FILE_CALL(int, chmod, (const char *path, mode_t mode), path, mode)
FILE_CALL(int, fchmod, (int fd, mode_t mode), fd, mode)
FILE_CALL(int, fstat64, (int fd, struct stat64 *to), fd, to)
FILE_CALL(int, stat64, (const char *path, struct stat64 *to), path, to)
FILE_CALL(int, lstat64, (const char *path, struct stat64 *to), path, to)
FILE_CALL(int, statx,
          (int folder, const char *path, int flags, unsigned mask, struct statx *to),
          folder, path, flags, mask, to)

/* A file is closed even if that fails: otherwise its number would leak here. */
int
close(int fd)
{
    REAL(close);
    if (!fails(FILES, "close"))
        return real(fd);
    int error = errno;
    real(fd);
    errno = error;
    return -1;
}

static mode_t
mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...)                      \
    {                                                               \
        REAL(name);                                                 \
        va_list rest;                                               \
        va_start(rest, flags);                                      \
        mode_t mode = mode_of(flags, rest);                         \
        va_end(rest);                                               \
        return fails(FILES, "open") ? -1 : real(path, flags, mode); \
    }
#define OPEN_AT(name)                                                         \
    int name(int folder, const char *path, int flags, ...)                    \
    {                                                                         \
        REAL(name);                                                           \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t mode = mode_of(flags, rest);                                   \
        va_end(rest);                                                         \
        return fails(FILES, "openat") ? -1 : real(folder, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

/* ---- allocations: the real ones have other names, as dlsym would allocate ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool
fails_for(void *caller, const char *name)
{
    uintptr_t at = (uintptr_t)caller;
    return at >= library_begin && at < library_end && fails(ALLOCATIONS, name);
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t size)
{
    return fails_for(CALLER, "malloc") ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return fails_for(CALLER, "calloc") ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t size)
{
    return fails_for(CALLER, "realloc") ? NULL : __libc_realloc(old, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return fails_for(CALLER, "aligned_alloc") ? NULL : __libc_memalign(alignment, size);
}

int
posix_memalign(void **result, size_t alignment, size_t size)
{
    void *block =
        fails_for(CALLER, "posix_memalign") ? NULL : __libc_memalign(alignment, size);
    if (block != NULL)
        *result = block;
    return block != NULL ? 0 : ENOMEM;
}

void *
mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    return fails_for(CALLER, "mmap") ? MAP_FAILED
                                     : real(at, size, protection, flags, fd, offset);
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *),
               void *argument)
{
    REAL(pthread_create);
    return fails_for(CALLER, "pthread_create") ? EAGAIN : real(thread, how, run, argument);
}
