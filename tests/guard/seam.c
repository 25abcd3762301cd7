#include "tests/guard/seam.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include <openssl/rand.h>

#include "libshared/base.h"

/* The names that ld gives. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __real_RAND_bytes(unsigned char *bytes, int len);
int __wrap_RAND_bytes(unsigned char *bytes, int len);

/* ---- counting */

static atomic_bool measuring;
static _Thread_local bool counting;

void seam_count(bool on)
{
    bool wanted = on && atomic_load(&measuring);

    if (wanted != counting) {
        counting = wanted;
        CALLGRIND_TOGGLE_COLLECT;
    }
}

void seam_measure(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    atomic_store(&measuring, true);
}

void seam_measure_end(void)
{
    atomic_store(&measuring, false);
}

/* ---- time */

static atomic_uint_least64_t elapsed_ms;

void seam_advance_ms(unsigned ms)
{
    atomic_fetch_add(&elapsed_ms, ms);
}

/* Takes the place of libc's for the libraries, too. */
int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    enum { MS_PER_S = 1000, NS_PER_MS = 1000000, BOOTED_S = 1000 };
    const time_t started_s = 1772357400; /* 2026-03-01 */
    uint64_t ms = atomic_load(&elapsed_ms);

    ret_now->tv_sec = (clock == CLOCK_REALTIME ? started_s : BOOTED_S) + (time_t)(ms / MS_PER_S);
    ret_now->tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS;
    return 0;
}

/* ---- random bytes */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(void)
{
    static atomic_uint_least64_t state;
    uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int __wrap_RAND_bytes(unsigned char *bytes, int len)
{
    int done = __real_RAND_bytes(bytes, len);
    bool was_counting = counting;

    seam_count(false);
    for (int at = 0; at < len; at += (int)sizeof(uint64_t)) {
        uint64_t word = next_random();

        memcpy(bytes + at, &word, MIN((size_t)(len - at), sizeof word));
    }
    seam_count(was_counting);
    return done;
}

/* ---- threads */

struct waiter {
    struct waiter *next;
    const pthread_cond_t *cond;
    unsigned thread;
    bool signalled, woken;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct waiter *waiters; /* by thread */
static unsigned created, waiting;
static bool held;
static _Thread_local unsigned thread_number; /* in the order of creation, from 1 */

static void wake(struct waiter *waiter)
{
    waiter->woken = true;
    waiting--;
    __real_pthread_cond_broadcast(&changed);
}

static void enter(struct waiter *waiter)
{
    struct waiter **link = &waiters;

    while (*link != NULL && (*link)->thread < waiter->thread) {
        link = &(*link)->next;
    }
    waiter->next = *link;
    *link = waiter;
    waiting++;
    __real_pthread_cond_broadcast(&changed);
}

static void leave(struct waiter *waiter)
{
    struct waiter **link = &waiters;

    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    struct waiter self = { .cond = cond };

    seam_count(false);
    pthread_mutex_lock(&lock);
    if (thread_number == 0) {
        thread_number = created;
    }
    self.thread = thread_number;
    enter(&self);
    pthread_mutex_unlock(mutex);
    while (!self.woken) {
        __real_pthread_cond_wait(&changed, &lock);
    }
    leave(&self);
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(mutex);
    seam_count(true);
    return 0;
}

/* Time stands still, so that nobody can wait for it; and the kernel would compare `until` with a
 * clock of its own. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    (void)cond;
    (void)mutex;
    (void)until;
    return ETIMEDOUT;
}

static void signal_waiters(const pthread_cond_t *cond, unsigned count)
{
    bool was_counting = counting;

    seam_count(false);
    pthread_mutex_lock(&lock);
    for (struct waiter *at = waiters; at != NULL && count > 0; at = at->next) {
        if (at->cond == cond && !at->signalled) {
            at->signalled = true;
            count--;
            if (!held) {
                wake(at);
            }
        }
    }
    pthread_mutex_unlock(&lock);
    seam_count(was_counting);
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    signal_waiters(cond, 1);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    signal_waiters(cond, created);
    return 0;
}

static void await_all(void)
{
    while (waiting < created) {
        __real_pthread_cond_wait(&changed, &lock);
    }
}

/* One thread at a time gets to where it waits first, so that each has its number. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    int error;

    pthread_mutex_lock(&lock);
    created++;
    pthread_mutex_unlock(&lock);
    error = __real_pthread_create(thread, attributes, fn, arg);
    pthread_mutex_lock(&lock);
    created -= error != 0;
    await_all();
    pthread_mutex_unlock(&lock);
    return error;
}

void seam_hold(void)
{
    pthread_mutex_lock(&lock);
    await_all();
    held = true;
    pthread_mutex_unlock(&lock);
}

static struct waiter *first_signalled(void)
{
    struct waiter *at = waiters;

    while (at != NULL && (!at->signalled || at->woken)) {
        at = at->next;
    }
    return at;
}

bool seam_run_threads(void)
{
    struct waiter *waiter;
    bool any = false;

    pthread_mutex_lock(&lock);
    while ((waiter = first_signalled()) != NULL) {
        wake(waiter);
        await_all();
        any = true;
    }
    pthread_mutex_unlock(&lock);
    return any;
}

void seam_release(void)
{
    pthread_mutex_lock(&lock);
    held = false;
    for (struct waiter *at = waiters; at != NULL; at = at->next) {
        if (at->signalled && !at->woken) {
            wake(at);
        }
    }
    pthread_mutex_unlock(&lock);
}
