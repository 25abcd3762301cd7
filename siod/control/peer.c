/* Who is connected to the control socket: credentials, lines in, answers out. */
#include "siod/control/peer.h"

#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"

/* A long line on its way through the thread. */
struct control_parse {
    struct pool_job job;
    struct control_peer *peer; /* NULL when it is gone */
    char *text;
    size_t len;
    struct ctl_request request;
    enum err err;
    struct errmsg msg;
};

static enum ctl_access access_of(const struct control_config *config, uid_t uid)
{
    if (uid == 0 || uid == geteuid()) {
        return CTL_ADMIN;
    }
    for (size_t i = 0; i < config->operator_count; i++) {
        if (config->operators[i] == uid) {
            return CTL_OPERATE;
        }
    }
    return CTL_READ;
}

void control_peer_send(struct control_peer *peer, struct str line)
{
    if (!peer->closing) {
        conn_send_bytes(peer->conn, line);
    }
}

static void send_error(struct control_peer *peer, const char *id, enum err err, const char *message)
{
    autobuf struct buf line = BUF_INIT;

    ctl_error_encode(&line, str_of(id), str_of(err_code(err)), str_of(message));
    control_peer_send(peer, buf_str(&line));
}

static void take_request(struct control_peer *peer, struct ctl_request *request, enum err err,
                         const char *message)
{
    if (err == OK) {
        control_call_start(peer, request);
    } else {
        send_error(peer, request->id, err, message);
    }
    ctl_request_finish(request);
}

static void parse_run(struct pool_job *job, unsigned thread)
{
    struct control_parse *parse = CONTAINER_OF(job, struct control_parse, job);

    (void)thread;
    parse->err =
        ctl_request_decode((struct str) { parse->text, parse->len }, &parse->request, &parse->msg);
}

static void parse_done(struct pool_job *job)
{
    struct control_parse *parse = CONTAINER_OF(job, struct control_parse, job);
    struct control_peer *peer = parse->peer;

    if (peer != NULL) {
        peer->parse = NULL;
    }
    if (peer != NULL && peer->control != NULL) {
        take_request(peer, &parse->request, parse->err, parse->msg.text);
        control_peer_advance(peer);
    } else {
        ctl_request_finish(&parse->request);
    }
    free(parse->text);
    free(parse);
}

static void parse_elsewhere(struct control_peer *peer, struct str line)
{
    struct control_parse *parse = xnew(struct control_parse);

    parse->job = (struct pool_job) { .run = parse_run, .done = parse_done };
    parse->peer = peer;
    parse->text = xmemdup(line.data, line.len);
    parse->len = line.len;
    peer->parse = parse;
    pool_submit(peer->control->pool, &parse->job);
}

static void take_line(struct control_peer *peer, struct str line)
{
    struct ctl_request request;
    struct errmsg msg = { "" };
    enum err err;

    if (line.len > LONG_LINE) {
        parse_elsewhere(peer, line);
        return;
    }
    err = ctl_request_decode(line, &request, &msg);
    take_request(peer, &request, err, msg.text);
}

/* Answers on their way, other than those of streams. */
static bool owes_answers(const struct control_peer *peer)
{
    const struct control_call *call;
    bool streams = false;

    DL_FOREACH (peer->calls, call) {
        if (!call->streams) {
            return true;
        }
        streams = true;
    }
    return !streams && (peer->parse != NULL || conn_pending(peer->conn) > 0);
}

unsigned control_peer_calls_max(const struct control_peer *peer)
{
    return peer->access >= CTL_OPERATE ? CALLS_OPERATE_MAX : CALLS_MAX;
}

static bool may_take(const struct control_peer *peer)
{
    return peer->control != NULL && !peer->closing && peer->parse == NULL &&
           peer->call_count < control_peer_calls_max(peer);
}

/* A call that is answered at once comes back here through control_reply(). As long as an answer is
 * due nothing is read, so that the end of the peer's side, which may come right behind the request,
 * is seen only when it has its answer. */
