/* Whoever reads may be slow, have made the descriptor non-blocking (a terminal or a pipe is shared
 * with other programs), and be waited for when an interrupt comes: what is begun is finished. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sioctl/output.h"

static ssize_t write_some(int fd, struct str text)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    ssize_t written = write(fd, text.data, text.len);

    if (written < 0 && errno == EAGAIN) {
        return poll(&pfd, 1, -1) < 0 ? -1 : 0;
    }
    return written;
}

int output_write(int fd, struct str text)
{
    bool was_interrupted = false;

    while (text.len > 0) {
        ssize_t written = write_some(fd, text);

        if (written < 0 && (errno != EINTR || was_interrupted)) {
            return errno;
        }
        was_interrupted = written < 0;
        text = str_skip(text, MAX(written, 0));
    }
    return 0;
}
