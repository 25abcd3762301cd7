/* `webhook quarantine`: what could not be handled, listed, tried again, given up.
 *
 * Of those that are replayed a few are tried at once, so that they share commits; each is answered
 * when it is done. A page of those that are dropped is one commit. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/control/rows.h"
#include "siod/control/sweep.h"
#include "siod/webhook/receive.h"

enum { AT_ONCE = 16 };

/* ---- list */

struct listing {
    struct control_list *list;
    unsigned left;
};

static bool add_listed(void *arg, const struct store_webhook *webhook)
{
    struct listing *listing = arg;
    struct buf *out = &listing->list->rows.text;

    control_webhook_render(out, webhook);
    buf_printf(out, ",\"bytes\":%lld}", (long long)webhook->bytes);
    control_rows_end_row(&listing->list->rows);
    return --listing->left > 0;
}

static enum err list_read(struct control_list *list, struct store_reader *reader)
{
    struct listing listing = { .list = list, .left = list->limit };
    struct control_webhook_walk walk = { .begun = false };
    enum err err = OK;

    sweep_filter(list->call, &walk.filter);
    walk.filter.newest_first = true;
    while (err == OK && !walk.over && listing.left > 0) {
        err = control_webhook_walk_on(&walk, reader, add_listed, &listing);
    }
    return err;
}

void control_webhook_quarantine_list(struct control_call *call)
{
    control_list_newest(call, list_read);
}

/* ---- replay */

struct replay;

/* One that is being tried. */
struct trial {
    struct replay *replay;
    int64_t webhook_id; /* 0 = free */
};

struct replay {
    struct sweep sweep;
    struct trial trials[AT_ONCE];
    unsigned under_way;
    enum err failed; /* it ends when the last one under way is back */
};

static void replay_free(void *state)
{
    struct replay *replay = state;

    sweep_finish(&replay->sweep);
    free(replay);
}

static void send_outcome(struct replay *replay, int64_t webhook_id,
                         const struct webhook_result *result)
{
    autobuf struct buf text = BUF_INIT;
    bool stays = result->reasons.len > 0;

    buf_printf(&text, "[{\"webhookId\":%lld,\"state\":", (long long)webhook_id);
    json_add_cstr(&text,
                  store_webhook_state_name(stays ? STORE_WEBHOOK_QUARANTINED : STORE_WEBHOOK_DONE));
    buf_add_cstr(&text, ",\"counts\":");
    wa_counts_render(&text, &result->counts);
    buf_add_cstr(&text, ",\"reason\":");
    json_add_str_or_null(&text, stays ? result->reasons : STR_NONE);
    buf_add_cstr(&text, "}]");
    control_piece(replay->sweep.call, buf_str(&text));
}

static void try_some(struct replay *replay);

static void note_failure(struct replay *replay, int64_t webhook_id, enum err err)
{
    if (replay->failed != OK) {
        return;
    }
    replay->failed = err;
    if (err == ERR_NOT_FOUND) {
        (void)err_set(&replay->sweep.msg, err, "webhook %lld is not there, or not its body",
                      (long long)webhook_id);
    } else if (err == ERR_CONFLICT) {
        (void)err_set(&replay->sweep.msg, err, "webhook %lld is no longer in quarantine",
                      (long long)webhook_id);
    }
}

static void tried(void *arg, enum err err, const struct webhook_result *result)
{
    struct trial *trial = arg;
    struct replay *replay = trial->replay;
    int64_t webhook_id = trial->webhook_id;

    trial->webhook_id = 0;
    replay->under_way--;
    if (!control_unhold(replay->sweep.call)) {
        return;
    }
    if (err == OK || err == ERR_SYNTAX) {
        send_outcome(replay, webhook_id, result);
    } else if (replay->sweep.named || (err != ERR_NOT_FOUND && err != ERR_CONFLICT)) {
        note_failure(replay, webhook_id, err);
    }
    try_some(replay);
}

static struct trial *free_trial(struct replay *replay)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        if (replay->trials[i].webhook_id == 0) {
            return &replay->trials[i];
        }
    }
    return NULL;
}

