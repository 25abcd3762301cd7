/* Out of quarantine, into the same pipeline: the row is read on a reader's thread, what follows is
 * deliver.c's. One row is read at a time, so that they keep the order in which they were asked for:
 * messages get their numbers by it. */
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/store/store.h"
#include "siod/webhook/receiver.h"

struct webhook_retry {
    struct webhook_retry *next;
    struct store_query query;
    struct webhook_receiver *receiver;
    struct delivery_source source;
    struct buf body, owners;
};

static void retry_free(struct webhook_retry *retry)
{
    buf_finish(&retry->body);
    buf_finish(&retry->owners);
    receiver_unref(retry->receiver);
    free(retry);
}

static void fail(struct webhook_retry *retry, enum err err)
{
    const struct webhook_result nothing = { .webhook_id = 0 };

    if (!retry->receiver->closed) {
        retry->source.done(retry->source.arg, err, &nothing);
    }
    retry_free(retry);
}

static enum err fetch(struct store_query *query, struct store_reader *reader)
{
    struct webhook_retry *retry = CONTAINER_OF(query, struct webhook_retry, query);
    struct store_webhook webhook;
    enum err err = store_webhook_get(reader, retry->source.kept_id, &webhook);

    if (err == OK && webhook.state != STORE_WEBHOOK_QUARANTINED) {
        err = ERR_CONFLICT;
    }
    if (err == OK && webhook.bytes == 0) {
        err = ERR_NOT_FOUND;
    }
    if (err != OK) {
        return err;
    }
    retry->source.received_ms = webhook.received_at_ms;
    wa_counts_read(webhook.counts, &retry->source.counts);
    buf_clear(&retry->body);
    buf_add_str(&retry->body, webhook.body);
    buf_clear(&retry->owners);
    buf_add_str(&retry->owners, webhook.owners);
    return OK;
}

static void start(struct webhook_retry *retry)
{
    struct webhook_receiver *receiver = retry->receiver;

    if (store_health(receiver->store, NULL) != STORE_OK) {
        fail(retry, ERR_STORE);
    } else if (!receiver_has_room(receiver, 0, retry->body.len) ||
               !store_accepting(receiver->store)) {
        (void)receiver_count_busy(receiver);
        fail(retry, ERR_BUSY);
    } else {
        receiver->bytes += retry->body.len;
        retry->source.owners = buf_str(&retry->owners);
        delivery_start(receiver, &retry->source, &retry->body);
        retry_free(retry);
    }
}

/* The store is going away, and with it those that wait. */
static void give_up(struct webhook_receiver *receiver)
{
    struct webhook_retry *retry;

    receiver_ref(receiver);
    while ((retry = receiver->retries) != NULL) {
        LL_DELETE(receiver->retries, retry);
        fail(retry, ERR_STORE);
    }
    receiver_unref(receiver);
}

static void fetched(struct store_query *query, enum err err)
{
    struct webhook_retry *retry = CONTAINER_OF(query, struct webhook_retry, query);
    struct webhook_receiver *receiver = retry->receiver;

    if (receiver->closed) {
        give_up(receiver);
        return;
    }
    LL_DELETE(receiver->retries, retry);
    if (receiver->retries != NULL) {
        store_ask(receiver->store, &receiver->retries->query);
    }
    if (err != OK) {
        fail(retry, err);
    } else {
        start(retry);
    }
}

void webhook_retry(struct webhook_receiver *receiver, int64_t webhook_id, webhook_done *done,
                   void *arg)
{
    struct webhook_retry *retry = xnew(struct webhook_retry);

    receiver_ref(receiver);
    retry->receiver = receiver;
    retry->source = (struct delivery_source) {
        .app = "quarantine", .done = done, .arg = arg, .kept_id = webhook_id
    };
    retry->query.fetch = fetch;
    retry->query.done = fetched;
    LL_APPEND(receiver->retries, retry);
    if (receiver->retries == retry) {
        store_ask(receiver->store, &retry->query);
    }
}
