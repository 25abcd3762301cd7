/* Over the control socket. The daemon takes the requests of one connection in their order and
 * stores them in it: many can be under way on one and none overtakes another, which lets the store
 * commit them in groups. Where order is not wanted each has a connection of its own. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/clock.h"
#include "libshared/ctl/pipeline.h"
#include "libshared/json.h"
#include "libshared/utf8.h"
#include "sioctl/replay/sender.h"

enum { IN_ORDER_ROOM = 256 };

struct lane {
    struct ctl_pipeline *pipeline;
    size_t under;
};

struct sender_socket {
    struct sender sender;
    int64_t timeout_ms;
    uint64_t heard_ns; /* of the daemon, or when it was asked after a silence of ours */
    size_t answers;
    bool refused; /* the daemon does not take such requests at all */
    struct errmsg msg;
    size_t count;
    struct lane lanes[CONCURRENCY_MAX];
    struct lane *reading;
};

static struct sender_socket *socket_of(struct sender *sender)
{
    return CONTAINER_OF(sender, struct sender_socket, sender);
}

static void answer(struct sender_socket *s, size_t tag, json_t *outcome)
{
    s->sender.under--;
    s->answers++;
    s->sender.answered(s->sender.arg, tag, outcome);
}

static void answer_too_large(struct sender_socket *s, size_t tag)
{
    autojson json_t *outcome = json_pack("{s:i,s:n,s:{},s:s}", "status", 413, "webhookId", "counts",
                                         "reason", err_text(ERR_TOO_LARGE));

    s->sender.under++;
    answer(s, tag, outcome);
}

/* As text if that is what it is, else, or when escapes would make it longer, in base64. */
static void add_args(struct buf *args, struct str body)
{
    buf_add_cstr(args, "{\"body\":");
    json_add_string(args, body);
    if (!utf8_valid(body) || args->len > body.len / 3 * 4 + 64) {
        buf_clear(args);
        buf_add_cstr(args, "{\"bodyB64\":\"");
        base64_add(args, body);
        buf_add_char(args, '"');
    }
    buf_add_char(args, '}');
}

static struct lane *idlest(struct sender_socket *s)
{
    struct lane *best = &s->lanes[0];

    for (size_t i = 1; i < s->count; i++) {
        if (s->lanes[i].under < best->under) {
            best = &s->lanes[i];
        }
    }
    return best;
}

static void socket_send(struct sender *sender, size_t tag, const struct replay_record *record)
{
    struct sender_socket *s = socket_of(sender);
    struct lane *lane = idlest(s);
    autobuf struct buf args = BUF_INIT;

    if (record->body.len > CTL_LINE_MAX / 4 * 3 - 1024) {
        answer_too_large(s, tag);
        return;
    }
    add_args(&args, record->body);
    ctl_pipeline_ask(lane->pipeline, (int64_t)tag + 1, "webhook deliver", buf_str(&args));
    if (sender->under++ == 0) {
        s->heard_ns = clock_monotonic_ns();
    }
    lane->under++;
}

static void on_reply(void *arg, const struct ctl_reply *reply)
{
    struct sender_socket *s = arg;

    if (!reply->ok) {
        s->refused = true;
        (void)err_set(&s->msg, ERR_INVALID, "%s: %s", reply->code, reply->message);
    } else if (!reply->more && reply->id > 0) {
        s->reading->under--;
        answer(s, (size_t)reply->id - 1, reply->result);
    }
}

/* In milliseconds, rounded up. */
static int poll_ms(const struct sender_socket *s, uint64_t until_ns, uint64_t now_ns)
{
    uint64_t end_ns = until_ns;

    if (s->sender.under > 0 && s->timeout_ms >= 0) {
        end_ns = MIN(end_ns, s->heard_ns + (uint64_t)s->timeout_ms * 1000000);
    }
    if (end_ns == UINT64_MAX) {
        return -1;
    }
    return end_ns <= now_ns ? 0 : (int)MIN((end_ns - now_ns + 999999) / 1000000, 1u << 30);
}

static enum exit_code step_all(struct sender_socket *s, const struct pollfd *fds)
{
    for (size_t i = 0; i < s->count; i++) {
        enum ctl_outcome outcome = CTL_DONE;

        s->reading = &s->lanes[i];
        if (fds[i].revents != 0) {
            outcome = ctl_pipeline_step(s->lanes[i].pipeline, on_reply, s, &s->msg);
        }
        if (s->refused || outcome != CTL_DONE) {
            say("%s", s->msg.text);
            return s->refused ? EXIT_REFUSED : exit_code_of(outcome);
        }
    }
    return EXIT_DONE;
}

/* Are we still waiting for something that should have come? */
static bool timed_out(const struct sender_socket *s)
{
    return s->sender.under > 0 && s->timeout_ms >= 0 &&
           clock_monotonic_ns() >= s->heard_ns + (uint64_t)s->timeout_ms * 1000000;
}

static enum exit_code socket_wait(struct sender *sender, uint64_t until_ns)
{
    struct sender_socket *s = socket_of(sender);
    size_t before = s->answers;

    for (;;) {
        struct pollfd fds[CONCURRENCY_MAX];
        enum exit_code code;
        uint64_t now_ns = clock_monotonic_ns();

        for (size_t i = 0; i < s->count; i++) {
            fds[i] = (struct pollfd) { .fd = ctl_pipeline_fd(s->lanes[i].pipeline),
                                       .events = ctl_pipeline_events(s->lanes[i].pipeline) };
        }
        if (interrupted) {
            return EXIT_INTERRUPTED;
        }
        (void)poll(fds, s->count, poll_ms(s, until_ns, now_ns));
        code = step_all(s, fds);
        if (code != EXIT_DONE) {
            return code;
        }
        if (s->answers > before) {
            s->heard_ns = clock_monotonic_ns();
            return EXIT_DONE;
        }
        if (timed_out(s)) {
            say("siod does not answer");
            return EXIT_TIMED_OUT;
        }
        if (clock_monotonic_ns() >= until_ns) {
            return EXIT_DONE;
        }
    }
}

static void socket_free(struct sender *sender)
{
    struct sender_socket *s = socket_of(sender);

    for (size_t i = 0; i < s->count; i++) {
        ctl_pipeline_free(s->lanes[i].pipeline);
    }
    free(s);
}

static const struct sender_ops socket_ops = { socket_send, socket_wait, socket_free };

struct sender *sender_socket_new(const struct sender_config *config, enum exit_code *ret_code)
{
    struct sender_socket *s = xnew(struct sender_socket);
    size_t lanes = config->concurrency > 0 ? config->concurrency : 1;

    s->sender = (struct sender) { .ops = &socket_ops,
                                  .answered = config->answered,
                                  .arg = config->arg,
                                  .room = config->concurrency > 0 ? lanes : IN_ORDER_ROOM,
                                  .keeps_order = lanes == 1 };
    s->timeout_ms = config->session->config.timeout_ms;
    for (; s->count < lanes; s->count++) {
        struct errmsg msg = { "" };
        struct ctl_client *client;
        enum ctl_outcome outcome = ctl_client_open(&config->session->config, &client, &msg);

        if (outcome != CTL_DONE) {
            *ret_code = exit_code_of(outcome);
            if (outcome != CTL_INTERRUPTED) {
                say("%s", msg.text);
            }
            socket_free(&s->sender);
            return NULL;
        }
        s->lanes[s->count].pipeline = ctl_pipeline_new(client);
    }
    return &s->sender;
}
