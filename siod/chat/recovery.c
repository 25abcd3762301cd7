#include "siod/chat/recovery.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/session.h"

enum { EPOCH_BASE = 16 };

/* Every bit of the result depends on every bit of `x`, and no two are the same (the last step of
 * splitmix64). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* In one epoch each business has a history of its own. */
static void open_log(void *arg, uint64_t scope, uint64_t *ret_stream, int64_t *ret_position)
{
    struct desk *desk = arg;

    *ret_stream = strtoull(store_epoch(desk->config.store), NULL, EPOCH_BASE) ^ mix(scope);
    *ret_position = desk_position(desk, (int64_t)scope);
}

struct log_query {
    struct store_query query;
    struct sio_restore *restore;
    int64_t reached;
    bool purged; /* some of what is asked for */
};

static bool take_row(void *arg, const struct store_event *event)
{
    const struct log_query *self = arg;
    const struct sio_log_row row = { event->position, event->room, event->event, event->args,
                                     event->origin };

    return sio_restore_row(self->restore, &row);
}

static enum err log_fetch(struct store_query *query, struct store_reader *reader)
{
    struct log_query *self = CONTAINER_OF(query, struct log_query, query);
    int64_t business_id = (int64_t)sio_restore_scope(self->restore);
    int64_t after = sio_restore_after(self->restore), begin = 0;
    enum err err = store_snapshot(reader, business_id, &self->reached);

    err = err == OK ? store_log_begin(reader, business_id, &begin) : err;
    self->purged = begin > after;
    return err == OK && !self->purged
               ? store_log_since(reader, business_id, after, 0, take_row, self)
               : err;
}

static void log_done(struct store_query *query, enum err err)
{
    struct log_query *self = CONTAINER_OF(query, struct log_query, query);
    struct sio_restore *restore = self->restore;
    bool failed = err != OK || self->purged;
    int64_t reached = self->reached;

    free(self);
    if (err != OK) {
        log_warn(LOG_CHAT, "log not read for recovery", "business=%llu code=%s",
                 (unsigned long long)sio_restore_scope(restore), err_code(err));
    }
    sio_restore_read(restore, failed, reached);
}

static void read_log(void *arg, struct sio_restore *restore)
{
    struct desk *desk = arg;
    struct log_query *self = xnew(struct log_query);

    self->query.fetch = log_fetch;
    self->query.done = log_done;
    self->restore = restore;
    store_ask(desk->config.store, &self->query);
}

static void forget(void *arg, struct str id)
{
    session_forget(arg, id);
}

const struct sio_log desk_log = { .open = open_log, .read = read_log, .forget = forget };
