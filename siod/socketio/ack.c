/* Questions to clients: events that want an ack, and their deadlines. */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/socketio/server.h"

static void forget(struct sio_pending_ack *pending)
{
    timer_clear(&pending->timer);
    LIST_REMOVE(pending, link);
    free(pending);
}

/* The callback may do anything to the socket; the record is gone by then. */
static void settle(struct sio_pending_ack *pending, const struct sio_answer *answer)
{
    struct sio_pending_ack settled = *pending;

    forget(pending);
    settled.fn(settled.socket, settled.arg, answer);
}

static void on_timeout(struct timer *timer)
{
    settle(CONTAINER_OF(timer, struct sio_pending_ack, timer), NULL);
}

void sio_socket_emit_with_ack(struct sio_socket *socket, struct str event, struct str args,
                              uint64_t timeout_ms, sio_ack_fn fn, void *arg)
{
    struct sio_server *server = socket->nsp->server;
    struct sio_pending_ack *pending;

    if (socket->state != SIO_STATE_JOINED) {
        return;
    }
    pending = xnew(struct sio_pending_ack);
    pending->socket = socket;
    pending->id = socket->nsp->next_ack++;
    pending->fn = fn;
    pending->arg = arg;
    LIST_INSERT_HEAD(&socket->acks, pending, link);
    if (timeout_ms > 0) {
        timer_set(server->loop, &pending->timer, timeout_ms, on_timeout);
    }
    sio_event_encode(sio_out_begin(server), socket->nsp->name, pending->id, event, args);
    sio_out_send(server, socket->connection->session);
}

void sio_ack_received(struct sio_socket *socket, int64_t id, const struct sio_answer *answer)
{
    struct sio_pending_ack *pending;

    LIST_FOREACH (pending, &socket->acks, link) {
        if (pending->id == id) {
            settle(pending, answer);
            return;
        }
    }
}

void sio_acks_drop(struct sio_socket *socket)
{
    while (!LIST_EMPTY(&socket->acks)) {
        forget(LIST_FIRST(&socket->acks));
    }
}
