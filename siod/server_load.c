/* Between an open store and listening: what the configuration says about businesses goes into the
 * store, and the desk learns where each business's log stands, who was online, which chats wait and
 * which tokens were revoked. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/id.h"
#include "libshared/log.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk.h"
#include "siod/chat/revocation.h"
#include "siod/chat/tokens.h"
#include "siod/server_state.h"
#include "siod/socketio/recovery.h"
#include "siod/store/store.h"

enum { DEV_BUSINESS = 1, WAITING_PAGE = 2000 };

struct enter_job {
    struct store_job job;
    struct siod *siod;
    struct errmsg *msg;
    uint8_t session_key[STORE_SESSION_KEY_BYTES];
};

static enum err enter_business(struct store_tx *tx, const struct config *config,
                               const struct config_business *configured, struct errmsg *msg)
{
    struct store_business business = { .source = STORE_SOURCE_CONFIG,
                                       .name = str_of(configured->name) };
    size_t count = configured->phone_number_ids.count;
    autofree struct str *numbers = xcalloc(count, sizeof *numbers);

    if (!id_parse(str_of(configured->title), &business.id)) {
        return err_set(msg, ERR_INVALID, "business %s: the title must be a positive integer",
                       configured->title);
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = str_of(configured->phone_number_ids.items[i]);
    }
    business.phone_number_ids = numbers;
    business.phone_number_count = count;
    enum err err = store_business_put(tx, &business, msg);

    return err == ERR_EXISTS
               ? config_blame(config, err, "business", configured->title, "phone_number_ids", msg)
               : err;
}

static enum err enter_dev_business(struct store_tx *tx, struct errmsg *msg)
{
    const struct store_business business = { .id = DEV_BUSINESS,
                                             .source = STORE_SOURCE_CONFIG,
                                             .name = STR("Development"),
                                             .takes_any = true };

    return store_business_put(tx, &business, msg);
}

static enum err retain_configured(const struct siod *siod, const struct config *config,
                                  struct store_tx *tx)
{
    size_t count = config->business_count, kept = 0;
    autofree int64_t *ids = xcalloc(count + 1, sizeof *ids);

    if (siod->options.dev_dir != NULL) {
        ids[kept++] = DEV_BUSINESS;
    }
    for (size_t i = 0; i < count; i++) {
        kept += id_parse(str_of(config->business[i].title), &ids[kept]);
    }
    return store_business_retain(tx, ids, kept);
}

static bool dev_business_configured(const struct config *config)
{
    for (size_t i = 0; i < config->business_count; i++) {
        if (strcmp(config->business[i].title, "1") == 0) {
            return true;
        }
    }
    return false;
}

enum err siod_enter_businesses(const struct siod *siod, const struct config *config,
                               struct store_tx *tx, struct errmsg *msg)
{
    enum err err = retain_configured(siod, config, tx);

    if (err == OK && siod->options.dev_dir != NULL && !dev_business_configured(config)) {
        err = enter_dev_business(tx, msg);
    }
    for (size_t i = 0; err == OK && i < config->business_count; i++) {
        err = enter_business(tx, config, &config->business[i], msg);
    }
    return err;
}

static enum err enter_apply(struct store_job *job, struct store_tx *tx)
{
    struct enter_job *enter = CONTAINER_OF(job, struct enter_job, job);

    enum err err = store_session_key(tx, enter->session_key);

    return err == OK ? siod_enter_businesses(enter->siod, enter->siod->config, tx, enter->msg)
                     : err;
}

/* Owned. */
struct session_row {
    struct store_session row;
    char *bytes;
};

struct desk_query {
    struct store_query query;
    struct siod *siod;
    struct position {
        int64_t business_id, position;
    } * items;
    size_t count;
    struct store_agent *agents; /* who was online; owns the names */
    size_t agent_count;
    struct revocations *revoked;
    int64_t sessions_until_ms;
    struct session_row *sessions;
    size_t session_count, session_cap;
};

static bool add_position(void *arg, const struct store_business *business)
{
    struct desk_query *state = arg;

    state->items = xrealloc(state->items, (state->count + 1) * sizeof *state->items);
    state->items[state->count++] = (struct position) { business->id, business->position };
    return true;
}

static bool add_agent(void *arg, const struct store_agent *row)
{
    struct desk_query *state = arg;
    struct store_agent *agent;
    enum token_role role;

    state->agents = xrealloc(state->agents, (state->agent_count + 1) * sizeof *state->agents);
    agent = &state->agents[state->agent_count++];
    *agent = *row;
    agent->role = token_role_parse(row->role, &role) ? str_of(token_role_name(role)) : STR_NONE;
    agent->name.data = xstrndup(row->name.data, row->name.len);
    return true;
}

static bool add_revocation(void *arg, const struct store_revocation *revocation)
{
    struct desk_query *state = arg;

    revocations_add(state->revoked, revocation);
    return true;
}

static bool add_session(void *arg, const struct store_session *row)
{
    struct desk_query *state = arg;
    struct session_row *session;

    if (state->session_count == state->session_cap) {
        state->session_cap = MAX(state->session_cap * 2, (size_t)64);
        state->sessions = xrealloc(state->sessions, state->session_cap * sizeof *state->sessions);
    }
    session = &state->sessions[state->session_count++];
    session->row = *row;
    session->bytes = xmalloc(row->id.len + row->state.len + 1);
    memcpy(session->bytes, row->id.data, row->id.len);
    memcpy(session->bytes + row->id.len, row->state.data, row->state.len);
    session->row.id.data = session->bytes;
    session->row.state.data = session->bytes + row->id.len;
    return true;
}

