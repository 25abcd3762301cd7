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

uint64_t clock_boot_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
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

/* ---- reading */

static bool take_digits(struct str *text, size_t count, int *ret_value)
{
    int value = 0;

    for (size_t i = 0; i < count; i++) {
        if (i == text->len || text->data[i] < '0' || text->data[i] > '9') {
            return false;
        }
        value = value * 10 + (text->data[i] - '0');
    }
    *text = str_skip(*text, count);
    *ret_value = value;
    return true;
}

static bool take_char(struct str *text, char c)
{
    if (text->len == 0 || text->data[0] != c) {
        return false;
    }
    *text = str_skip(*text, 1);
    return true;
}

static bool take_date(struct str *text, struct tm *tm)
{
    return take_digits(text, 4, &tm->tm_year) && take_char(text, '-') &&
           take_digits(text, 2, &tm->tm_mon) && take_char(text, '-') &&
           take_digits(text, 2, &tm->tm_mday) && take_char(text, 'T') &&
           take_digits(text, 2, &tm->tm_hour) && take_char(text, ':') &&
           take_digits(text, 2, &tm->tm_min);
}

/* Seconds and a fraction of any length; what is finer than a millisecond is dropped. */
static bool take_seconds(struct str *text, struct tm *tm, int *ret_ms)
{
    int digit, unit = MS_PER_S;

    if (!take_char(text, ':')) {
        return true;
    }
    if (!take_digits(text, 2, &tm->tm_sec)) {
        return false;
    }
    if (!take_char(text, '.')) {
        return true;
    }
    while (take_digits(text, 1, &digit)) {
        unit /= 10;
        *ret_ms += digit * unit;
    }
    return unit < MS_PER_S;
}

static bool take_zone(struct str *text, int *ret_minutes)
{
    int sign, hours, minutes;

    if (take_char(text, 'Z')) {
        return true;
    }
    sign = take_char(text, '+') ? 1 : take_char(text, '-') ? -1 : 0;
    if (sign == 0 || !take_digits(text, 2, &hours) || !take_char(text, ':') ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool clock_iso_parse(struct str text, int64_t *ret_wall_ms)
{
    struct tm tm = { 0 }, normal;
    int ms = 0, zone_minutes = 0;
    time_t second;

    if (!take_date(&text, &tm) || !take_seconds(&text, &tm, &ms) ||
        !take_zone(&text, &zone_minutes) || text.len > 0 || tm.tm_year < 1970) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    normal = tm;
    second = timegm(&normal);
    if (normal.tm_mon != tm.tm_mon || normal.tm_mday != tm.tm_mday ||
        normal.tm_hour != tm.tm_hour || normal.tm_min != tm.tm_min || normal.tm_sec != tm.tm_sec) {
        return false;
    }
    *ret_wall_ms = ((int64_t)second - (int64_t)zone_minutes * 60) * MS_PER_S + ms;
    return true;
}
