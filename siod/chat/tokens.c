/* Revoking: first the row, then, with its commit, the entry in memory, then the sockets, in slices.
 * A token that was let in before the entry was there has a socket by then, which the walk finds.
 *
 * What the store purges is dropped from memory by the same rows; a purge is one small job an hour,
 * more only while there is more to purge. */
#include "siod/chat/tokens.h"

#include <inttypes.h>
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/revocation.h"
#include "siod/metrics/metrics.h"

enum {
    MS_PER_S = 1000,
    PURGE_ROWS = 500,
    PURGE_MS = 3600 * 1000,
    PURGE_AFTER_S = 24 * 3600, /* more than any leeway, and than most steps of a clock */
};

struct desk_tokens {
    struct desk *desk;
    struct revocations *revoked;
    struct timer purge;
    struct revoke_job *closing; /* whose sockets are being closed */
    struct loop_hook hook;
};

enum err desk_token_verify(struct desk *desk, struct str token, struct token_claims *ret_claims,
                           struct errmsg *msg)
{
    int64_t now_s = loop_wall_ms(desk->config.loop) / MS_PER_S;
    enum err err = token_verify(desk->config.tokens, token, now_s, ret_claims, msg);

    if (err == OK) {
        err = revocations_check(desk->tokens->revoked, ret_claims, msg);
        metric_add(METRIC_REVOKED_REFUSED, err != OK);
    }
    return err;
}

int64_t desk_token_issued_before(const struct desk *desk, int64_t business_id, int64_t user_id)
{
    return revocations_issued_before(desk->tokens->revoked, business_id, user_id);
}

size_t desk_revocations(const struct desk *desk)
{
    return revocations_count(desk->tokens->revoked);
}

/* ---- revoking */

struct revoke_job {
    struct store_job job;
    struct desk *desk;
    struct store_revocation wanted, now;
    struct buf texts; /* what the strings of both borrow from */
    token_revoked *done;
    void *arg;
    struct revoke_job *prev, *next; /* tokens->closing */
    struct sio_walk walk;
    unsigned closed;
};

static enum err revoke_apply(struct store_job *job, struct store_tx *tx)
{
    struct revoke_job *revoke = CONTAINER_OF(job, struct revoke_job, job);

    return store_revocation_put(tx, &revoke->wanted, &revoke->now);
}

static struct revocation_subject subject_of(const struct desk_socket *self)
{
    return (struct revocation_subject) {
        .business_id = self->agent.business_id,
        .user_id = self->agent.user_id,
        .issued_s = self->agent.token_issued_s,
        .tag = self->token_tag,
    };
}

bool desk_token_revoked(const struct desk_socket *self)
{
    const struct revocation_subject subject = subject_of(self);

    return revocations_cover(desk_of(self)->tokens->revoked, &subject);
}

static void close_if_covered(struct revoke_job *revoke, const struct sio_socket *socket)
{
    struct desk_socket *self = sio_socket_user(socket);

    if (self == NULL) {
        return;
    }

    const struct revocation_subject subject = subject_of(self);

    if (revocation_covers(&revoke->now, &subject)) {
        revoke->closed++;
        desk_socket_close(self, "token revoked");
    }
}

static void revoke_end(struct revoke_job *revoke, enum err err)
{
    revoke->done(revoke->arg, err, err == OK ? &revoke->now : NULL, revoke->closed);
    sio_walk_end(&revoke->walk);
    buf_finish(&revoke->texts);
    free(revoke);
}

static void closed_all(struct revoke_job *revoke)
{
    const struct store_revocation *now = &revoke->now;

    DL_DELETE(revoke->desk->tokens->closing, revoke);
    metric_add(METRIC_REVOKED_CLOSED, revoke->closed);
    log_info(LOG_CHAT, "revoked",
             "jti=\"%.*s\" user=%" PRId64 " business=%" PRId64 " issued_before_ms=%" PRId64
             " sockets=%u who=\"%.*s\"",
             STR_ARG(now->jti), now->user_id, now->business_id, now->issued_before_ms,
             revoke->closed, STR_ARG(now->who));
    revoke_end(revoke, OK);
}

/* The hook. */
static void close_slice(void *arg)
{
    const struct desk_tokens *tokens = arg;
    struct loop_slice slice;

    if (tokens->closing == NULL) {
        return;
    }
    slice = loop_slice_begin();
    while (tokens->closing != NULL) {
        const struct sio_socket *socket = sio_walk_socket(&tokens->closing->walk);

        if (socket == NULL) {
            closed_all(tokens->closing);
        } else {
            close_if_covered(tokens->closing, socket);
        }
        if (loop_slice_over(&slice)) {
            break;
        }
    }
    loop_wake(tokens->desk->config.loop);
}

static void revoke_done(struct store_job *job, enum err err)
{
    struct revoke_job *revoke = CONTAINER_OF(job, struct revoke_job, job);
    struct desk_tokens *tokens = revoke->desk->tokens;

    if (err != OK) {
        revoke_end(revoke, err);
        return;
    }
    revoke->now.jti = revoke->wanted.jti;
    revoke->now.who = revoke->wanted.who;
    revoke->now.reason = revoke->wanted.reason;
    revocations_add(tokens->revoked, &revoke->now);
    sio_walk_sockets(&revoke->walk, revoke->desk->nsp);
    DL_APPEND(tokens->closing, revoke);
}

