/* A message that lies whole in one read is unmasked into a buffer that all connections share and
 * delivered from there. One that does not is unmasked into its connection's own buffer, which
 * exists only until the message is complete.
 *
 * When the peer ends it (close frame, broken rules), the user is told at once and the struct stays
 * until the transport has let go of the connection. */
#include "siod/net/websocket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/log.h"
#include "libshared/wire/ws_frame.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"
#include "siod/net/ws_handshake.h"

enum {
    SCRATCH_SIZE = 65536,  /* what the transport brings at most at once */
    FRAGMENTS_FREE = 4096, /* frames of a message beyond one for each of its bytes */
    PONGS_MAX = 65536,     /* bytes of output behind which pings go unanswered */
};

/* Bytes that came with the upgrade request, on their way through the loop. */
struct early {
    struct loop_call call;
    struct ws *ws; /* NULL when that is gone */
    struct buf bytes;
};

/* What is incomplete: a message, a control frame between its fragments, or both. */
struct partial {
    struct ws *ws;
    struct hold hold;
    struct buf message;
    size_t control_len;
    char control[WS_CONTROL_MAX];
};

struct ws {
    struct conn *conn;
    const struct ws_ops *ops;
    void *user;
    struct early *early;
    struct partial *partial; /* NULL while nothing is incomplete */
    struct ws_decoder decoder;
    uint32_t fragments; /* of the present message */
    uint8_t end;
    bool ended; /* input is ignored, `end` is set */
    bool told;  /* on_close was called */
};

static char scratch[SCRATCH_SIZE];

static bool give_way(struct hold *hold);

static struct partial *partial(struct ws *ws)
{
    if (ws->partial == NULL) {
        ws->partial = xnew(struct partial);
        ws->partial->ws = ws;
        ws->partial->hold.evict = give_way;
        ws->partial->hold.from = conn_peer(ws->conn);
    }
    return ws->partial;
}

static struct budget *budget(const struct ws *ws)
{
    return loop_budget(conn_loop(ws->conn));
}

static void drop_partial(struct ws *ws)
{
    if (ws->partial != NULL) {
        hold_release(budget(ws), &ws->partial->hold);
        buf_finish(&ws->partial->message);
        free(TAKE(ws->partial));
    }
}

static void tell(struct ws *ws)
{
    if (!ws->told) {
        ws->told = true;
        ws->ops->on_close(ws, (enum ws_end)ws->end);
    }
}

static void send_close(struct ws *ws, unsigned code)
{
    char payload[2] = { (char)(code >> 8), (char)code };
    struct frame *frame =
        frame_control(WS_OP_CLOSE, (struct str) { payload, code != WS_CODE_NONE ? 2 : 0 });

    conn_send(ws->conn, frame);
    frame_unref(frame);
    conn_close(ws->conn);
}

/* Only from input: the user is told before this returns. */
static void finish(struct ws *ws, enum ws_end end, unsigned code)
{
    if (ws->ended) {
        return;
    }
    ws->ended = true;
    ws->end = (uint8_t)end;
    drop_partial(ws);
    send_close(ws, code);
    tell(ws);
}

static void fail(struct ws *ws, enum ws_code code)
{
    static struct log_gate gate;
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_info(LOG_NET, "websocket refused input", "peer=%s code=%d suppressed=%u",
                 conn_peer(ws->conn), code, suppressed);
    }
    finish(ws, code == WS_CODE_TOO_BIG ? WS_END_TOO_BIG : WS_END_PROTOCOL, code);
}

static bool give_way(struct hold *hold)
{
    finish(CONTAINER_OF(hold, struct partial, hold)->ws, WS_END_NO_ROOM, WS_CODE_TRY_AGAIN_LATER);
    return true;
}

static void on_control(struct ws *ws, struct str payload)
{
    unsigned peer_code = WS_CODE_NONE;
    enum ws_code code;
    struct frame *frame;

    if (ws->decoder.opcode == WS_OP_PING) {
        if (conn_pending(ws->conn) < PONGS_MAX) {
            frame = frame_control(WS_OP_PONG, payload);
            conn_send(ws->conn, frame);
            frame_unref(frame);
        }
    } else if (ws->decoder.opcode == WS_OP_CLOSE) {
        code = ws_close_parse(payload, &peer_code);
        if (code != WS_CODE_NORMAL) {
            fail(ws, code);
        } else {
            finish(ws, WS_END_CLOSED, peer_code);
        }
    }
}

static size_t control_input(struct ws *ws, struct str bytes)
{
    char whole[WS_CONTROL_MAX];
    size_t before = ws->partial != NULL ? ws->partial->control_len : 0;
    ptrdiff_t len;

    if (before > 0) {
        memcpy(whole, ws->partial->control, before);
    }
    len = ws_decoder_payload(&ws->decoder, bytes, whole + before);
    if (!ws_decoder_frame_done(&ws->decoder)) {
        memcpy(partial(ws)->control + before, whole + before, (size_t)len);
        ws->partial->control_len = before + (size_t)len;
        return (size_t)len;
    }
    if (before > 0 && ws->partial->message.len == 0) {
        drop_partial(ws);
    } else if (before > 0) {
        ws->partial->control_len = 0;
    }
    on_control(ws, (struct str) { whole, before + (size_t)len });
    return (size_t)len;
}

static void deliver(struct ws *ws, struct str payload)
{
    ws->fragments = 0;
    ws->ops->on_message(ws, ws->decoder.opcode == WS_OP_BINARY, payload);
}

