/* Settings, secrets and time of connection state recovery. */
#include "siod/socketio/recovery.h"

#include <string.h>

#include "libshared/id.h"
#include "libshared/siphash.h"
#include "siod/socketio/server.h"

enum {
    WINDOW_MS = 120000,
    SLACK_MS = 1000,
    SWEEP_MIN_MS = 100,
    SWEEP_MAX_MS = 5000,
    SWEEPS = 16, /* in a window */
    TAG_LEN = SIO_PID_LEN - SID_LEN,
    DIGIT_BITS = 6,
};

const char *sio_recovery_refused_label(enum sio_recovery_refused reason)
{
    static const char *const labels[SIO_RECOVERY_REFUSED_COUNT] = {
#define RECOVERY_REFUSED(id, label) [SIO_RECOVERY_##id] = (label),
#include "siod/socketio/recovery.def"
#undef RECOVERY_REFUSED
    };

    return labels[reason];
}

/* What is sent at once must not look like a client that does not read. */
void sio_recovery_fit_queue(struct sio_server *server, size_t queue_bytes)
{
    struct sio_recovery *recovery = &server->recovery;

    recovery->replay_bytes = recovery->config.max_bytes;
    if (queue_bytes > 0) {
        recovery->replay_bytes = MIN(recovery->replay_bytes, queue_bytes / 2);
    }
}

void sio_recovery_init(struct sio_server *server)
{
    struct sio_recovery *recovery = &server->recovery;
    const struct eio_config *engine = &server->config.engine;

    recovery->config = server->config.recovery;
    if (recovery->config.window_ms == 0) {
        recovery->config.window_ms = WINDOW_MS;
    }
    /* a ping goes out late by an interval, and its answer may be waited for twice */
    recovery->beat_ms = engine->ping_interval_ms + 2 * engine->ping_timeout_ms + SLACK_MS;
    recovery->keep_ms = recovery->config.window_ms + recovery->beat_ms;
    sio_recovery_fit_queue(server, engine->queue_bytes);
    TAILQ_INIT(&recovery->streams);
    TAILQ_INIT(&recovery->kept);
    if (recovery->config.enabled) {
        id_random(recovery->key, sizeof recovery->key);
        id_random(&recovery->generation, sizeof recovery->generation);
        recovery->generation &= ((uint64_t)1 << SIO_OFFSET_GENERATION_BITS) - 1;
    }
}

void sio_recovery_set_key(struct sio_server *server, const uint8_t key[SIO_RECOVERY_KEY_BYTES])
{
    memcpy(server->recovery.key, key, SIO_RECOVERY_KEY_BYTES);
}

void sio_recovery_finish(struct sio_server *server)
{
    timer_clear(&server->recovery.sweep);
    while (!TAILQ_EMPTY(&server->recovery.kept)) {
        sio_kept_remove(TAILQ_FIRST(&server->recovery.kept));
    }
}

static void on_sweep(struct timer *timer)
{
    struct sio_server *server = CONTAINER_OF(timer, struct sio_server, recovery.sweep);

    sio_kept_expire(server);
    sio_streams_sweep(server);
    if (!TAILQ_EMPTY(&server->recovery.kept) || !TAILQ_EMPTY(&server->recovery.streams)) {
        sio_recovery_watch(server);
    }
}

void sio_recovery_watch(struct sio_server *server)
{
    uint64_t period_ms = server->recovery.config.window_ms / SWEEPS;

    if (!timer_is_set(&server->recovery.sweep)) {
        timer_set(server->loop, &server->recovery.sweep,
                  MAX(MIN(period_ms, (uint64_t)SWEEP_MAX_MS), (uint64_t)SWEEP_MIN_MS), on_sweep);
    }
}

void sio_recovery_stats(const struct sio_server *server, struct sio_recovery_stats *ret_stats)
{
    const struct sio_recovery *recovery = &server->recovery;

    *ret_stats = recovery->stats;
    ret_stats->enabled = recovery->config.enabled;
    ret_stats->sessions = recovery->kept_count;
    ret_stats->session_bytes = recovery->kept_bytes;
    ret_stats->event_bytes = recovery->event_bytes;
}

/* ---- pids */

static void write_tag(const struct sio_recovery *recovery, const char *id, char tag[TAG_LEN])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t hash = siphash(recovery->key, id, SID_LEN, 2, 4);

    for (unsigned i = 0; i < TAG_LEN; i++, hash >>= DIGIT_BITS) {
        tag[i] = alphabet[hash & 63];
    }
}

void sio_pid_write(const struct sio_recovery *recovery, const char *id, char ret_pid[SIO_PID_LEN])
{
    memcpy(ret_pid, id, SID_LEN);
    write_tag(recovery, id, ret_pid + SID_LEN);
}

bool sio_pid_read(const struct sio_recovery *recovery, struct str pid, char ret_id[SID_SIZE])
{
    char tag[TAG_LEN];
    unsigned different = 0;

    if (pid.len != SIO_PID_LEN) {
        return false;
    }
    memcpy(ret_id, pid.data, SID_LEN);
    ret_id[SID_LEN] = '\0';
    write_tag(recovery, ret_id, tag);
    for (unsigned i = 0; i < TAG_LEN; i++) { /* in the same time, whatever it is */
        different |= (unsigned char)tag[i] ^ (unsigned char)pid.data[SID_LEN + i];
    }
    return different == 0;
}
