#include "libshared/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libshared/buf.h"
#include "libshared/clock.h"
#include "libshared/json.h"

static const char *const area_names[LOG_AREA_COUNT] = {
    [LOG_MAIN] = "main",       [LOG_CONFIG] = "config",     [LOG_NET] = "net",
    [LOG_HTTP] = "http",       [LOG_ENGINEIO] = "engineio", [LOG_SOCKETIO] = "socketio",
    [LOG_CHAT] = "chat",       [LOG_STORE] = "store",       [LOG_WEBHOOK] = "webhook",
    [LOG_CONTROL] = "control",
};
static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const format_names[] = { "text", "json" };
static const int syslog_levels[] = { 3, 4, 6, 7 };

static _Atomic enum log_level current_level = LOG_LEVEL_INFO;
static _Atomic enum log_format current_format = LOG_FORMAT_TEXT;

static bool find_name(const char *const *names, size_t count, const char *name, unsigned *ret_index)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    unsigned index;

    if (!find_name(level_names, ARRAY_SIZE(level_names), name, &index)) {
        return false;
    }
    *ret_level = (enum log_level)index;
    return true;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_format_parse(const char *name, enum log_format *ret_format)
{
    unsigned index;

    if (!find_name(format_names, ARRAY_SIZE(format_names), name, &index)) {
        return false;
    }
    *ret_format = (enum log_format)index;
    return true;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, format, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* Control bytes would let a peer forge or garble records. */
static void add_printable(struct buf *line, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f) {
            buf_printf(line, "\\x%02x", c);
        } else {
            buf_add_char(line, (char)c);
        }
    }
}

static void add_prefix(struct buf *line, enum log_level level, enum log_area area, const char *now)
{
    if (getenv("JOURNAL_STREAM") != NULL) {
        buf_printf(line, "<%d>%s: ", syslog_levels[level], area_names[area]);
    } else {
        buf_printf(line, "%s %-5s %s: ", now, level_names[level], area_names[area]);
    }
}

void log_write(enum log_level level, enum log_area area, const char *phrase, const char *format,
               ...)
{
    autobuf struct buf line = BUF_INIT;
    autobuf struct buf fields = BUF_INIT;
    bool json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    char now[CLOCK_ISO_SIZE];
    va_list args;

    if (!log_enabled(level)) {
        return;
    }
    va_start(args, format);
    buf_vprintf(&fields, format, args);
    va_end(args);
    clock_iso(clock_wall_ms(), now);
    if (json) {
        buf_printf(
            &line,
            "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"message\":\"%s\",\"fields\":", now,
            level_names[level], area_names[area], phrase);
        json_add_string(&line, (struct str) { fields.data != NULL ? fields.data : "", fields.len });
        buf_add_cstr(&line, "}\n");
    } else {
        add_prefix(&line, level, area, now);
        buf_add_cstr(&line, phrase);
        if (fields.len > 0) {
            buf_add_char(&line, ' ');
            add_printable(&line, buf_str(&fields));
        }
        buf_add_char(&line, '\n');
    }
    /* one write, so that lines of several threads do not mix */
    if (write(STDERR_FILENO, line.data, line.len) < 0) {
        return;
    }
}

bool log_gate_pass(struct log_gate *gate, unsigned *ret_suppressed)
{
    unsigned long long now = clock_monotonic_ms();

    if (now < gate->next_ms) {
        gate->suppressed++;
        return false;
    }
    *ret_suppressed = gate->suppressed;
    gate->suppressed = 0;
    gate->next_ms = now + 1000;
    return true;
}

struct log_phone log_phone(const char *digits, size_t len)
{
    struct log_phone masked = { "***" };
    size_t shown = len >= 8 ? 4 : 0;

    if (shown > 0) {
        memcpy(masked.text + 3, digits + len - shown, shown);
    }
    return masked;
}