/* Appends to the message that is being assembled. */
static size_t partial_input(struct ws *ws, struct str bytes)
{
    size_t most = bytes.len < ws->decoder.left ? bytes.len : ws->decoder.left;
    struct partial *part = partial(ws);
    ptrdiff_t len;

    if (!hold_set(budget(ws), &part->hold, part->message.len + most)) {
        (void)give_way(&part->hold);
        return bytes.len;
    }
    len = ws_decoder_payload(&ws->decoder, bytes, buf_reserve(&part->message, most));
    if (len < 0) {
        fail(ws, WS_CODE_INVALID_DATA);
        return bytes.len;
    }
    ws->partial->message.len += (size_t)len;
    if (ws_decoder_frame_done(&ws->decoder) && ws->decoder.fin) {
        autobuf struct buf message = ws->partial->message;

        ws->partial->message = (struct buf)BUF_INIT;
        drop_partial(ws);
        deliver(ws, buf_str(&message));
    }
    return (size_t)len;
}

static size_t data_input(struct ws *ws, struct str bytes)
{
    ptrdiff_t len;

    if ((ws->partial != NULL && ws->partial->message.len > 0) || !ws->decoder.fin ||
        bytes.len < ws->decoder.left || ws->decoder.left > SCRATCH_SIZE) {
        return partial_input(ws, bytes);
    }
    len = ws_decoder_payload(&ws->decoder, bytes, scratch);
    if (len < 0) {
        fail(ws, WS_CODE_INVALID_DATA);
        return bytes.len;
    }
    deliver(ws, (struct str) { scratch, (size_t)len });
    return (size_t)len;
}

/* A header is complete. Empty fragments cost a peer little: they are counted. */
static void frame_begun(struct ws *ws)
{
    if (!ws_opcode_is_control(ws->decoder.opcode) &&
        ++ws->fragments > FRAGMENTS_FREE + ws->decoder.message_len) {
        fail(ws, WS_CODE_TOO_BIG);
    }
}

static void input(struct ws *ws, struct str bytes)
{
    while (!ws->ended) {
        enum ws_code code;
        size_t used;

        if (!ws_decoder_in_frame(&ws->decoder)) {
            switch (ws_decoder_head(&ws->decoder, bytes, &used, &code)) {
            case WS_STEP_MORE:
                return;
            case WS_STEP_ERROR:
                fail(ws, code);
                return;
            case WS_STEP_FRAME:
                bytes = str_skip(bytes, used);
                frame_begun(ws);
                continue;
            }
        }
        if (bytes.len == 0 && ws->decoder.left > 0) {
            return;
        }
        used = ws_opcode_is_control(ws->decoder.opcode) ? control_input(ws, bytes)
                                                        : data_input(ws, bytes);
        bytes = str_skip(bytes, used);
    }
}

static void on_data(struct conn *conn, struct str bytes)
{
    struct ws *ws = conn_user(conn);

    if (ws->early != NULL) {
        buf_add_str(&ws->early->bytes, bytes);
        return;
    }
    input(ws, bytes);
}

static void on_close(struct conn *conn, enum conn_end end)
{
    struct ws *ws = conn_user(conn);

    if (!ws->ended) {
        ws->end = end == CONN_END_PEER   ? WS_END_CLOSED
                  : end == CONN_END_SLOW ? WS_END_SLOW
                                         : WS_END_LOCAL;
    }
    tell(ws);
    if (ws->early != NULL) {
        ws->early->ws = NULL;
    }
    drop_partial(ws);
    free(ws);
}

static const struct conn_ops ws_conn_ops = { on_data, NULL, on_close };

static void run_early(struct loop_call *call)
{
    struct early *early = CONTAINER_OF(call, struct early, call);

    if (early->ws != NULL) {
        early->ws->early = NULL;
        input(early->ws, buf_str(&early->bytes));
    }
    buf_finish(&early->bytes);
    free(early);
}

static void keep_early(struct ws *ws, struct str rest)
{
    struct early *early = xnew(struct early);

    early->ws = ws;
    early->call.fn = run_early;
    buf_add_str(&early->bytes, rest);
    ws->early = early;
    loop_post(conn_loop(ws->conn), &early->call);
}

struct ws *ws_accept(struct http_request *request, struct str headers, uint32_t max_message,
                     const struct ws_ops *ops, void *user)
{
    autobuf struct buf answer = BUF_INIT;
    struct str rest;
    struct ws *ws;

    if (!ws_handshake(request, headers, &answer)) {
        return NULL;
    }
    ws = xnew(struct ws);
    ws->ops = ops;
    ws->user = user;
    ws_decoder_init(&ws->decoder, max_message);
    ws->conn = http_detach(request, &rest);
    conn_take(ws->conn, &ws_conn_ops, ws);
    conn_send_bytes(ws->conn, buf_str(&answer));
    if (rest.len > 0) {
        keep_early(ws, rest);
    }
    return ws;
}

void *ws_user(const struct ws *ws)
{
    return ws->user;
}

void ws_set_user(struct ws *ws, void *user)
{
    ws->user = user;
}

void ws_send(struct ws *ws, struct frame *frame)
{
    assert(frame->header_len > 0);
    conn_send(ws->conn, frame);
}

size_t ws_pending(const struct ws *ws)
{
    return conn_pending(ws->conn);
}

bool ws_admit(struct ws *ws, size_t bytes)
{
    return conn_admit(ws->conn, bytes);
}

bool ws_is_behind(const struct ws *ws)
{
    return conn_is_behind(ws->conn);
}

size_t ws_unread(const struct ws *ws)
{
    return conn_unread(ws->conn);
}

uint64_t ws_taken(const struct ws *ws)
{
    return conn_taken(ws->conn);
}

uint64_t ws_announced(const struct ws *ws)
{
    return ws->decoder.message_len;
}

void ws_close(struct ws *ws, unsigned code)
{
    if (ws->ended) {
        return;
    }
    ws->ended = true;
    ws->end = WS_END_LOCAL;
    send_close(ws, code);
}
