#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/unit/net_fixture.h"

struct fixture {
    char directory[32], cert[64], key[64];
    struct loop *loop;
    struct transport *transport;
    struct listener *listener;
    struct conn *last;
    unsigned accepted, closed;
    enum conn_end end;
    bool echo;
};

static void on_data(struct conn *conn, struct str bytes)
{
    struct fixture *f = conn_user(conn);

    if (f->echo) {
        conn_send_bytes(conn, bytes);
    }
}

static void on_close(struct conn *conn, enum conn_end end)
{
    struct fixture *f = conn_user(conn);

    f->closed++;
    f->end = end;
    f->last = NULL;
}

static const struct conn_ops ops = { on_data, NULL, on_close };

static void on_accept(void *arg, struct conn *conn)
{
    struct fixture *f = arg;

    f->accepted++;
    f->last = conn;
    conn_take(conn, &ops, f);
}

/* A fresh key and a certificate for it that it signs itself, with this serial number. */
static void write_pair(struct fixture *f, long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    FILE *file;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    file = fopen(f->cert, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(f->key, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct fixture *start_with(uint64_t handshake_ms)
{
    struct fixture *f = xnew(struct fixture);
    struct transport_limits limits = { .handshake_ms = handshake_ms };
    struct tls_files files = { f->cert, f->key };
    struct listen_options options = {
        .address = "127.0.0.1:0", .tls = &files, .on_accept = on_accept, .arg = f
    };
    struct errmsg msg;

    strcpy(f->directory, "/tmp/siod-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->cert, sizeof f->cert, "%s/cert.pem", f->directory);
    snprintf(f->key, sizeof f->key, "%s/key.pem", f->directory);
    write_pair(f, 1);
    f->echo = true;
    f->loop = loop_new();
    f->transport = transport_new(f->loop, &limits);
    assert_int_equal(transport_listen(f->transport, &options, &f->listener, &msg), OK);
    return f;
}

static struct fixture *start(void)
{
    return start_with(0);
}

static void stop(struct fixture *f)
{
    transport_free(f->transport);
    loop_free(f->loop);
    assert_int_equal(f->accepted, f->closed);
    unlink(f->cert);
    unlink(f->key);
    rmdir(f->directory);
    free(f);
}

struct tls_client {
    struct client tcp;
    SSL_CTX *ctx;
    SSL *ssl;
    struct buf in;
    bool ended; /* close_notify, not a bare end of TCP */
    bool failed;
};

static struct tls_client tls_connect(struct fixture *f)
{
    struct tls_client c = { .tcp = client_connect(listener_address(f->listener)) };
    char name[] = "listener0"; /* what the library calls its plain one */
    int done;

    c.ctx = SSL_CTX_new(TLS_client_method());
    c.ssl = SSL_new(c.ctx);
    SSL_set_fd(c.ssl, c.tcp.fd);
    SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_alpn_protos(c.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    SSL_ctrl(c.ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
    do {
        done = SSL_connect(c.ssl);
        loop_once(f->loop);
    } while (done != 1 && SSL_get_error(c.ssl, done) != SSL_ERROR_SSL);
    assert_int_equal(done, 1);
    return c;
}

static void tls_finish(struct tls_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    buf_finish(&c->in);
    client_finish(&c->tcp);
}

static void tls_read(struct tls_client *c)
{
    char bytes[65536];
    int got, error;

    while ((got = SSL_read(c->ssl, bytes, sizeof bytes)) > 0) {
        buf_add(&c->in, bytes, (size_t)got);
    }
    error = SSL_get_error(c->ssl, got);
    c->ended |= error == SSL_ERROR_ZERO_RETURN;
    c->failed |= error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
    ERR_clear_error();
}

#define TLS_WAIT(f, c, expression) WAIT_FOR((f)->loop, NULL, (tls_read(c), (expression)))

static void tls_send(struct fixture *f, struct tls_client *c, const char *bytes, size_t len)
{
    while (len > 0) {
        int sent = SSL_write(c->ssl, bytes, (int)len);

        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
        loop_once(f->loop);
    }
}

static void a_large_message_survives_a_stalled_reader(void **state)
{
    enum { SIZE = 12000000, FRAMES = 300 };
    struct fixture *f = start();
    struct tls_client c = tls_connect(f);
    autofree char *bytes = xmalloc(SIZE);
    struct buf expected = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)(i * 31 + i / 977);
    }
    tls_send(f, &c, "hello", 5);
    TLS_WAIT(f, &c, c.in.len == 5);
    assert_true(conn_is_tls(f->last));
    buf_clear(&c.in);
    /* Nobody reads while the server writes. */
    for (size_t i = 0; i < FRAMES; i++) {
        struct str piece = { bytes + i * 1000, i % 10 == 0 ? 5000000 / FRAMES : 700 };

        conn_send_bytes(f->last, piece);
        buf_add_str(&expected, piece);
        loop_once(f->loop);
    }
    conn_send_bytes(f->last, (struct str) { bytes, SIZE });
    buf_add(&expected, bytes, SIZE);
    for (int i = 0; i < 200; i++) {
        loop_once(f->loop);
    }
    assert_true(conn_pending(f->last) > 0);
    TLS_WAIT(f, &c, c.in.len >= expected.len);
    assert_int_equal(c.in.len, expected.len);
    assert_memory_equal(c.in.data, expected.data, expected.len);
    buf_finish(&expected);
    tls_finish(&c);
    stop(f);
}

static void a_large_message_is_echoed(void **state)
{
    enum { SIZE = 3000000 };
    struct fixture *f = start();
    struct tls_client c = tls_connect(f);
    autofree char *bytes = xmalloc(SIZE);
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)(i * 17 + i / 1009);
    }
    while (at < SIZE) {
        tls_send(f, &c, bytes + at, MIN((size_t)50000, SIZE - at));
        at += 50000;
        tls_read(&c);
    }
    TLS_WAIT(f, &c, c.in.len >= SIZE);
    assert_int_equal(c.in.len, SIZE);
    assert_memory_equal(c.in.data, bytes, SIZE);
    tls_finish(&c);
    stop(f);
}

static void the_protocol_is_never_http2(void **state)
{
    struct fixture *f = start();
    struct tls_client c = tls_connect(f);
    const unsigned char *protocol;
    unsigned len;

    (void)state;
    SSL_get0_alpn_selected(c.ssl, &protocol, &len);
    assert_int_equal(len, 0);
    assert_true(SSL_version(c.ssl) >= TLS1_2_VERSION);
    tls_finish(&c);
    stop(f);
}

static void closing_says_so_within_tls(void **state)
{
    struct fixture *f = start();
    struct tls_client c = tls_connect(f);

    (void)state;
    tls_send(f, &c, "bye", 3);
    TLS_WAIT(f, &c, f->last != NULL);
    conn_close(f->last);
    TLS_WAIT(f, &c, c.ended || c.failed);
    assert_true(c.ended);
    assert_string_equal(c.in.data, "bye");
    tls_finish(&c);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    assert_int_equal(f->end, CONN_END_LOCAL);
    stop(f);
}

static long serial_seen(struct fixture *f)
{
    struct tls_client c = tls_connect(f);
    X509 *cert = SSL_get1_peer_certificate(c.ssl);
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(cert));

    X509_free(cert);
    tls_finish(&c);
    return serial;
}

static void certificates_are_reloaded_unless_they_are_broken(void **state)
{
    struct fixture *f = start();
    const struct tls_files files = { f->cert, f->key };
    struct tls_client old = tls_connect(f);
    char cert_of_2[80];
    struct errmsg msg;

    (void)state;
    tls_send(f, &old, "a", 1);
    TLS_WAIT(f, &old, old.in.len == 1);
    assert_int_equal(serial_seen(f), 1);
    write_pair(f, 2);
    assert_int_equal(serial_seen(f), 1); /* not by itself */
    assert_int_equal(listener_set_tls(f->listener, &files, &msg), OK);
    assert_int_equal(serial_seen(f), 2);

    snprintf(cert_of_2, sizeof cert_of_2, "%s.2", f->cert);
    assert_int_equal(rename(f->cert, cert_of_2), 0);
    assert_int_equal(listener_set_tls(f->listener, &files, &msg), ERR_INVALID); /* missing */
    assert_non_null(strstr(msg.text, f->cert));
    write_pair(f, 3);
    assert_int_equal(rename(cert_of_2, f->cert), 0);
    assert_int_equal(listener_set_tls(f->listener, &files, &msg), ERR_INVALID); /* no match */
    assert_int_equal(serial_seen(f), 2);
    fclose(fopen(f->cert, "w"));
    assert_int_equal(listener_set_tls(f->listener, &files, &msg), ERR_INVALID); /* empty */
    assert_int_equal(serial_seen(f), 2);

    tls_send(f, &old, "b", 1);
    TLS_WAIT(f, &old, old.in.len == 2);
    tls_finish(&old);
    stop(f);
}

static void a_listener_turns_plain_and_back_for_new_connections(void **state)
{
    struct fixture *f = start();
    const struct tls_files files = { f->cert, f->key };
    struct tls_client before = tls_connect(f);
    struct errmsg msg;

    (void)state;
    tls_send(f, &before, "a", 1);
    TLS_WAIT(f, &before, before.in.len == 1);
    assert_int_equal(listener_set_tls(f->listener, NULL, &msg), OK);
    assert_false(listener_is_tls(f->listener));
    tls_send(f, &before, "b", 1);
    TLS_WAIT(f, &before, before.in.len == 2);
    assert_int_equal(listener_set_tls(f->listener, &files, &msg), OK);
    assert_int_equal(serial_seen(f), 1);
    tls_finish(&before);
    stop(f);
}

static void a_broken_pair_refuses_to_listen(void **state)
{
    struct fixture *f = start();
    struct tls_files files = { f->cert, f->cert };
    struct listen_options options = {
        .address = "127.0.0.1:0", .tls = &files, .on_accept = on_accept, .arg = f
    };
    struct listener *listener;
    struct errmsg msg;

    (void)state;
    assert_int_equal(transport_listen(f->transport, &options, &listener, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, f->cert));
    stop(f);
}

static void what_is_no_tls_never_reaches_a_handler(void **state)
{
    struct fixture *f = start();
    struct client c = client_connect(listener_address(f->listener));
    struct client silent = client_connect(listener_address(f->listener));
    struct transport_stats stats;

    (void)state;
    client_send_text(f->loop, &c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(f->accepted, 0);
    WAIT_FOR(f->loop, NULL, (transport_stats(f->transport, &stats), stats.open == 1));
    listener_close(f->listener); /* takes those in their handshake with it */
    WAIT_FOR(f->loop, &silent, silent.closed);
    client_finish(&c);
    client_finish(&silent);
    stop(f);
}

static void a_handshake_that_stalls_ends(void **state)
{
    struct fixture *f = start_with(1000);
    struct client silent = client_connect(listener_address(f->listener));
    struct client partial = client_connect(listener_address(f->listener));
    struct tls_client wordless = tls_connect(f);
    struct transport_stats stats;

    (void)state;
    client_send(f->loop, &partial, "\x16\x03\x01", 3);
    WAIT_FOR(f->loop, &silent, silent.closed);
    WAIT_FOR(f->loop, &partial, partial.closed);
    TLS_WAIT(f, &wordless, wordless.ended || wordless.failed);
    WAIT_FOR(f->loop, NULL, (transport_stats(f->transport, &stats), stats.open == 0));
    assert_int_equal(f->accepted, 0);
    client_finish(&silent);
    client_finish(&partial);
    tls_finish(&wordless);
    stop(f);
}

static void a_connection_that_spoke_in_time_may_be_silent(void **state)
{
    struct fixture *f = start_with(500);
    struct tls_client c = tls_connect(f);
    uint64_t until_ms;

    (void)state;
    tls_send(f, &c, "a", 1);
    TLS_WAIT(f, &c, c.in.len == 1);
    until_ms = clock_monotonic_ms() + 700;
    WAIT_FOR(f->loop, NULL, clock_monotonic_ms() > until_ms);
    tls_send(f, &c, "b", 1);
    TLS_WAIT(f, &c, c.in.len == 2);
    tls_finish(&c);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_message_survives_a_stalled_reader),
        cmocka_unit_test(a_large_message_is_echoed),
        cmocka_unit_test(the_protocol_is_never_http2),
        cmocka_unit_test(closing_says_so_within_tls),
        cmocka_unit_test(certificates_are_reloaded_unless_they_are_broken),
        cmocka_unit_test(a_listener_turns_plain_and_back_for_new_connections),
        cmocka_unit_test(a_broken_pair_refuses_to_listen),
        cmocka_unit_test(what_is_no_tls_never_reaches_a_handler),
        cmocka_unit_test(a_handshake_that_stalls_ends),
        cmocka_unit_test(a_connection_that_spoke_in_time_may_be_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
