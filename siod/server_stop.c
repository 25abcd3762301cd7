/* Signals, and the way out.
 *
 * SIGTERM or SIGINT: listeners close, sessions are told in slices over two seconds, what is in
 * flight is finished and answered; then, or after the deadline, the loop ends. No session gets a
 * `41` packet, which would keep its client from reconnecting. A disk that does not answer cannot
 * hold the end up: then an alarm ends the process, and a second signal does so at once. Everything
 * that was acknowledged is on disk. SIGHUP: the configuration is read again.
 *
 * The loop thread may be what is held up, so SIGTERM and SIGINT have a handler of their own, which
 * sets the alarm and only then asks the loop. It stays to the end of the process: whoever sends a
 * signal to the process and again to its group (timeout(1)) wants one orderly end. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "libshared/clock.h"
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
    STOP_AGAIN_MS = 500, /* a signal so soon after the first one is the same wish */
    SESSIONS_MS = 2000,  /* within which all clients are told */
};

/* Of the handler: it has no argument of ours. */
static _Atomic(struct siod *) signalled; /* who is asked to stop */
static atomic_int first_signal;          /* 0: none yet */
static atomic_uint_least64_t first_signal_ms;

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

/* In a handler; whoever reads the words may be what holds everything up. */
static NORETURN void end(const char *words, int status)
{
    struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

    if (poll(&out, 1, 0) == 1 && write(STDERR_FILENO, words, strlen(words)) < 0) {
        status = 1;
    }
    _exit(status);
}

/* If it is the store's last commit, nobody has been told that it was done. */
static void end_now(int signum)
{
    (void)signum;
    end("siod: ended without waiting for what holds it up\n", 0);
}

static void on_signal(int signum)
{
    struct siod *siod = atomic_load(&signalled);
    int none = 0;

    if (atomic_compare_exchange_strong(&first_signal, &none, signum)) {
        atomic_store(&first_signal_ms, clock_monotonic_ms());
        alarm(STOP_ALARM_S);
        if (siod != NULL) {
            ev_async_send(loop_ev(siod->loop), &siod->on_stop);
        }
    } else if (clock_monotonic_ms() - atomic_load(&first_signal_ms) >= STOP_AGAIN_MS) {
        end("siod: stopped at once\n", 1);
    }
}

/* The loop may have been held up since the signal came, and the alarm has not. */
static uint64_t stop_time_left_ms(void)
{
    uint64_t passed_ms = clock_monotonic_ms() - atomic_load(&first_signal_ms);

    return passed_ms < STOP_DEADLINE_MS ? STOP_DEADLINE_MS - passed_ms : 0;
}

static void begin_stop(struct siod *siod)
{
    siod->stopping = true;
    siod->ready = false;
    notify_manager("STOPPING=1");
    for (size_t i = 0; i < siod->listener_count; i++) {
        listener_close(siod->listeners[i]);
    }
    siod->listener_count = 0;
    desk_drain(siod->desk);
    eio_server_drain(sio_engine(siod->sio), SESSIONS_MS);
    timer_set(siod->loop, &siod->stop_check, 0, check_idle);
    timer_set(siod->loop, &siod->stop_deadline, stop_time_left_ms(), deadline_passed);
}

static void on_stop(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop;
    (void)events;
    log_info(LOG_MAIN, "stopping", "signal=%d", atomic_load(&first_signal));
    begin_stop(watcher->data);
}

static void on_reload(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    siod_reload_logged(watcher->data);
}

static void handle(int signum, void (*fn)(int signum))
{
    struct sigaction action = { .sa_handler = fn, .sa_flags = SA_RESTART };

    sigfillset(&action.sa_mask);
    sigaction(signum, &action, NULL);
}

void siod_watch_signals(struct siod *siod)
{
    ev_async_init(&siod->on_stop, on_stop);
    siod->on_stop.data = siod;
    ev_async_start(loop_ev(siod->loop), &siod->on_stop);
    ev_signal_init(&siod->on_hup, on_reload, SIGHUP);
    siod->on_hup.data = siod;
    ev_signal_start(loop_ev(siod->loop), &siod->on_hup);
    atomic_store(&signalled, siod);
    handle(SIGALRM, end_now);
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
}

void siod_unwatch_signals(struct siod *siod)
{
    atomic_store(&signalled, NULL);
    ev_async_stop(loop_ev(siod->loop), &siod->on_stop);
    ev_signal_stop(loop_ev(siod->loop), &siod->on_hup);
    timer_clear(&siod->stop_check);
    timer_clear(&siod->stop_deadline);
}
