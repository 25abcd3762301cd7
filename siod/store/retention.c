/* When what was kept long enough is removed: on the loop thread, a write job a slice.
 *
 * A slice waits its turn with the other jobs and shares their commit. The longer it took from being
 * submitted to being committed, the longer is the pause to the next one, so that purging yields to
 * whatever else the store has to do.
 *
 * What is removed is gone, so nothing is while the clock may be wrong: after it has stepped forward
 * it must have been steady for a day. */
#include "siod/store/retention.h"

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"
#include "siod/store/clock_step.h"

enum {
    PERIOD_MS = 60 * 1000,
    WALK_PERIOD_MS = 6 * 3600 * 1000, /* through all statuses and changes */
    PAUSE_MIN_MS = 10,
    PAUSE_MAX_MS = 2000,
    PAUSE_FACTOR = 2, /* a third of the time at most */
    SLICE_ROWS = 200,
};
static const int64_t day_ms = INT64_C(86400000);

struct retention {
    struct store_job job;
    struct loop *loop;
    struct store *store;
    struct store_retention days;
    struct timer timer;
    bool busy, stopped; /* a job is under way */
    bool held;          /* the clock is not trusted: look at the size alone */
    struct clock_step step;
    uint64_t submitted_ms, walk_ms;
    struct store_purge slice, sum;
    struct store_size measured; /* by the job */
    struct store_size size;
    struct store_purged total;
};

static void tick(struct timer *timer);

static int64_t cutoff(int64_t now_ms, unsigned days)
{
    return days > 0 ? MAX(now_ms - days * day_ms, (int64_t)0) : 0;
}

static enum err apply(struct store_job *job, struct store_tx *tx)
{
    struct retention *retention = CONTAINER_OF(job, struct retention, job);
    enum err err = retention->held ? OK : store_purge(tx, &retention->slice);

    return err == OK ? store_measure(tx, &retention->measured) : err;
}

static void add(struct retention *retention)
{
    const struct store_purge *slice = &retention->slice;

    retention->sum.webhooks += slice->webhooks;
    retention->sum.log += slice->log;
    retention->sum.messages += slice->messages;
    retention->sum.statuses += slice->statuses;
    retention->sum.changes += slice->changes;
    retention->total.webhooks += slice->webhooks;
    retention->total.log += slice->log;
    retention->total.messages += slice->messages;
    retention->total.statuses += slice->statuses;
    retention->total.changes += slice->changes;
}

static void tell(struct retention *retention)
{
    const struct store_purge *sum = &retention->sum;

    if (sum->webhooks + sum->log + sum->messages + sum->statuses + sum->changes > 0) {
        log_info(LOG_STORE, "purged",
                 "webhooks=%llu log=%llu messages=%llu statuses=%llu changes=%llu",
                 (unsigned long long)sum->webhooks, (unsigned long long)sum->log,
                 (unsigned long long)sum->messages, (unsigned long long)sum->statuses,
                 (unsigned long long)sum->changes);
    }
    retention->sum = (struct store_purge) { 0 };
}

static void done(struct store_job *job, enum err err)
{
    struct retention *retention = CONTAINER_OF(job, struct retention, job);
    uint64_t pause_ms = PERIOD_MS, took_ms;

    retention->busy = false;
    if (retention->stopped) {
        free(retention);
        return;
    }
    took_ms = clock_monotonic_ms() - retention->submitted_ms;
    if (err == OK) {
        retention->size = retention->measured;
        add(retention);
    } else if (err != ERR_STORE) {
        log_warn(LOG_STORE, "not purged", "error=%s", err_code(err));
    }
    if (err == OK && retention->slice.more) {
        pause_ms = MIN(MAX(took_ms * PAUSE_FACTOR, (uint64_t)PAUSE_MIN_MS), (uint64_t)PAUSE_MAX_MS);
    } else {
        tell(retention);
        retention->slice.walk = false;
    }
    timer_set(retention->loop, &retention->timer, pause_ms, tick);
}

static void look_at_clock(struct retention *retention, int64_t now_ms)
{
    uint64_t boot_ms = clock_boot_ms();
    int64_t ahead_ms = clock_step_take(&retention->step, now_ms, boot_ms);
    bool held = !clock_step_is_steady(&retention->step, boot_ms);

    if (ahead_ms > 0) {
        log_warn(LOG_STORE, "clock stepped forward, nothing is purged", "by_s=%lld for_s=%d",
                 (long long)ahead_ms / 1000, CLOCK_STEADY_MS / 1000);
    } else if (retention->held && !held) {
        log_info(LOG_STORE, "clock is steady, purging again", "for_s=%d", CLOCK_STEADY_MS / 1000);
    }
    retention->held = held;
}

static struct store_purge next_slice(struct retention *retention, int64_t now_ms)
{
    struct store_purge slice = { .walk = retention->slice.walk,
                                 .ahead_ms = now_ms + day_ms,
                                 .limit = SLICE_ROWS };

    if (!retention->held && retention->submitted_ms >= retention->walk_ms) {
        retention->walk_ms = retention->submitted_ms + WALK_PERIOD_MS;
        slice.walk = true;
    }
    slice.webhooks_before_ms = cutoff(now_ms, retention->days.raw_body_days);
    slice.log_before_ms = cutoff(now_ms, retention->days.log_days);
    slice.messages_before_ms = cutoff(now_ms, retention->days.message_days);
    return slice;
}

static void tick(struct timer *timer)
{
    struct retention *retention = CONTAINER_OF(timer, struct retention, timer);
    int64_t now_ms = clock_wall_ms();

    retention->submitted_ms = clock_monotonic_ms();
    look_at_clock(retention, now_ms);
    retention->slice = next_slice(retention, now_ms);
    retention->busy = store_submit(retention->store, &retention->job);
    if (!retention->busy) {
        timer_set(retention->loop, timer, PAUSE_MAX_MS, tick);
    }
}

struct retention *retention_new(struct loop *loop, struct store *store,
                                const struct store_config *config)
{
    struct retention *retention = xnew(struct retention);

    retention->job.apply = apply;
    retention->job.done = done;
    retention->job.patient = true;
    retention->loop = loop;
    retention->store = store;
    retention->days = config->retention;
    clock_step_init(&retention->step, clock_wall_ms(), clock_boot_ms());
    timer_set(loop, &retention->timer, config->retention_after_ms, tick);
    return retention;
}

void retention_set(struct retention *retention, const struct store_retention *days)
{
    bool same = memcmp(&retention->days, days, sizeof *days) == 0;

    retention->days = *days;
    if (!same && !retention->busy) {
        timer_set(retention->loop, &retention->timer, 0, tick);
    }
}

void retention_free(struct retention *retention)
{
    if (retention == NULL) {
        return;
    }
    timer_clear(&retention->timer);
    retention->stopped = true;
    if (!retention->busy) {
        free(retention);
    }
}

void retention_stats(const struct retention *retention, struct store_size *ret_size,
                     struct store_purged *ret_purged)
{
    *ret_size = retention->size;
    *ret_purged = retention->total;
}
