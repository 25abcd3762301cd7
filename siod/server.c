#include "siod/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/id.h"
#include "libshared/log.h"
#include "siod/chat/desk.h"
#include "siod/control/server.h"
#include "siod/dev.h"
#include "siod/metrics/metrics.h"
#include "siod/net/http.h"
#include "siod/net/transport.h"
#include "siod/notify.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"

enum {
    HEADERS_MAX = 100,
    REQUEST_MS = 30000,
    IDLE_MS = 75000, /* above the 60 s that proxies keep their side */
};

static void raise_descriptor_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct http_limits http_limits(const struct siod *siod)
{
    return (struct http_limits) {
        .header_bytes = siod->config->limits.header_bytes,
        .header_count = HEADERS_MAX,
        .request_ms = REQUEST_MS,
        .idle_ms = IDLE_MS,
    };
}

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
    const struct store_config config = {
        .url = siod->config->store.url,
        .synchronous_full = siod->config->store.synchronous == CONFIG_SYNCHRONOUS_FULL,
        .queue_limit = siod->config->limits.store_queue,
        .agent_capacity = siod->config->assign.capacity,
        .on_commit = on_commit,
        .on_health = on_health,
        .arg = siod,
    };

    return store_open(siod->loop, &config, &siod->store, msg);
}

/* ---- clients */

static void start_desk(struct siod *siod)
{
    const struct config *config = siod->config;
    const struct sio_config sio = {
        .engine = {
            .ping_interval_ms = config->engineio.ping_interval_ms,
            .ping_timeout_ms = config->engineio.ping_timeout_ms,
            .max_payload = config->engineio.max_payload,
            .queue_bytes = config->limits.queue_bytes,
            .sessions_per_address = config->limits.connections_per_address,
            .bytes_per_s = config->limits.bytes_per_s,
            .admit = admission_take,
            .admit_arg = &siod->admission,
            .cors_origins = (const char *const *)config->http.cors_origins.items,
        },
        .sockets_per_connection = config->limits.sockets_per_connection,
        .rooms_per_socket = config->limits.rooms_per_socket,
        .json_depth = config->limits.json_depth,
    };

    admission_init(&siod->admission, siod->loop, config->limits.handshakes_per_s);
    siod->sio = sio_server_new(siod->loop, &sio);

    const struct desk_config desk = {
        .loop = siod->loop,
        .store = siod->store,
        .sio = siod->sio,
        .tokens = siod->tokens,
        .connections_per_user = config->limits.connections_per_user,
        .events_per_s = config->limits.events_per_s,
        .offline_grace_ms = config->presence.offline_grace_ms,
        .typing_throttle_ms = config->typing.throttle_ms,
        .typing_expire_ms = config->typing.expire_ms,
        .assign_policy = (enum assign_policy)config->assign.policy,
        .queue_bytes = config->limits.queue_bytes,
    };

    siod->desk = desk_new(&desk);
}

/* ---- HTTP */

static enum err trust_proxies(struct siod *siod, struct errmsg *msg)
{
    const struct config_list *proxies = &siod->config->http.trusted_proxies;

