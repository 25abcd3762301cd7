/* `store digest`: slice by slice, so that the other reads of the store have their turn. */
#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/store/store.h"

enum { SLICE_ROWS = 1000 };

struct digest {
    struct store_query query;
    struct control_call *call;
    struct store_digest *sum;
};

static void digest_free(void *state)
{
    struct digest *digest = state;

    store_digest_free(digest->sum);
    free(digest);
}

static enum err slice_fetch(struct store_query *query, struct store_reader *reader)
{
    struct digest *digest = CONTAINER_OF(query, struct digest, query);

    return store_digest_slice(reader, digest->sum, SLICE_ROWS);
}

static void answer(struct control_call *call, const struct store_digest *sum)
{
    static const char *const names[] = {
        [STORE_DIGEST_CHATS] = "chats",
        [STORE_DIGEST_MESSAGES] = "messages",
        [STORE_DIGEST_STATUSES] = "statuses",
    };
    char digits[STORE_DIGEST_LEN + 1];
    autobuf struct buf text = BUF_INIT;

    store_digest_render(sum, digits);
    buf_printf(&text, "{\"digest\":\"%s\"", digits);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        buf_printf(&text, ",\"%s\":%lld", names[i], (long long)sum->rows[i]);
    }
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

static void next_slice(struct digest *digest)
{
    control_hold(digest->call);
    store_ask(control_config(digest->call)->store, &digest->query);
}

static void slice_done(struct store_query *query, enum err err)
{
    struct digest *digest = CONTAINER_OF(query, struct digest, query);
    struct control_call *call = digest->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
    } else if (digest->sum->table < STORE_DIGEST_TABLES) {
        next_slice(digest);
    } else {
        answer(call, digest->sum);
    }
}

void control_store_digest(struct control_call *call)
{
    struct digest *digest = xnew(struct digest);

    digest->query.fetch = slice_fetch;
    digest->query.done = slice_done;
    digest->call = call;
    digest->sum = store_digest_new();
    call->state = digest;
    call->release = digest_free;
    next_slice(digest);
}
