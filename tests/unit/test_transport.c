#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/net_fixture.h"

struct fixture {
    struct loop *loop;
    struct transport *transport;
    struct listener *listener;
    struct conn *last; /* accepted last, while open */
    unsigned accepted, closed, drained;
    size_t received;
    enum conn_end end; /* of the one closed last */
    bool echo;
};

static void on_data(struct conn *conn, struct str bytes)
{
    struct fixture *f = conn_user(conn);

    f->received += bytes.len;
    if (f->echo) {
        conn_send_bytes(conn, bytes);
    }
}

static void on_drain(struct conn *conn)
{
    struct fixture *f = conn_user(conn);

    f->drained++;
}

static void on_close(struct conn *conn, enum conn_end end)
{
    struct fixture *f = conn_user(conn);

    f->closed++;
    f->end = end;
    if (f->last == conn) {
        f->last = NULL;
    }
}

static const struct conn_ops ops = { on_data, on_drain, on_close };

static void on_accept(void *arg, struct conn *conn)
{
    struct fixture *f = arg;

    f->accepted++;
    f->last = conn;
    conn_take(conn, &ops, f);
}

static struct listen_options options_for(struct fixture *f, const char *address)
{
    return (struct listen_options) {
        .address = address, .unix_mode = 0660, .refuse = "sorry", .on_accept = on_accept, .arg = f
    };
}

static struct fixture *start(const char *address, unsigned connections, size_t queue_bytes)
{
    struct fixture *f = xnew(struct fixture);
    struct transport_limits limits = { .connections = connections, .queue_bytes = queue_bytes };
    struct listen_options options = options_for(f, address);
    struct errmsg msg;

    f->loop = loop_new();
    f->transport = transport_new(f->loop, &limits);
    f->echo = true;
    assert_int_equal(transport_listen(f->transport, &options, &f->listener, &msg), OK);
    return f;
}

static void stop(struct fixture *f)
{
    transport_free(f->transport);
    loop_free(f->loop);
    assert_int_equal(f->accepted, f->closed); /* on_close exactly once */
    free(f);
}

static struct client visit(struct fixture *f)
{
    unsigned before = f->accepted;
    struct client c = client_connect(listener_address(f->listener));

    WAIT_FOR(f->loop, &c, f->accepted == before + 1);
    return c;
}

static void bytes_are_echoed_and_the_peer_is_known(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    char expected[64];
    uid_t uid;
    gid_t gid;
    pid_t pid;

    (void)state;
    getsockname(c.fd, (struct sockaddr *)&name, &len);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(name.sin_port));
    assert_string_equal(conn_peer(f->last), expected);
    assert_false(conn_is_tls(f->last));
    assert_false(conn_credentials(f->last, &uid, &gid, &pid));
    client_send_text(f->loop, &c, "hello");
    WAIT_FOR(f->loop, &c, client_has(&c, "hello"));
    assert_int_equal(f->drained, 1);
    client_finish(&c);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    assert_int_equal(f->end, CONN_END_PEER);
    stop(f);
}

static void a_taken_port_is_an_error_that_names_the_address(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct listen_options options = options_for(f, listener_address(f->listener));
    struct listener *second;
    struct errmsg msg;

    (void)state;
    assert_int_equal(transport_listen(f->transport, &options, &second, &msg), ERR_EXISTS);
    assert_non_null(strstr(msg.text, listener_address(f->listener)));
    stop(f);
}

static void wrong_addresses_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "3000",          "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:x",   "::1:3000",
        "[::1]",      "203.0.113.1:0", "/no/such/directory/socket"
    };
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct listener *listener;
    struct errmsg msg;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct listen_options options = options_for(f, wrong[i]);

        assert_int_equal(transport_listen(f->transport, &options, &listener, &msg), ERR_INVALID);
    }
    stop(f);
}

static void an_empty_host_listens_everywhere(void **state)
{
    struct fixture *f = start(":0", 0, 0);
    struct client c = visit(f);

    (void)state;
    assert_true(strncmp(conn_peer(f->last), "127.0.0.1:", 10) == 0); /* not ::ffff:127.0.0.1 */
    client_finish(&c);
    stop(f);
}

