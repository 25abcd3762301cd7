#include "libshared/ctl/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"

enum { READ_SIZE = 64 * 1024, ANSWER_MAX = 64 * 1024 * 1024, SENT_MAX = 1024 * 1024 };

struct ctl_pipeline {
    struct ctl_client *client;
    struct buf out;
    size_t sent; /* of out */
    struct ctl_lines lines;
};

struct ctl_pipeline *ctl_pipeline_new(struct ctl_client *client)
{
    struct ctl_pipeline *pipeline = xnew(struct ctl_pipeline);

    pipeline->client = client;
    return pipeline;
}

void ctl_pipeline_free(struct ctl_pipeline *pipeline)
{
    if (pipeline == NULL) {
        return;
    }
    ctl_client_close(pipeline->client);
    buf_finish(&pipeline->out);
    buf_finish(&pipeline->lines.buf);
    free(pipeline);
}

void ctl_pipeline_ask(struct ctl_pipeline *pipeline, int64_t id, const char *cmd, struct str args)
{
    ctl_request_encode_text(&pipeline->out, id, str_of(cmd), args);
}

size_t ctl_pipeline_unsent(const struct ctl_pipeline *pipeline)
{
    return pipeline->out.len - pipeline->sent;
}

int ctl_pipeline_fd(const struct ctl_pipeline *pipeline)
{
    return ctl_client_fd(pipeline->client);
}

short ctl_pipeline_events(const struct ctl_pipeline *pipeline)
{
    return ctl_pipeline_unsent(pipeline) > 0 ? POLLIN | POLLOUT : POLLIN;
}

static enum ctl_outcome lost(struct errmsg *msg)
{
    (void)err_set(msg, ERR_IO, "siod closed the connection");
    return CTL_UNREACHABLE;
}

static bool may_go_on(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static bool send_some(struct ctl_pipeline *pipeline)
{
    ssize_t sent;

    if (ctl_pipeline_unsent(pipeline) == 0) {
        return true;
    }
    sent = send(ctl_pipeline_fd(pipeline), pipeline->out.data + pipeline->sent,
                ctl_pipeline_unsent(pipeline), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return may_go_on();
    }
    pipeline->sent += (size_t)sent;
    if (pipeline->sent == pipeline->out.len || pipeline->sent > SENT_MAX) {
        buf_consume(&pipeline->out, pipeline->sent);
        pipeline->sent = 0;
    }
    return true;
}

static enum ctl_outcome take_lines(struct ctl_pipeline *pipeline, ctl_reply_fn *on_reply, void *arg,
                                   struct errmsg *msg)
{
    struct str line;

    while (ctl_lines_next(&pipeline->lines, &line)) {
        struct ctl_reply reply = { 0 };

        if (ctl_reply_decode(line, &reply, msg) != OK) {
            return CTL_UNREACHABLE;
        }
        on_reply(arg, &reply);
        ctl_reply_finish(&reply);
    }
    return CTL_DONE;
}

/* What was answered before the daemon hung up is still handed out. */
enum ctl_outcome ctl_pipeline_step(struct ctl_pipeline *pipeline, ctl_reply_fn *on_reply, void *arg,
                                   struct errmsg *msg)
{
    autofree char *bytes = xmalloc(READ_SIZE);
    bool good = send_some(pipeline);
    ssize_t got = recv(ctl_pipeline_fd(pipeline), bytes, READ_SIZE, MSG_DONTWAIT);
    enum ctl_outcome outcome = CTL_DONE;

    if (got > 0) {
        good =
            ctl_lines_add(&pipeline->lines, (struct str) { bytes, (size_t)got }, ANSWER_MAX) == OK;
        outcome = take_lines(pipeline, on_reply, arg, msg);
    } else if (got == 0 || !may_go_on()) {
        good = false;
    }
    return outcome == CTL_DONE && !good ? lost(msg) : outcome;
}
