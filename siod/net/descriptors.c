/* The library has a table of all descriptors that there may be, which it looks through whenever a
 * plain connection closes (4.1.6): with the million that service managers allow, each close would
 * touch 8 MB. So there are not many more than there may be connections. */
#include "siod/net/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libshared/base.h"

enum {
    ALL_MAX = 1 << 20, /* what the table is never larger than */
    RESERVED = 512,
    KEPT = 16, /* of those that there are, if that is fewer than are reserved */
};

/* The kernel doubles its table when it is full, and where there are threads, it waits for an RCU
 * grace period before it goes on: accept() takes 10 ms then. A descriptor at the end makes it large
 * once and for all. */
static void widen_table(rlim_t count)
{
    int last = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)count - 1);

    if (last >= 0) {
        close(last);
    }
}

unsigned descriptors_fit(unsigned connections)
{
    rlim_t wanted = connections > 0 ? (rlim_t)connections + RESERVED : ALL_MAX;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 0;
    }
    files.rlim_cur = MIN(MIN(wanted, (rlim_t)ALL_MAX), files.rlim_max);
    (void)setrlimit(RLIMIT_NOFILE, &files);
    widen_table(files.rlim_cur);
    return files.rlim_cur > RESERVED ? (unsigned)(files.rlim_cur - RESERVED) : 0;
}

int descriptors_for_clients(void)
{
    struct rlimit files;
    int limit = ALL_MAX;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < ALL_MAX) {
        limit = (int)files.rlim_cur;
    }
    return limit - MIN(limit / 4, KEPT);
}
