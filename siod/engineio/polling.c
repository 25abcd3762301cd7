/* HTTP long polling (protocol.md 1.5): a GET parks until there is something to send, a POST brings
 * a payload.
 *
 * Sending only marks the session; its parked GET is answered at the end of the round, so that what
 * a round produced travels in one answer. */
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "libshared/utf8.h"
#include "siod/engineio/session.h"

static bool give_way(struct hold *hold);

struct eio_polling *eio_polling_new(struct eio_session *session)
{
    struct eio_polling *polling = xnew(struct eio_polling);

    polling->session = session;
    polling->hold.evict = give_way;
    polling->hold.from = session->from->text;
    STAILQ_INIT(&polling->queue);
    return polling;
}

struct frame *eio_polling_dequeue(struct eio_polling *polling)
{
    struct eio_queued *queued = STAILQ_FIRST(&polling->queue);
    struct frame *frame;

    if (queued == NULL) {
        return NULL;
    }
    frame = queued->frame;
    STAILQ_REMOVE_HEAD(&polling->queue, link);
    polling->queued_bytes -= frame_payload(frame).len;
    free(queued);
    return frame;
}

static void unmark(struct eio_polling *polling)
{
    if (polling->dirty) {
        DL_DELETE(polling->session->server->dirty, polling);
        polling->dirty = false;
    }
}

/* The request is no longer ours. */
static struct http_request *release(struct http_request **held)
{
    struct http_request *request = *held;

    *held = NULL;
    http_set_user(request, NULL);
    return request;
}

static void drop_body(struct eio_polling *polling)
{
    hold_release(loop_budget(polling->session->server->loop), &polling->hold);
    buf_finish(&polling->body);
}

void eio_polling_free(struct eio_polling *polling)
{
    if (polling == NULL) {
        return;
    }
    unmark(polling);
    while (!STAILQ_EMPTY(&polling->queue)) {
        frame_unref(eio_polling_dequeue(polling));
    }
    timer_clear(&polling->upgrade_timer);
    drop_body(polling);
    free(polling);
}

void eio_polling_mark(struct eio_polling *polling)
{
    struct eio_server *server = polling->session->server;

    if (polling->dirty) {
        return;
    }
    if (server->dirty == NULL) {
        loop_wake(server->loop);
    }
    DL_APPEND(server->dirty, polling);
    polling->dirty = true;
}

static void enqueue(struct eio_polling *polling, struct frame *frame)
{
    struct eio_queued *queued = xnew(struct eio_queued);

    queued->frame = frame;
    STAILQ_INSERT_TAIL(&polling->queue, queued, link);
    polling->queued_bytes += frame_payload(frame).len;
}

struct frame *eio_base64_frame(const struct frame *frame)
{
    autobuf struct buf text = BUF_INIT;

    eio_binary_encode(&text, frame_payload(frame));
    return frame_text(buf_str(&text));
}

void eio_polling_send(struct eio_polling *polling, struct frame *frame)
{
    struct eio_session *session = polling->session;
    size_t limit = session->server->config.queue_bytes;

    if (queue_limit_exceeded(polling->extra, limit, polling->queued_bytes,
                             frame_payload(frame).len)) {
        session->server->stats.slow++;
        log_warn(LOG_ENGINEIO, "slow polling client cut",
                 "limit=limits.queue_bytes from=%s queued=%zu", session->from->text,
                 polling->queued_bytes);
        eio_session_end(session, EIO_REASON_TRANSPORT_ERROR, EIO_FAREWELL_CLOSE);
        return;
    }
    enqueue(polling, frame_ref(frame));
    if (polling->get != NULL) {
        eio_polling_mark(polling);
    }
}

bool eio_polling_admit(struct eio_polling *polling, size_t bytes)
{
    return queue_limit_admit(&polling->extra, polling->session->server->config.queue_bytes,
                             polling->queued_bytes, bytes);
}

bool eio_polling_is_behind(const struct eio_polling *polling)
{
    return queue_limit_is_behind(polling->session->server->config.queue_bytes,
                                 polling->queued_bytes);
}

/* With its separator. */
static size_t polled_size(const struct frame *frame)
{
    size_t len = frame_payload(frame).len;

    return (frame->binary ? 1 + (len + 2) / 3 * 4 : len) + 1;
}

static struct frame *polled_frame(const struct eio_session *session, struct frame *frame)
{
    struct frame *text;

    if (!frame->binary || session->is_v3) {
        return frame;
    }
    text = eio_base64_frame(frame);
    frame_unref(frame);
    return text;
}

