/* One delivery, for deliver.c, which leads it through the threads, and apply.c, which has it while
 * it is on the store's. */
#pragma once

#include "siod/store/store.h"
#include "siod/webhook/payload.h"
#include "siod/webhook/receiver.h"

enum { DELIVERY_GARBAGE_KEPT = 64 * 1024 }; /* of a body that is no JSON */

struct delivery {
    struct store_job job;
    struct pool_job pooled;
    struct webhook_receiver *receiver;
    struct delivery_source source;
    int64_t received_ms;
    unsigned json_depth; /* the receiver's at that time: parsing may happen on another thread */
    struct buf body;

    json_t *root; /* NULL: no JSON, as syntax says */
    struct wa_delivery decoded;
    struct errmsg syntax;

    enum err answer; /* once it is committed */
    struct webhook_result result;
    struct wa_counts total;  /* of one that was in quarantine: with what was made of it before */
    struct buf known_owners; /* likewise: whose its numbers were before */
    bool unsettled;          /* its row is gone, or no longer in quarantine */
    struct buf reasons;
    struct buf owners;  /* store_webhook's, of this time */
    struct buf waiting; /* struct store_waiting: chats that need an agent */
    struct buf merges;  /* struct store_merge: chats that were joined */
    struct str unknown; /* the last phone number id that nobody owns */
};

/* Jobs of the writer thread: everything in it, or nothing but the raw body and why. */
enum err delivery_apply(struct store_job *job, struct store_tx *tx);
enum err delivery_apply_raw(struct store_job *job, struct store_tx *tx);