static void unix_sockets_have_their_mode_and_credentials(void **state)
{
    char directory[] = "/tmp/siod-test-XXXXXX", path[64];
    struct fixture *f;
    struct client c;
    struct stat status;
    uid_t uid;
    gid_t gid;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    f = start(path, 0, 0);
    assert_string_equal(listener_address(f->listener), path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    c = visit(f);
    assert_string_equal(conn_peer(f->last), "unix");
    assert_true(conn_credentials(f->last, &uid, &gid, &pid));
    assert_int_equal(uid, getuid());
    assert_int_equal(pid, getpid());
    client_send_text(f->loop, &c, "hello");
    WAIT_FOR(f->loop, &c, client_has(&c, "hello"));
    client_finish(&c);
    stop(f);
    assert_int_equal(stat(path, &status), -1); /* removed */
    rmdir(directory);
}

static void a_unix_socket_in_use_is_refused_and_a_stale_one_replaced(void **state)
{
    char directory[] = "/tmp/siod-test-XXXXXX", path[64], unix_path[80];
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    struct fixture *f;
    struct listen_options options;
    struct listener *second;
    struct errmsg msg;
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(unix_path, sizeof unix_path, "unix:%s", path);
    strcpy(name.sun_path, path);
    assert_int_equal(bind(stale, (struct sockaddr *)&name, sizeof name), 0);
    close(stale); /* the file stays, nobody answers */
    f = start(unix_path, 0, 0);
    options = options_for(f, path);
    assert_int_equal(transport_listen(f->transport, &options, &second, &msg), ERR_EXISTS);
    assert_non_null(strstr(msg.text, path));
    stop(f);
    fclose(fopen(path, "w")); /* no socket: not ours to remove */
    f = start("127.0.0.1:0", 0, 0);
    assert_int_equal(transport_listen(f->transport, &options, &second, &msg), ERR_EXISTS);
    stop(f);
    assert_int_equal(unlink(path), 0);
    rmdir(directory);
}

static void connections_past_the_limit_are_refused_with_a_word(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 2, 0);
    struct client a = visit(f), b = visit(f);
    struct client c = client_connect(listener_address(f->listener));
    struct transport_stats stats;

    (void)state;
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "sorry"));
    client_finish(&c);
    transport_stats(f->transport, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.open, 2);
    client_finish(&a);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    c = visit(f);
    client_finish(&b);
    client_finish(&c);
    stop(f);
}

static void a_large_queue_arrives_whole_and_in_order(void **state)
{
    enum { FRAMES = 20000 };
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);
    autobuf struct buf expected = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < FRAMES; i++) {
        /* Small ones that are gathered, and large ones that are written from where they lie. */
        size_t size = i % 1000 == 0 ? 100000 : i % 7 == 0 ? 3000 : 20;
        autofree char *bytes = xmalloc(size);

        memset(bytes, (int)('a' + i % 26), size);
        buf_add(&expected, bytes, size);
        conn_send_bytes(f->last, (struct str) { bytes, size });
        if (i % 100 == 0) {
            loop_once(f->loop); /* rounds in between, without reading */
        }
    }
    assert_int_not_equal(conn_pending(f->last), 0);
    WAIT_FOR(f->loop, &c, c.in.len >= expected.len);
    assert_int_equal(c.in.len, expected.len);
    assert_memory_equal(c.in.data, expected.data, expected.len);
    f->drained = 0;
    conn_send_bytes(f->last, STR("!"));
    WAIT_FOR(f->loop, &c, f->drained == 1);
    assert_int_equal(conn_pending(f->last), 0);
    client_finish(&c);
    stop(f);
}