/* Three strings in one buffer, which does not grow any more once they are borrowed from it. */
static void keep_texts(struct revoke_job *revoke, const struct store_revocation *from)
{
    struct str *texts[] = { &revoke->wanted.jti, &revoke->wanted.who, &revoke->wanted.reason };
    size_t at = 0;

    buf_add_str(&revoke->texts, from->jti);
    buf_add_str(&revoke->texts, from->who);
    buf_add_str(&revoke->texts, from->reason);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i]->data != NULL) {
            texts[i]->data = revoke->texts.data != NULL ? revoke->texts.data + at : "";
        }
        at += texts[i]->len;
    }
}

void desk_token_revoke(struct desk *desk, const struct store_revocation *revocation,
                       token_revoked *done, void *arg)
{
    struct revoke_job *revoke = xnew(struct revoke_job);

    revoke->job.apply = revoke_apply;
    revoke->job.done = revoke_done;
    revoke->desk = desk;
    revoke->wanted = *revocation;
    keep_texts(revoke, revocation);
    revoke->done = done;
    revoke->arg = arg;
    if (!store_submit(desk->config.store, &revoke->job)) {
        revoke_done(&revoke->job, store_refusal(desk->config.store));
    }
}

/* ---- purging */

struct purge_job {
    struct store_job job;
    struct desk_tokens *tokens;
    int64_t before_s;
    struct store_revocation gone[PURGE_ROWS]; /* with a jti that is owned */
    unsigned count;
};

static void purge_later(struct desk_tokens *tokens, uint64_t delay_ms);

static void forget_gone(struct purge_job *purge)
{
    for (unsigned i = 0; i < purge->count; i++) {
        free((void *)(uintptr_t)purge->gone[i].jti.data);
    }
    purge->count = 0;
}

static void take_gone(void *arg, const struct store_revocation *revocation)
{
    struct purge_job *purge = arg;
    struct store_revocation *gone = &purge->gone[purge->count++];

    *gone = (struct store_revocation) { .jti = revocation->jti,
                                        .business_id = revocation->business_id,
                                        .user_id = revocation->user_id };
    if (gone->jti.data != NULL) {
        gone->jti.data = xstrndup(revocation->jti.data, revocation->jti.len);
    }
}

static enum err purge_apply(struct store_job *job, struct store_tx *tx)
{
    struct purge_job *purge = CONTAINER_OF(job, struct purge_job, job);

    forget_gone(purge);
    return store_revocations_purge(tx, purge->before_s, PURGE_ROWS, take_gone, purge);
}

static void purge_done(struct store_job *job, enum err err)
{
    struct purge_job *purge = CONTAINER_OF(job, struct purge_job, job);
    struct desk_tokens *tokens = purge->tokens;

    for (unsigned i = 0; err == OK && i < purge->count; i++) {
        revocations_remove(tokens->revoked, &purge->gone[i]);
    }
    if (err != OK) {
        log_warn(LOG_CHAT, "revocations not purged", "code=%s", err_code(err));
    }
    purge_later(tokens, err == OK && purge->count == PURGE_ROWS ? 1 : PURGE_MS);
    forget_gone(purge);
    free(purge);
}

static void purge_now(struct timer *timer)
{
    struct desk_tokens *tokens = CONTAINER_OF(timer, struct desk_tokens, purge);
    const struct desk_config *config = &tokens->desk->config;
    struct purge_job *purge = xnew(struct purge_job);

    purge->job.apply = purge_apply;
    purge->job.done = purge_done;
    purge->tokens = tokens;
    purge->before_s = loop_wall_ms(config->loop) / MS_PER_S - PURGE_AFTER_S;
    if (!store_submit(config->store, &purge->job)) {
        purge_done(&purge->job, ERR_BUSY);
    }
}

static void purge_later(struct desk_tokens *tokens, uint64_t delay_ms)
{
    timer_set(tokens->desk->config.loop, &tokens->purge, delay_ms, purge_now);
}

/* ---- life */

struct desk_tokens *desk_tokens_new(struct desk *desk)
{
    struct desk_tokens *tokens = xnew(struct desk_tokens);

    tokens->desk = desk;
    tokens->revoked = revocations_new();
    tokens->hook = (struct loop_hook) { .fn = close_slice, .arg = tokens };
    loop_hook_add(desk->config.loop, &tokens->hook);
    return tokens;
}

void desk_tokens_free(struct desk_tokens *tokens)
{
    while (tokens->closing != NULL) {
        closed_all(tokens->closing);
    }
    timer_clear(&tokens->purge);
    loop_hook_remove(tokens->desk->config.loop, &tokens->hook);
    revocations_free(tokens->revoked);
    free(tokens);
}

void desk_tokens_start(struct desk *desk, struct revocations *revocations)
{
    revocations_free(desk->tokens->revoked);
    desk->tokens->revoked = revocations;
    purge_later(desk->tokens, 0);
}
