/* Shared by receive.c (HTTP) and deliver.c (from a whole body to its commit), and by nobody else.
 */
#pragma once

#include "libshared/buf.h"
#include "libshared/log.h"
#include "siod/chat/inbound.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/webhook/receive.h"

struct signature_keys;

struct webhook_app {
    struct webhook_receiver *receiver;
    char *name, *path;
    struct signature_keys *keys;
    struct buf verify_token;
    struct http_route route;
};

struct webhook_receiver {
    struct loop *loop;
    struct store *store;
    struct pool *pool; /* parses large bodies */
    size_t body_bytes, body_bytes_in_flight;
    unsigned json_depth;
    void (*on_waiting)(void *arg, const struct store_waiting *chat);
    void (*on_merged)(void *arg, const struct store_merge *merge);
    void *arg;
    struct webhook_app *apps;
    size_t app_count;

    size_t refs; /* the owner's, one for each request and each delivery */
    bool closed; /* the owner has let go: store and pool are gone */
    size_t deliveries, bytes;
    struct log_gate unsigned_gate, verify_gate, quarantine_gate, refused_gate;

    struct webhook_retry *retries; /* kept.c: the first one is being read, the others wait */

    struct inbound_work work; /* the writer thread's */
};

void receiver_ref(struct webhook_receiver *receiver);
void receiver_unref(struct webhook_receiver *receiver);
/* Is there room for `more` bytes of a body that has `own` bytes so far? A body that is alone always
 * has room. */
bool receiver_has_room(const struct webhook_receiver *receiver, size_t own, size_t more);
/* One more webhook was turned away as there is too much to do; returns the limit that did it. */
const char *receiver_count_busy(const struct webhook_receiver *receiver);

/* Where a body comes from and who waits for the outcome. */
struct delivery_source {
    const char *app; /* borrowed as long as the receiver has references */
    webhook_done *done;
    void *arg;
    bool outlives_receiver; /* done() may be called after webhook_receiver_free() */
    /* Of one that is in quarantine; kept_id 0 = it is new. Its row is settled then, and the outcome
     * is what was made of it in all. */
    int64_t kept_id, received_ms;
    struct wa_counts counts; /* so far */
    struct str owners;       /* likewise, borrowed for the call */
};
/* Takes the content of `body`, whose bytes the caller has counted in receiver->bytes. */
void delivery_start(struct webhook_receiver *receiver, const struct delivery_source *source,
                    struct buf *body);
