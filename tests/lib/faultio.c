/* LD_PRELOAD for the real siod: makes the disk fail under files of one's choice, and heals it
 * again.
 *
 *     FAULTIO_MATCH=siod.db FAULTIO_CONTROL=/tmp/x/mode LD_PRELOAD=build/tests/faultio.so siod …
 *
 * Files whose path contains FAULTIO_MATCH are affected as the first word in the file
 * FAULTIO_CONTROL says, which is read anew at each call (a missing file is "ok"):
 *
 *     ok          nothing
 *     enospc      writes fail with ENOSPC
 *     erofs       writes, and opening for writing, fail with EROFS
 *     eio-fsync   fsync and fdatasync fail with EIO
 *     hang-fsync  fsync and fdatasync do not return until the mode changes
 *     hang-open   opening does not return until the mode changes, as on a server that is away */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum mode { MODE_OK, MODE_ENOSPC, MODE_EROFS, MODE_EIO_FSYNC, MODE_HANG_FSYNC, MODE_HANG_OPEN };

/* Straight to the kernel: the library's open() and read() are the ones below. */
static enum mode mode_now(void)
{
    static const char *const words[] = { "ok",        "enospc",     "erofs",
                                         "eio-fsync", "hang-fsync", "hang-open" };
    const char *path = getenv("FAULTIO_CONTROL");
    char text[32] = "";
    long fd;

    if (path == NULL || (fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)) < 0) {
        return MODE_OK;
    }
    if (syscall(SYS_read, (int)fd, text, sizeof(text) - 1) < 0) {
        text[0] = '\0';
    }
    syscall(SYS_close, (int)fd);
    text[strcspn(text, " \n")] = '\0';
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            return (enum mode)i;
        }
    }
    return MODE_OK;
}

static bool path_matches(const char *path)
{
    const char *match = getenv("FAULTIO_MATCH");

    return match != NULL && path != NULL && strstr(path, match) != NULL;
}

static void hang_while(enum mode mode)
{
    while (mode_now() == mode) {
        poll(NULL, 0, 20);
    }
}

static bool fd_matches(int fd)
{
    char link[32], path[512];
    long len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
    if (len <= 0) {
        return false;
    }
    path[len] = '\0';
    return path_matches(path);
}

/* Does the call fail? errno is set then. */
static bool fails(int fd, bool sync)
{
    enum mode mode;
    int before = errno;

    if (!fd_matches(fd)) {
        errno = before;
        return false;
    }
    mode = mode_now();
    errno = before;
    switch (mode) {
    case MODE_OK:
    case MODE_HANG_OPEN:
        return false;
    case MODE_ENOSPC:
        errno = sync ? before : ENOSPC;
        return !sync;
    case MODE_EROFS:
        errno = sync ? before : EROFS;
        return !sync;
    case MODE_EIO_FSYNC:
        errno = sync ? EIO : before;
        return sync;
    case MODE_HANG_FSYNC:
        if (sync) {
            hang_while(MODE_HANG_FSYNC);
        }
        errno = before;
        return false;
    }
    return false;
}

#define REAL(name_) ((__typeof__(&name_))real_symbol(#name_))

static void *real_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL) {
        abort();
    }
    return symbol;
}

int fsync(int fd)
{
    return fails(fd, true) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return fails(fd, true) ? -1 : REAL(fdatasync)(fd);
}

ssize_t write(int fd, const void *data, size_t len)
{
    return fails(fd, false) ? -1 : REAL(write)(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return fails(fd, false) ? -1 : REAL(pwrite)(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    return fails(fd, false) ? -1 : REAL(pwrite64)(fd, data, len, at);
}

int ftruncate64(int fd, off64_t len)
{
    return fails(fd, false) ? -1 : REAL(ftruncate64)(fd, len);
}

static bool open_fails(const char *path, int flags)
{
    int before = errno;

    if (!path_matches(path)) {
        return false;
    }
    hang_while(MODE_HANG_OPEN);
    errno = before;
    return (flags & O_ACCMODE) != O_RDONLY && mode_now() == MODE_EROFS;
}

/* Both have a mode argument when they may create. */
#define OPEN_LIKE(name_)                                                                           \
    int name_(const char *path, int flags, ...)                                                    \
    {                                                                                              \
        unsigned mode = 0;                                                                         \
                                                                                                   \
        if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {                                              \
            va_list args;                                                                          \
                                                                                                   \
            va_start(args, flags);                                                                 \
            mode = va_arg(args, unsigned);                                                         \
            va_end(args);                                                                          \
        }                                                                                          \
        if (open_fails(path, flags)) {                                                             \
            errno = EROFS;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        return REAL(name_)(path, flags, mode);                                                     \
    }

OPEN_LIKE(open)
OPEN_LIKE(open64)
