#include "sioctl/replay/result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "sioctl/output.h"

/* ---- what a name stands for */

static bool find(const char *path, struct stat *ret_info)
{
    return (strcmp(path, "-") == 0 ? fstat(STDOUT_FILENO, ret_info) : stat(path, ret_info)) == 0;
}

static bool find_folder(const char *path, struct stat *ret_info)
{
    autofree char *folder = xstrndup(path, (size_t)(basename(path) - path));

    return stat(folder[0] != '\0' ? folder : ".", ret_info) == 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Neither is there yet. */
static bool same_place(const char *a, const char *b)
{
    struct stat x, y;

    return strcmp(basename(a), basename(b)) == 0 && find_folder(a, &x) && find_folder(b, &y) &&
           is_same(&x, &y);
}

bool result_file_same(const char *a, const char *b)
{
    struct stat x, y;
    bool has_a = find(a, &x), has_b = find(b, &y);

    if (strcmp(a, "-") == 0 && strcmp(b, "-") == 0) {
        return true;
    }
    if (has_a && has_b) { /* a device keeps nothing: /dev/null may be named twice */
        return is_same(&x, &y) && (S_ISREG(x.st_mode) || S_ISFIFO(x.st_mode));
    }
    return !has_a && !has_b && same_place(a, b);
}

bool result_file_is_stdout(const char *path)
{
    return result_file_same(path, "-");
}

/* ---- opened, and written */

static bool failed(const struct result_file *file, int error)
{
    say("%s: %s", file->path, strerror(error));
    return false;
}

static mode_t new_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

/* It becomes what `old` was, NULL = nothing; that somebody else owned it can stay so only for root.
 */
static void take_over(int fd, const struct stat *old)
{
    if (old != NULL && fchown(fd, old->st_uid, old->st_gid) < 0) {
        errno = 0;
    }
    (void)fchmod(fd, old != NULL ? old->st_mode & 0777 : new_mode());
}

/* False where there may be no other file than this one. */
static bool open_part(struct result_file *file, const struct stat *old)
{
    autofree char *part = xasprintf("%s.XXXXXX", file->target);

    file->fd = mkostemp(part, O_CLOEXEC);
    if (file->fd < 0) {
        return false;
    }
    take_over(file->fd, old);
    file->part = TAKE(part);
    return true;
}

static bool open_in_place(struct result_file *file)
{
    file->fd = open(file->path, O_WRONLY | O_CLOEXEC);
    return file->fd >= 0 || failed(file, errno);
}

/* False for what is no file, or one that has no name any more. */
static bool find_target(struct result_file *file, const struct stat *old)
{
    struct stat info;

    file->target = S_ISREG(old->st_mode) ? realpath(file->path, NULL) : NULL;
    return file->target != NULL && stat(file->target, &info) == 0 && is_same(&info, old);
}

bool result_file_open(struct result_file *file, const char *path)
{
    struct stat old;

    if (path == NULL) {
        return true;
    }
    *file = (struct result_file) { .path = path, .fd = STDOUT_FILENO };
    if (result_file_is_stdout(path)) {
        return true;
    }
    file->fd = -1;
    if (stat(path, &old) < 0) {
        file->target = xstrdup(path);
        return open_part(file, NULL) || failed(file, errno);
    }
    if (access(path, W_OK) < 0) {
        return failed(file, errno);
    }
    return (find_target(file, &old) && open_part(file, &old)) || open_in_place(file);
}

/* Returns 0 or errno. A reader that has seen enough is no failure, as it is none with rows. */
static int write_in_place(const struct result_file *file, const struct buf *text)
{
    struct stat info;
    int error;

    if (file->fd != STDOUT_FILENO && fstat(file->fd, &info) == 0 && S_ISREG(info.st_mode) &&
        ftruncate(file->fd, 0) < 0) {
        return errno;
    }
    error = output_write(file->fd, buf_str(text));
    return file->fd == STDOUT_FILENO && error == EPIPE ? 0 : error;
}

static int write_part(struct result_file *file, const struct buf *text)
{
    int error = output_write(file->fd, buf_str(text));

    if (error == 0 && (fsync(file->fd) < 0 || rename(file->part, file->target) < 0)) {
        error = errno;
    }
    if (error == 0) {
        free(TAKE(file->part));
    }
    return error;
}

bool result_file_write(struct result_file *file, const struct buf *text)
{
    int error = file->part != NULL ? write_part(file, text) : write_in_place(file, text);

    return error == 0 || failed(file, error);
}

void result_file_finish(struct result_file *file)
{
    if (file->part != NULL) {
        (void)unlink(file->part);
    }
    if (file->path != NULL && file->fd >= 0 && file->fd != STDOUT_FILENO) {
        close(file->fd);
    }
    free(file->part);
    free(file->target);
    *file = (struct result_file) { 0 };
}
