/* The webhook endpoint (whatsapp.md's facts: Meta, "Create a webhook endpoint").
 *
 * GET answers the verification challenge. POST is accepted when its HMAC fits one of the app's
 * secrets, and answered 200 only when the raw body and everything made from it are on disk: the
 * platform then forgets the delivery, and anything but 200 it sends again for days. 503 with
 * Retry-After asks for that: when too much is in flight, before the body is read, and when the
 * store cannot write.
 *
 * What cannot be understood is kept raw in quarantine and answered 200, but for a body that is no
 * JSON at all: 400. Loop thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/webhook/payload.h"

struct http_server;
struct loop;
struct store;
struct store_merge;
struct store_waiting;
struct webhook_receiver;

/* One webhook path; everything is copied. */
struct webhook_app_config {
    const char *name; /* in logs, and stored with each body */
    const char *path;
    const struct str *secrets; /* 1 to SIGNATURE_SECRETS_MAX app secrets, all valid */
    size_t secret_count;
    struct str verify_token; /* empty: verification is always refused */
};

struct webhook_config {
    struct loop *loop;
    struct store *store;
    const struct webhook_app_config *apps;
    size_t app_count;
    size_t body_bytes;           /* of one body; 0 = no limit in this and the following */
    size_t body_bytes_in_flight; /* received and not yet answered, over all requests */
    unsigned json_depth;
    /* After a commit, for each chat that needs an agent because of it. */
    void (*on_waiting)(void *arg, const struct store_waiting *chat);
    /* Before those: for each two chats that became one. */
    void (*on_merged)(void *arg, const struct store_merge *merge);
    void *arg;
};

/* Returns owned. */
NODISCARD
struct webhook_receiver *webhook_receiver_new(const struct webhook_config *config);
/* Take over the limits, and for each app of the same name its secrets and its verify token: for
 * requests that begin from now on. Apps stay as many as they were, on their paths. */
void webhook_reconfigure(struct webhook_receiver *receiver, const struct webhook_config *config);
/* Deliveries that are under way are still stored (store_close() sees to it), but nobody is told. */
void webhook_receiver_free(struct webhook_receiver *receiver);
/* One route for each app. The receiver must outlive the server's requests or be freed with nobody
 * running the loop in between. */
void webhook_routes(struct webhook_receiver *receiver, struct http_server *server);

/* Deliveries that are not yet answered, and the bytes of their bodies and of those that are still
 * arriving. */
size_t webhook_in_flight(const struct webhook_receiver *receiver);
size_t webhook_bytes_in_flight(const struct webhook_receiver *receiver);
/* Would a large POST be turned away for body_bytes_in_flight now? Bodies that do not fit are not
 * taken, so that the limit itself is hardly ever reached. */
bool webhook_is_full(const struct webhook_receiver *receiver);

/* What became of a delivery. With reasons it is in quarantine. */
struct webhook_result {
    int64_t webhook_id; /* 0 when nothing was stored */
    struct wa_counts counts;
    struct str reasons; /* of quarantine, empty if there is none; borrowed for the call */
};
/* OK: stored, or of another product and ignored. ERR_SYNTAX: no JSON, kept in quarantine.
 * ERR_TOO_LARGE, ERR_BUSY, ERR_STORE: nothing was stored. */
typedef void webhook_done(void *arg, enum err err, const struct webhook_result *result);

/* The same way in for a body whose sender is trusted already, as `webhook replay` has them. `app`
 * names the way in and is borrowed for ever; `body` is copied. done() is called exactly once, maybe
 * before this returns, and never after webhook_receiver_free(). */
void webhook_deliver(struct webhook_receiver *receiver, const char *app, struct str body,
                     webhook_done *done, void *arg);

/* Once more for one that is in quarantine, as if it came now but with the time at which it did
 * come: what was handled before is a duplicate and changes nothing. Without reasons it has left
 * quarantine then. done() as above but never before this returns, and ERR_NOT_FOUND when there is
 * no such webhook or its body is no longer kept, ERR_CONFLICT when it is not in quarantine. */
void webhook_retry(struct webhook_receiver *receiver, int64_t webhook_id, webhook_done *done,
                   void *arg);