void control_peer_advance(struct control_peer *peer)
{
    struct str line;

    if (peer->advancing || peer->control == NULL) {
        return;
    }
    peer->advancing = true;
    while (may_take(peer) && ctl_lines_next(&peer->lines, &line)) {
        if (line.len > 0) {
            take_line(peer, line);
        }
    }
    peer->advancing = false;
    conn_pause(peer->conn, !may_take(peer) || owes_answers(peer));
}

static void on_data(struct conn *conn, struct str bytes)
{
    struct control_peer *peer = conn_user(conn);
    size_t max = peer->access >= CTL_OPERATE ? CTL_LINE_MAX : CTL_LINE_READ_MAX;

    if (peer->control == NULL || peer->closing) {
        return;
    }
    DL_DELETE(peer->control->peers, peer); /* who was heard of last is the last */
    DL_APPEND(peer->control->peers, peer);
    if (ctl_lines_add(&peer->lines, bytes, max) != OK) {
        send_error(peer, "null", ERR_TOO_LARGE, "the line is too long");
        peer->closing = true;
        conn_close(conn);
        return;
    }
    control_peer_advance(peer);
}

static void on_drain(struct conn *conn)
{
    struct control_peer *peer = conn_user(conn);
    struct control_call *call, *next;

    DL_FOREACH_SAFE (peer->calls, call, next) {
        if (call->on_drain != NULL) {
            call->on_drain(call);
        }
    }
    if (peer->control != NULL && peer->control->producers != NULL) {
        loop_wake(peer->control->config.loop);
    }
    control_peer_advance(peer);
}

static void on_close(struct conn *conn, enum conn_end end)
{
    struct control_peer *peer = conn_user(conn);
    struct control_call *call, *next;

    DL_FOREACH_SAFE (peer->calls, call, next) {
        control_call_abandon(call);
    }
    if (peer->control != NULL) {
        DL_DELETE(peer->control->peers, peer);
        peer->control->peer_count--;
        log_debug(LOG_CONTROL, "peer left", "uid=%u pid=%d why=%s", (unsigned)peer->uid,
                  (int)peer->pid, conn_end_name(end));
    }
    if (peer->parse != NULL) {
        peer->parse->peer = NULL;
    }
    buf_finish(&peer->lines.buf);
    free(peer);
}

static const struct conn_ops peer_ops = {
    .on_data = on_data,
    .on_drain = on_drain,
    .on_close = on_close,
};

static void greet(struct control_peer *peer)
{
    autobuf struct buf line = BUF_INIT;

    ctl_greeting_encode(&line, STR(SIOD_VERSION));
    control_peer_send(peer, buf_str(&line));
}

/* Nobody who merely connects may keep the operator out: whoever asks nothing, and was silent for
 * the longest, makes room, and so does who left before the answer. False when there is nobody. */
static bool make_room(struct control *control)
{
    struct control_peer *peer;

    DL_FOREACH (control->peers, peer) {
        bool idle = peer->calls == NULL && peer->parse == NULL;

        if (!peer->closing && (idle || conn_hung_up(peer->conn))) {
            log_info(LOG_CONTROL, "peer closed for another", "uid=%u pid=%d", (unsigned)peer->uid,
                     (int)peer->pid);
            peer->closing = true;
            conn_abort(peer->conn);
            return true;
        }
    }
    return false;
}

void control_accept(void *arg, struct conn *conn)
{
    struct control *control = arg;
    struct control_peer *peer = xnew(struct control_peer);
    bool refused;
    gid_t gid;

    peer->control = control;
    peer->conn = conn;
    if (conn_credentials(conn, &peer->uid, &gid, &peer->pid)) {
        peer->access = access_of(&control->config, peer->uid);
    }
    refused = control->peer_count >= PEERS_MAX && !make_room(control);
    DL_APPEND(control->peers, peer);
    control->peer_count++;
    conn_take(conn, &peer_ops, peer);
    greet(peer);
    if (refused) {
        send_error(peer, "null", ERR_BUSY, "too many connections to the control socket");
        peer->closing = true;
        conn_close(conn);
    }
}
