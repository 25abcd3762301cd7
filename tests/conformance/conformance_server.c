/* What the official protocol suites need of a server (protocol.md 8): an Engine.IO echo on
 * /engine.io/ and a small Socket.IO application on /socket.io/, on one HTTP server.
 *
 *     conformance_server --listen 127.0.0.1:3000 [--eio3] [--ping-interval MS] [--ping-timeout MS]
 *                        [--max-payload BYTES] [--cors-origin ORIGIN] [--recovery]
 *
 * Says "ready on ADDRESS:PORT" on stderr; ends on SIGTERM or SIGINT. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "siod/engineio/engineio.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"
#include "siod/socketio/socketio.h"

enum { CONNECT_TIMEOUT_MS = 1000, EXIT_USAGE = 2 };

/* The daemon's defaults. */
enum {
    CONNECTIONS = 20000,
    QUEUE_BYTES = 4 << 20,
    PARTIAL_BYTES = 64 << 20,
    RECOVERY_BYTES = 4 << 20,
    HEADER_BYTES = 16384,
    HEADER_COUNT = 100,
    REQUEST_MS = 30000,
    IDLE_MS = 75000,
};

struct options {
    const char *listen;
    const char *cors_origins[2]; /* one, then NULL */
    struct eio_config engine;
    struct sio_recovery_config recovery;
    uint64_t connect_timeout_ms;
};

static struct loop *main_loop;
static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
    (void)signal;
    stopping = 1;
    loop_wake(main_loop);
}

static void stop_when_told(void *arg)
{
    if (stopping) {
        loop_stop(arg);
    }
}

static void echo_open(void *arg, struct eio_session *session)
{
    (void)arg;
    (void)session;
}

static void echo_message(struct eio_session *session, bool binary, struct str payload)
{
    struct frame *frame = binary ? frame_binary(payload) : frame_text2(STR("4"), payload);

    eio_session_send(session, frame);
    frame_unref(frame);
}

static void echo_close(struct eio_session *session, enum eio_reason reason)
{
    (void)session;
    (void)reason;
}

static const struct eio_ops echo = { echo_open, echo_message, echo_close };

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    (void)arg;
    (void)sio_socket_claim(socket, 0, 0);
    sio_socket_accept(socket, 0, NULL);
    sio_socket_emit(socket, STR("auth"), auth);
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    if (str_eq(event->name, STR("message"))) {
        sio_socket_emit_binary(socket, STR("message-back"), event->raw_args, event->attachments);
    } else if (str_eq(event->name, STR("message-with-ack"))) {
        sio_socket_ack_binary(socket, event->ack, event->raw_args, event->attachments);
    }
}

static void on_disconnect(struct sio_socket *socket, struct sio_reason reason)
{
    (void)socket;
    (void)reason;
}

static const struct sio_app application = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

static uint32_t parse_number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value == 0 || value > UINT32_MAX) {
        fprintf(stderr, "conformance_server: not a number: %s\n", text);
        exit(EXIT_USAGE);
    }
    return (uint32_t)value;
}

