#include "sioctl/replay/events.h"

#include <string.h>

#include "libshared/json.h"

enum { SETTLE_MS = 60000 };

static enum exit_code settle(struct session *session)
{
    autojson json_t *args = json_pack("{s:s}", "condition", "settled");
    const struct waiting waiting = { .args = args, .timeout_ms = SETTLE_MS, .insists = true };
    autojson json_t *result = NULL;

    return session_wait(session, &waiting, &result);
}

enum exit_code events_mark(struct session *session, json_t **ret_mark)
{
    const struct ctl_call call = { .cmd = "business list" };
    enum exit_code code = settle(session);

    return code == EXIT_DONE ? session_call(session, &call, ret_mark) : code;
}

static int64_t position_in(const json_t *mark, int64_t business_id)
{
    const json_t *business;
    size_t i;

    json_array_foreach(mark, i, business)
    {
        if (json_integer_value(json_object_get(business, "businessId")) == business_id) {
            return json_integer_value(json_object_get(business, "position"));
        }
    }
    return 0;
}

static bool add_event(void *arg, json_t *event)
{
    golden_add_event(arg, event);
    return true;
}

/* Positions have no gap: so many rows there are, and then the stream ends. */
static enum exit_code collect_business(struct session *session, int64_t business_id, int64_t from,
                                       int64_t to, struct golden *golden)
{
    autojson json_t *args = json_pack("{s:I,s:I,s:I}", "business", (json_int_t)business_id, "since",
                                      (json_int_t)from, "count", (json_int_t)(to - from));
    const struct ctl_call call = {
        .cmd = "tail", .args = args, .on_piece = add_event, .arg = golden
    };
    autojson json_t *result = NULL;

    return to > from ? session_call(session, &call, &result) : EXIT_DONE;
}

/* One that is not there any more is no failure. */
static enum exit_code look_up(struct session *session, enum golden_kind kind, int64_t id,
                              json_t **ret_answer)
{
    autojson json_t *args =
        json_pack("{s:I}", kind == GOLDEN_CHAT ? "chat" : "message", (json_int_t)id);
    const struct ctl_call call = { .cmd = kind == GOLDEN_CHAT ? "chat show" : "message show",
                                   .args = args };
    struct errmsg msg = { "" };
    enum ctl_outcome outcome = session_open(session, &msg);

    if (outcome == CTL_DONE) {
        outcome = ctl_client_call(session->client, &call, ret_answer, &msg);
    }
    if (outcome == CTL_DONE || (outcome == CTL_REFUSED && strcmp(ctl_client_code(session->client),
                                                                 err_code(ERR_NOT_FOUND)) == 0)) {
        return EXIT_DONE;
    }
    say("%s", msg.text);
    return exit_code_of(outcome);
}

static enum exit_code look_up_all(struct session *session, struct golden *golden)
{
    enum exit_code code = EXIT_DONE;
    enum golden_kind kind;
    int64_t id;

    while (code == EXIT_DONE && golden_ask(golden, &kind, &id)) {
        autojson json_t *answer = NULL;

        code = look_up(session, kind, id, &answer);
        if (code == EXIT_DONE) {
            golden_tell(golden, kind, id, answer);
        }
    }
    return code;
}

enum exit_code events_collect(struct session *session, const json_t *mark, struct golden *golden)
{
    autojson json_t *now = NULL;
    const json_t *business;
    enum exit_code code = events_mark(session, &now);
    size_t i;

    json_array_foreach(now, i, business)
    {
        int64_t id = json_integer_value(json_object_get(business, "businessId"));
        int64_t to = json_integer_value(json_object_get(business, "position"));

        if (code == EXIT_DONE) {
            code = collect_business(session, id, position_in(mark, id), to, golden);
        }
    }
    return code == EXIT_DONE ? look_up_all(session, golden) : code;
}
