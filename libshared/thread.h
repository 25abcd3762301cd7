/* Threads beside the one that everything waits for. */
#pragma once

#include <pthread.h>

/* Starts fn(arg) in a thread of that name (15 bytes at most), to be joined by the caller. It takes
 * no signals: they are the loop thread's business. And it is one for batches (sched(7)): when what
 * it waits for is there, it does not push another thread off a core. Aborts when there is none. */
void thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg);
