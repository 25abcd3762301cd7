#include "siod/chat/session.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"

enum {
    LOOK_MS = 250,   /* between two looks at what is to be written */
    FORGET_MS = 10,  /* before a look at what is to be removed */
    QUIET_MS = 1000, /* without a change of rooms, before a row is written */
    BATCH_BYTES = 65536 /* of rows in one job */,
    BEAT_MAX_MS = 30000, /* between two signs of life, by which a killed siod's time is told */
    BEATS = 4,           /* in a window */
};

struct sessions {
    struct desk *desk;
    TAILQ_HEAD(, desk_socket) unsaved; /* by the time of their last change */
    struct batch *pending;             /* what the next job will write */
    struct timer timer;
    bool looking;     /* the timer is set to write what there is */
    bool forgetting;  /* it is set to do so soon */
    uint64_t beat_ms; /* of the last sign of life */
};

/* What a job does, in order: `op` is a record of it in `ops`, its bytes follow. */
struct op {
    bool put;
    char id[SID_LEN];
    int64_t business_id, user_id;
    size_t state_len;
};

struct batch {
    struct store_job job;
    struct sessions *sessions;
    struct buf ops;
    int64_t until_ms;
    void (*done)(void *arg, enum err err);
    void *arg;
};

/* ---- jobs */

static bool next_op(struct str *ops, struct op *ret_op, struct str *ret_state)
{
    if (ops->len == 0) {
        return false;
    }
    memcpy(ret_op, ops->data, sizeof *ret_op);
    *ret_state = (struct str) { ops->data + sizeof *ret_op, ret_op->state_len };
    *ops = str_skip(*ops, sizeof *ret_op + ret_op->state_len);
    return true;
}

static enum err batch_apply(struct store_job *job, struct store_tx *tx)
{
    const struct batch *batch = CONTAINER_OF(job, struct batch, job);
    struct str ops = buf_str(&batch->ops), state;
    enum err err = store_sessions_until(tx, batch->until_ms);
    struct op op;

    while (err == OK && next_op(&ops, &op, &state)) {
        const struct store_session session = {
            .id = { op.id, SID_LEN },
            .business_id = op.business_id,
            .user_id = op.user_id,
            .state = state,
        };

        err = op.put ? store_session_put(tx, &session) : store_session_remove(tx, session.id);
    }
    return err;
}

static void want_saved(struct desk_socket *self);

/* Of each socket that is still there. */
static void settle(struct sessions *sessions, const struct op *op, enum err err)
{
    struct sio_socket *socket =
        sio_socket_find(sessions->desk->nsp, (struct str) { op->id, SID_LEN });
    struct desk_socket *self = socket != NULL ? sio_socket_user(socket) : NULL;

    if (self == NULL) {
        return;
    }
    if (op->put && err != OK) {
        want_saved(self);
    } else if (!op->put && self->row_removals > 0) {
        self->row_removals--;
        self->has_row = self->has_row || err != OK; /* it may be there still */
    }
}

static void batch_done(struct store_job *job, enum err err)
{
    struct batch *batch = CONTAINER_OF(job, struct batch, job);
    struct str ops = buf_str(&batch->ops), state;
    struct op op;

    if (err != OK) {
        log_warn(LOG_CHAT, "sessions not recorded", "code=%s", err_code(err));
    }
    while (next_op(&ops, &op, &state)) {
        settle(batch->sessions, &op, err);
    }
    if (batch->done != NULL) {
        batch->done(batch->arg, err);
    }
    buf_finish(&batch->ops);
    free(batch);
}

static struct batch *pending(struct sessions *sessions)
{
    if (sessions->pending == NULL) {
        sessions->pending = xnew(struct batch);
        sessions->pending->sessions = sessions;
    }
    return sessions->pending;
}

static uint64_t beat_period_ms(const struct sessions *sessions)
{
    return MIN(sessions->desk->config.recovery_window_ms / BEATS, (uint64_t)BEAT_MAX_MS);
}

