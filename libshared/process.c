#include "libshared/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
