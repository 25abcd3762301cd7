/* `wait`: asks until the condition holds. The daemon may not be there yet, or go away and come
 * back, unless whoever waits has use only for the one that is there. */
#include <poll.h>
#include <string.h>

#include "libshared/clock.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum {
    PAUSE_MIN_MS = 20,
    PAUSE_MAX_MS = 250,
    LOOK_MS = 500, /* a daemon that is there may answer, however short the timeout */
    TIMEOUT_MS = 30000,
};

/* One look: *ret_result when the daemon answered, else msg says why not. */
static enum ctl_outcome look(struct session *session, const json_t *args, json_t **ret_result,
                             struct errmsg *msg)
{
    const struct ctl_call call = { .cmd = "wait", .args = args };
    enum ctl_outcome outcome = session_open(session, msg);

    if (outcome == CTL_DONE) {
        outcome = ctl_client_call(session->client, &call, ret_result, msg);
    }
    if (outcome != CTL_DONE && outcome != CTL_REFUSED) {
        ctl_client_close(TAKE(session->client));
    }
    return outcome;
}

static bool is_met(const json_t *result, struct errmsg *msg)
{
    struct str why = json_str_at(result, "why");

    if (json_is_true(json_object_get(result, "met"))) {
        return true;
    }
    (void)err_set(msg, ERR_TIMEOUT, "not yet: %.*s", STR_ARG(why));
    return false;
}

/* A daemon that is at its limits, or cannot read its store now, may be well again in time. */
static bool may_pass(const struct session *session)
{
    const char *code = ctl_client_code(session->client);

    return strcmp(code, err_code(ERR_BUSY)) == 0 || strcmp(code, err_code(ERR_STORE)) == 0;
}

static enum exit_code timed_out(const json_t *args, const struct errmsg *msg)
{
    say("timed out waiting for '%.*s': %s", STR_ARG(json_str_at(args, "condition")), msg->text);
    return EXIT_TIMED_OUT;
}

static bool is_absent(enum ctl_outcome outcome)
{
    return outcome == CTL_UNREACHABLE || outcome == CTL_TIMED_OUT;
}

static enum exit_code wait_until_met(struct session *session, const struct waiting *waiting,
                                     json_t **ret_result)
{
    const json_t *args = waiting->args;
    uint64_t end_ms = clock_monotonic_ms() + (uint64_t)waiting->timeout_ms;
    int pause_ms = PAUSE_MIN_MS;

    for (;;) {
        struct errmsg msg = { "" };
        autojson json_t *result = NULL;
        uint64_t now_ms = clock_monotonic_ms();
        enum ctl_outcome outcome;

        if (!waiting->insists) {
            session->config.timeout_ms =
                now_ms + LOOK_MS < end_ms ? (int64_t)(end_ms - now_ms) : LOOK_MS;
        }
        outcome = look(session, args, &result, &msg);
        if (outcome == CTL_DONE && is_met(result, &msg)) {
            *ret_result = TAKE(result);
            return EXIT_DONE;
        }
        if (outcome == CTL_REFUSED && !may_pass(session)) {
            say("%s: %s", ctl_client_code(session->client), msg.text);
            return refusal_code(session);
        }
        if (outcome == CTL_INTERRUPTED || interrupted) {
            return EXIT_INTERRUPTED;
        }
        if (waiting->insists && is_absent(outcome)) {
            say("%s", msg.text);
            return exit_code_of(outcome);
        }
        now_ms = clock_monotonic_ms();
        if (now_ms >= end_ms) {
            return timed_out(args, &msg);
        }
        (void)poll(NULL, 0, (int)MIN((uint64_t)pause_ms, end_ms - now_ms));
        pause_ms = MIN(pause_ms * 2, PAUSE_MAX_MS);
    }
}

enum exit_code session_wait(struct session *session, const struct waiting *waiting,
                            json_t **ret_result)
{
    int64_t before_ms = session->config.timeout_ms;
    enum exit_code code = wait_until_met(session, waiting, ret_result);

    session->config.timeout_ms = before_ms;
    return code;
}

enum exit_code run_wait(struct session *session)
{
    const json_t *timeout = session_arg(session, "timeout");
    const struct waiting waiting = {
        .args = session->line->args,
        .timeout_ms = timeout != NULL ? json_integer_value(timeout) : TIMEOUT_MS,
    };
    autojson json_t *result = NULL;
    enum exit_code code = session_wait(session, &waiting, &result);

    if (code == EXIT_DONE) {
        output_result(&session->out, result);
    }
    return code;
}