static void parse_options(int argc, char **argv, struct options *ret)
{
    static const struct option names[] = {
        { "listen", required_argument, NULL, 'l' },
        { "eio3", no_argument, NULL, '3' },
        { "ping-interval", required_argument, NULL, 'i' },
        { "ping-timeout", required_argument, NULL, 't' },
        { "max-payload", required_argument, NULL, 'm' },
        { "cors-origin", required_argument, NULL, 'o' },
        { "connect-timeout", required_argument, NULL, 'c' },
        { "recovery", no_argument, NULL, 'r' },
        { "recovery-window", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'l':
            ret->listen = optarg;
            break;
        case '3':
            ret->engine.allow_v3 = true;
            break;
        case 'i':
            ret->engine.ping_interval_ms = parse_number(optarg);
            break;
        case 't':
            ret->engine.ping_timeout_ms = parse_number(optarg);
            break;
        case 'm':
            ret->engine.max_payload = parse_number(optarg);
            break;
        case 'o':
            ret->cors_origins[0] = optarg;
            ret->engine.cors_origins = ret->cors_origins;
            break;
        case 'c':
            ret->connect_timeout_ms = parse_number(optarg);
            break;
        case 'r':
            ret->recovery.enabled = true;
            break;
        case 'w':
            ret->recovery.enabled = true;
            ret->recovery.window_ms = parse_number(optarg);
            break;
        default:
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc || ret->listen == NULL) {
        fprintf(stderr, "usage: conformance_server --listen ADDRESS:PORT [--eio3]"
                        " [--ping-interval MS] [--ping-timeout MS] [--max-payload BYTES]"
                        " [--cors-origin ORIGIN] [--connect-timeout MS] [--recovery]"
                        " [--recovery-window MS]\n");
        exit(EXIT_USAGE);
    }
}

static struct listener *listen_or_exit(struct transport *transport, const char *address,
                                       struct http_server *http)
{
    const struct listen_options options = {
        .address = address,
        .on_accept = http_server_accept,
        .arg = http,
    };
    struct listener *listener;
    struct errmsg msg;

    if (transport_listen(transport, &options, &listener, &msg) != OK) {
        fprintf(stderr, "conformance_server: %s\n", msg.text);
        exit(EXIT_FAILURE);
    }
    return listener;
}

/* Both paths, with and without the last slash, for one engine. */
static void route(struct http_server *http, struct http_route routes[2], const char *path,
                  const char *bare_path, struct eio_server *engine)
{
    routes[0] = (struct http_route) { path, eio_http_handler(), engine };
    routes[1] = (struct http_route) { bare_path, eio_http_handler(), engine };
    http_server_route(http, &routes[0]);
    http_server_route(http, &routes[1]);
}

static void serve(const struct options *options)
{
    struct loop *loop = loop_new();
    struct transport *transport =
        transport_new(loop, &(struct transport_limits) { .connections = CONNECTIONS,
                                                         .queue_bytes = QUEUE_BYTES });
    struct http_server *http =
        http_server_new(loop, &(struct http_limits) { .header_bytes = HEADER_BYTES,
                                                      .header_count = HEADER_COUNT,
                                                      .request_ms = REQUEST_MS,
                                                      .idle_ms = IDLE_MS });
    struct eio_config echo_config = options->engine;
    struct sio_config config = { .engine = options->engine,
                                 .connect_timeout_ms = options->connect_timeout_ms,
                                 .recovery = options->recovery };
    struct loop_hook hook = { .fn = stop_when_told, .arg = loop };
    struct http_route routes[4];
    struct eio_server *echo_server;
    struct sio_server *server;

    budget_set_limit(loop_budget(loop), PARTIAL_BYTES);
    echo_config.ops = &echo;
    echo_server = eio_server_new(loop, &echo_config);
    server = sio_server_new(loop, &config);
    sio_namespace_add(server, "/", &application, NULL);
    sio_namespace_add(server, "/custom", &application, NULL);
    route(http, &routes[0], "/engine.io/", "/engine.io", echo_server);
    route(http, &routes[2], "/socket.io/", "/socket.io", sio_engine(server));

    main_loop = loop;
    loop_hook_add(loop, &hook);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    fprintf(stderr, "ready on %s\n",
            listener_address(listen_or_exit(transport, options->listen, http)));
    loop_run(loop);

    loop_hook_remove(loop, &hook);
    transport_free(transport);
    http_server_free(http);
    sio_server_free(server);
    eio_server_free(echo_server);
    loop_free(loop);
}

int main(int argc, char **argv)
{
    struct options options = {
        .engine = { .ping_interval_ms = 300,
                    .ping_timeout_ms = 200,
                    .max_payload = 1000000,
                    .queue_bytes = QUEUE_BYTES,
                    .compress = true },
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .recovery = { .max_bytes = RECOVERY_BYTES },
    };

    alloc_give_back();
    parse_options(argc, argv, &options);
    serve(&options);
    return EXIT_SUCCESS;
}
