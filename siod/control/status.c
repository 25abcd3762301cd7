/* `status`: how the daemon is doing. */
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/process.h"
#include "siod/chat/desk.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/metrics/metrics.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"

struct status {
    struct store_query query;
    struct control_call *call;
    struct store_counts counts;
};

static bool is_ready(const struct control_call *call, const char **ret_why)
{
    const struct control_config *config = control_config(call);

    *ret_why = "";
    return config->ready(config->arg, ret_why);
}

static void add_key(struct buf *out, const char *key)
{
    if (out->data[out->len - 1] != '{') {
        buf_add_char(out, ',');
    }
    json_add_cstr(out, key);
    buf_add_char(out, ':');
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
    add_key(out, key);
    buf_add_u64(out, value);
}

static void add_text(struct buf *out, const char *key, const char *value)
{
    add_key(out, key);
    json_add_cstr(out, value);
}

static void add_bool(struct buf *out, const char *key, bool value)
{
    add_key(out, key);
    buf_add_cstr(out, value ? "true" : "false");
}

static void open_object(struct buf *out, const char *key)
{
    add_key(out, key);
    buf_add_char(out, '{');
}

static void close_object(struct buf *out)
{
    buf_add_char(out, '}');
}

static void add_process(struct buf *out, const struct control_call *call)
{
    const struct control *control = call->control;
    const char *why;
    bool ready = is_ready(call, &why);

    add_text(out, "version", SIOD_VERSION);
    add_number(out, "pid", (uint64_t)getpid());
    add_key(out, "startedAt");
    time_render(out, control->started_wall_ms);
    add_number(out, "uptimeSeconds",
               (loop_now_ms(control->config.loop) - control->started_ms) / 1000);
    add_bool(out, "ready", ready);
    add_text(out, "notReadyBecause", ready ? NULL : why);
}

static void add_listeners(struct buf *out, const struct control_config *config)
{
    const char *address;

    add_key(out, "listeners");
    buf_add_char(out, '[');
    for (size_t i = 0; (address = config->address(config->arg, i)) != NULL; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        json_add_cstr(out, address);
    }
    buf_add_char(out, ']');
}

static void add_live(struct buf *out, const struct control_config *config)
{
    struct transport_stats transport;
    struct eio_stats engine;
    struct sio_stats sockets;

    transport_stats(config->transport, &transport);
    eio_server_stats(sio_engine(config->sio), &engine);
    sio_server_stats(config->sio, &sockets);
    open_object(out, "connections");
    add_number(out, "open", transport.open);
    add_number(out, "accepted", transport.accepted);
    add_number(out, "refused", transport.refused);
    add_number(out, "slowConsumers", transport.slow_consumers + engine.slow);
    close_object(out);
    open_object(out, "sessions");
    add_number(out, "polling", engine.polling);
    add_number(out, "websocket", engine.websocket);
    close_object(out);
    add_number(out, "sockets", sockets.sockets);
    add_number(out, "rooms", sockets.rooms);
    open_object(out, "events");
    add_number(out, "emitted", metric_get(METRIC_EVENTS_EMITTED));
    add_number(out, "waiting", desk_backlog(config->desk));
    close_object(out);
}

static void add_recovery(struct buf *out, const struct control_config *config)
{
    struct sio_recovery_stats stats;

    sio_recovery_stats(config->sio, &stats);
    open_object(out, "recovery");
    add_bool(out, "enabled", stats.enabled);
    add_number(out, "sessions", stats.sessions);
    add_number(out, "sessionBytes", stats.session_bytes);
    add_number(out, "eventBytes", stats.event_bytes);
    add_number(out, "restored", stats.restored);
    add_number(out, "replayed", stats.replayed);
    add_number(out, "forgotten", stats.forgotten);
    open_object(out, "refused");
    for (int i = 0; i < SIO_RECOVERY_REFUSED_COUNT; i++) {
        add_number(out, sio_recovery_refused_label((enum sio_recovery_refused)i), stats.refused[i]);
    }
    close_object(out);
    close_object(out);
}