/* As much as one answer may hold; `reserve` packets are kept free for the caller. */
static size_t take_packets(struct eio_polling *polling, struct frame **frames, size_t reserve)
{
    size_t max_bytes = polling->session->server->config.max_payload, bytes = 0, count = 0;

    while (!STAILQ_EMPTY(&polling->queue) && count < EIO_PAYLOAD_PACKETS_MAX - reserve) {
        bytes += polled_size(STAILQ_FIRST(&polling->queue)->frame);
        if (count > 0 && bytes > max_bytes + 1) {
            break;
        }
        frames[count++] = polled_frame(polling->session, eio_polling_dequeue(polling));
    }
    polling->took = polling->took || !STAILQ_EMPTY(&polling->queue);
    return count;
}

bool eio_polling_took(struct eio_polling *polling)
{
    bool took = polling->took;

    polling->took = false;
    return took;
}

static void answer_get(struct eio_polling *polling, struct frame *const *frames, size_t count)
{
    unmark(polling);
    eio_reply_packets(polling->session, release(&polling->get), frames, count);
}

static void unref_all(struct frame **frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        frame_unref(frames[i]);
    }
}

void eio_polling_answer(struct eio_polling *polling, struct frame *frame)
{
    if (polling->get != NULL) {
        answer_get(polling, &frame, 1);
    }
}

void eio_polling_refuse_get(struct eio_polling *polling)
{
    if (polling->get != NULL) {
        unmark(polling);
        eio_reply_error(polling->session->server, release(&polling->get), EIO_ERROR_BAD_REQUEST);
    }
}

void eio_polling_flush(struct eio_polling *polling)
{
    struct frame *frames[EIO_PAYLOAD_PACKETS_MAX];
    size_t count;

    unmark(polling);
    if (polling->get == NULL) {
        return;
    }
    count = take_packets(polling, frames, 0);
    if (count > 0) {
        answer_get(polling, frames, count);
        unref_all(frames, count);
    } else if (polling->probed) {
        eio_polling_answer(polling, polling->session->server->noop);
    }
}

/* What was queued before an orderly end, then `1`. A GET that comes only now gets what is queued,
 * and the next one a noop and `1`, as clients are used to it; likewise where packets are not to
 * come in one payload with the end (farewell_apart). False when a further GET is needed. */
static bool answer_orderly(struct eio_polling *polling, bool was_parked)
{
    struct eio_server *server = polling->session->server;
    struct frame *frames[EIO_PAYLOAD_PACKETS_MAX];
    size_t count = take_packets(polling, frames, was_parked ? 1 : 0);
    bool together = was_parked && (!server->config.farewell_apart || polling->session->is_v3);
    bool done = STAILQ_EMPTY(&polling->queue) && (together || count == 0);

    if (count == 0 && !was_parked) {
        frames[count++] = frame_ref(server->noop);
    }
    if (done) {
        frames[count++] = frame_ref(server->close);
    }
    answer_get(polling, frames, count);
    unref_all(frames, count);
    return done;
}

bool eio_polling_farewell(struct eio_polling *polling, enum eio_farewell farewell)
{
    struct eio_server *server = polling->session->server;

    timer_clear(&polling->upgrade_timer);
    if (polling->probe != NULL) {
        eio_websocket_close(polling->probe);
        polling->probe = NULL;
    }
    if (polling->post != NULL) {
        eio_reply_error(server, release(&polling->post), EIO_ERROR_SESSION_UNKNOWN);
        drop_body(polling); /* it may linger, and has nothing left to give way with */
    }
    switch (farewell) {
    case EIO_FAREWELL_ORDERLY:
        return polling->get != NULL && answer_orderly(polling, true);
    case EIO_FAREWELL_CLOSE:
        eio_polling_answer(polling, server->close);
        break;
    case EIO_FAREWELL_NOOP:
        eio_polling_flush(polling);
        eio_polling_answer(polling, server->noop);
        break;
    }
    return true;
}

static void park(struct eio_polling *polling, struct http_request *request)
{
    polling->get = request;
    http_set_user(request, polling->session);
}

void eio_polling_get(struct eio_session *session, struct http_request *request)
{
    struct eio_polling *polling = session->polling;

    if (polling->get != NULL) {
        eio_reply(session->server, request, 400, NULL, STR(""));
        eio_session_end(session, EIO_REASON_TRANSPORT_ERROR, EIO_FAREWELL_CLOSE);
        return;
    }
    park(polling, request);
    if (session->state == EIO_STATE_LINGERING) {
        if (answer_orderly(polling, false)) {
            eio_session_forget(session);
        }
    } else if (!STAILQ_EMPTY(&polling->queue) || polling->probed) {
        eio_polling_mark(polling);
    }
}

/* To the letter, as the reference has it: with a parameter, or in capitals, it is text. */
static bool is_octet_stream(const struct http_request *request)
{
    return str_eq(http_header(request, STR("Content-Type")), STR("application/octet-stream"));
}

