#include "siod/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/id.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/chat/desk.h"
#include "siod/control/server.h"
#include "siod/dev.h"
#include "siod/fingerprint.h"
#include "siod/metrics/metrics.h"
#include "siod/net/budget.h"
#include "siod/net/descriptors.h"
#include "siod/net/http.h"
#include "siod/net/transport.h"
#include "siod/notify.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"

/* ---- the store; its callbacks find the desk when there is one */

static void on_commit(void *arg, struct store_events *events)
{
    struct siod *siod = arg;

    if (siod->desk != NULL) {
        desk_on_commit(siod->desk, events);
    } else {
        store_events_free(events);
    }
}

static void on_health(void *arg, enum store_health health, const char *reason)
{
    (void)arg;
    if (health == STORE_OK) {
        log_warn(LOG_STORE, "store works again", "reason=\"%s\"", reason);
    } else {
        log_error(LOG_STORE, "store failed", "reason=\"%s\"", reason);
    }
}

static enum err start_store(struct siod *siod, struct errmsg *msg)
{
    struct store_config config = siod_store_settings(siod);

    config.on_commit = on_commit;
    config.on_health = on_health;
    config.arg = siod;
    return store_open(siod->loop, &config, &siod->store, msg);
}

/* ---- clients */

static void start_desk(struct siod *siod)
{
    const struct sio_config sio = siod_sio_settings(siod);
    struct desk_config desk;

    admission_init(&siod->admission, siod->loop, siod->config->limits.handshakes_per_s);
    siod->sio = sio_server_new(siod->loop, &sio);
    desk = siod_desk_settings(siod);
    siod->desk = desk_new(&desk);
}

/* ---- HTTP */

static enum err start_http(struct siod *siod, struct errmsg *msg)
{
    const struct http_limits limits = siod_http_limits(siod);
    void *engine = sio_engine(siod->sio);
    const struct http_route engine_routes[] = {
        { "/socket.io/", eio_http_handler(), engine },
        { "/socket.io", eio_http_handler(), engine },
    };
    bool has_admin = siod->config->http.admin_listen.count > 0;
    enum err err = siod_read_bundle(siod->config, &siod->client_bundle.bundle, msg);

    if (err != OK) {
        return err;
    }

    siod->http = http_server_new(siod->loop, &limits);
    for (size_t i = 0; i < ARRAY_SIZE(engine_routes); i++) {
        http_server_route(siod->http, &engine_routes[i]);
    }
    webhook_routes(siod->webhook, siod->http);
    siod->api = siod_api_settings(siod);
    api_routes(siod->http, &siod->api);
    siod->client_bundle.cors_origins = siod->api.cors_origins;
    client_bundle_route(siod->http, &siod->client_bundle);
    siod->health =
        (struct health_config) { .ready = siod_is_ready, .collect = siod_collect, .arg = siod };
    if (has_admin) {
        siod->admin = http_server_new(siod->loop, &limits);
    }
    health_routes(has_admin ? siod->admin : siod->http, &siod->health);
    return siod_trust_proxies(siod, msg);
}

/* ---- listening */

static enum err listen_on(struct siod *siod, const char *address, struct http_server *server,
                          bool is_admin, struct errmsg *msg)
{
    struct tls_files files;
    const struct listen_options options = {
        .address = address,
        .tls = is_admin ? NULL : siod_tls_files(siod->config, &files),
        .unix_mode = 0660,
        .refuse = HTTP_REFUSE_BUSY,
        .exempt = is_admin,
        .on_accept = http_server_accept,
        .arg = server,
    };

    if (siod->listener_count == LISTENERS_MAX) {
        return err_set(msg, ERR_TOO_LARGE, "%s: more than %d addresses to listen on", address,
                       LISTENERS_MAX);
    }
    enum err err =
        transport_listen(siod->transport, &options, &siod->listeners[siod->listener_count], msg);

    siod->listener_count += err == OK;
    return err;
}

static bool has_systemd(const struct config_list *addresses)
{
    return cstr_in("systemd", (const char *const *)addresses->items);
}

/* How many sockets the service manager passed, sd_listen_fds(3). */
static int64_t count_passed(void)
{
    int64_t pid = 0, passed = 0;

    return id_parse(str_of(getenv("LISTEN_PID")), &pid) && pid == (int64_t)getpid() &&
                   id_parse(str_of(getenv("LISTEN_FDS")), &passed)
               ? passed
               : 0;
}

/* The next of the names with colons between them, empty when there is none left. */
static struct str take_name(struct str *names)
{
    const char *colon = names->len > 0 ? memchr(names->data, ':', names->len) : NULL;
    struct str name = str_take(names, colon != NULL ? (size_t)(colon - names->data) : names->len);

    if (colon != NULL) {
        *names = str_skip(*names, 1);
    }
    return name;
}

/* "systemd": the sockets that were passed. Where both settings say so, those that are named admin
 * are for http.admin_listen and the others for http.listen. */
static enum err listen_on_passed(struct siod *siod, struct http_server *server, bool is_admin,
                                 struct errmsg *msg)
{
    enum { FIRST_PASSED = 3 };
    const struct config_http *http = &siod->config->http;
    bool by_name = has_systemd(&http->listen) && has_systemd(&http->admin_listen);
    struct str names = str_of(getenv("LISTEN_FDNAMES"));
    int64_t passed = count_passed();
    size_t before = siod->listener_count;