static void add_counts(struct buf *out, const struct store_counts *counts)
{
    add_number(out, "businesses", (uint64_t)counts->businesses);
    add_number(out, "contacts", (uint64_t)counts->contacts);
    add_number(out, "chats", (uint64_t)counts->chats);
    add_number(out, "messages", (uint64_t)counts->messages);
    add_number(out, "webhooks", (uint64_t)counts->webhooks);
    add_number(out, "quarantined", (uint64_t)counts->quarantined);
    add_number(out, "logRows", (uint64_t)counts->log);
}

static void add_sizes(struct buf *out, const struct store *store, const struct store_stats *stats)
{
    struct store_size size;
    struct store_purged purged;

    store_sizes(store, &size, &purged);
    add_number(out, "bytes", (uint64_t)stats->bytes);
    add_number(out, "fileBytes", (uint64_t)(stats->bytes - stats->wal_bytes));
    add_number(out, "walBytes", (uint64_t)stats->wal_bytes);
    add_number(out, "freeBytes", (uint64_t)size.free_bytes);
    add_key(out, "growthBytesPerDay");
    if (size.growth_known) {
        buf_add_i64(out, size.growth_per_day);
    } else {
        buf_add_cstr(out, "null");
    }
    add_number(out, "schema", store_newest_schema());
    add_number(out, "purged",
               purged.webhooks + purged.log + purged.messages + purged.statuses + purged.changes);
}

/* counts NULL: they could not be read. */
static void add_store(struct buf *out, struct store *store, const struct store_counts *counts)
{
    const char *reason = "";
    bool works = store_health(store, &reason) == STORE_OK;
    struct store_stats stats;

    store_stats(store, &stats);
    open_object(out, "store");
    add_text(out, "health", works ? "ok" : "failed");
    add_text(out, "failure", works ? NULL : reason);
    add_text(out, "notice", store_notice(store)[0] != '\0' ? store_notice(store) : NULL);
    add_text(out, "epoch", store_epoch(store));
    add_sizes(out, store, &stats);
    add_number(out, "waiting", stats.queued);
    add_number(out, "commits", stats.commits);
    if (counts != NULL) {
        add_counts(out, counts);
    }
    close_object(out);
}

static void add_webhooks(struct buf *out)
{
    open_object(out, "webhooks");
    add_number(out, "accepted", metric_get(METRIC_WEBHOOKS_ACCEPTED));
    add_number(out, "badSignature", metric_get(METRIC_WEBHOOKS_UNSIGNED));
    add_number(out, "malformed", metric_get(METRIC_WEBHOOKS_MALFORMED));
    add_number(out, "refused", metric_get(METRIC_WEBHOOKS_REFUSED));
    add_number(out, "busy", metric_get(METRIC_WEBHOOKS_BUSY));
    add_number(out, "failed", metric_get(METRIC_WEBHOOKS_FAILED));
    add_number(out, "quarantined", metric_get(METRIC_WEBHOOKS_QUARANTINED));
    close_object(out);
}

static void add_control(struct buf *out, const struct control *control)
{
    open_object(out, "control");
    add_number(out, "connections", control->peer_count);
    add_number(out, "tails", control->tails);
    close_object(out);
    open_object(out, "memory");
    add_number(out, "residentBytes", process_resident_bytes());
    close_object(out);
}

static enum err status_fetch(struct store_query *query, struct store_reader *reader)
{
    struct status *status = CONTAINER_OF(query, struct status, query);

    return store_count(reader, &status->counts);
}

/* A store that cannot be read is no reason not to tell the rest. */
static void status_done(struct store_query *query, enum err err)
{
    struct status *status = CONTAINER_OF(query, struct status, query);
    struct control_call *call = status->call;
    const struct control_config *config;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    config = control_config(call);
    buf_add_char(&text, '{');
    add_process(&text, call);
    add_listeners(&text, config);
    add_live(&text, config);
    add_recovery(&text, config);
    add_webhooks(&text);
    add_store(&text, config->store, err == OK ? &status->counts : NULL);
    add_control(&text, call->control);
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

void control_status(struct control_call *call)
{
    struct status *status = xnew(struct status);

    status->query.fetch = status_fetch;
    status->query.done = status_done;
    status->call = call;
    call->state = status;
    call->release = free;
    control_hold(call);
    store_ask(control_config(call)->store, &status->query);
}
