/* The store between its threads: what the loop thread and the writer share, and how the one tells
 * the other. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "siod/store/backend.h"

#define STORE_REASON_SIZE sizeof(((struct store_fault *)NULL)->reason)

/* Jobs in the order of submission; `end` points at the last link. */
struct queue {
    struct store_job *first, **end;
    size_t count;
};

struct store {
    struct loop *loop;
    struct store_config config; /* its strings are not kept */
    const struct store_backend *backend;
    struct store_tx *tx; /* the writer thread's */
    struct store_readers *readers;
    struct retention *retention; /* the loop thread's */
    char epoch[17];
    atomic_uint refs;

    /* the loop thread's view */
    enum store_health health;
    char reason[STORE_REASON_SIZE];

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct queue waiting;
    bool urgent; /* a job in it is not patient */
    struct store_stats stats;
    bool idle; /* the writer sleeps on `wake` */
    bool stopping;
    bool failed;
    atomic_bool stop;      /* with `stopping`, for what runs without the lock */
    bool suspect;          /* a reader has found what makes no sense */
    atomic_bool accepting; /* what store_accepting() reads without the lock */

    /* the writer thread's */
    uint64_t batch_ms; /* when the last batch was done */
    unsigned retry_factor;
    char damage[STORE_REASON_SIZE]; /* told while it fails */
    uint64_t recovered_ms;
};

/* worker.c: the writer thread; `arg` is the store. */
void *store_writer_main(void *arg);

/* Under the lock: what store_accepting() says from now on. */
void store_refresh_accepting(struct store *store);

/* ------------------------------------------------------------------ delivery.c */

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct store_job *job);
/* NULL when it is empty. */
struct store_job *queue_pop(struct queue *queue);
/* Moves all of `from` behind what is in `to`. */
void queue_move(struct queue *to, struct queue *from);

/* What goes to the loop thread in one post. */
struct delivery {
    struct loop_call call;
    struct store *store;
    bool health_changed;
    enum store_health health;
    char reason[STORE_REASON_SIZE];
    struct store_events *events;
    struct queue jobs;
};

struct delivery *delivery_new(struct store *store);
void delivery_health(struct delivery *delivery, enum store_health health, const char *reason);
void store_unref(struct store *store);
