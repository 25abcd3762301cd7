/* The daemon's own struct, shared by the server_*.c files. */
#pragma once

#include <stdbool.h>

#include <ev.h>

#include "libshared/token.h"
#include "siod/admission.h"
#include "siod/api/api.h"
#include "siod/api/client_bundle.h"
#include "siod/api/health.h"
#include "siod/net/loop.h"
#include "siod/server.h"
#include "siod/webhook/receive.h"

enum { LISTENERS_MAX = 16 };

struct siod {
    struct config *config;
    struct siod_options options;

    struct loop *loop;
    struct transport *transport;
    struct token_verifier *tokens;
    struct store *store;
    struct sio_server *sio;
    struct desk *desk;
    struct webhook_receiver *webhook;
    struct http_server *http, *admin;
    struct control *control;

    struct token_config token_config;
    struct admission admission;
    struct health_config health;
    struct api_config api;
    struct client_bundle_config client_bundle;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count, admin_from; /* those of http.admin_listen come last */
    unsigned connection_room;          /* so many connections have a descriptor */
    bool ready;                        /* started and not yet stopping */
    enum err start_err;                /* of the asynchronous part of the start */

    struct reload *reload; /* under way, or NULL */
    bool reload_again;     /* SIGHUP came meanwhile */
    struct config *wanted; /* as it was loaded last, NULL until then */
    struct fingerprints *prints;

    ev_async on_stop;
    ev_signal on_hup;
    bool stopping, sessions_gone;
    struct timer stop_check, stop_deadline;
};

/* server_load.c: the configured businesses go into the store, the desk learns where each log
 * stands. Runs the loop until that is done. */
enum err siod_load(struct siod *siod, struct errmsg *msg);

/* The same for businesses that differ from those of the running configuration. */
enum err siod_enter_businesses(const struct siod *siod, const struct config *config,
                               struct store_tx *tx, struct errmsg *msg);

/* server_settings.c: what modules are told of siod->config. */
struct transport_limits siod_transport_limits(const struct siod *siod);
/* Says in the log when limits.connections is above what there are descriptors for. */
void siod_check_descriptors(const struct siod *siod);
struct http_limits siod_http_limits(const struct siod *siod);
/* Without the callbacks. */
struct store_config siod_store_settings(const struct siod *siod);
struct sio_config siod_sio_settings(struct siod *siod);
struct desk_config siod_desk_settings(const struct siod *siod);
struct api_config siod_api_settings(const struct siod *siod);
enum err siod_trust_proxies(struct siod *siod, struct errmsg *msg);
/* `files`, filled in, or NULL when there is no certificate. */
const struct tls_files *siod_tls_files(const struct config *config, struct tls_files *files);

/* server_parts.c: the modules whose settings need some work first. */
enum err siod_read_keys(const struct config *config, struct token_config *ret_config,
                        struct token_verifier **ret, struct errmsg *msg);
enum err siod_start_webhook(struct siod *siod, struct errmsg *msg);
/* What the webhook receiver is told; the apps' secrets are read from their files. To be finished in
 * any case. */
struct webhook_settings {
    struct webhook_config config;
    struct webhook_app_config *apps;
    struct app_secrets *secrets;
};
enum err siod_webhook_settings(const struct siod *siod, const struct config *config,
                               struct webhook_settings *settings, struct errmsg *msg);
void siod_webhook_settings_finish(struct webhook_settings *settings);
enum err siod_check_tls(const struct config *config, struct errmsg *msg);
/* On success *ret is the caller's to finish. */
enum err siod_read_bundle(const struct config *config, struct client_bundle *ret,
                          struct errmsg *msg);
enum err siod_start_control(struct siod *siod, struct errmsg *msg);

/* server_reload.c */
/* The file again, with the same options: what may change is taken over, all of it or, on an error,
 * nothing. `done` is called once, maybe before this returns: with the error and its sentence, or
 * with the changes as a JSON array of config_change_render()'s objects. */
typedef void siod_reloaded(void *arg, enum err err, const char *why, struct str changes);
void siod_reload(struct siod *siod, siod_reloaded *done, void *arg);
/* SIGHUP: the outcome is logged. */
void siod_reload_logged(struct siod *siod);
void siod_reload_finish(struct siod *siod);

/* server_stop.c: signals and the way out. */
void siod_watch_signals(struct siod *siod);
void siod_unwatch_signals(struct siod *siod);

/* server_gauges.c */
void siod_collect(void *siod);
bool siod_is_ready(void *siod, const char **ret_why);
