/* Who hears a broadcast, and who must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/sio_fixture.h"

static void a_broadcast_reaches_both_transports_but_not_its_sender(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client sender = { 0 }, ws = { 0 };
    char sid[21];

    (void)state;
    sio_fixture_run(&f);
    connect_client(&sender, &f);
    connect_client(&ws, &f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "40");
    free(poll_get(f.rig, sid));
    poll_post(f.rig, sid, "42[\"join\",\"r\"]");
    ws_client_text(&ws, "420[\"join\",\"r\"]");
    ws_client_expect(&ws, "430[true]");
    ws_client_text(&sender, "420[\"join\",\"r\"]");
    ws_client_expect(&sender, "430[true]");
    ws_client_text(&sender, "421[\"say\",\"r\"]");
    ws_client_expect(&sender, "431[2]");
    ws_client_expect(&ws, "42[\"said\",\"r\"]");
    {
        autofree char *body = poll_get(f.rig, sid);

        assert_string_equal(body, "42[\"said\",\"r\"]");
    }
    expect_alive(&sender);
}

static void a_room_of_another_scope_cannot_be_reached(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ours = { 0 }, theirs = { 0 };
    char sid[21];
    autofree char *whisper = NULL;

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ours, &f);
    ws_session_open(&theirs, f.rig);
    ws_client_text(&theirs, "40{\"scope\":2}");
    expect_connected(&theirs, "40", sid);
    ws_client_text(&ours, "420[\"join\",\"r\"]");
    ws_client_expect(&ours, "430[true]");
    ws_client_text(&theirs, "420[\"join\",\"r\"]");
    ws_client_expect(&theirs, "430[true]");
    ws_client_text(&ours, "421[\"say\",\"r\"]");
    ws_client_expect(&ours, "431[0]");
    ws_client_text(&ours, "422[\"say\"]");
    ws_client_expect(&ours, "432[0]");
    whisper = xasprintf("423[\"say\",\"%s\"]", sid);
    ws_client_text(&ours, whisper);
    ws_client_expect(&ours, "433[0]");
    expect_alive(&theirs);
}

static void a_socket_is_in_the_room_of_its_id(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };
    autofree char *packet = NULL, *said = NULL;
    char sid[21];

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_session_open(&other, f.rig);
    ws_client_text(&other, "40");
    expect_connected(&other, "40", sid);
    packet = xasprintf("427[\"say\",\"%s\"]", sid);
    said = xasprintf("42[\"said\",\"%s\"]", sid);
    ws_client_text(&ws, packet);
    ws_client_expect(&ws, "437[1]");
    ws_client_expect(&other, said);
}

static void without_a_room_the_whole_scope_is_told(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    connect_client(&other, &f);
    ws_client_text(&ws, "427[\"say\"]");
    ws_client_expect(&ws, "437[1]");
    ws_client_expect(&other, "42[\"said\"]");
}

static void a_volatile_packet_is_dropped_for_who_cannot_take_it_now(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autofree char *body = NULL;
    char sid[21];

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "40");
    free(poll_get(f.rig, sid));
    poll_post(f.rig, sid, "42[\"join\",\"r\"]");
    ws_client_text(&ws, "427[\"mumble\",\"r\"]");
    ws_client_expect(&ws, "437[0]");
    ws_client_text(&ws, "428[\"say\",\"r\"]");
    ws_client_expect(&ws, "438[1]");
    body = poll_get(f.rig, sid);
    assert_string_equal(body, "42[\"said\",\"r\"]");
}

/* Three sockets; the first is in a and b, the second in b and c, the third in c. */
struct three {
    struct client ws[3];
    char id[3][21];
};

static void three_finish(struct three *three)
{
    for (size_t i = 0; i < ARRAY_SIZE(three->ws); i++) {
        client_close(&three->ws[i]);
    }
}

static void three_connect(struct three *three, struct sio_fixture *f)
{
    static const char rooms[3][2] = { "ab", "bc", "cc" };

    for (size_t i = 0; i < ARRAY_SIZE(three->ws); i++) {
        ws_session_open(&three->ws[i], f->rig);
        ws_client_text(&three->ws[i], "40");
        expect_connected(&three->ws[i], "40", three->id[i]);
        for (size_t k = 0; k < 2; k++) {
            autofree char *join = xasprintf("420[\"join\",\"%c\"]", rooms[i][k]);

            ws_client_text(&three->ws[i], join);
            ws_client_expect(&three->ws[i], "430[true]");
        }
    }
}