static void a_slow_consumer_is_cut_and_others_get_everything(void **state)
{
    enum { SIZE = 10000, ROUNDS = 3000 };
    struct fixture *f = start("127.0.0.1:0", 0, 2 << 20);
    struct client slow = visit(f);
    struct conn *slow_conn = f->last;
    struct client fast = visit(f);
    struct conn *fast_conn = f->last;
    autofree char *bytes = xcalloc(1, SIZE);
    struct frame *frame = frame_raw((struct str) { bytes, SIZE });
    struct transport_stats stats;
    unsigned sent = 0;

    (void)state;
    while (sent < ROUNDS) {
        if (f->closed == 0) {
            conn_send(slow_conn, frame);
        }
        conn_send(fast_conn, frame);
        sent++;
        loop_once(f->loop);
        client_read(&fast);
    }
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->end, CONN_END_SLOW);
    transport_stats(f->transport, &stats);
    assert_int_equal(stats.slow_consumers, 1);
    WAIT_FOR(f->loop, &fast, fast.in.len == (size_t)SIZE * ROUNDS);
    assert_int_equal(frame->refs, 1); /* every queue has let go of it */
    frame_unref(frame);
    client_finish(&slow);
    client_finish(&fast);
    stop(f);
}

static void one_round_may_produce_more_than_the_limit_for_a_peer_that_reads(void **state)
{
    enum { SIZE = 1000, FRAMES = 500 };
    struct fixture *f = start("127.0.0.1:0", 0, 50000);
    struct client c = visit(f);
    autofree char *bytes = xcalloc(1, SIZE);

    (void)state;
    for (int i = 0; i < FRAMES; i++) {
        conn_send_bytes(f->last, (struct str) { bytes, SIZE });
    }
    WAIT_FOR(f->loop, &c, c.in.len == SIZE * FRAMES);
    assert_int_equal(f->closed, 0);
    client_finish(&c);
    stop(f);
}

static void count_round(void *arg)
{
    ++*(unsigned *)arg;
}

struct stopper {
    struct timer timer;
    struct loop *loop;
};

static void stop_loop(struct timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct stopper, timer)->loop);
}

/* How many rounds the loop makes in this time: a handful when it sleeps, very many when it spins.
 */
static unsigned rounds_in(struct loop *loop, uint64_t ms)
{
    struct stopper stopper = { .loop = loop };
    unsigned rounds = 0;
    struct loop_hook hook = { NULL, count_round, &rounds };

    loop_hook_add(loop, &hook);
    timer_set(loop, &stopper.timer, ms, stop_loop);
    loop_run(loop);
    loop_hook_remove(loop, &hook);
    return rounds;
}

/* A peer that sends without reading: there is input that is not read, and the loop must sleep. */
static void a_blocked_connection_does_not_spin_the_loop(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);
    autofree char *bytes = xcalloc(1, 20000000);

    (void)state;
    conn_send_bytes(f->last, (struct str) { bytes, 20000000 });
    loop_once(f->loop);
    loop_once(f->loop);
    assert_true(send(c.fd, "x", 1, 0) == 1);
    shutdown(c.fd, SHUT_WR);
    assert_true(rounds_in(f->loop, 300) < 100);
    assert_int_equal(f->closed, 0);
    client_finish(&c);
    stop(f);
}

static void close_writes_the_queue_first(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);
    autofree char *bytes = xcalloc(1, 8000000);
    struct conn *conn = f->last;

    (void)state;
    conn_send_bytes(conn, (struct str) { bytes, 8000000 });
    conn_close(conn);
    conn_send_bytes(conn, STR("ignored"));
    assert_int_equal(f->closed, 0); /* never from inside */
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(c.in.len, 8000000);
    client_finish(&c);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    assert_int_equal(f->end, CONN_END_LOCAL);
    stop(f);
}

static void abort_drops_the_queue(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);

    (void)state;
    conn_send_bytes(f->last, STR("never"));
    conn_abort(f->last);
    assert_int_equal(f->closed, 0);
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(c.in.len, 0);
    assert_int_equal(f->end, CONN_END_LOCAL);
    client_finish(&c);
    stop(f);
}