    for (size_t i = 0; i < proxies->count; i++) {
        enum err err = http_server_trust(siod->http, proxies->items[i], msg);

        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err start_http(struct siod *siod, struct errmsg *msg)
{
    const struct http_limits limits = http_limits(siod);
    void *engine = sio_engine(siod->sio);
    const struct http_route engine_routes[] = {
        { "/socket.io/", eio_http_handler(), engine },
        { "/socket.io", eio_http_handler(), engine },
    };
    bool has_admin = siod->config->http.admin_listen.count > 0;

    siod->http = http_server_new(siod->loop, &limits);
    for (size_t i = 0; i < ARRAY_SIZE(engine_routes); i++) {
        http_server_route(siod->http, &engine_routes[i]);
    }
    webhook_routes(siod->webhook, siod->http);
    siod->api = (struct api_config) {
        .loop = siod->loop,
        .desk = siod->desk,
        .store = siod->store,
        .cors_origins = (const char *const *)siod->config->http.cors_origins.items,
        .json_depth = siod->config->limits.json_depth,
    };
    api_routes(siod->http, &siod->api);
    siod->health =
        (struct health_config) { .ready = siod_is_ready, .collect = siod_collect, .arg = siod };
    if (has_admin) {
        siod->admin = http_server_new(siod->loop, &limits);
    }
    health_routes(has_admin ? siod->admin : siod->http, &siod->health);
    return trust_proxies(siod, msg);
}

/* ---- listening */

static bool is_unix(const char *address)
{
    return address[0] == '/' || strncmp(address, "unix:", strlen("unix:")) == 0;
}

static enum err listen_on(struct siod *siod, const char *address, struct http_server *server,
                          bool is_admin, struct errmsg *msg)
{
    const struct config *config = siod->config;
    const struct tls_files tls = { config->http.tls_cert_file, config->http.tls_key_file };
    const struct listen_options options = {
        .address = address,
        .tls = tls.cert_file[0] != '\0' && !is_admin && !is_unix(address) ? &tls : NULL,
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

/* "systemd": every socket that the service manager passed, sd_listen_fds(3). */
static enum err listen_on_passed(struct siod *siod, struct http_server *server, bool is_admin,
                                 struct errmsg *msg)
{
    enum { FIRST_PASSED = 3 };
    int64_t pid = 0, passed = 0;
    enum err err = OK;

    if (!id_parse(str_of(getenv("LISTEN_PID")), &pid) || pid != (int64_t)getpid() ||
        !id_parse(str_of(getenv("LISTEN_FDS")), &passed)) {
        return err_set(msg, ERR_INVALID, "http.listen: systemd: no sockets were passed");
    }
    for (int fd = FIRST_PASSED; err == OK && fd < FIRST_PASSED + passed; fd++) {
        char address[sizeof "fd:" + 10];

        snprintf(address, sizeof address, "fd:%d", fd);
        err = listen_on(siod, address, server, is_admin, msg);
    }
    return err;
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

enum err siod_check(const struct config *config, struct errmsg *msg)
{
    if (config->jwt.key_files.count == 0) {
        return err_set(msg, ERR_INVALID, "jwt.key_files: at least one file is needed");
    }
    if (config->http.listen.count == 0) {
        return err_set(msg, ERR_INVALID, "http.listen: at least one address is needed");
    }
    return OK;
}

enum err siod_start(struct config *config, const struct siod_options *options, struct siod **ret,
                    struct errmsg *msg)
{
    struct siod *siod = xnew(struct siod);
    const struct transport_limits limits = { .connections = config->limits.connections,
                                             .queue_bytes = config->limits.queue_bytes };
    enum err err;

    siod->config = config;
    siod->options = *options;
    log_set_level(config->log.level);
    log_set_format(config->log.format);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    metric_set(METRIC_START_TIME, (uint64_t)clock_wall_ms() / 1000);
    siod->loop = loop_new();
    siod->transport = transport_new(siod->loop, &limits);
    err = siod_check(config, msg);
    err = err == OK ? start_modules(siod, msg) : err;
    if (err != OK) {
        siod_free(siod);
        return err;
    }
    *ret = siod;
    return OK;
}

void siod_run(struct siod *siod)
{
    siod_watch_signals(siod);
    siod->ready = true;
    for (size_t i = 0; i < siod->listener_count; i++) {
        fprintf(stderr, "siod: ready on %s\n", listener_address(siod->listeners[i]));
    }
    notify_manager("READY=1");
    if (siod->options.dev_dir != NULL) {
        dev_print_hints(siod->options.dev_dir, listener_address(siod->listeners[0]));
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
    webhook_receiver_free(siod->webhook);
    sio_server_free(siod->sio);
    transport_free(siod->transport);
    http_server_free(siod->admin);
    http_server_free(siod->http);
    store_close(siod->store);
    desk_free(siod->desk);
    token_verifier_free(siod->tokens);
    loop_free(siod->loop);
    config_free(siod->config);
    free(siod);
}
