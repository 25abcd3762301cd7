#include "siod/control/server.h"

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/control/peer.h"

enum err control_new(const struct control_config *config, struct control **ret, struct errmsg *msg)
{
    struct control *control = xnew(struct control);
    autofree char *address = xasprintf("unix:%s", config->socket_path); /* which may be relative */
    const struct listen_options options = {
        .address = address,
        .unix_mode = 0660,
        .exempt = true,
        .on_accept = control_accept,
        .arg = control,
    };
    enum err err = transport_listen(config->transport, &options, &control->listener, msg);

    if (err != OK) {
        free(control);
        return err;
    }
    control->config = *config;
    control->operators =
        xmemdup(config->operators, config->operator_count * sizeof(*config->operators));
    control->config.operators = control->operators;
    control->config.socket_path = listener_address(control->listener);
    control->pool = pool_new(config->loop, "control", 1);
    control->hook = (struct loop_hook) { .fn = control_produce_all, .arg = control };
    control->started_ms = loop_now_ms(config->loop);
    control->started_wall_ms = clock_wall_ms();
    loop_hook_add(config->loop, &control->hook);
    *ret = control;
    return OK;
}

/* Peers live on until the transport has closed their connections. */
void control_free(struct control *control)
{
    struct control_peer *peer, *next;

    if (control == NULL) {
        return;
    }
    listener_close(TAKE(control->listener));
    DL_FOREACH_SAFE (control->peers, peer, next) {
        struct control_call *call, *next_call;

        DL_FOREACH_SAFE (peer->calls, call, next_call) {
            control_call_abandon(call);
        }
        peer->control = NULL;
        conn_abort(peer->conn);
    }
    loop_hook_remove(control->config.loop, &control->hook);
    pool_free(control->pool);
    free(control->operators);
    free(control);
}