/* `heard` names the sockets that must hear it: "02" for the first and the third. */
static void expect_spread(struct three *three, const char *to, const char *except,
                          const char *heard)
{
    autofree char *packet = xasprintf("427[\"spread\",\"%s\",\"%s\"]", to, except);
    autofree char *answer = xasprintf("437[%zu]", strlen(heard));

    print_message("to \"%s\" except \"%s\"\n", to, except);
    ws_client_text(&three->ws[0], packet);
    for (size_t i = 0; i < ARRAY_SIZE(three->ws); i++) {
        if (strchr(heard, '0' + (int)i) != NULL) {
            ws_client_expect(&three->ws[i], "42[\"spread\"]");
        }
    }
    ws_client_expect(&three->ws[0], answer);
    for (size_t i = 0; i < ARRAY_SIZE(three->ws); i++) {
        expect_alive(&three->ws[i]);
    }
}

static void rooms_are_a_union_without_another_and_each_socket_hears_once(void **state)
{
    static const struct {
        const char *to, *except, *heard;
    } cases[] = {
        { "a b", "", "01" },     { "b a", "", "01" },     { "a b c", "", "012" },
        { "b b", "", "01" },     { "a b c", "a", "12" },  { "a b c", "a c", "" },
        { "c", "b", "2" },       { "", "a", "12" },       { "", "a c", "" },
        { "", "nobody", "012" }, { "nobody a", "", "0" }, { "nobody", "", "" },
        { "a", "a", "" },        { "a", "nobody", "0" },
    };
    autosio struct sio_fixture f = { 0 };
    CLEANUP(three_finish) struct three three = { 0 };

    (void)state;
    sio_fixture_run(&f);
    three_connect(&three, &f);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        expect_spread(&three, cases[i].to, cases[i].except, cases[i].heard);
    }
}

static void the_room_of_an_id_counts_among_rooms_and_may_be_joined(void **state)
{
    autosio struct sio_fixture f = { 0 };
    CLEANUP(three_finish) struct three three = { 0 };
    autofree char *to = NULL, *join = NULL, *only = NULL;

    (void)state;
    sio_fixture_run(&f);
    three_connect(&three, &f);
    to = xasprintf("%s a", three.id[2]);
    only = xasprintf("%s", three.id[1]);
    join = xasprintf("420[\"join\",\"%s\"]", three.id[1]);
    expect_spread(&three, to, "", "02");
    expect_spread(&three, "a b c", three.id[1], "02");
    expect_spread(&three, only, "", "1");
    ws_client_text(&three.ws[2], join);
    ws_client_expect(&three.ws[2], "430[true]");
    expect_spread(&three, only, "", "12");
    expect_spread(&three, "", only, "0");
}

static void rooms_of_a_socket_are_limited(void **state)
{
    autosio struct sio_fixture f = { .config.rooms_per_socket = 2 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "421[\"join\",\"a\"]");
    ws_client_expect(&ws, "431[true]");
    ws_client_text(&ws, "422[\"join\",\"b\"]");
    ws_client_expect(&ws, "432[true]");
    ws_client_text(&ws, "423[\"join\",\"c\"]");
    ws_client_expect(&ws, "433[false]");
    ws_client_text(&ws, "424[\"join\",\"a\"]");
    ws_client_expect(&ws, "434[true]");
    ws_client_text(&ws, "425[\"leave\",\"a\"]");
    ws_client_expect(&ws, "435[true]");
    ws_client_text(&ws, "426[\"join\",\"c\"]");
    ws_client_expect(&ws, "436[true]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broadcast_reaches_both_transports_but_not_its_sender),
        cmocka_unit_test(a_room_of_another_scope_cannot_be_reached),
        cmocka_unit_test(a_socket_is_in_the_room_of_its_id),
        cmocka_unit_test(without_a_room_the_whole_scope_is_told),
        cmocka_unit_test(a_volatile_packet_is_dropped_for_who_cannot_take_it_now),
        cmocka_unit_test(rooms_are_a_union_without_another_and_each_socket_hears_once),
        cmocka_unit_test(the_room_of_an_id_counts_among_rooms_and_may_be_joined),
        cmocka_unit_test(rooms_of_a_socket_are_limited),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("sio_broadcast", tests, NULL, NULL);
}
