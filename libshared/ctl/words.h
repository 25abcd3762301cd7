/* A line that somebody typed, cut into words. Pure.
 *
 * Blanks separate words. What stands between ' and ' is taken as it is; between " and " a backslash
 * takes the character behind it as it is if that is " or another backslash, outside of quotes
 * whatever it is. # where a word would begin starts a comment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

struct ctl_words {
    char **list; /* without their quotes */
    unsigned count;
    bool open;    /* the end of the line belongs to the last word: no blank came behind it */
    bool comment; /* the end of the line is one */
    char quote;   /* ' or " or \ that the line's end has left open; NUL = none */
    size_t start; /* of the last word in the line, quotes included; the line's end without `open` */
};

/* Reads what is there, however unfinished. Release with ctl_words_finish(). */
void ctl_words_read(struct str line, struct ctl_words *ret_words);
/* The words of a line that is complete: ERR_SYNTAX with a sentence for a quote that is left open,
 * and for a NUL. Release in either case. */
NODISCARD
enum err ctl_words_split(struct str line, struct ctl_words *ret_words, struct errmsg *msg);
void ctl_words_finish(struct ctl_words *words);
/* Writes a word so that it is read back as it is: for outside of quotes (NUL), or for between two
 * of `quote`, which the caller writes. An empty word needs such quotes. */
void ctl_words_quote(struct buf *to, struct str word, char quote);
