#include "libshared/ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/clock.h"
#include "libshared/ctl/frame.h"

/* What one answer or piece may measure: a whole list is cut into pieces far below it. */
enum { ANSWER_MAX = 64 * 1024 * 1024, READ_SIZE = 64 * 1024, CONNECT_PAUSE_MS = 20 };

struct ctl_client {
    struct ctl_client_config config;
    int fd;
    int64_t last_id;
    int reader_fd; /* of the call; -1: none */
    bool busy;     /* the answer to the last call was not read to its end */
    struct ctl_lines lines;
    char code[CTL_REQUEST_ID_MAX];
};

const char *ctl_socket_path(const char *given)
{
    static const char dev[] = "./siod-dev/siod.sock";
    const char *env = getenv("SIOD_SOCKET");

    if (given != NULL) {
        return given;
    }
    if (env != NULL && env[0] != '\0') {
        return env;
    }
    return access(dev, F_OK) == 0 ? dev : "/run/siod/siod.sock";
}

static uint64_t deadline_after(int64_t timeout_ms)
{
    return timeout_ms < 0 ? UINT64_MAX : clock_monotonic_ms() + (uint64_t)timeout_ms;
}

static int poll_timeout(uint64_t deadline_ms)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (deadline_ms == UINT64_MAX) {
        return -1;
    }
    return deadline_ms <= now_ms ? 0 : (int)MIN(deadline_ms - now_ms, 1u << 30);
}

static bool is_interrupted(const struct ctl_client *client)
{
    return client->config.interrupted != NULL && *client->config.interrupted;
}

/* poll() tells of an error and of a hang-up without being asked. */
static enum ctl_outcome wait_for(const struct ctl_client *client, short events,
                                 uint64_t deadline_ms, struct errmsg *msg)
{
    for (;;) {
        struct pollfd fds[] = { { .fd = client->fd, .events = events },
                                { .fd = client->reader_fd } };
        int ready;

        if (is_interrupted(client)) {
            (void)err_set(msg, ERR_TIMEOUT, "interrupted");
            return CTL_INTERRUPTED;
        }
        ready = poll(fds, ARRAY_SIZE(fds), poll_timeout(deadline_ms));
        if (ready > 0) {
            return fds[0].revents != 0 ? CTL_DONE : CTL_UNREAD;
        }
        if (ready == 0 && poll_timeout(deadline_ms) == 0) {
            (void)err_set(msg, ERR_TIMEOUT, "siod does not answer");
            return CTL_TIMED_OUT;
        }
    }
}

static enum ctl_outcome lost(struct errmsg *msg)
{
    (void)err_set(msg, ERR_IO, "siod closed the connection");
    return CTL_UNREACHABLE;
}

static enum ctl_outcome send_all(struct ctl_client *client, struct str bytes, uint64_t deadline_ms,
                                 struct errmsg *msg)
{
    while (bytes.len > 0) {
        enum ctl_outcome outcome = wait_for(client, POLLOUT, deadline_ms, msg);
        ssize_t sent;

        if (outcome != CTL_DONE) {
            return outcome;
        }
        sent = send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return lost(msg);
        }
        bytes = str_skip(bytes, sent > 0 ? (size_t)sent : 0);
    }
    return CTL_DONE;
}

/* What has been read already is handed out even when the daemon has hung up. */
static enum ctl_outcome read_line(struct ctl_client *client, uint64_t deadline_ms,
                                  struct str *ret_line, struct errmsg *msg)
{
    autofree char *bytes = xmalloc(READ_SIZE);

    while (!ctl_lines_next(&client->lines, ret_line)) {
        enum ctl_outcome outcome = wait_for(client, POLLIN, deadline_ms, msg);
        ssize_t got;

        if (outcome != CTL_DONE) {
            return outcome;
        }
        got = recv(client->fd, bytes, READ_SIZE, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (got <= 0 ||
            ctl_lines_add(&client->lines, (struct str) { bytes, (size_t)got }, ANSWER_MAX) != OK) {
            return lost(msg);
        }
    }
    return CTL_DONE;
}

/* A daemon that accepts nobody has a full backlog at some time: a blocking connect() would wait for
 * ever. */
static enum ctl_outcome connect_patiently(const struct ctl_client *client,
                                          const struct sockaddr_un *address, struct errmsg *msg)
{
    uint64_t deadline_ms = deadline_after(client->config.timeout_ms);

    while (connect(client->fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            (void)err_set(msg, ERR_IO, "cannot reach siod at %s: %s", address->sun_path,
                          strerror(errno));
            return CTL_UNREACHABLE;
        }
        if (is_interrupted(client)) {
            return CTL_INTERRUPTED;
        }
        if (poll_timeout(deadline_ms) == 0) {
            (void)err_set(msg, ERR_TIMEOUT, "siod does not answer");
            return CTL_TIMED_OUT;
        }
        (void)poll(NULL, 0, CONNECT_PAUSE_MS);
    }
    return CTL_DONE;
}

static enum ctl_outcome connect_to(struct ctl_client *client, const char *path, struct errmsg *msg)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)err_set(msg, ERR_INVALID, "%.100s…: socket paths have at most %zu bytes", path,
                      sizeof(address.sun_path) - 1);
        return CTL_UNREACHABLE;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0) {
        (void)err_set(msg, ERR_IO, "cannot reach siod at %s: %s", path, strerror(errno));
        return CTL_UNREACHABLE;
    }
    return connect_patiently(client, &address, msg);
}

