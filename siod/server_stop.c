/* Signals, and the way out.
 *
 * SIGTERM or SIGINT: listeners close, sessions are told in slices over two seconds, what is in
 * flight is finished and answered; then, or after the deadline, the loop ends. No session gets a
 * `41` packet, which would keep its client from reconnecting. A disk that does not answer cannot
 * hold the end up: then an alarm ends the process, and a second signal does so at once. Everything
 * that was acknowledged is on disk. SIGHUP: the configuration is read again. */
#include <signal.h>
#include <unistd.h>

#include "libshared/log.h"
#include "siod/chat/desk.h"
#include "siod/engineio/engineio.h"
#include "siod/net/http.h"
#include "siod/net/transport.h"
#include "siod/notify.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"

enum {
    STOP_DEADLINE_MS = 8000,
    STOP_ALARM_S = 9,
    STOP_CHECK_MS = 20,
    SESSIONS_MS = 2000, /* within which all clients are told */
};

static bool is_idle(const struct siod *siod)
{
    struct eio_stats sessions;
    struct http_stats http;

    eio_server_stats(sio_engine(siod->sio), &sessions);
    http_server_stats(siod->http, &http);
    return sessions.sessions == 0 && http.open == 0 && webhook_in_flight(siod->webhook) == 0 &&
           desk_backlog(siod->desk) == 0;
}

static void check_idle(struct timer *timer)
{
    struct siod *siod = CONTAINER_OF(timer, struct siod, stop_check);
    struct eio_stats sessions;

    eio_server_stats(sio_engine(siod->sio), &sessions);
    if (!siod->sessions_gone &&
        sessions.sessions == 0) { /* only now: polls were answered with their goodbye */
        siod->sessions_gone = true;
        http_server_drain(siod->http);
    }
    if (is_idle(siod)) {
        loop_stop(siod->loop);
        return;
    }
    timer_set(siod->loop, timer, STOP_CHECK_MS, check_idle);
}

static void deadline_passed(struct timer *timer)
{
    struct siod *siod = CONTAINER_OF(timer, struct siod, stop_deadline);

    log_warn(LOG_MAIN, "stopping without waiting longer", "webhooks=%zu",
             webhook_in_flight(siod->webhook));
    loop_stop(siod->loop);
}

/* The store's last commit is still under way, nobody has been told that it was done. */
static void end_now(int signum)
{
    static const char text[] = "siod: ended without waiting for the store\n";

    (void)signum;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 1 : 0);
}

static void begin_stop(struct siod *siod)
{
    siod->stopping = true;
    siod->ready = false;
    signal(SIGALRM, end_now);
    alarm(STOP_ALARM_S);
    notify_manager("STOPPING=1");
    for (size_t i = 0; i < siod->listener_count; i++) {
        listener_close(siod->listeners[i]);
    }
    siod->listener_count = 0;
    desk_drain(siod->desk);
    eio_server_drain(sio_engine(siod->sio), SESSIONS_MS);
    timer_set(siod->loop, &siod->stop_check, 0, check_idle);
    timer_set(siod->loop, &siod->stop_deadline, STOP_DEADLINE_MS, deadline_passed);
}

static void on_terminate(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct siod *siod = watcher->data;

    (void)loop;
    (void)events;
    if (siod->stopping) {
        log_warn(LOG_MAIN, "stopped at once", "signal=%d", watcher->signum);
        _exit(1);
    }
    log_info(LOG_MAIN, "stopping", "signal=%d", watcher->signum);
    begin_stop(siod);
}

static void on_reload(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    siod_reload_logged(watcher->data);
}

static void watch(struct siod *siod, ev_signal *watcher, int signum,
                  void (*fn)(struct ev_loop *loop, ev_signal *watcher, int events))
{
    ev_signal_init(watcher, fn, signum);
    watcher->data = siod;
    ev_signal_start(loop_ev(siod->loop), watcher);
}

void siod_watch_signals(struct siod *siod)
{
    watch(siod, &siod->on_term, SIGTERM, on_terminate);
    watch(siod, &siod->on_int, SIGINT, on_terminate);
    watch(siod, &siod->on_hup, SIGHUP, on_reload);
}

void siod_unwatch_signals(struct siod *siod)
{
    ev_signal_stop(loop_ev(siod->loop), &siod->on_term);
    ev_signal_stop(loop_ev(siod->loop), &siod->on_int);
    ev_signal_stop(loop_ev(siod->loop), &siod->on_hup);
    timer_clear(&siod->stop_check);
    timer_clear(&siod->stop_deadline);
}
