/* One pass over the text, whatever its depth: a stack has what must be known of each container that
 * is open, and an object that turns out to be a placeholder when it closes is cut off the output
 * again. */
#include "libshared/wire/attachment.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/json_text.h"

enum member { MEMBER_OTHER, MEMBER_MARK, MEMBER_NUMBER };

struct level {
    size_t start;   /* where it begins in the output */
    unsigned found; /* placeholders before it */
    bool is_object;
    bool expects_key;
    bool is_placeholder; /* `"_placeholder":true` was its last word on that */
    int64_t number;      /* -1: none that could be an index */
    enum member member;  /* whose value comes next */
};

struct walk {
    struct buf *out;
    unsigned received;
    struct sio_placeholders *found;
    struct level *levels;
    size_t depth, cap;
};

static struct level *top(struct walk *walk)
{
    return walk->depth > 0 ? &walk->levels[walk->depth - 1] : NULL;
}

static void open_level(struct walk *walk, bool is_object)
{
    if (walk->depth == walk->cap) {
        walk->cap = MAX(walk->cap * 2, (size_t)16);
        walk->levels = xrealloc(walk->levels, walk->cap * sizeof *walk->levels);
    }
    walk->levels[walk->depth++] = (struct level) {
        .start = walk->out->len,
        .found = walk->found->count,
        .is_object = is_object,
        .expects_key = is_object,
        .number = -1,
    };
}

static enum err replace(struct walk *walk, const struct level *level)
{
    struct sio_placeholders *found = walk->found;

    if (level->number < 0 || level->number >= walk->received) {
        return ERR_SYNTAX;
    }
    found->count = level->found;
    if (found->count == SIO_ATTACHMENTS_MAX) {
        return ERR_TOO_LARGE;
    }
    walk->out->len = level->start;
    buf_add_cstr(walk->out, "{\"_placeholder\":true,\"num\":");
    buf_add_u64(walk->out, found->count);
    buf_add_char(walk->out, '}');
    found->index[found->count++] = (unsigned)level->number;
    return OK;
}

static enum err close_level(struct walk *walk)
{
    struct level level;

    if (walk->depth == 0) {
        return ERR_SYNTAX;
    }
    level = walk->levels[--walk->depth];
    return level.is_object && level.is_placeholder ? replace(walk, &level) : OK;
}

/* Keys may be written with escapes; one longer than this is neither. */
enum { KEY_TEXT_MAX = 2 + 6 * (sizeof "_placeholder" - 1) };

static enum member member_of(struct str key)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str name;

    if (key.len > KEY_TEXT_MAX || !json_text_string(key, &scratch, &name)) {
        return MEMBER_OTHER;
    }
    return str_eq(name, STR("_placeholder")) ? MEMBER_MARK
           : str_eq(name, STR("num"))        ? MEMBER_NUMBER
                                             : MEMBER_OTHER;
}

/* A value begins, whose text is `value` unless it is a container. Of a key that is there twice the
 * last one counts. */
static void note_value(struct walk *walk, struct str value)
{
    struct level *level = top(walk);

    if (level == NULL || !level->is_object) {
        return;
    }
    if (level->member == MEMBER_MARK) {
        level->is_placeholder = str_eq(value, STR("true"));
    } else if (level->member == MEMBER_NUMBER && !json_text_int(value, &level->number)) {
        level->number = -1;
    }
}

/* A string, or a run of anything else that is no structure: what it is follows from where it
 * stands. */
static void note_token(struct walk *walk, struct str token)
{
    struct level *level = top(walk);

    if (level != NULL && level->expects_key) {
        level->member = member_of(token);
    } else {
        note_value(walk, token);
    }
    buf_add_str(walk->out, token);
}

static enum err take_structure(struct walk *walk, char c)
{
    struct level *level = top(walk);

    if (c == '{' || c == '[') {
        note_value(walk, STR("{"));
        open_level(walk, c == '{');
    } else if (level != NULL && c == ',') {
        level->expects_key = level->is_object;
    } else if (level != NULL && c == ':') {
        level->expects_key = false;
    }
    buf_add_char(walk->out, c);
    return c == '}' || c == ']' ? close_level(walk) : OK;
}

static bool is_structure(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

enum err sio_placeholders_order(struct str args, unsigned received, struct buf *out,
                                struct sio_placeholders *ret_placeholders)
{
    struct sio_placeholders found = { 0 };
    struct walk walk = { .out = out, .received = received, .found = &found };
    enum err err = OK;

    while (err == OK && args.len > 0) {
        size_t len = 1;

        if (is_structure(args.data[0])) {
            err = take_structure(&walk, args.data[0]);
        } else if (!json_text_is_space(args.data[0])) {
            len = json_text_scalar_len(args);
            note_token(&walk, (struct str) { args.data, len });
        }
        args = str_skip(args, len);
    }
    free(walk.levels);
    if (err == OK) {
        *ret_placeholders = found;
    }
    return err;
}
