/* The control socket: what sioctl talks to. The protocol is libshared/ctl/frame.h, the commands are
 * libshared/ctl/commands.def; siod-control(7) describes both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

struct config;
struct control;
struct desk;
struct http_server;
struct listener;
struct loop;
struct sio_server;
struct store;
struct token_config;
struct token_verifier;
struct transport;
struct webhook_receiver;

/* How a reload went: the error with its sentence, or the changes, a JSON array. */
typedef void control_reloaded(void *arg, enum err err, const char *why, struct str changes);

/* The modules are borrowed and must outlive the control server; path and operators are copied. */
struct control_config {
    const char *socket_path;
    /* Users who may OPERATE. Root and the daemon's own user may do everything, others READ. */
    const uid_t *operators;
    size_t operator_count;

    struct config *config; /* the daemon's; `log level` writes to it */
    struct loop *loop;
    struct transport *transport;
    struct store *store;
    struct sio_server *sio;
    struct desk *desk;
    struct http_server *http;
    struct webhook_receiver *webhook;
    struct token_verifier *tokens;
    const struct token_config *token_config; /* to mint with */

    /* Is the daemon ready to work; if not, why. */
    bool (*ready)(void *arg, const char **ret_why);
    /* The n-th address the daemon listens on, NULL past the last. */
    const char *(*address)(void *arg, size_t n);
    /* Read the configuration again; `done` is called once, maybe before this returns. */
    void (*reload)(void *arg, control_reloaded *done, void *done_arg);
    /* The configuration as it was read last, NULL when it was read at start only. */
    const struct config *(*wanted)(void *arg);
    void *arg;
};

/* Listens. Errors as transport_listen(). Returns owned. */
NODISCARD
enum err control_new(const struct control_config *config, struct control **ret, struct errmsg *msg);
/* Drops all peers; requests that wait for the store end with them. */
void control_free(struct control *control);
