/* A webhook of the WhatsApp Cloud API, from its JSON tree to what it says: every element of every
 * array of every entry. Pure: no I/O, no clock, no log.
 *
 * Nothing is refused for a side field: an unusable timestamp becomes the time of receipt, a missing
 * type a placeholder, ids are taken as strings or integers. What cannot be used at all is named in
 * `reasons`, and the caller keeps the whole body in quarantine; the other elements are handled. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"
#include "siod/chat/call.h"
#include "siod/chat/change.h"
#include "siod/chat/inbound.h"
#include "siod/chat/status.h"
#include "siod/store/store.h"

/* What an element counts as; the keys of `counts` in siod-events(7). */
enum wa_kind {
    WA_INBOUND, /* a message of a customer, whatever its type, but for the next four */
    WA_SYSTEM,
    WA_REACTION,
    WA_EDIT,
    WA_REVOKE,
    WA_STATUS,
    WA_ECHO, /* written by the business on its phone */
    WA_HISTORY,
    WA_CALL,
    WA_CALL_STATUS,
    WA_ADMIN, /* a change of the account, a number, a template … */
    WA_DUPLICATE,
    WA_IGNORED, /* a field this build does not know, or with nothing in it */
    WA_KINDS
};

struct wa_counts {
    unsigned of[WA_KINDS];
};
/* "inbound", "call_statuses", … */
const char *wa_kind_name(enum wa_kind kind);
/* {"inbound":1,"system":0,…}: all keys, always. */
void wa_counts_render(struct buf *out, const struct wa_counts *counts);
/* Reads them back; what is not there, or makes no sense, is 0. */
void wa_counts_read(struct str json, struct wa_counts *ret_counts);
/* What a webhook counts as in all, when it was handled once more. `before`: so far; `now`: this
 * time, in which what was handled before came as duplicates; `rowless`: the part of `now` that is
 * counted each time, since nothing is stored by which it could be told. */
struct wa_counts wa_counts_again(const struct wa_counts *before, const struct wa_counts *now,
                                 const struct wa_counts *rowless);

/* Something that was said. One of the kinds reaction, edit and revoke is here only when it does not
 * say which message it is about: it is shown as it is then. */
struct wa_message {
    enum wa_kind kind; /* WA_INBOUND to WA_REVOKE, or WA_ECHO */
    struct inbound_message in;
};
/* Something that was done to a message. */
struct wa_change {
    enum wa_kind kind; /* WA_REACTION to WA_REVOKE, or WA_ECHO */
    struct inbound_change in;
};

/* What became of a call. */
struct wa_call {
    enum wa_kind kind; /* WA_CALL or WA_CALL_STATUS */
    struct inbound_call in;
};

/* Strings are borrowed from the tree, or owned by `texts` where the tree has a number. */
struct wa_delivery {
    bool foreign; /* `object` names another product: nothing else is set */
    struct wa_message *messages;
    size_t message_count, message_room;
    struct wa_change *changes;
    size_t change_count, change_room;
    struct inbound_status *statuses;
    size_t status_count, status_room;
    struct wa_call *calls;
    size_t call_count, call_room;
    struct owner *numbers; /* what its changes came to, once for a run of them; whose is not said */
    size_t number_count, number_room;
    struct wa_counts counts; /* of what makes no rows: admin, ignored */
    struct buf fields;       /* of its changes, each once: ["messages"]; empty if there are none */
    struct buf reasons;      /* of quarantine, empty if there is none */
    struct wa_text *texts;
};
/* Bytes of an id; a longer one counts as missing, and makes a group's message unusable. */
enum { WA_ID_MAX = 512 }; /* decode_no_id() says so */

/* `root` is any JSON value that went through json_normalise(), and outlives the delivery.
 * received_s: Unix time of receipt. */
void wa_decode(const json_t *root, int64_t received_s, struct wa_delivery *ret_delivery);
void wa_delivery_finish(struct wa_delivery *delivery);

/* Adds "; reason", a short one, until there is about 1 KB of them; then says once that there are
 * more. */
PRINTF(2, 3) void wa_reason_add(struct buf *reasons, const char *format, ...);
