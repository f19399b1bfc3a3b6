/* Makes system calls on the files of a store fail as those of a failing disk do, for as long as the file named by FAULT_FILE exists.
 * That file holds the call that fails, "write" or "sync", and the error number; "only-read" also fails attempts to open the files for
 * writing, as after the kernel has made a failing file system read-only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char STORE[] = "/feedmill.db";

/* Returns the error with which `call` is to fail, or 0. Uses no call that is replaced below. */
static int fault(const char *call) {
    const char *file = getenv("FAULT_FILE");
    char text[64] = {0}, failing[32] = {0};
    int error = 0;
    long fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    long length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length <= 0 || sscanf(text, "%31s %d", failing, &error) != 2)
        return 0;
    int only_reads = strcmp(failing, "only-read") == 0 && strcmp(call, "sync") != 0;
    return only_reads || strcmp(failing, call) == 0 ? error : 0;
}

static int fault_of(int fd, const char *call) {
    char link[40], path[4096];
    int error = fault(call), kept = errno;
    if (!error)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return strstr(path, STORE) ? error : 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_ON(fd, call)              \
    do {                               \
        int error = fault_of(fd, call); \
        if (error) {                   \
            errno = error;             \
            return -1;                 \
        }                              \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    FAIL_ON(fd, "write");
    return NEXT(write)(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    FAIL_ON(fd, "write");
    return NEXT(pwrite)(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    FAIL_ON(fd, "write");
    return NEXT(pwrite64)(fd, bytes, length, at);
}

int fsync(int fd) {
    FAIL_ON(fd, "sync");
    return NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL_ON(fd, "sync");
    return NEXT(fdatasync)(fd);
}

static int opened(const char *path, int flags, mode_t mode) {
    if ((flags & O_ACCMODE) != O_RDONLY && strstr(path, STORE)) {
        int error = fault("open");
        if (error) {
            errno = error;
            return -1;
        }
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define MODE_OF(flags, mode)              \
    do {                                  \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest;                 \
            va_start(rest, flags);        \
            mode = va_arg(rest, mode_t);  \
            va_end(rest);                 \
        }                                 \
    } while (0)

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return opened(path, flags, mode);
}
