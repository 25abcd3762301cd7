/* `webhook quarantine`: what could not be handled, listed, tried again, given up.
 *
 * Those that are to be replayed or dropped are found a page at a time, in the order in which they
 * came. A few are tried at once, so that they share commits; each is answered when it is done. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/control/rows.h"
#include "siod/control/webhook.h"
#include "siod/webhook/receive.h"

enum { PAGE = 500, AT_ONCE = 16, NAMED_MAX = 1000, LIMIT_MAX = 100000 };

static const enum store_webhook_state quarantined = STORE_WEBHOOK_QUARANTINED;

/* The filter of the options; --reason is borrowed from the call. */
static void take_filter(struct control_call *call, struct store_webhook_search *ret_filter)
{
    struct str reason = control_arg_str(call, "reason");

    control_webhook_times(call, ret_filter);
    ret_filter->state = &quarantined;
    ret_filter->reason = reason.data != NULL ? reason : STR("");
}

/* 0 when none was given. False: the call has ended. */
static bool take_limit(struct control_call *call, size_t *ret_limit)
{
    int64_t limit = control_arg_int(call, "limit");

    if (limit > LIMIT_MAX) {
        control_fail(call, ERR_TOO_LARGE, "--limit: at most %d", LIMIT_MAX);
        return false;
    }
    *ret_limit = (size_t)limit;
    return true;
}

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

    take_filter(list->call, &walk.filter);
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

/* ---- replay and drop */

struct sweep;

/* One that is being tried. */
struct trial {
    struct sweep *sweep;
    int64_t webhook_id; /* 0 = free */
};

struct sweep {
    struct store_query query;
    struct store_job job;
    struct control_call *call;
    bool drop;
    bool named; /* the ids were given */
    struct control_webhook_walk walk;
    size_t limit, found; /* 0 = no limit */
    struct buf ids;      /* int64_t: of this page */
    size_t at;
    struct errmsg msg;
    struct buf rows; /* of a page that was dropped */
    struct trial trials[AT_ONCE];
    unsigned under_way;
    enum err failed; /* it ends when the last one under way is back */
};

static void sweep_free(void *state)
{
    struct sweep *sweep = state;

    buf_finish(&sweep->ids);
    buf_finish(&sweep->rows);
    free(sweep);
}

static size_t id_count(const struct sweep *sweep)
{
    return sweep->ids.len / sizeof(int64_t);
}

static int64_t id_at(const struct sweep *sweep, size_t i)
{
    return ((const int64_t *)(const void *)sweep->ids.data)[i];
}

static void fail(struct sweep *sweep, enum err err)
{
    struct control_call *call = sweep->call;
    bool works = store_health(control_config(call)->store, NULL) == STORE_OK;

    if (err == ERR_BUSY && !works) {
        err = ERR_STORE;
    }
    control_fail(call, err, sweep->msg.text[0] != '\0' ? "%s" : NULL, sweep->msg.text);
}

/* ---- which ones */

static bool note_id(void *arg, const struct store_webhook *webhook)
{
    struct sweep *sweep = arg;

    buf_add(&sweep->ids, &webhook->id, sizeof webhook->id);
    sweep->found++;
    return id_count(sweep) < PAGE && sweep->found != sweep->limit;
}

struct look {
    bool found;
    enum store_webhook_state state;
};

static bool look_at(void *arg, const struct store_webhook *webhook)
{
    *(struct look *)arg = (struct look) { true, webhook->state };
    return false;
}

static enum err check_one(struct sweep *sweep, struct store_reader *reader, int64_t id)
{
    const struct store_webhook_search filter = {
        .first_id = id, .last_id = id, .since_ms = INT64_MIN, .until_ms = INT64_MAX
    };
    struct look look = { .found = false };
    enum err err = store_webhooks_find(reader, &filter, look_at, &look);

    if (err == OK && !look.found) {
        return err_set(&sweep->msg, ERR_NOT_FOUND, "no webhook %lld", (long long)id);
    }
    if (err == OK && look.state != STORE_WEBHOOK_QUARANTINED) {
        return err_set(&sweep->msg, ERR_CONFLICT, "webhook %lld is not in quarantine: %s",
                       (long long)id, store_webhook_state_name(look.state));
    }
    return err;
}

