/* What the store keeps, in the words of the domain. Strings are borrowed: store.h says for how
 * long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/str.h"
#include "siod/store/owners.h"

enum store_source { STORE_SOURCE_CONFIG, STORE_SOURCE_CONTROL, STORE_SOURCE_TOKEN };

struct store_business {
    int64_t id;
    struct str name; /* may be empty */
    enum store_source
        source; /* CONFIG rows are read-only for sioctl; TOKEN: made because an agent connected */
    bool takes_any;   /* dev mode: also takes phone numbers that nobody else has */
    int64_t position; /* of the last row in its log, 0 = none */
    const struct str *phone_number_ids;
    size_t phone_number_count;
};

/* What an agent intends; what the network does never changes it. */
enum store_agent_status { STORE_AGENT_AVAILABLE, STORE_AGENT_BUSY, STORE_AGENT_AWAY };
const char *store_agent_status_name(enum store_agent_status status);
bool store_agent_status_parse(struct str name, enum store_agent_status *ret_status);

struct store_agent {
    int64_t business_id, user_id;
    struct str name, role;
    enum store_agent_status status;
    int64_t capacity; /* open chats it takes at most */
    int64_t load;     /* chats assigned to it now */
    bool online;      /* as the daemon last announced it */
    int64_t turn;     /* when it was last given a chat: us since 1970, no two the same; 0 = never */
};

/* How a contact is known. Keys of the alias table with the business. */
enum store_alias {
    STORE_ALIAS_WA_ID,
    STORE_ALIAS_BSUID,
    STORE_ALIAS_PARENT_BSUID,
    STORE_ALIAS_USERNAME, /* finds nobody: who had it before may be called otherwise now */
};

struct store_contact {
    int64_t id, business_id;
    struct str name;     /* profile name, may be empty */
    struct str username; /* .data NULL when there is none; for show, it may change */
    struct str phone;    /* digits, .data NULL when there is none */
    struct str wa_id;    /* .data NULL when there is none */
    struct str user_id;  /* BSUID, .data NULL when there is none */
};

enum store_chat_state { STORE_CHAT_WAITING, STORE_CHAT_ASSIGNED, STORE_CHAT_CLOSED };
const char *store_chat_state_name(enum store_chat_state state);
bool store_chat_state_parse(struct str name, enum store_chat_state *ret_state);

struct store_chat {
    int64_t id, business_id;
    struct str phone_number_id;
    struct str group_id; /* .data NULL for a chat with one contact */
    enum store_chat_state state;
    int64_t agent_id;             /* 0 = none */
    int64_t last_message_id;      /* 0 = none; greatest (wa_timestamp_s, id) */
    int64_t last_message_at_ms;   /* WhatsApp's time of it */
    int64_t window_expires_at_ms; /* last inbound + 24 h */
    int64_t created_at_ms;
    int64_t version;          /* counts changes of state and agent, from 1 */
    int64_t waiting_since_ms; /* 0 = it does not wait */
    int64_t assigned_at_ms;   /* 0 = nobody has it */
    int64_t last_agent_id;    /* who had it last or has it, 0 = nobody ever had */
    int64_t closed_at_ms;     /* 0 = it is open */
    struct store_contact contact;
};

/* A chat that needs an agent. */
struct store_waiting {
    int64_t chat_id, business_id;
    int64_t version;
    int64_t since_ms;
    int64_t last_agent_id;  /* 0 = none */
    int64_t avoid_agent_id; /* from whom it was taken by somebody's word, 0 = nobody; not kept */
    bool told;              /* this wait was announced */
};

/* Why a chat went to whom it went. */
struct store_decision {
    int64_t chat_id;
    int64_t at_ms;         /* set by the store */
    int64_t agent_id;      /* 0 = nobody */
    struct str policy;     /* by which rule: "least_loaded", or "manual" for somebody's word */
    struct str outcome;    /* "assigned", "waiting", "unassigned", "closed", "reopened" */
    struct str who;        /* whose word it was; empty = siod's own */
    struct str considered; /* JSON text: the agents that were looked at, and why not */
};

enum store_direction { STORE_INBOUND, STORE_OUTBOUND };
const char *store_direction_name(enum store_direction direction);

/* Delivery state of a message; ranks of whatsapp.md 5. RECEIVED is an inbound message's. */
enum store_status {
    STORE_STATUS_RECEIVED,
    STORE_STATUS_QUEUED,
    STORE_STATUS_ACCEPTED,
    STORE_STATUS_SENT,
    STORE_STATUS_DELIVERED,
    STORE_STATUS_READ,
    STORE_STATUS_PLAYED,
    STORE_STATUS_FAILED,
};
const char *store_status_name(enum store_status status);
bool store_status_parse(struct str name, enum store_status *ret_status); /* case-sensitive */

/* What a message is to the agents. */
enum store_message_kind {
    STORE_MESSAGE_LIVE,
    STORE_MESSAGE_NOTE,     /* the platform's word about a customer: nobody has to read it */
    STORE_MESSAGE_HISTORIC, /* written before the number came to siod: nobody was told */
};

