#include "libshared/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MS_PER_S * NS_PER_MS + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

void clock_iso(int64_t wall_ms, char ret_text[CLOCK_ISO_SIZE])
{
    static _Thread_local time_t last_second = -1;
    static _Thread_local char last_text[CLOCK_ISO_SIZE];
    const int64_t year_9999_ms = 253402300799999;
    unsigned ms;
    time_t second;

    wall_ms = wall_ms < 0 ? 0 : wall_ms > year_9999_ms ? year_9999_ms : wall_ms;
    second = (time_t)(wall_ms / MS_PER_S);
    ms = (unsigned)(wall_ms % MS_PER_S);
    if (second != last_second) {
        struct tm tm;

        gmtime_r(&second, &tm);
        strftime(last_text, sizeof last_text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        last_second = second;
    }
    memcpy(ret_text, last_text, CLOCK_ISO_SIZE);
    ret_text[20] = (char)('0' + ms / 100);
    ret_text[21] = (char)('0' + ms / 10 % 10);
    ret_text[22] = (char)('0' + ms % 10);
}
