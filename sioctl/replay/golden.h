/* What a replay brought about, as lines that are the same in every run: the answers in the order of
 * the records, then the events, chat by chat, with names.h's words for ids and times. So neither
 * what was in the store before matters, nor which chat was faster than another. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "sioctl/replay/names.h"

struct golden_line {
    char *text;  /* one JSON object */
    char *about; /* the record it comes from, or else the chat or room: "chat 49155…@1065…" */
};
struct golden_lines {
    struct golden_line *list;
    size_t count;
    bool counted; /* answers tell what was counted: those over the control socket do */
};
void golden_lines_finish(struct golden_lines *lines);

struct golden;

/* ids: those that were exchanged become again what they were; NULL = none; borrowed. Returns
 * owned. */
NODISCARD
struct golden *golden_new(const struct replay_ids *ids, bool counted);
void golden_free(struct golden *golden);
/* The records in their order, then the answers to them, in any, then the events. Answers to one
 * record that was delivered several times become one: a repetition adds nothing. */
void golden_add_record(struct golden *golden, const char *name, struct str body);
void golden_add_answer(struct golden *golden, size_t record, const json_t *answer);
/* A record of `tail`. */
void golden_add_event(struct golden *golden, json_t *event);

/* What the events do not say about chats and messages that they name: false when that is all. What
 * `chat show` or `message show` answers is told by golden_tell(), NULL if there is no such thing
 * any more. */
NODISCARD
bool golden_ask(const struct golden *golden, enum golden_kind *ret_kind, int64_t *ret_id);
void golden_tell(struct golden *golden, enum golden_kind kind, int64_t id, const json_t *answer);
/* When there is nothing left to ask. */
void golden_take_lines(struct golden *golden, struct golden_lines *ret_lines);

/* ---- the file */

void golden_render(struct buf *out, const struct golden_lines *lines);
/* ERR_SYNTAX with "line 3: …" in msg. */
NODISCARD
enum err golden_parse(struct str text, struct golden_lines *ret_lines, struct errmsg *msg);
/* Takes out of the answers what one of both does not know. */
void golden_uncount(struct golden_lines *lines);