static enum ctl_outcome greet(struct ctl_client *client, struct errmsg *msg)
{
    struct str line;
    enum ctl_outcome outcome =
        read_line(client, deadline_after(client->config.timeout_ms), &line, msg);

    if (outcome != CTL_DONE) {
        return outcome;
    }
    return ctl_greeting_decode(line, msg) == OK ? CTL_DONE : CTL_UNREACHABLE;
}

enum ctl_outcome ctl_client_open(const struct ctl_client_config *config, struct ctl_client **ret,
                                 struct errmsg *msg)
{
    struct ctl_client *client = xnew(struct ctl_client);
    enum ctl_outcome outcome;

    client->config = *config;
    client->fd = -1;
    client->reader_fd = -1;
    outcome = connect_to(client, ctl_socket_path(config->path), msg);
    if (outcome == CTL_DONE) {
        outcome = greet(client, msg);
    }
    if (outcome != CTL_DONE) {
        ctl_client_close(client);
        return outcome;
    }
    *ret = client;
    return CTL_DONE;
}

void ctl_client_close(struct ctl_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->fd >= 0) {
        close(client->fd);
    }
    buf_finish(&client->lines.buf);
    free(client);
}

int ctl_client_fd(const struct ctl_client *client)
{
    return client->fd;
}

void ctl_client_set_timeout(struct ctl_client *client, int64_t timeout_ms)
{
    client->config.timeout_ms = timeout_ms;
}

bool ctl_client_usable(const struct ctl_client *client)
{
    struct pollfd pfd = { .fd = client->fd, .events = POLLIN };

    return !client->busy && poll(&pfd, 1, 0) == 0;
}

const char *ctl_client_code(const struct ctl_client *client)
{
    return client->code;
}

static enum ctl_outcome refused(struct ctl_client *client, const struct ctl_reply *reply,
                                struct errmsg *msg)
{
    snprintf(client->code, sizeof(client->code), "%s", reply->code);
    (void)err_set(msg, ERR_INVALID, "%s", reply->message);
    return CTL_REFUSED;
}

/* The next reply to our request; those to earlier ones that were given up are skipped. A refusal
 * without an id is for what was sent last. */
static enum ctl_outcome read_reply(struct ctl_client *client, uint64_t deadline_ms,
                                   struct ctl_reply *ret_reply, struct errmsg *msg)
{
    for (;;) {
        struct str line;
        enum ctl_outcome outcome = read_line(client, deadline_ms, &line, msg);

        if (outcome != CTL_DONE) {
            return outcome;
        }
        if (ctl_reply_decode(line, ret_reply, msg) != OK) {
            return CTL_UNREACHABLE;
        }
        if (ret_reply->id == client->last_id || (ret_reply->id == 0 && !ret_reply->ok)) {
            return ret_reply->ok ? CTL_DONE : refused(client, ret_reply, msg);
        }
        ctl_reply_finish(ret_reply);
    }
}

static enum ctl_outcome collect(struct ctl_client *client, const struct ctl_call *call,
                                json_t **whole, struct errmsg *msg)
{
    for (;;) {
        struct ctl_reply reply = { 0 };
        int64_t timeout_ms = call->patient ? -1 : client->config.timeout_ms;
        enum ctl_outcome outcome = read_reply(client, deadline_after(timeout_ms), &reply, msg);
        bool go_on = outcome == CTL_DONE && reply.more;

        client->busy = go_on || (outcome != CTL_DONE && outcome != CTL_REFUSED);
        if (outcome == CTL_DONE && call->on_piece != NULL && reply.more) {
            go_on = reply.result == NULL || call->on_piece(call->arg, reply.result);
        } else if (outcome == CTL_DONE) {
            *whole = ctl_merge(*whole, TAKE(reply.result));
        }
        ctl_reply_finish(&reply);
        if (!go_on) {
            return outcome;
        }
    }
}

enum ctl_outcome ctl_client_call(struct ctl_client *client, const struct ctl_call *call,
                                 json_t **ret_result, struct errmsg *msg)
{
    autobuf struct buf request = BUF_INIT;
    json_t *whole = NULL;
    enum ctl_outcome outcome;

    client->busy = true;
    client->reader_fd = call->reader_fd > 0 ? call->reader_fd : -1;
    ctl_request_encode(&request, ++client->last_id, str_of(call->cmd), call->args);
    outcome = send_all(client, buf_str(&request), deadline_after(client->config.timeout_ms), msg);
    if (outcome == CTL_DONE) {
        outcome = collect(client, call, &whole, msg);
    }
    if (outcome != CTL_DONE) {
        json_decref(whole);
        return outcome;
    }
    *ret_result = whole;
    return CTL_DONE;
}
