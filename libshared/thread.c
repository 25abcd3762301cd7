#include "libshared/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

void thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    const struct sched_param priority = { 0 };
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(ret_thread, NULL, fn, arg) != 0) {
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(*ret_thread, name);
    if (sched_getscheduler(0) == SCHED_OTHER) { /* whoever starts siod may want another policy */
        (void)pthread_setschedparam(*ret_thread, SCHED_BATCH, &priority);
    }
}