/* Those that were named are looked at before anything is done to one of them. */
static enum err check_named(struct sweep *sweep, struct store_reader *reader)
{
    enum err err = OK;

    for (size_t i = 0; i < id_count(sweep) && err == OK; i++) {
        err = check_one(sweep, reader, id_at(sweep, i));
    }
    return err;
}

static enum err sweep_fetch(struct store_query *query, struct store_reader *reader)
{
    struct sweep *sweep = CONTAINER_OF(query, struct sweep, query);
    enum err err = OK;

    if (sweep->named) {
        return check_named(sweep, reader);
    }
    buf_clear(&sweep->ids);
    sweep->at = 0;
    while (err == OK && !sweep->walk.over && id_count(sweep) < PAGE &&
           (sweep->limit == 0 || sweep->found < sweep->limit)) {
        err = control_webhook_walk_on(&sweep->walk, reader, note_id, sweep);
    }
    return err;
}

static bool more_pages(const struct sweep *sweep)
{
    return !sweep->named && !sweep->walk.over && (sweep->limit == 0 || sweep->found < sweep->limit);
}

static void next_page(struct sweep *sweep)
{
    control_hold(sweep->call);
    store_ask(control_config(sweep->call)->store, &sweep->query);
}

static void page_over(struct sweep *sweep)
{
    if (more_pages(sweep)) {
        next_page(sweep);
    } else {
        control_reply(sweep->call, STR("[]"));
    }
}

/* ---- replay */

static void send_outcome(struct sweep *sweep, int64_t webhook_id,
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
    control_piece(sweep->call, buf_str(&text));
}

static void try_some(struct sweep *sweep);

static void note_failure(struct sweep *sweep, int64_t webhook_id, enum err err)
{
    if (sweep->failed != OK) {
        return;
    }
    sweep->failed = err;
    if (err == ERR_NOT_FOUND) {
        (void)err_set(&sweep->msg, err, "webhook %lld is not there, or not its body",
                      (long long)webhook_id);
    } else if (err == ERR_CONFLICT) {
        (void)err_set(&sweep->msg, err, "webhook %lld is no longer in quarantine",
                      (long long)webhook_id);
    }
}

static void tried(void *arg, enum err err, const struct webhook_result *result)
{
    struct trial *trial = arg;
    struct sweep *sweep = trial->sweep;
    int64_t webhook_id = trial->webhook_id;

    trial->webhook_id = 0;
    sweep->under_way--;
    if (!control_unhold(sweep->call)) {
        return;
    }
    if (err == OK || err == ERR_SYNTAX) {
        send_outcome(sweep, webhook_id, result);
    } else if (sweep->named || (err != ERR_NOT_FOUND && err != ERR_CONFLICT)) {
        note_failure(sweep, webhook_id, err);
    }
    try_some(sweep);
}

static struct trial *free_trial(struct sweep *sweep)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        if (sweep->trials[i].webhook_id == 0) {
            return &sweep->trials[i];
        }
    }
    return NULL;
}

/* The answers come later, from the store. */
static void try_some(struct sweep *sweep)
{
    struct webhook_receiver *receiver = control_config(sweep->call)->webhook;
    struct trial *trial;

    while (sweep->failed == OK && sweep->at < id_count(sweep) &&
           (trial = free_trial(sweep)) != NULL) {
        trial->sweep = sweep;
        trial->webhook_id = id_at(sweep, sweep->at++);
        sweep->under_way++;
        control_hold(sweep->call);
        webhook_retry(receiver, trial->webhook_id, tried, trial);
    }
    if (sweep->under_way > 0) {
        return;
    }
    if (sweep->failed != OK) {
        fail(sweep, sweep->failed);
    } else {
        page_over(sweep);
    }
}

/* ---- drop */

static enum err drop_one(struct sweep *sweep, struct store_tx *tx, int64_t id)
{
    enum err err = store_webhook_drop(tx, id);

    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        return OK; /* somebody was faster */
    }
    if (err == OK) {
        buf_printf(&sweep->rows, "%s{\"webhookId\":%lld,\"state\":\"%s\"}",
                   sweep->rows.len > 1 ? "," : "", (long long)id,
                   store_webhook_state_name(STORE_WEBHOOK_DROPPED));
    }
    return err;
}

