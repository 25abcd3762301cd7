#include "libshared/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* open() returns the lowest that is free, which is the one that was found closed. */
void process_reserve_streams(bool usable)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", usable ? O_RDWR : wrong_way);
        }
    }
}

/* statm: the size, then what is resident, in pages. */
uint64_t process_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128], *end = NULL;
    unsigned long long pages = 0;

    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        (void)strtoull(line, &end, 10);
        pages = strtoull(end, NULL, 10);
    }
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
