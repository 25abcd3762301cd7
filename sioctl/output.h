/* What sioctl prints: data on stdout in the format that was asked for, words on stderr. Commands
 * never print by themselves. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/ctl/command.h"

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_NDJSON, OUTPUT_TSV };

enum view_shape { VIEW_LIST, VIEW_OBJECT, VIEW_STREAM, VIEW_VALUE };
enum view_formats { VIEW_TEXT = 1, VIEW_TSV = 2, VIEW_BOTH = 3 };

struct view_column {
    enum ctl_command_id command;
    enum view_formats formats;
    const char *header;
    const char *path;
    int width;
};
/* views.def */
enum view_shape view_shape(enum ctl_command_id command);
/* The next column of the command in this format after `column` (NULL: the first); NULL at the end.
 */
const struct view_column *view_next(enum ctl_command_id command, enum view_formats format,
                                    const struct view_column *column);
/* What `path` leads to; NULL when something is missing. Borrowed. */
const json_t *view_dig(const json_t *record, const char *path);

struct output {
    int fd; /* borrowed */
    enum output_format format;
    enum ctl_command_id command; /* whose view */
    bool header;                 /* tsv starts with the names of the columns */
    bool colour;
    int columns;    /* of the terminal, for tables; 0 = as wide as they need */
    size_t records; /* printed by output_record() */
    bool closed;
    bool failed; /* a write failed: nothing more is printed */
    int error;   /* errno of it */
};

/* Colour when `fd` is a terminal and NO_COLOR is empty. Tables fit the terminal. */
void output_open(struct output *out, int fd, enum output_format format,
                 enum ctl_command_id command);
/* A whole result, by the shape of the view. */
void output_result(struct output *out, const json_t *result);
/* One record of a stream, at once. False when stdout takes no more. */
bool output_record(struct output *out, const json_t *record);
/* Text that is not data, such as help. */
void output_plain(struct output *out, struct str text);
/* Ends a stream; once. Before words about what was printed. */
void output_close(struct output *out);

/* All of it, however long that takes, also over an interrupt; a second one while the same piece
 * waits is a failure. Returns 0 or errno. */
int output_write(int fd, struct str text);

/* Text in which control characters are written as \x1b, so that a terminal obeys none. */
void text_printable(struct buf *to, struct str text);
/* False for controls, and for what changes the direction or the lines of everything behind it. */
bool char_is_printable(wchar_t c);
/* Is it the same as what text_printable() makes of it? */
bool text_is_printable(struct str text);
/* A value as compact JSON, or with `indent` as a document: the characters that a terminal would
 * obey are escapes in it. */
void json_printable(struct buf *to, const json_t *value, bool indent);
/* The formats, appending lines. */
void text_list(struct buf *to, const struct output *out, const json_t *list);
void text_object(struct buf *to, const struct output *out, const json_t *object);
void text_record(struct buf *to, const struct output *out, const json_t *record);
void tsv_header(struct buf *to, const struct output *out);
void tsv_record(struct buf *to, const struct output *out, const json_t *record);
void tsv_object(struct buf *to, const json_t *object);
/* Every member of an object, those inside objects by their path with dots, in order. */
void output_flatten(const json_t *object,
                    void (*fn)(void *arg, const char *path, const json_t *value), void *arg);

/* "sioctl: …" on stderr. */
PRINTF(1, 2) void say(const char *format, ...);
/* Words alone on stderr. */
PRINTF(1, 2) void tell(const char *format, ...);