static void refuse_post(struct eio_session *session, struct http_request *request)
{
    eio_reply(session->server, request, 400, NULL, STR(""));
    eio_session_end(session, EIO_REASON_TRANSPORT_ERROR, EIO_FAREWELL_CLOSE);
}

/* After an upgrade the last POST may still have been on its way. */
static void free_unused(struct eio_session *session)
{
    if (session->transport == EIO_TRANSPORT_WEBSOCKET && session->polling->post == NULL) {
        eio_polling_free(session->polling);
        session->polling = NULL;
    }
}

/* The session lives on: only this payload is lost. */
static void refuse_oversize(struct eio_session *session, struct http_request *request, size_t size)
{
    static struct log_gate gate;
    unsigned suppressed;

    session->server->stats.oversize++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "oversize polling body", "from=%s size=%zu max=%u suppressed=%u",
                 session->from->text, size, session->server->config.max_payload, suppressed);
    }
    eio_reply(session->server, request, 413, NULL, STR(""));
}

void eio_polling_post(struct eio_session *session, struct http_request *request)
{
    struct eio_polling *polling = session->polling;
    int64_t length = http_content_length(request);

    if (session->state != EIO_STATE_OPEN) {
        eio_reply(session->server, request, 200, "text/html", STR("ok"));
    } else if (polling->post != NULL) {
        http_abort(release(&polling->post));
        drop_body(polling); /* now, not with the session: it has nothing left to give way with */
        refuse_post(session, request);
    } else if (is_octet_stream(request) && !session->is_v3) {
        refuse_post(session, request);
    } else if (length > 0 && (uint64_t)length > session->server->config.max_payload) {
        refuse_oversize(session, request, (size_t)length);
    } else {
        polling->post = request;
        polling->post_is_bytes = is_octet_stream(request);
        http_set_user(request, session);
        http_accept_body(request, 0); /* its size is counted here: a 413 does not end the session */
    }
}

/* This payload is lost, as an oversize one is. */
static void give_up_body(struct eio_polling *polling)
{
    struct eio_session *session = polling->session;

    drop_body(polling);
    eio_reply_busy(session->server, release(&polling->post));
    free_unused(session);
}

static bool give_way(struct hold *hold)
{
    give_up_body(CONTAINER_OF(hold, struct eio_polling, hold));
    return true;
}

void eio_polling_body(struct http_request *request, struct str bytes)
{
    struct eio_session *session = http_user(request);
    struct eio_polling *polling;
    size_t size;

    if (session == NULL) {
        return;
    }
    polling = session->polling;
    size = polling->body.len + bytes.len;
    if (size > session->server->config.max_payload) {
        drop_body(polling);
        refuse_oversize(session, release(&polling->post), size);
        free_unused(session);
    } else if (!hold_set(loop_budget(session->server->loop), &polling->hold, size)) {
        give_up_body(polling);
    } else {
        buf_add_str(&polling->body, bytes);
    }
}

/* Packets before a bad one are delivered. One that is no UTF-8 is as bad as an empty one. */
static bool receive_payload(struct eio_session *session, struct str body)
{
    struct eio_payload payload = eio_payload_of(body);
    struct str packet;

    if (session->is_v3) {
        return eio_v3_receive_payload(session, body, session->polling->post_is_bytes);
    }
    while (session->state == EIO_STATE_OPEN && eio_payload_next(&payload, &packet)) {
        if (!eio_session_receive(session, utf8_valid(packet) ? packet : STR_NONE)) {
            return false;
        }
    }
    return true;
}

void eio_polling_complete(struct http_request *request)
{
    struct eio_session *session = http_user(request);
    struct eio_polling *polling;
    autobuf struct buf body = BUF_INIT;

    if (session == NULL) {
        return;
    }
    polling = session->polling;
    body = polling->body;
    polling->body = (struct buf)BUF_INIT;
    hold_release(loop_budget(session->server->loop), &polling->hold);
    release(&polling->post);
    if (receive_payload(session, buf_str(&body))) {
        eio_reply(session->server, request, 200, "text/html", STR("ok"));
    } else {
        eio_reply(session->server, request, 400, NULL, STR(""));
    }
    free_unused(session);
}

void eio_polling_request_end(struct http_request *request, bool aborted)
{
    struct eio_session *session = http_user(request);
    struct eio_polling *polling;

    if (session == NULL) {
        return;
    }
    polling = session->polling;
    if (polling->get == request) {
        unmark(polling);
        polling->get = NULL;
    } else {
        polling->post = NULL;
        drop_body(polling);
        free_unused(session);
    }
    if (aborted) {
        eio_session_end(session, EIO_REASON_TRANSPORT_CLOSE, EIO_FAREWELL_CLOSE);
    }
}
