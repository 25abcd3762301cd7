/* The server pings (protocol.md 1.6); in protocol 3 the client does, and the server only waits for
 * the next ping (protocol.md 2). One deadline a session, which an upgrade leaves alone: the
 * ping that was sent over polling may be answered over WebSocket, and if it got lost the session
 * still ends.
 *
 * While a pong is due, any packet shows that the client lives and moves the deadline, up to twice
 * the timeout after the ping. Packets only leave a time stamp; the timer looks at it when it
 * fires.
 *
 * A ping may be behind megabytes that a slow client is still reading, and what it sends is not read
 * meanwhile. Whoever has taken some of what waited gets the timeout again, a few times. The kernel
 * tells what was taken: most of what waits may be in its buffers. */
#include "siod/engineio/session.h"

/* A timer may be this late and still count from when it was due; if more, the process was held up
 * and the client is given its full time. */
enum { LATE_MS = 50 };

enum { EXTENSIONS_MAX = 7, LITTLE_BYTES = 4096 };

static void on_timer(struct timer *timer);

static uint64_t deadline_ms(const struct eio_session *session)
{
    uint64_t timeout_ms = session->server->config.ping_timeout_ms;
    uint64_t alive_ms = MAX(session->ping_ms, session->heard_ms);
    uint64_t extended_ms = session->extensions * timeout_ms;

    if (session->is_v3) {
        return session->ping_ms + extended_ms;
    }
    return MIN(alive_ms + timeout_ms, session->ping_ms + 2 * timeout_ms) + extended_ms;
}

static void set_timer(struct eio_session *session, uint64_t at_ms)
{
    struct loop *loop = session->server->loop;
    uint64_t now_ms = loop_now_ms(loop);

    timer_set(loop, &session->timer, at_ms > now_ms ? at_ms - now_ms : 0, on_timer);
}

static bool took_from_websocket(struct eio_session *session)
{
    bool much_waits = ws_unread(session->ws) >= LITTLE_BYTES;
    uint64_t before = session->taken, taken;

    if (!much_waits && before == 0) { /* as nearly always: the kernel is asked once */
        return false;
    }
    taken = (ws_taken(session->ws) | 1u) & 0xffffffu;
    session->taken = much_waits ? taken & 0xffffffu : 0;
    return before == 0 || taken != before;
}

/* Has the client taken any of what waits for it, since this was asked last? When little waited
 * then, it is believed once. */
static bool took_some(struct eio_session *session)
{
    if (session->ws != NULL) {
        return took_from_websocket(session);
    }
    return session->polling != NULL && eio_polling_took(session->polling);
}

/* A ping is sent, or will be: what was taken before it does not count. */
static void look_at_taken(struct eio_session *session)
{
    session->taken = 0;
    (void)took_some(session);
}

static void schedule_ping(struct eio_session *session)
{
    session->awaiting_pong = false;
    session->extensions = 0;
    session->ping_ms =
        loop_now_ms(session->server->loop) + session->server->config.ping_interval_ms;
    set_timer(session, session->ping_ms);
}

static void send_ping(struct eio_session *session)
{
    uint64_t now_ms = loop_now_ms(session->server->loop);

    if (now_ms > session->ping_ms + LATE_MS) {
        session->ping_ms = now_ms;
    }
    session->awaiting_pong = true;
    look_at_taken(session);
    eio_session_send(session, session->server->ping);
    set_timer(session, deadline_ms(session));
}

static void on_timer(struct timer *timer)
{
    struct eio_session *session = CONTAINER_OF(timer, struct eio_session, timer);

    if (!session->awaiting_pong) {
        send_ping(session);
    } else if (eio_heartbeat_expired(session)) {
        eio_session_end(session, EIO_REASON_PING_TIMEOUT, EIO_FAREWELL_CLOSE);
    } else {
        set_timer(session, deadline_ms(session));
    }
}

/* In protocol 3 a session waits all the time; ping_ms is when the client's next one is overdue. */
static void await_ping(struct eio_session *session)
{
    const struct eio_config *config = &session->server->config;

    session->awaiting_pong = true;
    session->extensions = 0;
    look_at_taken(session);
    session->ping_ms =
        loop_now_ms(session->server->loop) + config->ping_interval_ms + config->ping_timeout_ms;
    set_timer(session, session->ping_ms);
}

void eio_heartbeat_start(struct eio_session *session)
{
    if (session->is_v3) {
        await_ping(session);
    } else {
        schedule_ping(session);
    }
}

void eio_heartbeat_ping(struct eio_session *session)
{
    await_ping(session);
    eio_session_send(session, session->server->pong);
}

void eio_heartbeat_pong(struct eio_session *session)
{
    if (session->awaiting_pong) {
        session->proved_ms = session->ping_ms & 0xffffffffffu;
    }
    schedule_ping(session);
}

bool eio_heartbeat_expired(struct eio_session *session)
{
    uint64_t now_ms = loop_now_ms(session->server->loop);

    if (!session->awaiting_pong || now_ms < deadline_ms(session)) {
        return false;
    }
    if (session->extensions < EXTENSIONS_MAX && took_some(session)) {
        session->extensions++;
    }
    return now_ms >= deadline_ms(session);
}
