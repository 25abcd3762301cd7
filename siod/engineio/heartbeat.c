/* The server pings (protocol.md 1.6); in protocol 3 the client does, and the server only waits for
 * the next ping (protocol.md 2). One deadline a session, which an upgrade leaves alone: the
 * ping that was sent over polling may be answered over WebSocket, and if it got lost the session
 * still ends.
 *
 * While a pong is due, any packet shows that the client lives and moves the deadline, up to twice
 * the timeout after the ping. Packets only leave a time stamp; the timer looks at it when it
 * fires. */
#include "siod/engineio/session.h"

/* A timer may be this late and still count from when it was due; if more, the process was held up
 * and the client is given its full time. */
enum { LATE_MS = 50 };

static void on_timer(struct timer *timer);

static uint64_t deadline_ms(const struct eio_session *session)
{
    uint64_t timeout_ms = session->server->config.ping_timeout_ms;
    uint64_t alive_ms = MAX(session->ping_ms, session->heard_ms);

    if (session->is_v3) {
        return session->ping_ms;
    }
    return MIN(alive_ms + timeout_ms, session->ping_ms + 2 * timeout_ms);
}

static void set_timer(struct eio_session *session, uint64_t at_ms)
{
    struct loop *loop = session->server->loop;
    uint64_t now_ms = loop_now_ms(loop);

    timer_set(loop, &session->timer, at_ms > now_ms ? at_ms - now_ms : 0, on_timer);
}

static void schedule_ping(struct eio_session *session)
{
    session->awaiting_pong = false;
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
        session->proved_ms = session->ping_ms;
    }
    schedule_ping(session);
}

bool eio_heartbeat_expired(const struct eio_session *session)
{
    return session->awaiting_pong && loop_now_ms(session->server->loop) >= deadline_ms(session);
}