    for (int fd = FIRST_PASSED; fd < FIRST_PASSED + passed; fd++) {
        bool is_named_admin = str_eq(take_name(&names), STR("admin"));
        char address[sizeof "fd:" + 10];
        enum err err = OK;

        snprintf(address, sizeof address, "fd:%d", fd);
        if (!by_name || is_named_admin == is_admin) {
            err = listen_on(siod, address, server, is_admin, msg);
        }
        if (err != OK) {
            return err;
        }
    }
    if (siod->listener_count > before) {
        return OK;
    }
    err_set(msg, ERR_INVALID, "no socket%s was passed",
            !by_name   ? ""
            : is_admin ? " that is named admin"
                       : " but those named admin");
    return config_blame(siod->config, ERR_INVALID, "http", NULL,
                        is_admin ? "admin_listen" : "listen", msg);
}

static enum err listen_on_all(struct siod *siod, const struct config_list *addresses,
                              struct http_server *server, bool is_admin, struct errmsg *msg)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->items[i];
        enum err err = strcmp(address, "systemd") == 0
                           ? listen_on_passed(siod, server, is_admin, msg)
                           : listen_on(siod, address, server, is_admin, msg);

        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err start_listening(struct siod *siod, struct errmsg *msg)
{
    enum err err = listen_on_all(siod, &siod->config->http.listen, siod->http, false, msg);

    siod->admin_from = siod->listener_count;
    return err == OK ? listen_on_all(siod, &siod->config->http.admin_listen, siod->admin, true, msg)
                     : err;
}

/* ---- life */

static enum err start_modules(struct siod *siod, struct errmsg *msg)
{
    enum err err = siod_read_keys(siod->config, &siod->token_config, &siod->tokens, msg);

    err = err == OK ? start_store(siod, msg) : err;
    if (err != OK) {
        return err;
    }
    start_desk(siod);
    err = siod_load(siod, msg);
    err = err == OK ? siod_start_webhook(siod, msg) : err;
    err = err == OK ? start_http(siod, msg) : err;
    err = err == OK ? siod_start_control(siod, msg) : err;
    return err == OK ? start_listening(siod, msg) : err;
}

enum err siod_start(struct config *config, const struct siod_options *options, struct siod **ret,
                    struct errmsg *msg)
{
    struct siod *siod = xnew(struct siod);
    struct transport_limits limits;
    enum err err;

    json_blocks_keep();
    siod->config = config;
    limits = siod_transport_limits(siod);
    siod->options = *options;
    log_set_level(config->log.level);
    log_set_format(config->log.format);
    signal(SIGPIPE, SIG_IGN);
    siod->connection_room = descriptors_fit(config->limits.connections);
    metric_set(METRIC_START_TIME, (uint64_t)clock_wall_ms() / 1000);
    siod->loop = loop_new();
    budget_set_limit(loop_budget(siod->loop), config->limits.partial_bytes);
    siod->transport = transport_new(siod->loop, &limits);
    err = config_suffices(config, msg);
    err = err == OK ? start_modules(siod, msg) : err;
    if (err != OK) {
        siod_free(siod);
        return err;
    }
    siod->prints = fingerprints_new(siod->config);
    *ret = siod;
    return OK;
}

static void print_hints(const struct siod *siod)
{
    size_t health_at = siod->admin != NULL ? siod->admin_from : 0;
    const struct listener *health = siod->listeners[health_at];
    const struct dev_hints hints = {
        .dir = siod->options.dev_dir,
        .socket = siod->config->control.socket,
        .address = listener_address(health),
        .is_unix = listener_is_unix(health),
        .is_tls = listener_is_tls(health),
    };

    dev_print_hints(&hints);
}

void siod_run(struct siod *siod)
{
    siod_watch_signals(siod);
    siod_check_descriptors(siod);
    siod->ready = true;
    for (size_t i = 0; i < siod->listener_count; i++) {
        fprintf(stderr, "siod: ready on %s\n", listener_address(siod->listeners[i]));
    }
    notify_manager("READY=1");
    if (siod->options.dev_dir != NULL) {
        print_hints(siod);
    }
    loop_run(siod->loop);
    siod_unwatch_signals(siod);
    log_info(LOG_MAIN, "stopped", "pid=%d", (int)getpid());
}

void siod_free(struct siod *siod)
{
    if (siod == NULL) {
        return;
    }
    control_free(siod->control);
    if (siod->desk != NULL && siod->stopping) {
        desk_sessions_flush(siod->desk);
    }
    store_stop(siod->store);
    loop_flush(siod->loop); /* what was under way is told to modules that are all there */
    webhook_receiver_free(siod->webhook);
    sio_server_free(siod->sio);
    transport_free(siod->transport);
    http_server_free(siod->admin);
    http_server_free(siod->http);
    store_close(siod->store);
    desk_free(siod->desk);
    client_bundle_finish(&siod->client_bundle.bundle);
    token_verifier_free(siod->tokens);
    loop_free(siod->loop);
    siod_reload_finish(siod);
    config_free(siod->config);
    free(siod);
    json_blocks_release();
}