/* The answers come later, from the store. */
static void try_some(struct replay *replay)
{
    struct webhook_receiver *receiver = control_config(replay->sweep.call)->webhook;
    struct trial *trial;

    while (replay->failed == OK && replay->sweep.at < sweep_id_count(&replay->sweep) &&
           (trial = free_trial(replay)) != NULL) {
        trial->replay = replay;
        trial->webhook_id = sweep_id_at(&replay->sweep, replay->sweep.at++);
        replay->under_way++;
        control_hold(replay->sweep.call);
        webhook_retry(receiver, trial->webhook_id, tried, trial);
    }
    if (replay->under_way > 0) {
        return;
    }
    if (replay->failed != OK) {
        sweep_fail(&replay->sweep, replay->failed);
    } else {
        sweep_page_over(&replay->sweep);
    }
}

static void replay_page(struct sweep *sweep)
{
    try_some(CONTAINER_OF(sweep, struct replay, sweep));
}

void control_webhook_quarantine_replay(struct control_call *call)
{
    struct replay *replay = xnew(struct replay);

    replay->sweep.handle = replay_page;
    call->state = replay;
    call->release = replay_free;
    if (sweep_begin(&replay->sweep, call)) {
        sweep_next_page(&replay->sweep);
    }
}

/* ---- drop */

struct drop {
    struct sweep sweep;
    struct store_job job;
    struct buf rows; /* of a page */
};

static void drop_free(void *state)
{
    struct drop *drop = state;

    sweep_finish(&drop->sweep);
    buf_finish(&drop->rows);
    free(drop);
}

static enum err drop_one(struct drop *drop, struct store_tx *tx, int64_t id)
{
    enum err err = store_webhook_drop(tx, id);

    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        return OK; /* somebody was faster */
    }
    if (err == OK) {
        buf_printf(&drop->rows, "%s{\"webhookId\":%lld,\"state\":\"%s\"}",
                   drop->rows.len > 1 ? "," : "", (long long)id,
                   store_webhook_state_name(STORE_WEBHOOK_DROPPED));
    }
    return err;
}

static enum err drop_apply(struct store_job *job, struct store_tx *tx)
{
    struct drop *drop = CONTAINER_OF(job, struct drop, job);
    enum err err = OK;

    buf_clear(&drop->rows);
    buf_add_char(&drop->rows, '[');
    for (size_t i = 0; i < sweep_id_count(&drop->sweep) && err == OK; i++) {
        err = drop_one(drop, tx, sweep_id_at(&drop->sweep, i));
    }
    buf_add_char(&drop->rows, ']');
    return err;
}

static void drop_done(struct store_job *job, enum err err)
{
    struct drop *drop = CONTAINER_OF(job, struct drop, job);

    if (!control_unhold(drop->sweep.call)) {
        return;
    }
    if (err != OK) {
        sweep_fail(&drop->sweep, err);
        return;
    }
    control_piece(drop->sweep.call, buf_str(&drop->rows));
    sweep_page_over(&drop->sweep);
}

static void drop_page(struct sweep *sweep)
{
    struct drop *drop = CONTAINER_OF(sweep, struct drop, sweep);

    if (sweep_id_count(sweep) == 0) {
        sweep_page_over(sweep);
    } else if (!store_submit(control_config(sweep->call)->store, &drop->job)) {
        sweep_fail(sweep, ERR_BUSY);
    } else {
        control_hold(sweep->call);
    }
}

void control_webhook_quarantine_drop(struct control_call *call)
{
    static const char *const which[] = { "webhook", "reason", "since", "limit" };
    struct drop *drop;
    bool said = json_is_true(control_arg(call, "all"));

    for (size_t i = 0; i < ARRAY_SIZE(which) && !said; i++) {
        said = control_arg(call, which[i]) != NULL;
    }
    if (!said) {
        control_fail(call, ERR_INVALID, "which ones? name them, or give --all");
        return;
    }
    drop = xnew(struct drop);
    drop->sweep.handle = drop_page;
    drop->job.apply = drop_apply;
    drop->job.done = drop_done;
    call->state = drop;
    call->release = drop_free;
    if (sweep_begin(&drop->sweep, call)) {
        sweep_next_page(&drop->sweep);
    }
}
