/* Where to listen: what is taken for which kind of address, and what for none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/address.h"

static void tcp_addresses_have_a_host_and_a_port(void **state)
{
    static const struct {
        const char *text, *host, *port;
    } vectors[] = {
        { "127.0.0.1:3000", "127.0.0.1", "3000" },
        { "[::1]:0", "::1", "0" },
        { "localhost:80", "localhost", "80" },
        { ":65535", "", "65535" },
        { "[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", "1" },
        { "[fe80::1%lo]:1", "fe80::1%lo", "1" },
        { "127.1:80", "127.1", "80" },
        { "10.example:1", "10.example", "1" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct address address;

        assert_int_equal(address_parse(vectors[i].text, &address, NULL), OK);
        assert_int_equal(address.kind, ADDRESS_TCP);
        assert_true(str_eq(address.host, str_of(vectors[i].host)));
        assert_string_equal(address.port, vectors[i].port);
    }
}

static void other_addresses_have_a_path_or_a_descriptor_or_nothing(void **state)
{
    struct address address;

    (void)state;
    assert_int_equal(address_parse("unix:a:b", &address, NULL), OK);
    assert_int_equal(address.kind, ADDRESS_UNIX);
    assert_string_equal(address.path, "a:b");
    assert_int_equal(address_parse("/run/x", &address, NULL), OK);
    assert_int_equal(address.kind, ADDRESS_UNIX);
    assert_string_equal(address.path, "/run/x");
    assert_int_equal(address_parse("fd:0", &address, NULL), OK);
    assert_int_equal(address.kind, ADDRESS_FD);
    assert_int_equal(address.fd, 0);
    assert_int_equal(address_parse("fd:17", &address, NULL), OK);
    assert_int_equal(address.fd, 17);
    assert_int_equal(address_parse("systemd", &address, NULL), OK);
    assert_int_equal(address.kind, ADDRESS_SYSTEMD);
}

static void anything_else_is_no_address(void **state)
{
    static const char *const wrong[] = {
        "",        "3000",        "127.0.0.1", "127.0.0.1:", "a:http", "a:65536",   "a:-1",
        "a:+1",    "::1:0",       "[::1:0",    "::1]:0",     "[::1]",  "[::1]0:80", "[::g]:1",
        "[[a]]:1", "256.0.0.1:1", "1.2.3.:1",  "unix:",      "fd:",    "fd:x",      "fd:2147483648",
    };
    struct address address;
    struct errmsg msg;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (address_parse(wrong[i], &address, &msg) == OK) {
            fail_msg("accepted: %s", wrong[i]);
        }
        assert_int_equal(strncmp(msg.text, wrong[i], strlen(wrong[i])), 0);
        assert_non_null(strstr(msg.text, " is not ADDRESS:PORT"));
    }
}

static void a_path_must_fit_into_the_address_of_a_socket(void **state)
{
    char text[sizeof "unix:" + 108] = "unix:";
    struct address address;
    struct errmsg msg;

    (void)state;
    memset(text + strlen("unix:"), 'x', 107);
    assert_int_equal(address_parse(text, &address, &msg), OK);
    text[strlen("unix:") + 107] = 'x';
    assert_int_equal(address_parse(text, &address, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, "a path of more than 107 bytes: xxx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_addresses_have_a_host_and_a_port),
        cmocka_unit_test(other_addresses_have_a_path_or_a_descriptor_or_nothing),
        cmocka_unit_test(anything_else_is_no_address),
        cmocka_unit_test(a_path_must_fit_into_the_address_of_a_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