static enum err desk_fetch(struct store_query *query, struct store_reader *reader)
{
    struct desk_query *state = CONTAINER_OF(query, struct desk_query, query);

    const struct store_agent_filter online = { .online_only = true };
    enum err err = store_businesses(reader, add_position, state);

    err = err == OK ? store_agents(reader, &online, add_agent, state) : err;
    err = err == OK ? store_revocations(reader, add_revocation, state) : err;
    return err == OK ? store_sessions(reader, &state->sessions_until_ms, add_session, state) : err;
}

static void restore_sessions(struct desk_query *state)
{
    size_t good = 0;

    for (size_t i = 0; i < state->session_count; i++) {
        good += desk_session_was_there(state->siod->desk, &state->sessions[i].row,
                                       state->sessions_until_ms);
        free(state->sessions[i].bytes);
    }
    if (state->session_count > 0) {
        log_info(LOG_MAIN, "sessions may be recovered", "sessions=%zu stored=%zu", good,
                 state->session_count);
    }
    free(state->sessions);
}

static void desk_done(struct store_query *query, enum err err)
{
    struct desk_query *state = CONTAINER_OF(query, struct desk_query, query);
    struct siod *siod = state->siod;

    for (size_t i = 0; i < state->count; i++) {
        desk_set_position(siod->desk, state->items[i].business_id, state->items[i].position);
    }
    for (size_t i = 0; i < state->agent_count; i++) {
        desk_agent_was_online(siod->desk, &state->agents[i]);
        free((void *)(uintptr_t)state->agents[i].name.data);
    }
    restore_sessions(state);
    desk_tokens_start(siod->desk, state->revoked);
    free(state->agents);
    free(state->items);
    siod->start_err = err;
    loop_stop(siod->loop);
}

/* Those who wait may be more than one read has time for. */
struct waiting_query {
    struct store_query query;
    struct siod *siod;
    struct buf page; /* struct store_waiting */
    struct store_waiting last;
};

static bool add_waiting(void *arg, const struct store_waiting *chat)
{
    buf_add(arg, chat, sizeof *chat);
    return true;
}

static enum err waiting_fetch(struct store_query *query, struct store_reader *reader)
{
    struct waiting_query *state = CONTAINER_OF(query, struct waiting_query, query);

    return store_waiting_chats(reader, &state->last, WAITING_PAGE, add_waiting, &state->page);
}

static void waiting_done(struct store_query *query, enum err err)
{
    struct waiting_query *state = CONTAINER_OF(query, struct waiting_query, query);
    struct siod *siod = state->siod;
    const struct store_waiting *chats = (const void *)state->page.data;
    size_t count = state->page.len / sizeof *chats;

    for (size_t i = 0; i < count; i++) {
        desk_chat_waited(siod->desk, &chats[i]);
    }
    if (err == OK && count == WAITING_PAGE) {
        state->last = chats[count - 1];
        buf_clear(&state->page);
        store_ask(siod->store, query);
        return;
    }
    desk_chats_examine(siod->desk);
    siod->start_err = err;
    loop_stop(siod->loop);
}

static void enter_done(struct store_job *job, enum err err)
{
    const struct enter_job *enter = CONTAINER_OF(job, struct enter_job, job);
    struct siod *siod = enter->siod;

    if (err == OK) {
        sio_recovery_set_key(siod->sio, enter->session_key);
    }

    siod->start_err = err;
    loop_stop(siod->loop);
}

static enum err load_failed(const struct siod *siod, struct errmsg *msg)
{
    return err_set(msg, siod->start_err, "%s: %s", siod->config->store.url,
                   err_text(siod->start_err));
}

static enum err load_desk(struct siod *siod, struct errmsg *msg)
{
    struct desk_query state = { .siod = siod, .revoked = revocations_new() };

    state.query.fetch = desk_fetch;
    state.query.done = desk_done;
    store_ask(siod->store, &state.query);
    loop_run(siod->loop);
    return siod->start_err == OK ? OK : load_failed(siod, msg);
}

static enum err load_waiting(struct siod *siod, struct errmsg *msg)
{
    struct waiting_query state = { .siod = siod };

    state.query.fetch = waiting_fetch;
    state.query.done = waiting_done;
    store_ask(siod->store, &state.query);
    loop_run(siod->loop);
    buf_finish(&state.page);
    return siod->start_err == OK ? OK : load_failed(siod, msg);
}

enum err siod_load(struct siod *siod, struct errmsg *msg)
{
    struct enter_job enter = { .siod = siod, .msg = msg };
    enum err err;

    enter.job.apply = enter_apply;
    enter.job.done = enter_done;
    if (!store_submit(siod->store, &enter.job)) {
        return err_set(msg, ERR_STORE, "%s: the store takes no writes", siod->config->store.url);
    }
    loop_run(siod->loop);
    if (siod->start_err != OK) {
        return msg->text[0] != '\0' ? siod->start_err : load_failed(siod, msg);
    }
    err = load_desk(siod, msg);
    return err == OK ? load_waiting(siod, msg) : err;
}
