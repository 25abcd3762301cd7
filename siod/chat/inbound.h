/* What the platform reports becomes rows and events: messages of customers, and messages that the
 * business wrote on its phone ("echoes").
 *
 * Runs in a write job on the writer thread. The business is the one that owns the phone_number_id
 * and nothing else in the payload has a say in it. A duplicate, told by the unique key
 * (phone_number_id, wamid), leaves everything as it was. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/events.h"
#include "siod/store/store.h"

/* The customer, as far as a payload tells. .data is NULL for what it does not. */
struct inbound_party {
    struct str name; /* profile name */
    struct str username;
    struct str phone;   /* messages[].from, message_echoes[].to */
    struct str wa_id;   /* contacts[].wa_id; may differ from phone */
    struct str user_id; /* business-scoped user id (BSUID) */
    struct str parent_user_id;
};

/* One message; everything is borrowed. */
struct inbound_message {
    enum store_direction direction; /* OUTBOUND: an echo */
    struct str phone_number_id;
    struct str group_id; /* .data NULL outside groups */
    struct inbound_party party;
    struct str wamid;
    struct str type;          /* WhatsApp's word */
    struct str text;          /* .data NULL = null */
    struct str context_wamid; /* .data NULL if none */
    struct str new_wa_id;     /* system messages: the customer's new number, .data NULL if none */
    struct str new_user_id;   /* likewise the new BSUID, */
    struct str new_parent_user_id; /* and its parent */
    bool historic;                 /* from before the number came: nobody is told */
    enum store_status past_status; /* of a historic one that is outbound */
    bool opens_window;             /* the customer wrote: restarts the 24 h window */
    int64_t wa_timestamp_s;
    const json_t *element; /* kept as JSON text in the row */
    const json_t *errors;  /* what the platform says is wrong with it, NULL if nothing */
};

/* The writer's tools for one job, with memory that is reused from job to job: zero-initialised
 * once, then inbound_begin() for each run of a job. */
struct inbound_work {
    struct store_tx *tx;
    int64_t now_ms; /* when the report came in: time of creation and of the events */
    struct {        /* the last number that was looked up */
        struct str phone_number_id;
        int64_t business_id;
    } owner;
    /* After inbound_message_store(): the chat that needs an agent because of this message; chat_id
     * 0 = none. */
    struct store_waiting waiting;
    /* Chats that were joined: struct store_merge, more for each call until inbound_begin(). */
    struct buf merges;
    bool participants; /* the row of this message has statuses of participants already */
    size_t told;       /* bytes of changed messages in the events of this run: change.h */
    struct buf raw, content, contact, message, args, error, shown, body, mark;
};
void inbound_begin(struct inbound_work *work, struct store_tx *tx, int64_t now_ms);
void inbound_work_finish(struct inbound_work *work);

/* The business that owns the number; ERR_NOT_FOUND when nobody does. `phone_number_id` must live
 * until the job's end. */
NODISCARD
enum err inbound_business(struct inbound_work *work, struct str phone_number_id,
                          int64_t *ret_business_id);

/* Closes work->args, an object that lacks its timestamp, and logs it for the room <kind>_<id>. */
NODISCARD
enum err inbound_log_event(struct inbound_work *work, int64_t business_id, const char *kind,
                           int64_t id, enum desk_event event);

/* Contact, chat, row and events. *ret_stored is false for a duplicate. ERR_NOT_FOUND: the number
 * belongs to no business, nothing was done. */
NODISCARD
enum err inbound_message_store(struct inbound_work *work, const struct inbound_message *message,
                               bool *ret_stored);
