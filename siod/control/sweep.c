#include "siod/control/sweep.h"

#include "libshared/json.h"
#include "siod/control/call.h"

enum { PAGE = 500, NAMED_MAX = 1000, LIMIT_MAX = 100000 };

static const enum store_webhook_state quarantined = STORE_WEBHOOK_QUARANTINED;

size_t sweep_id_count(const struct sweep *sweep)
{
    return sweep->ids.len / sizeof(int64_t);
}

int64_t sweep_id_at(const struct sweep *sweep, size_t i)
{
    return ((const int64_t *)(const void *)sweep->ids.data)[i];
}

void sweep_fail(struct sweep *sweep, enum err err)
{
    struct control_call *call = sweep->call;
    if (err == ERR_BUSY) {
        err = store_refusal(control_config(call)->store);
    }
    control_fail(call, err, sweep->msg.text[0] != '\0' ? "%s" : NULL, sweep->msg.text);
}

/* ---- which ones */

void sweep_filter(struct control_call *call, struct store_webhook_search *ret_filter)
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

/* Webhooks are named, or described by options, or --all of them are meant. */
static bool is_clear(struct control_call *call)
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
    return true;
}

static bool is_named(const struct sweep *sweep, int64_t id)
{
    for (size_t i = 0; i < sweep_id_count(sweep); i++) {
        if (sweep_id_at(sweep, i) == id) {
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

static bool note_id(void *arg, const struct store_webhook *webhook)
{
    struct sweep *sweep = arg;

    buf_add(&sweep->ids, &webhook->id, sizeof webhook->id);
    sweep->found++;
    return sweep_id_count(sweep) < PAGE && sweep->found != sweep->limit;
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

    for (size_t i = 0; i < sweep_id_count(sweep) && err == OK; i++) {
        err = check_one(sweep, reader, sweep_id_at(sweep, i));
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
    while (err == OK && !sweep->walk.over && sweep_id_count(sweep) < PAGE &&
           (sweep->limit == 0 || sweep->found < sweep->limit)) {
        err = control_webhook_walk_on(&sweep->walk, reader, note_id, sweep);
    }
    return err;
}

static bool more_pages(const struct sweep *sweep)
{
    return !sweep->named && !sweep->walk.over && (sweep->limit == 0 || sweep->found < sweep->limit);
}

/* ---- a page */

static void sweep_fetched(struct store_query *query, enum err err)
{
    struct sweep *sweep = CONTAINER_OF(query, struct sweep, query);

    if (!control_unhold(sweep->call)) {
        return;
    }
    if (err != OK) {
        sweep_fail(sweep, err);
    } else {
        sweep->handle(sweep);
    }
}

void sweep_next_page(struct sweep *sweep)
{
    control_hold(sweep->call);
    store_ask(control_config(sweep->call)->store, &sweep->query);
}

void sweep_page_over(struct sweep *sweep)
{
    if (more_pages(sweep)) {
        sweep_next_page(sweep);
    } else {
        control_reply(sweep->call, STR("[]"));
    }
}

bool sweep_begin(struct sweep *sweep, struct control_call *call)
{
    if (!is_clear(call) || !take_limit(call, &sweep->limit)) {
        return false;
    }
    sweep->query.fetch = sweep_fetch;
    sweep->query.done = sweep_fetched;
    sweep->call = call;
    sweep_filter(call, &sweep->walk.filter);
    take_ids(sweep, control_arg(call, "webhook"));
    return true;
}

void sweep_finish(struct sweep *sweep)
{
    buf_finish(&sweep->ids);
}
