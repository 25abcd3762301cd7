/* Ten thousand idle WebSocket connections from another process: they all open, cost little memory
 * each, and are all reached by one broadcast. */
#include <malloc.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "siod/net/http.h"
#include "siod/net/websocket.h"
#include "tests/unit/net_fixture.h"

enum {
    CONNECTIONS = SANITIZED ? 1500 : 10000,
    CHILD_TIMEOUT_S = 60,
    SPARE_DESCRIPTORS = 64,
    BYTES_PER_CONNECTION_MAX = 2000,
};

static const char upgrade[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char broadcast[] = "\x81\x05hello";

static struct ws *sockets[CONNECTIONS];
static unsigned opened, closed;

static void on_message(struct ws *ws, bool binary, struct str payload)
{
    (void)ws;
    (void)binary;
    (void)payload;
}

static void on_ws_close(struct ws *ws, enum ws_end end)
{
    (void)ws;
    (void)end;
    closed++;
}

static const struct ws_ops ops = { on_message, on_ws_close };

static void on_head(void *arg, struct http_request *request)
{
    (void)arg;
    assert_true(opened < CONNECTIONS);
    sockets[opened] = ws_accept(request, STR(""), 1000000, &ops, NULL);
    assert_non_null(sockets[opened]);
    opened++;
}

static void on_end(struct http_request *request, bool aborted)
{
    (void)request;
    (void)aborted;
}

static const struct http_handler handler = { on_head, NULL, NULL, on_end };
static const struct http_route route = { "/ws", &handler, NULL };

/* In the child: false when the peer fell silent or said something else. */
static bool expect(int fd, const char *text, size_t len)
{
    char got[512];

    return recv(fd, got, len, MSG_WAITALL) == (ssize_t)len && memcmp(got, text, len) == 0;
}

static int open_one(const struct sockaddr_in *to)
{
    static const char status[] = "HTTP/1.1 101 Switching Protocols\r\n";
    struct timeval timeout = { CHILD_TIMEOUT_S, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char rest[512];
    size_t len = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 ||
        send(fd, upgrade, sizeof upgrade - 1, 0) != sizeof upgrade - 1 ||
        !expect(fd, status, sizeof status - 1)) {
        return -1;
    }
    while (len < 4 || memcmp(rest + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof rest || recv(fd, rest + len, 1, 0) != 1) {
            return -1;
        }
        len++;
    }
    return fd;
}

/* Opens them all, says so, waits for the broadcast on each. */
static int run_child(const char *address, int ready)
{
    static int fds[CONNECTIONS];
    struct sockaddr_in to = { .sin_family = AF_INET };

    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = open_one(&to);
        if (fds[i] < 0) {
            return 1;
        }
    }
    if (write(ready, "r", 1) != 1) {
        return 2;
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        if (!expect(fds[i], broadcast, sizeof broadcast - 1)) {
            return 3;
        }
    }
    return 0;
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool raise_descriptors(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur >= CONNECTIONS + SPARE_DESCRIPTORS;
}

static struct listener *serve(struct transport *transport, struct http_server *server)
{
    struct listen_options options = { .address = "127.0.0.1:0",
                                      .on_accept = http_server_accept,
                                      .arg = server };
    struct listener *listener;
    struct errmsg msg;

    http_server_route(server, &route);
    assert_int_equal(transport_listen(transport, &options, &listener, &msg), OK);
    return listener;
}

static void many_idle_connections_are_cheap_and_reachable(void **state)
{
    struct transport_limits limits = { .queue_bytes = 1 << 20 };
    struct http_limits http_limits = { 8192, 50, 60000, 60000 };
    struct loop *loop;
    struct transport *transport;
    struct http_server *server;
    struct listener *listener;
    struct frame *frame = frame_text(STR("hello"));
    size_t before;
    int pipe_fds[2], status = -1;
    char ready;
    pid_t child;

    (void)state;
    if (!raise_descriptors()) {
        skip();
    }
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    loop = loop_new();
    transport = transport_new(loop, &limits);
    server = http_server_new(loop, &http_limits);
    listener = serve(transport, server);
    loop_once(loop);
    before = resident_bytes();
    child = fork();
    if (child == 0) {
        _exit(run_child(listener_address(listener), pipe_fds[1]));
    }
    WAIT_FOR(loop, NULL,
             read(pipe_fds[0], &ready, 1) == 1 || waitpid(child, &status, WNOHANG) == child);
    assert_int_equal(status, -1);
    assert_int_equal(opened, CONNECTIONS);
    if (!SANITIZED) {
        size_t each = (resident_bytes() - before) / CONNECTIONS;

        print_message("%zu bytes resident for each connection\n", each);
        assert_true(each < BYTES_PER_CONNECTION_MAX);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        ws_send(sockets[i], frame);
    }
    WAIT_FOR(loop, NULL, waitpid(child, &status, WNOHANG) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    WAIT_FOR(loop, NULL, closed == CONNECTIONS);
    assert_int_equal(frame->refs, 1);
    frame_unref(frame);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    transport_free(transport);
    http_server_free(server);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_idle_connections_are_cheap_and_reachable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