struct store_message {
    int64_t id, chat_id, business_id,
        contact_id; /* contact_id: who wrote an inbound one, or the chat's contact */
    struct str phone_number_id;
    struct str wamid;
    enum store_direction direction;
    enum store_message_kind kind;
    struct str type;          /* WhatsApp's word */
    struct str text;          /* .data NULL = null */
    struct str raw;           /* the element as JSON text */
    struct str context_wamid; /* the message it replies to, .data NULL if none */
    enum store_status status;
    struct str error;       /* JSON array text of a failed one's errors, .data NULL if none */
    int64_t sender_user_id; /* the agent who wrote an outbound one, 0 = none (phone app) */
    int64_t wa_timestamp_s;
    int64_t created_at_ms;
    /* Members of its JSON, each with a comma before it; .data NULL if there are none: */
    struct str content; /* what it says beyond its text */
    struct str changes; /* what became of it since: `mark` of an edit or revoke, "reactions" and
                           "participants"; not looked at by store_message_append() */
};
enum { STORE_SHOWN_MAX = 256 /* reactions, and participants, that are read with a message */ };

/* What a status needs to know of its message. */
struct store_message_state {
    int64_t id, chat_id, business_id, contact_id;
    enum store_direction direction;
    enum store_status status;
    int64_t revoked_at_s; /* 0 = it was not */
};

/* What somebody did to a message that was there: a row of its own, kept whether that message is
 * known or not. Those of unknown messages are the parked ones. */
enum store_change_kind { STORE_CHANGE_EDIT, STORE_CHANGE_REVOKE, STORE_CHANGE_REACTION };
struct store_change {
    struct str phone_number_id;
    struct str wamid;  /* its own; unique with the number */
    struct str target; /* the message's */
    enum store_change_kind kind;
    int64_t contact_id; /* who did it; 0 = the business, on its phone; STORE_AUTHOR_UNKNOWN */
    int64_t wa_timestamp_s;
    struct str body; /* an edit's `message` as JSON text, a reaction's emoji (empty: removed) */
};

/* Of edits and revokes that came before their author was kept. */
enum { STORE_AUTHOR_UNKNOWN = -1 };

/* One party's reaction to a message, the newest one of that party. */
struct store_reaction {
    int64_t message_id;
    int64_t contact_id; /* 0 = the business, on its phone */
    struct str wamid;
    int64_t wa_timestamp_s;
    struct str shown; /* JSON object text; .data NULL: it was removed */
};

/* How far a message to a group got with one of those in it. */
struct store_participant {
    int64_t message_id, contact_id; /* 0 = nobody known is called so */
    struct str name;                /* the platform's id: BSUID or number */
    enum store_status status;
    struct str shown; /* JSON object text */
};

/* One row of a business's log: a durable event. */
struct store_event {
    int64_t business_id, position;
    unsigned job; /* rows of one commit that have this in common were written by one job; set by the
                     store */
    int64_t at_ms;
    struct str room;  /* "chat_12" */
    struct str event; /* "new_message" */
    struct str args;  /* JSON text of the event's arguments, without brackets */
    /* Opaque: the socket that caused it and is not told, when it is emitted and later. May be
     * empty. */
    struct str origin;
};
/* The log rows of one commit; one allocation, strings included. */
struct store_events {
    size_t count;
    struct store_event *rows;
};
void store_events_free(struct store_events *events);

/* From RINGING on it only rises; the last three are ends. */
enum store_call_state {
    STORE_CALL_RINGING,
    STORE_CALL_ACCEPTED,
    STORE_CALL_REJECTED,
    STORE_CALL_COMPLETED,
    STORE_CALL_FAILED,
};
const char *store_call_state_name(enum store_call_state state);

struct store_call {
    int64_t id, business_id, chat_id;
    struct str phone_number_id, wacid;
    enum store_direction direction; /* INBOUND: a customer calls */
    enum store_call_state state;
    unsigned seen;        /* which reports have come: call.h */
    int64_t started_at_s; /* 0 = not known, as in the following */
    int64_t answered_at_s, ended_at_s, duration_s;
    struct str errors; /* JSON text, .data NULL if there are none */
};

enum store_webhook_state {
    STORE_WEBHOOK_DONE,
    STORE_WEBHOOK_QUARANTINED, /* (part of) it could not be handled */
    STORE_WEBHOOK_DROPPED,     /* it was in quarantine, and an operator gave it up */
};
const char *store_webhook_state_name(enum store_webhook_state state);
bool store_webhook_state_parse(struct str name, enum store_webhook_state *ret_state);

struct store_webhook {
    int64_t id, received_at_ms;
    struct str app;    /* name of the configured app it came in by, "control" when replayed */
    struct str body;   /* raw bytes as received; empty once they are no longer kept */
    int64_t bytes;     /* of the body, when it is read back */
    struct str counts; /* JSON object text: {"inbound":1,…}; see siod-events(7) */
    struct str fields; /* JSON array text: the fields of its changes, ["messages"] */
    struct str owners; /* whose the phone numbers in it were when it was handled: owners.h */
    enum store_webhook_state state;
    struct str
        reason; /* why (part of) it is in quarantine, or was when it was dropped; else empty */
};

/* Tokens that are no longer good: the one with this jti, or those of a user that were issued before
 * a time, and those that do not say when they were issued. */
struct store_revocation {
    struct str jti;               /* .data NULL: of a user */
    int64_t business_id, user_id; /* whose; 0 where only the jti is known */
    int64_t issued_before_ms;     /* of a user's; otherwise 0 */
    int64_t expires_s; /* from then on no token that it covers is valid; INT64_MAX = not known */
    int64_t at_ms;     /* when it was revoked: set by the store */
    struct str who;    /* whose word it was */
    struct str reason; /* may be empty */
};

/* Of a client that may come back: who it was, and what Socket.IO needs to know, opaque. */
struct store_session {
    struct str id; /* of its socket */
    int64_t business_id, user_id;
    struct str state;
};
enum { STORE_SESSION_KEY_BYTES = 16 };
