/* What stands in a golden file for ids and times, which are others in each run. Times become
 * "<time>", ids of the store's own "<id>"; a chat is named by whom it is with and by our number, a
 * message by its wamid, as events and answers tell. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/str.h"
#include "sioctl/replay/ids.h"

enum golden_kind { GOLDEN_CHAT, GOLDEN_MESSAGE, GOLDEN_KINDS };

struct names {
    const struct replay_ids *ids; /* borrowed; NULL = no id was exchanged */
    struct label *labels[GOLDEN_KINDS];
};
void names_finish(struct names *names);

/* An id as it was recorded. Borrowed, from the argument or from the ids. */
struct str names_original(const struct names *names, struct str id);
/* What the chat or message is called, "?" while that is not known. Borrowed. */
const char *names_of(const struct names *names, enum golden_kind kind, int64_t id);
/* The chat that this one was merged into in the end; itself if it was not. */
int64_t names_last_chat(const struct names *names, int64_t id);

/* Notes the chats and messages that are mentioned in a payload, and how they are called if it says
 * so. */
void names_learn(struct names *names, json_t *value);
/* One whose name nobody has told; false when there is none. */
NODISCARD
bool names_ask(const struct names *names, enum golden_kind *ret_kind, int64_t *ret_id);
/* answer: as `chat show` and `message show` give it, NULL if there is no such thing any more. */
void names_tell(struct names *names, enum golden_kind kind, int64_t id, const json_t *answer);

/* A text as a JSON string, "?" when it is no UTF-8. Returns owned. */
NODISCARD
json_t *names_text(const char *text);
/* A copy as it is in every run. Returns owned. */
NODISCARD
json_t *names_normal(const struct names *names, const json_t *value);
