/* The log: level, area, fixed phrase, then key=value.
 *
 *     log_warn(LOG_WEBHOOK, "signature mismatch", "from=%s len=%zu", address, len);
 *
 * Phrases are lower case and greppable. Output is one line a record on stderr: text for people,
 * "<N>" syslog levels when stderr is the journal, or JSON. Thread-safe. Secrets and tokens are
 * never logged; a phone number only through log_phone(). libshared and the codecs never log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Names of the areas, in this order, in log.c. */
enum log_area {
    LOG_MAIN,
    LOG_CONFIG,
    LOG_NET,
    LOG_HTTP,
    LOG_ENGINEIO,
    LOG_SOCKETIO,
    LOG_CHAT,
    LOG_STORE,
    LOG_WEBHOOK,
    LOG_CONTROL,
    LOG_AREA_COUNT
};

/* "error", "warn", "info", "debug"; "text", "json". */
bool log_level_parse(const char *name, enum log_level *ret_level);
const char *log_level_name(enum log_level level);
bool log_format_parse(const char *name, enum log_format *ret_format);

void log_set_level(enum log_level level);
enum log_level log_level(void);
void log_set_format(enum log_format format);
bool log_enabled(enum log_level level);

PRINTF(4, 5)
void log_write(enum log_level level, enum log_area area, const char *phrase, const char *format,
               ...);

#define log_error(area, phrase, ...) log_write(LOG_LEVEL_ERROR, area, phrase, __VA_ARGS__)
#define log_warn(area, phrase, ...)  log_write(LOG_LEVEL_WARN, area, phrase, __VA_ARGS__)
#define log_info(area, phrase, ...)  log_write(LOG_LEVEL_INFO, area, phrase, __VA_ARGS__)
#define log_debug(area, phrase, ...)                                                               \
    do {                                                                                           \
        if (log_enabled(LOG_LEVEL_DEBUG)) {                                                        \
            log_write(LOG_LEVEL_DEBUG, area, phrase, __VA_ARGS__);                                 \
        }                                                                                          \
    } while (0)

/* At most one record a second from the place that owns *gate; the next one says how many were left
 * out. */
struct log_gate {
    unsigned long long next_ms;
    unsigned suppressed;
};
/* True when a record may be written now; *ret_suppressed then tells how many were not since the
 * last one. */
bool log_gate_pass(struct log_gate *gate, unsigned *ret_suppressed);

/* A phone number for a log: its last four digits, the rest masked ("***1234"). */
struct log_phone {
    char text[8];
};
struct log_phone log_phone(const char *digits, size_t len);