static enum err drop_apply(struct store_job *job, struct store_tx *tx)
{
    struct sweep *sweep = CONTAINER_OF(job, struct sweep, job);
    enum err err = OK;

    buf_clear(&sweep->rows);
    buf_add_char(&sweep->rows, '[');
    for (size_t i = 0; i < id_count(sweep) && err == OK; i++) {
        err = drop_one(sweep, tx, id_at(sweep, i));
    }
    buf_add_char(&sweep->rows, ']');
    return err;
}

static void drop_done(struct store_job *job, enum err err)
{
    struct sweep *sweep = CONTAINER_OF(job, struct sweep, job);

    if (!control_unhold(sweep->call)) {
        return;
    }
    if (err != OK) {
        fail(sweep, err);
        return;
    }
    control_piece(sweep->call, buf_str(&sweep->rows));
    page_over(sweep);
}

static void drop_page(struct sweep *sweep)
{
    if (id_count(sweep) == 0) {
        page_over(sweep);
    } else if (!store_submit(control_config(sweep->call)->store, &sweep->job)) {
        fail(sweep, ERR_BUSY);
    } else {
        control_hold(sweep->call);
    }
}

/* ---- both */

static void sweep_fetched(struct store_query *query, enum err err)
{
    struct sweep *sweep = CONTAINER_OF(query, struct sweep, query);

    if (!control_unhold(sweep->call)) {
        return;
    }
    if (err != OK) {
        fail(sweep, err);
    } else if (sweep->drop) {
        drop_page(sweep);
    } else {
        try_some(sweep);
    }
}

static bool is_named(const struct sweep *sweep, int64_t id)
{
    for (size_t i = 0; i < id_count(sweep); i++) {
        if (id_at(sweep, i) == id) {
            return true;
        }
    }
    return false;
}

static void take_ids(struct sweep *sweep, const json_t *ids)
{
    json_t *value;
    size_t i;

    json_array_foreach(ids, i, value)
    {
        int64_t id = json_integer_value(value);

        if (!is_named(sweep, id)) {
            buf_add(&sweep->ids, &id, sizeof id);
        }
    }
    sweep->named = ids != NULL;
}

/* Webhooks are named, or described by options, or --all of them are meant. */
static bool is_clear(struct control_call *call, bool drop)
{
    bool named = control_arg(call, "webhook") != NULL;
    bool described = control_arg(call, "reason") != NULL || control_arg(call, "since") != NULL ||
                     control_arg(call, "limit") != NULL;
    bool all = json_is_true(control_arg(call, "all"));

    if (named && (described || all)) {
        control_fail(call, ERR_INVALID, "name webhooks, or describe them by options: not both");
        return false;
    }
    if (json_array_size(control_arg(call, "webhook")) > NAMED_MAX) {
        control_fail(call, ERR_TOO_LARGE, "at most %d webhooks can be named", NAMED_MAX);
        return false;
    }
    if (drop && !named && !described && !all) {
        control_fail(call, ERR_INVALID, "which ones? name them, or give --all");
        return false;
    }
    return true;
}

static void sweep_start(struct control_call *call, bool drop)
{
    struct sweep *sweep;
    size_t limit;

    if (!is_clear(call, drop) || !take_limit(call, &limit)) {
        return;
    }
    sweep = xnew(struct sweep);
    sweep->query.fetch = sweep_fetch;
    sweep->query.done = sweep_fetched;
    sweep->job.apply = drop_apply;
    sweep->job.done = drop_done;
    sweep->call = call;
    sweep->drop = drop;
    sweep->limit = limit;
    take_filter(call, &sweep->walk.filter);
    take_ids(sweep, control_arg(call, "webhook"));
    call->state = sweep;
    call->release = sweep_free;
    next_page(sweep);
}

void control_webhook_quarantine_replay(struct control_call *call)
{
    sweep_start(call, false);
}

void control_webhook_quarantine_drop(struct control_call *call)
{
    sweep_start(call, true);
}