/* Until when sessions are good if this is the last that is heard of this process. */
static int64_t good_until_ms(const struct sessions *sessions)
{
    const struct desk *desk = sessions->desk;

    return loop_wall_ms(desk->config.loop) + (int64_t)desk->config.recovery_window_ms +
           (desk->draining ? 0 : (int64_t)beat_period_ms(sessions));
}

static void submit(struct sessions *sessions, bool patient)
{
    struct batch *batch = pending(sessions);

    sessions->pending = NULL;
    sessions->beat_ms = loop_now_ms(sessions->desk->config.loop);
    batch->until_ms = good_until_ms(sessions);
    batch->job.apply = batch_apply;
    batch->job.done = batch_done;
    batch->job.patient = patient;
    if (!store_submit(sessions->desk->config.store, &batch->job)) {
        batch_done(&batch->job, ERR_BUSY);
    }
}

static void add_op(struct sessions *sessions, bool put, struct str id,
                   const struct desk_agent *agent, struct str state)
{
    struct batch *batch = pending(sessions);
    struct op op = { .put = put, .state_len = state.len };

    memcpy(op.id, id.data, SID_LEN);
    if (agent != NULL) {
        op.business_id = agent->business_id;
        op.user_id = agent->user_id;
    }
    buf_add(&batch->ops, &op, sizeof op);
    buf_add_str(&batch->ops, state);
    if (batch->ops.len > BATCH_BYTES) {
        submit(sessions, true);
    }
}

static void write_row(struct desk_socket *self)
{
    struct sessions *sessions = desk_of(self)->sessions;
    autobuf struct buf state = BUF_INIT;

    if (sio_session_export(self->socket, &state)) {
        add_op(sessions, true, str_of(sio_socket_id(self->socket)), &self->agent, buf_str(&state));
        self->has_row = true;
    }
}

/* ---- when */

static void on_timer(struct timer *timer);

static void watch(struct sessions *sessions)
{
    if (!sessions->looking) {
        sessions->looking = true;
        timer_set(sessions->desk->config.loop, &sessions->timer, LOOK_MS, on_timer);
    }
}

/* A client may come back to a row that ought to be gone, after a kill. */
static void watch_closely(struct sessions *sessions)
{
    if (!sessions->forgetting) {
        sessions->looking = sessions->forgetting = true;
        timer_set(sessions->desk->config.loop, &sessions->timer, FORGET_MS, on_timer);
    }
}

static void unlist(struct desk_socket *self)
{
    if (self->is_unsaved) {
        TAILQ_REMOVE(&desk_of(self)->sessions->unsaved, self, unsaved);
        self->is_unsaved = false;
    }
}

static void want_saved(struct desk_socket *self)
{
    struct sessions *sessions = desk_of(self)->sessions;

    unlist(self);
    self->changed_ms = (uint32_t)loop_now_ms(desk_of(self)->config.loop);
    self->is_unsaved = true;
    TAILQ_INSERT_TAIL(&sessions->unsaved, self, unsaved);
    watch(sessions);
}

/* A row whose removal is under way would be removed with it. */
static void save_quiet(struct sessions *sessions, uint64_t now_ms)
{
    struct desk_socket *self, *next;

    for (self = TAILQ_FIRST(&sessions->unsaved);
         self != NULL && (uint32_t)now_ms - self->changed_ms >= QUIET_MS; self = next) {
        next = TAILQ_NEXT(self, unsaved);
        if (self->row_removals == 0) {
            unlist(self);
            write_row(self);
        }
    }
}

static void on_timer(struct timer *timer)
{
    struct sessions *sessions = CONTAINER_OF(timer, struct sessions, timer);
    uint64_t now_ms = loop_now_ms(sessions->desk->config.loop);

    sessions->looking = sessions->forgetting = false;
    save_quiet(sessions, now_ms);
    if (sessions->pending != NULL || now_ms - sessions->beat_ms >= beat_period_ms(sessions)) {
        submit(sessions, true);
    }
    if (!TAILQ_EMPTY(&sessions->unsaved)) {
        watch(sessions);
    } else if (sessions->desk->agents != NULL) { /* somebody is there, or was a moment ago */
        timer_set(sessions->desk->config.loop, timer, beat_period_ms(sessions), on_timer);
    }
}

