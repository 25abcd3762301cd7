#include "siod/control/call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/control/audit.h"
#include "siod/control/peer.h"
#include "siod/metrics/metrics.h"

static void (*const handlers[CTL_COMMAND_COUNT])(struct control_call *call) = {
#define HANDLER_DAEMON(id) [CTL_CMD_##id] = control_##id,
#define HANDLER_BOTH(id)   [CTL_CMD_##id] = control_##id,
#define HANDLER_LOCAL(id)
#define CTL(id, grammar, access, where, help) HANDLER_##where(id)
#include "libshared/ctl/commands.def"
#undef CTL
};

const struct control_config *control_config(const struct control_call *call)
{
    return &call->control->config;
}

json_t *control_arg(const struct control_call *call, const char *key)
{
    return json_object_get(call->args, key);
}

int64_t control_arg_int(const struct control_call *call, const char *key)
{
    return json_integer_value(control_arg(call, key));
}

struct str control_arg_str(const struct control_call *call, const char *key)
{
    return json_str_at(call->args, key);
}

void control_produce_stop(struct control_call *call)
{
    if (call->slice != NULL) {
        DL_DELETE2(call->control->producers, call, slice_prev, slice_next);
        call->slice = NULL;
    }
}

static void call_free(struct control_call *call)
{
    if (call->release != NULL) {
        call->release(call->state);
    }
    json_decref(call->args);
    buf_finish(&call->answer);
    free(call->id);
    free(call);
}

static void call_detach(struct control_call *call)
{
    control_produce_stop(call);
    DL_DELETE(call->peer->calls, call);
    if (call->streams) {
        call->peer->stream_count--;
    } else {
        call->peer->call_count--;
    }
    call->peer = NULL;
}

static void call_end(struct control_call *call)
{
    struct control_peer *peer = call->peer;

    if (peer != NULL) {
        call_detach(call);
        control_peer_advance(peer);
    }
    call_free(call);
}

void control_call_abandon(struct control_call *call)
{
    call_detach(call);
    if (call->holds == 0) {
        call_free(call);
    }
}

void control_hold(struct control_call *call)
{
    call->holds++;
}

bool control_unhold(struct control_call *call)
{
    call->holds--;
    if (call->peer == NULL && call->holds == 0) {
        call_free(call);
        return false;
    }
    return call->peer != NULL;
}

bool control_stream(struct control_call *call)
{
    struct control_peer *peer = call->peer;
    unsigned max = control_peer_calls_max(peer);

    if (peer->stream_count >= max) {
        control_fail(call, ERR_BUSY, "this connection has %u streams, and may have no more", max);
        return false;
    }
    call->streams = true;
    peer->call_count--;
    peer->stream_count++;
    return true;
}

void control_piece(struct control_call *call, struct str result)
{
    autobuf struct buf line = BUF_INIT;

    ctl_reply_encode(&line, str_of(call->id), true, result);
    control_peer_send(call->peer, buf_str(&line));
}

static void encode_unwritten(struct control_call *call)
{
    static const struct str text = STR_INIT("done, but not recorded: a restart may undo it");

    buf_clear(&call->answer);
    ctl_error_encode(&call->answer, str_of(call->id), str_of(err_code(call->unwritten)), text);
}

static void answer(struct control_call *call)
{
    if (call->awaited > 0) {
        control_produce_stop(call);
        return;
    }
    if (call->unwritten != OK) {
        encode_unwritten(call);
    }
    control_peer_send(call->peer, buf_str(&call->answer));
    call_end(call);
}

void control_await(struct control_call *call)
{
    control_hold(call);
    call->awaited++;
}

void control_arrived(struct control_call *call, enum err err)
{
    call->awaited--;
    call->unwritten = err != OK ? err : call->unwritten;
    if (control_unhold(call) && call->answer.len > 0) {
        answer(call);
    }
}

void control_reply(struct control_call *call, struct str result)
{
    ctl_reply_encode(&call->answer, str_of(call->id), false, result);
    answer(call);
}

void control_fail(struct control_call *call, enum err err, const char *format, ...)
{
    autobuf struct buf message = BUF_INIT;
    va_list args;

    if (format != NULL) {
        va_start(args, format);
        buf_vprintf(&message, format, args);
        va_end(args);
    } else {
        buf_add_cstr(&message, err_text(err));
    }
    ctl_error_encode(&call->answer, str_of(call->id), str_of(err_code(err)), buf_str(&message));
    answer(call);
}

void control_produce(struct control_call *call, bool (*slice)(struct control_call *call))
{
    if (call->slice == NULL) {
        DL_APPEND2(call->control->producers, call, slice_prev, slice_next);
    }
    call->slice = slice;
    loop_wake(call->control->config.loop);
}

bool control_slice_over(struct control_call *call, const struct buf *piece)
{
    return loop_slice_over(&call->control->slice) || piece->len >= PIECE_MAX;
}

