/* Calls: what the platform reports of them becomes a row and events to the business.
 *
 * A call is known by its wacid, and each of its reports comes into effect once, in whatever order
 * they come: a call that has ended is not announced any more. A customer who calls opens the 24 h
 * window as one who writes does, but no closed chat: whoever takes the call knows.
 *
 * Runs in a write job; see inbound.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/inbound.h"
#include "siod/store/store.h"

enum call_report {
    CALL_CONNECT,   /* with the caller's offer, or the answer of who was called */
    CALL_TERMINATE, /* it has ended */
    CALL_RINGING,   /* of a call that the business makes, as the next two */
    CALL_ACCEPTED,
    CALL_REJECTED,
};

/* One report; everything is borrowed. */
struct inbound_call {
    enum call_report report;
    enum store_direction direction; /* INBOUND: the customer calls */
    struct str phone_number_id, wacid;
    struct inbound_party party;
    int64_t at_s;
    struct str sdp_type, sdp;                     /* .data NULL if there is none */
    bool failed;                                  /* CALL_TERMINATE: it was not completed */
    int64_t started_at_s, ended_at_s, duration_s; /* likewise; 0 = not said */
    const json_t *errors;                         /* NULL if there are none */
};
/* A longer one is left out of the events. */
enum { CALL_SDP_MAX = 64 * 1024 };

/* *ret_stored is false for a repetition, and for a report of a call that was erased or is another
 * business's, which changes nothing. ERR_NOT_FOUND: the number belongs to no business, nothing
 * was done. */
NODISCARD
enum err call_store(struct inbound_work *work, const struct inbound_call *call, bool *ret_stored);

/* {callId, wacid, chatId, direction, state, startedAt, answeredAt, endedAt, duration}, and error
 * and errors if there are any. */
void call_render(struct buf *out, const struct store_call *call);
