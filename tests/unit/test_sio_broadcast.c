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
        cmocka_unit_test(rooms_of_a_socket_are_limited),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("sio_broadcast", tests, NULL, NULL);
}
