/* The daemon's own struct, shared by the server_*.c files. */
#pragma once

#include <stdbool.h>

#include <ev.h>

#include "libshared/token.h"
#include "siod/admission.h"
#include "siod/api/api.h"
#include "siod/api/health.h"
#include "siod/net/loop.h"
#include "siod/server.h"

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
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    bool ready;         /* started and not yet stopping */
    enum err start_err; /* of the asynchronous part of the start */

    ev_signal on_term, on_int, on_hup;
    bool stopping, sessions_gone;
    struct timer stop_check, stop_deadline;
};

/* server_load.c: the configured businesses go into the store, the desk learns where each log
 * stands. Runs the loop until that is done. */
enum err siod_load(struct siod *siod, struct errmsg *msg);

/* server_parts.c: the modules whose settings need some work first. */
enum err siod_read_keys(const struct config *config, struct token_config *ret_config,
                        struct token_verifier **ret, struct errmsg *msg);
enum err siod_start_webhook(struct siod *siod, struct errmsg *msg);
enum err siod_start_control(struct siod *siod, struct errmsg *msg);

/* server_stop.c: signals and the way out. */
void siod_watch_signals(struct siod *siod);
void siod_unwatch_signals(struct siod *siod);

/* server_gauges.c */
void siod_collect(void *siod);
bool siod_is_ready(void *siod, const char **ret_why);
