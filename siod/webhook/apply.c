/* A delivery in the store's transaction: its elements, then its row. */
#include "siod/webhook/delivery.h"

static enum err settle_webhook(struct delivery *delivery, struct store_tx *tx,
                               const struct store_webhook *row)
{
    enum err err = store_webhook_settle(tx, row);

    delivery->unsettled = err == ERR_NOT_FOUND || err == ERR_CONFLICT;
    delivery->result.webhook_id = row->id;
    return err;
}

static enum err record_webhook(struct delivery *delivery, struct store_tx *tx, struct str body,
                               struct str owners)
{
    bool kept = delivery->source.kept_id > 0;
    struct buf *counts = &delivery->receiver->work.args;
    struct store_webhook row = {
        .id = delivery->source.kept_id,
        .received_at_ms = delivery->received_ms,
        .app = str_of(delivery->source.app),
        .body = body,
        .fields = buf_str(&delivery->decoded.fields),
        .owners = owners,
        .state = delivery->reasons.len > 0 ? STORE_WEBHOOK_QUARANTINED : STORE_WEBHOOK_DONE,
        .reason = delivery->reasons.len > 0 ? buf_str(&delivery->reasons) : STR(""),
    };

    buf_clear(counts);
    wa_counts_render(counts, kept ? &delivery->total : &delivery->result.counts);
    row.counts = buf_str(counts);
    return kept ? settle_webhook(delivery, tx, &row)
                : store_webhook_append(tx, &row, &delivery->result.webhook_id);
}

/* Does somebody own the number? If not, it is a reason for quarantine, said once for a run of
 * elements. */
static enum err find_owner(struct delivery *delivery, struct str number, bool *ret_owned)
{
    int64_t business_id;
    enum err err = inbound_business(&delivery->receiver->work, number, &business_id);

    *ret_owned = err == OK;
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    if (!str_eq(delivery->unknown, number)) {
        delivery->unknown = number;
        wa_reason_add(&delivery->reasons, "phone_number_id %.*s belongs to no business",
                      (int)MIN(number.len, 32), number.data);
    }
    return OK;
}

/* Whose a number was when something of it was handled for the first time is what counts. */
static enum err find_owners(struct delivery *delivery)
{
    struct wa_delivery *decoded = &delivery->decoded;
    CLEANUP(owners_finish) struct owners known = { NULL };
    enum err err = OK;

    owners_read(buf_str(&delivery->known_owners), &known);
    for (size_t i = 0; i < decoded->number_count && err == OK; i++) {
        struct owner *owner = &decoded->numbers[i];

        owner->business_id = owners_find(&known, owner->phone_number_id);
        if (owner->business_id == 0) {
            err = inbound_business(&delivery->receiver->work, owner->phone_number_id,
                                   &owner->business_id);
            err = err == ERR_NOT_FOUND ? OK : err;
        }
    }
    buf_clear(&delivery->owners);
    owners_render(&delivery->owners, decoded->numbers, decoded->number_count);
    return err;
}

static void count(struct delivery *delivery, enum wa_kind kind)
{
    delivery->result.counts.of[kind]++;
}

static enum err apply_message(struct delivery *delivery, const struct wa_message *message)
{
    struct inbound_work *work = &delivery->receiver->work;
    bool owned, stored;
    enum err err = find_owner(delivery, message->in.phone_number_id, &owned);

    if (err != OK || !owned) {
        return err;
    }
    err = inbound_message_store(work, &message->in, &stored);
    if (err == OK) {
        count(delivery, stored ? message->kind : WA_DUPLICATE);
    }
    if (err == OK && work->waiting.chat_id != 0) {
        buf_add(&delivery->waiting, &work->waiting, sizeof work->waiting);
    }
    return err;
}

static enum err apply_change(struct delivery *delivery, const struct wa_change *change)
{
    bool owned, stored;
    enum err err = find_owner(delivery, change->in.phone_number_id, &owned);

    if (err != OK || !owned) {
        return err;
    }
    err = change_store(&delivery->receiver->work, &change->in, &stored);
    if (err == OK) {
        count(delivery, stored ? change->kind : WA_DUPLICATE);
    }
    return err;
}

static enum err apply_call(struct delivery *delivery, const struct wa_call *call)
{
    bool owned, fresh;
    enum err err = find_owner(delivery, call->in.phone_number_id, &owned);

    if (err != OK || !owned) {
        return err;
    }
    err = call_store(&delivery->receiver->work, &call->in, &fresh);
    if (err == OK) {
        count(delivery, fresh ? call->kind : WA_DUPLICATE);
    }
    return err;
}

static enum err apply_status(struct delivery *delivery, const struct inbound_status *status)
{
    bool owned, fresh;
    enum err err = find_owner(delivery, status->phone_number_id, &owned);

    if (err != OK || !owned) {
        return err;
    }
    err = status_apply(&delivery->receiver->work, status, &fresh);
    if (err == OK) {
        count(delivery, fresh ? WA_STATUS : WA_DUPLICATE);
    }
    return err;
}

static void reset(struct delivery *delivery)
{
    delivery->result = (struct webhook_result) { .counts = delivery->decoded.counts };
    delivery->unsettled = false;
    delivery->unknown = STR_NONE;
    buf_clear(&delivery->waiting);
    buf_clear(&delivery->merges);
    buf_clear(&delivery->reasons);
    buf_add_str(&delivery->reasons, buf_str(&delivery->decoded.reasons));
}

enum err delivery_apply(struct store_job *job, struct store_tx *tx)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, job);
    const struct wa_delivery *decoded = &delivery->decoded;
    enum err err = OK;

    reset(delivery);
    inbound_begin(&delivery->receiver->work, tx, delivery->received_ms);
    for (size_t i = 0; i < decoded->message_count && err == OK; i++) {
        err = apply_message(delivery, &decoded->messages[i]);
    }
    for (size_t i = 0; i < decoded->change_count && err == OK; i++) {
        err = apply_change(delivery, &decoded->changes[i]);
    }
    for (size_t i = 0; i < decoded->status_count && err == OK; i++) {
        err = apply_status(delivery, &decoded->statuses[i]);
    }
    for (size_t i = 0; i < decoded->call_count && err == OK; i++) {
        err = apply_call(delivery, &decoded->calls[i]);
    }
    buf_add_str(&delivery->merges, buf_str(&delivery->receiver->work.merges));
    if (err == OK && delivery->source.kept_id > 0) {
        delivery->total =
            wa_counts_again(&delivery->source.counts, &delivery->result.counts, &decoded->counts);
    }
    err = err == OK ? find_owners(delivery) : err;
    return err != OK
               ? err
               : record_webhook(delivery, tx, buf_str(&delivery->body), buf_str(&delivery->owners));
}

enum err delivery_apply_raw(struct store_job *job, struct store_tx *tx)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, job);
    struct str body = buf_str(&delivery->body);

    delivery->unsettled = false;
    delivery->total = delivery->source.counts;
    if (delivery->root == NULL) {
        body.len = MIN(body.len, (size_t)DELIVERY_GARBAGE_KEPT);
    }
    return record_webhook(delivery, tx, body, STR_NONE);
}
