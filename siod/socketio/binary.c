/* Packets that wait. Of binary ones the text comes first, its attachments follow (protocol.md 3).
 *
 * Nothing is allocated by what a packet announces: each attachment is added as it comes, and all of
 * them together may be no larger than one message. */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/socketio/server.h"

static struct budget *budget(const struct sio_partial *partial)
{
    return loop_budget(partial->connection->server->loop);
}

static bool give_way(struct hold *hold)
{
    struct sio_partial *partial = CONTAINER_OF(hold, struct sio_partial, hold);
    struct sio_connection *connection = partial->connection;

    if (partial->restore != NULL) {
        sio_restore_drop_held(partial->restore);
    } else {
        sio_partial_free(TAKE(connection->partial));
    }
    sio_connection_no_room(connection);
    return true;
}

struct sio_partial *sio_partial_new(struct sio_connection *connection, struct str head,
                                    unsigned attachments)
{
    struct sio_partial *partial = xnew(struct sio_partial);

    partial->connection = connection;
    partial->hold.evict = give_way;
    partial->hold.from = eio_session_address(connection->session);
    if (!hold_set(budget(partial), &partial->hold, head.len)) {
        free(partial);
        return NULL;
    }
    buf_add_str(&partial->head, head);
    partial->due = attachments;
    return partial;
}

void sio_partial_free(struct sio_partial *partial)
{
    if (partial == NULL) {
        return;
    }
    sio_partial_unhold(partial);
    buf_finish(&partial->head);
    buf_finish(&partial->data);
    free(partial);
}

void sio_held_free(struct sio_held *held)
{
    struct sio_partial *packet;

    while ((packet = STAILQ_FIRST(held)) != NULL) {
        STAILQ_REMOVE_HEAD(held, link);
        sio_partial_free(packet);
    }
}

void sio_partial_unhold(struct sio_partial *partial)
{
    hold_release(budget(partial), &partial->hold);
}

enum err sio_partial_add(struct sio_partial *partial, struct str data)
{
    size_t max_bytes = partial->connection->server->config.engine.max_payload;

    if (max_bytes > 0 && data.len > max_bytes - MIN(partial->data.len, max_bytes)) {
        return ERR_TOO_LARGE;
    }
    if (!hold_set(budget(partial), &partial->hold,
                  partial->head.len + partial->data.len + data.len)) {
        return ERR_BUSY;
    }
    buf_add_str(&partial->data, data);
    partial->ends[partial->received++] = partial->data.len;
    return OK;
}

bool sio_partial_complete(const struct sio_partial *partial)
{
    return partial->received == partial->due;
}

static struct str attachment(const struct sio_partial *partial, unsigned index)
{
    size_t start = index > 0 ? partial->ends[index - 1] : 0;

    return (struct str) { partial->data.data + start, partial->ends[index] - start };
}

enum err sio_partial_bind(const struct sio_partial *partial, struct str args, struct buf *ordered,
                          struct str *ret_args, struct str *ret_data, unsigned *ret_count)
{
    struct sio_placeholders found;
    enum err err;

    buf_clear(ordered);
    err = sio_placeholders_order(args, partial->received, ordered, &found);
    if (err != OK) {
        return err;
    }
    for (unsigned i = 0; i < found.count; i++) {
        ret_data[i] = attachment(partial, found.index[i]);
    }
    *ret_args = buf_str(ordered);
    *ret_count = found.count;
    return OK;
}