/* ---- what happens to a session */

static bool is_kept(const struct desk_socket *self)
{
    return desk_of(self)->config.recovery_window_ms > 0 &&
           eio_session_protocol(sio_socket_session(self->socket)) == 4;
}

void session_begin(struct desk_socket *self, bool recovered)
{
    if (is_kept(self)) {
        self->has_row = recovered;
        want_saved(self);
    }
}

bool session_must_wait(const struct desk_socket *self)
{
    return self->has_row || self->row_removals > 0;
}

bool session_changed(struct desk_socket *self, void (*done)(void *arg, enum err err), void *arg)
{
    struct sessions *sessions = desk_of(self)->sessions;

    if (!is_kept(self)) {
        return true;
    }
    want_saved(self);
    if (!session_must_wait(self)) {
        return true;
    }
    if (sessions->pending != NULL && sessions->pending->ops.len > 0) {
        submit(sessions, true); /* in order, and the next one is waited for */
    }
    self->has_row = false;
    self->row_removals++;
    add_op(sessions, false, str_of(sio_socket_id(self->socket)), NULL, STR(""));
    pending(sessions)->done = done;
    pending(sessions)->arg = arg;
    submit(sessions, false);
    return false;
}

void session_end(struct desk_socket *self, bool recoverable)
{
    struct sessions *sessions = desk_of(self)->sessions;

    if (!is_kept(self)) {
        return;
    }
    if (!recoverable) {
        if (session_must_wait(self)) {
            session_forget(desk_of(self), str_of(sio_socket_id(self->socket)));
        }
    } else if (self->is_unsaved) {
        write_row(self);
    }
    unlist(self);
    watch(sessions);
}

void session_give_up(struct desk_socket *self)
{
    if (is_kept(self) && session_must_wait(self)) {
        session_forget(desk_of(self), str_of(sio_socket_id(self->socket)));
        self->has_row = false;
        self->row_removals = 0;
    }
}

void session_forget(struct desk *desk, struct str id)
{
    add_op(desk->sessions, false, id, NULL, STR(""));
    watch_closely(desk->sessions);
}

enum err session_forget_room(struct store_tx *tx, int64_t business_id, struct str room)
{
    autobuf struct buf bytes = BUF_INIT;

    sio_session_room(room, &bytes);
    return store_sessions_remove_with(tx, business_id, buf_str(&bytes));
}

/* ---- life */

struct sessions *sessions_new(struct desk *desk)
{
    struct sessions *sessions = xnew(struct sessions);

    sessions->desk = desk;
    TAILQ_INIT(&sessions->unsaved);
    return sessions;
}

void desk_kick(struct sio_socket *socket)
{
    session_give_up(sio_socket_user(socket));
    sio_socket_disconnect(socket, true);
}

void desk_kicks_record(struct desk *desk, desk_recorded *recorded, void *arg)
{
    if (desk->config.recovery_window_ms == 0) {
        recorded(arg, OK);
        return;
    }
    pending(desk->sessions)->done = recorded;
    pending(desk->sessions)->arg = arg;
    submit(desk->sessions, false);
}

void desk_sessions_flush(struct desk *desk)
{
    if (desk->config.recovery_window_ms > 0) {
        submit(desk->sessions, true);
    }
}

bool desk_session_was_there(struct desk *desk, const struct store_session *row, int64_t until_ms)
{
    int64_t left_ms = until_ms - loop_wall_ms(desk->config.loop);
    const struct sio_session session = {
        .id = row->id,
        .state = row->state,
        .scope = (uint64_t)row->business_id,
        .owner = (uint64_t)row->user_id,
        .keep_ms = (uint64_t)MAX(left_ms, 0),
    };

    if (left_ms > 0 && sio_session_import(desk->nsp, &session)) {
        return true;
    }
    if (row->id.len == SID_LEN) {
        session_forget(desk, row->id);
    }
    return false;
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL) {
        return;
    }
    timer_clear(&sessions->timer);
    if (sessions->pending != NULL) {
        buf_finish(&sessions->pending->ops);
        free(sessions->pending);
    }
    free(sessions);
}
