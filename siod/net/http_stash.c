/* Input of an HTTP connection that cannot be handled yet: an incomplete head, or what came behind a
 * request that is being answered. */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/net/http_internal.h"

struct http_hold {
    struct hold hold;
    struct http_conn *hc;
};

static struct budget *budget(const struct http_conn *hc)
{
    return loop_budget(hc->server->loop);
}

void http_stash_unhold(struct http_conn *hc)
{
    if (hc->held != NULL) {
        hold_release(budget(hc), &hc->held->hold);
        free(TAKE(hc->held));
    }
}

void http_stash_finish(struct http_conn *hc)
{
    http_stash_unhold(hc);
    buf_finish(&hc->stash);
}

/* The request that is being handled still gets its answer, which says that it is the last. */
static void give_up(struct http_conn *hc)
{
    http_stash_finish(hc);
    hc->in = STR_NONE;
    if (hc->closing) {
        return;
    }
    if (hc->request == NULL) {
        http_refuse(hc, 503);
    } else {
        hc->request->keep_alive = false;
        hc->closing = true;
    }
}

static bool give_way(struct hold *hold)
{
    struct http_hold *held = CONTAINER_OF(hold, struct http_hold, hold);

    if (held->hc->processing) {
        return false;
    }
    give_up(held->hc);
    return true;
}

static bool account(struct http_conn *hc)
{
    if (hc->held == NULL) {
        hc->held = xnew(struct http_hold);
        hc->held->hc = hc;
        hc->held->hold.evict = give_way;
        hc->held->hold.from = conn_peer(hc->conn);
    }
    return hold_set(budget(hc), &hc->held->hold, hc->stash.len);
}

void http_stash_keep(struct http_conn *hc, bool borrowed)
{
    if (borrowed) {
        buf_add(&hc->stash, hc->in.data, hc->in.len);
    } else {
        buf_consume(&hc->stash, hc->stash.len - hc->in.len);
    }
    if (hc->stash.len == 0) {
        http_stash_finish(hc);
    } else if (hc->stash.len > HOLD_FREE && !account(hc)) {
        give_up(hc);
    }
    hc->in = buf_str(&hc->stash);
}