static void a_paused_connection_is_not_read(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = visit(f);

    (void)state;
    conn_pause(f->last, true);
    assert_int_equal(send(c.fd, "hello", 5, 0), 5);
    for (int i = 0; i < 50; i++) {
        loop_once(f->loop);
    }
    assert_int_equal(f->received, 0);
    conn_pause(f->last, false);
    WAIT_FOR(f->loop, &c, client_has(&c, "hello"));
    client_finish(&c);
    stop(f);
}

/* With no descriptor left accepting pauses, and goes on when there are some again. */
static void accepting_survives_a_full_descriptor_table(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client c = client_connect(listener_address(f->listener));
    struct rlimit before, none;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)c.fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_true(rounds_in(f->loop, 300) < 100);
    assert_int_equal(f->accepted, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    WAIT_FOR(f->loop, &c, f->accepted == 1);
    client_finish(&c);
    stop(f);
}

static void clients_leave_descriptors_for_exempt_listeners(void **state)
{
    enum { CLIENTS = 40 };
    struct client clients[CLIENTS], guest;
    struct listen_options options;
    struct listener *exempt;
    struct transport_stats stats;
    struct rlimit before, few;
    struct errmsg msg;
    struct fixture *f;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 80;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    f = start("127.0.0.1:0", 0, 0);
    options = options_for(f, "127.0.0.1:0");
    options.exempt = true;
    assert_int_equal(transport_listen(f->transport, &options, &exempt, &msg), OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(listener_address(f->listener));
        WAIT_FOR(f->loop, &clients[i], clients[i].closed || f->accepted == i + 1);
        if (clients[i].closed) {
            assert_true(client_has(&clients[i], "sorry"));
            client_finish(&clients[i]);
            clients[i].fd = -1;
        }
    }
    transport_stats(f->transport, &stats);
    assert_true(stats.refused > 0);
    assert_int_equal(stats.refused + stats.accepted, CLIENTS);
    guest = client_connect(listener_address(exempt));
    client_send_text(f->loop, &guest, "status");
    WAIT_FOR(f->loop, &guest, client_has(&guest, "status"));
    client_finish(&guest);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_finish(&clients[i]);
    }
    stop(f);
    setrlimit(RLIMIT_NOFILE, &before);
}

static void shutdown_closes_everything(void **state)
{
    struct fixture *f = start("127.0.0.1:0", 0, 0);
    struct client a = visit(f), b = visit(f);

    (void)state;
    conn_send_bytes(f->last, STR("farewell"));
    listener_close(f->listener);
    transport_free(f->transport);
    assert_int_equal(f->closed, 2);
    assert_int_equal(f->end, CONN_END_SHUTDOWN);
    client_read(&a);
    client_read(&b);
    assert_true(a.closed);
    assert_true(b.closed);
    assert_true(client_has(&b, "farewell"));
    client_finish(&a);
    client_finish(&b);
    loop_free(f->loop);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_echoed_and_the_peer_is_known),
        cmocka_unit_test(a_taken_port_is_an_error_that_names_the_address),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(an_empty_host_listens_everywhere),
        cmocka_unit_test(unix_sockets_have_their_mode_and_credentials),
        cmocka_unit_test(a_unix_socket_in_use_is_refused_and_a_stale_one_replaced),
        cmocka_unit_test(connections_past_the_limit_are_refused_with_a_word),
        cmocka_unit_test(a_large_queue_arrives_whole_and_in_order),
        cmocka_unit_test(a_slow_consumer_is_cut_and_others_get_everything),
        cmocka_unit_test(one_round_may_produce_more_than_the_limit_for_a_peer_that_reads),
        cmocka_unit_test(a_blocked_connection_does_not_spin_the_loop),
        cmocka_unit_test(close_writes_the_queue_first),
        cmocka_unit_test(abort_drops_the_queue),
        cmocka_unit_test(a_paused_connection_is_not_read),
        cmocka_unit_test(accepting_survives_a_full_descriptor_table),
        cmocka_unit_test(clients_leave_descriptors_for_exempt_listeners),
        cmocka_unit_test(shutdown_closes_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