void control_piece_row(struct buf *piece)
{
    if (piece->data[piece->len - 1] != '[') {
        buf_add_char(piece, ',');
    }
}

bool control_send_piece(struct control_call *call, const struct buf *piece, bool more)
{
    if (more) {
        control_piece(call, buf_str(piece));
    } else {
        control_reply(call, buf_str(piece));
    }
    return more;
}

/* Whose turn it was goes to the end of the queue. */
static bool next_turn(struct control *control)
{
    struct control_call *call = control->producers;

    DL_DELETE2(control->producers, call, slice_prev, slice_next);
    DL_APPEND2(control->producers, call, slice_prev, slice_next);
    return conn_pending(call->peer->conn) < PRODUCE_MAX && call->slice(call);
}

void control_produce_all(void *arg)
{
    struct control *control = arg;
    const struct control_call *call;
    bool more = false;
    unsigned left;

    if (control->producers == NULL) {
        return;
    }
    control->slice = loop_slice_begin();
    DL_COUNT2(control->producers, call, left, slice_next);
    while (left > 0 && control->producers != NULL && !loop_slice_spent(&control->slice)) {
        more = next_turn(control) || more;
        left--;
    }
    if (more || left > 0) {
        loop_wake(control->config.loop);
    }
}

size_t control_behind_max(const struct control *control)
{
    size_t limit = control->config.config->limits.queue_bytes;

    return limit > 0 ? MIN(limit / 4, (size_t)BEHIND_MAX) : BEHIND_MAX;
}

bool control_behind(const struct control_call *call)
{
    return conn_pending(call->peer->conn) > control_behind_max(call->control);
}

static enum err check_access(const struct control_peer *peer, enum ctl_access access,
                             const char *cmd, struct errmsg *msg)
{
    if (peer->access >= access) {
        return OK;
    }
    log_warn(LOG_CONTROL, "command refused", "cmd=\"%s\" uid=%u pid=%d", cmd, (unsigned)peer->uid,
             (int)peer->pid);
    return err_set(msg, ERR_FORBIDDEN, "'%s' needs %s access; uid %u has %s", cmd,
                   ctl_access_name(access), (unsigned)peer->uid, ctl_access_name(peer->access));
}

bool control_require(struct control_call *call, enum ctl_access access)
{
    const struct control_peer *peer = call->peer;
    char name[CTL_COMMAND_SIZE];
    struct errmsg msg = { "" };

    ctl_command_name(call->command, name, sizeof name);
    if (check_access(peer, access, name, &msg) != OK) {
        control_fail(call, ERR_FORBIDDEN, "%s", msg.text);
        return false;
    }
    control_audit(call, name);
    return true;
}

/* Two answers to one id can be told apart when each is one line, but not those of a stream. */
static bool has_stream(const struct control_peer *peer, const char *id)
{
    const struct control_call *call;

    DL_FOREACH (peer->calls, call) {
        if (call->streams && strcmp(call->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* What has to be refused before a command runs. */
static enum err admit(const struct control_peer *peer, const struct ctl_command *command,
                      struct ctl_request *request, struct errmsg *msg)
{
    json_t *args;
    enum err err;

    if (has_stream(peer, request->id)) {
        return err_set(msg, ERR_EXISTS, "a stream of this connection has the id %s", request->id);
    }
    if (command == NULL || command->where == CTL_LOCAL) {
        return err_set(msg, ERR_UNKNOWN_COMMAND, "no command is called '%.60s'", request->cmd);
    }
    err = check_access(peer, command->access, request->cmd, msg);
    if (err != OK) {
        return err;
    }
    args = ctl_args_accept(command, request->args, msg);
    if (args == NULL) {
        return ERR_INVALID;
    }
    json_decref(request->args);
    request->args = args;
    return OK;
}

/* Webhooks have rows of their own: of the thousands of a replay the first says who it was. */
static bool is_audited(struct control_peer *peer, const struct ctl_command *command)
{
    bool again = command->id == CTL_CMD_webhook_deliver && peer->delivers;

    peer->delivers = peer->delivers || command->id == CTL_CMD_webhook_deliver;
    return !again;
}

void control_call_start(struct control_peer *peer, struct ctl_request *request)
{
    const struct ctl_command *command = ctl_command_find(str_of(request->cmd));
    struct control_call *call = xnew(struct control_call);
    struct errmsg msg = { "" };
    enum err err = admit(peer, command, request, &msg);

    metric_add(METRIC_CONTROL_COMMANDS, 1);
    call->control = peer->control;
    call->peer = peer;
    call->command = command;
    call->id = TAKE(request->id);
    call->args = TAKE(request->args);
    DL_APPEND(peer->calls, call);
    peer->call_count++;
    if (err != OK) {
        control_fail(call, err, "%s", msg.text);
        return;
    }
    if (command->access > CTL_READ && is_audited(peer, command)) {
        control_audit(call, request->cmd);
    }
    handlers[command->id](call);
}
