/* Recovery: what a session that comes back hears, in which order, and when it is not restored. */
#include "tests/unit/recovery_fixture.h"

/* What has come, without offsets. */
static char *hear(struct client *ws, struct session *session)
{
    struct buf heard = BUF_INIT;

    ws_client_text(ws, "42[\"echo\",\"end\"]");
    for (;;) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        if (opcode == OP_BINARY) {
            buf_printf(&heard, "(%zu) ", payload.len);
            continue;
        }
        bool end = strncmp(payload.data, "42[\"echo\",\"end\"", 15) == 0;

        cut_offset(payload.data, session);
        if (end) {
            return buf_take(&heard);
        }
        buf_printf(&heard, "%s ", payload.data);
    }
}

static void speak(struct client *ws, const char *event)
{
    ws_client_text(ws, event);
    {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        assert_int_equal(payload.data[1], '3');
    }
}

static void only_what_was_for_its_rooms_is_heard_again(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    autofree char *after = NULL;
    struct session session, other;

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    speak(&speaker, "421[\"spread\",\"red blue\",\"green\"]"); /* heard */
    speak(&speaker, "422[\"spread\",\"blue\",\"\"]");
    speak(&speaker, "423[\"spread\",\"red\",\"red\"]");
    speak(&speaker, "424[\"say\",\"red\"]");           /* heard: whom it leaves out is another */
    speak(&speaker, "425[\"mumble\",\"red\"]");        /* volatile */
    speak(&speaker, "426[\"tell others\",\"red\",7]"); /* not to the owner */
    speak(&speaker, "427[\"tell others\",\"red\",9]"); /* heard */
    ws_client_text(&speaker,
                   "451-8[\"say\",{\"_placeholder\":true,\"num\":0}]"); /* to all: heard */
    ws_client_send(&speaker, OP_BINARY, STR("abc"));
    ws_client_expect(&speaker, "438[0]");

    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"spread\"] 42[\"said\",\"red\"] 42[\"others\",9] "
                                     "451-[\"said\",{\"_placeholder\":true,\"num\":0}] (3) ");
    after = hear(&ws, &session);
    assert_string_equal(after, "");
    speak(&speaker, "429[\"spread\",\"red\",\"\"]"); /* it is in its room again */
    free(after);
    after = hear(&ws, &session);
    assert_string_equal(after, "42[\"spread\"] ");
    assert_int_equal(stats_of(&f).restored, 1);
    assert_int_equal(stats_of(&f).replayed, 4);
    assert_int_equal(stats_of(&f).sessions, 0);
}

static void the_log_and_passing_events_come_in_one_order(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    autofree char *after = NULL;
    struct session session, other;

    (void)state;
    run(&f, &log);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    emit_row(&log, "red"); /* before it joins: not for it */
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    speak(&speaker, "421[\"spread\",\"red\",\"\"]");
    emit_row(&log, "red");
    emit_row(&log, "blue");
    speak(&speaker, "422[\"say\",\"red\"]");
    emit_row(&log, "red");
    log.meanwhile = "red";
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"spread\"] 42[\"logged\",2] 42[\"said\",\"red\"] "
                                     "42[\"logged\",4] 42[\"logged\",5] ");
    assert_int_equal(log.reads, 2);
    emit_row(&log, "red");
    after = hear(&ws, &session);
    assert_string_equal(after, "42[\"logged\",6] ");

    /* nothing is behind its offset in the log: it is not read */
    drop(&ws, &f, 1);
    buf_clear(&before);
    assert_true(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(log.reads, 2);
}

static void a_log_that_is_not_whole_gives_a_new_session(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    for (int i = 0; i < 2; i++) {
        autoclient struct client ws = { 0 }, again = { 0 };

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        emit_row(&log, "red");
        log.purged = i == 0 ? log.position - 1 : 0;
        log.fails = i == 1;
        assert_false(come_back(&again, &f, &session, &before));
        assert_int_equal(before.len, 0);
        assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_LOG], i + 1);
        assert_int_equal(stats_of(&f).sessions, 0);
        ws_client_text(&again, "41"); /* it leaves no session behind */
        expect_journal(&f, "client namespace disconnect");
    }
}

static void what_is_more_than_the_limit_gives_a_new_session(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;
    char event[400];

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    snprintf(event, sizeof event, "421[\"say\",[\"%0*d\"]]", 300, 1);
    for (int i = 0; i < 50; i++) {
        speak(&speaker, event);
    }
    assert_in_range(stats_of(&f).event_bytes, 4000, 8000);
    assert_false(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_OVERFLOW], 1);
}

/* Or one client, by events that are refused, takes from all others of its scope what they missed.
 */
static void replies_are_not_kept(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;
    char event[400], reply[400];

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":7}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    speak(&speaker, "421[\"say\",\"red\"]");
    snprintf(event, sizeof event, "42[\"reply\",\"%0*d\"]", 300, 1);
    for (int i = 0; i < 50; i++) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        ws_client_text(&speaker, event);
        assert_true(ws_client_receive(&speaker, &opcode, &payload));
        snprintf(reply, sizeof reply, "%.*s", (int)payload.len, payload.data);
        cut_offset(reply, &other);
        assert_string_equal(reply, event);
    }
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"said\",\"red\"] ");

    drop(&speaker, &f, 1);
    speak(&ws, "422[\"say\"]");
    buf_clear(&before);
    assert_true(come_back(&speaker, &f, &other, &before)); /* with the offset of a reply */
    assert_string_equal(before.data, "42[\"said\"] ");
}

static void shrink_queue(void *arg)
{
    struct sio_fixture *f = arg;

    f->config.engine.queue_bytes = 2000;
    sio_server_reconfigure(f->server, &f->config);
}

/* A client that was sent more than may wait for it would be cut, come back, and be cut again. */
static void what_is_sent_again_fits_the_queue_that_a_reload_left(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;
    char event[400];

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    snprintf(event, sizeof event, "421[\"say\",[\"%0*d\"]]", 300, 1);
    for (int i = 0; i < 5; i++) {
        speak(&speaker, event);
    }
    rig_call(f.rig, shrink_queue, &f);
    assert_false(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_TOO_MUCH], 1);
}

static void the_oldest_session_goes_when_there_are_too_many(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session sessions[3];

    (void)state;
    run(&f, NULL);
    for (unsigned i = 0; i < 3; i++) {
        autoclient struct client ws = { 0 };

        begin(&ws, &f, &sessions[i]);
        if (i < 2) {
            drop(&ws, &f, i + 1);
        }
    }
    for (unsigned end = 0; stats_of(&f).forgotten == 0; end++) {
        assert_true(end < 100000);
    }
    for (unsigned i = 0; i < 3; i++) {
        autoclient struct client ws = { 0 };

        assert_int_equal(come_back(&ws, &f, &sessions[i], &before), i > 0);
        if (i == 0) {
            ws_client_text(&ws, "41"); /* the new one is not to take another's place */
            expect_journal(&f, "client namespace disconnect");
        }
    }
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_UNKNOWN], 1);
}

static void who_left_or_spoke_nonsense_does_not_come_back(void **state)
{
    static const char *const ends[] = { "41", "42[\"kick me\"]", "42[\"kick all of me\"]" };
    autosio struct sio_fixture f = { 0 };
    autobuf struct buf before = BUF_INIT;
    autoclient struct client broken = { 0 }, again = { 0 };
    struct session session;

    (void)state;
    run(&f, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        autoclient struct client ws = { 0 }, new = { 0 };

        begin(&ws, &f, &session);
        ws_client_text(&ws, ends[i]);
        if (i > 0) {
            ws_client_expect(&ws, "41");
        } else {
            expect_journal(&f, "client namespace disconnect");
        }
        assert_int_equal(stats_of(&f).sessions, 0);
        assert_false(come_back(&new, &f, &session, &before));
        ws_client_text(&new, "41");
    }
    begin(&broken, &f, &session);
    ws_client_text(&broken, "9"); /* no packet of Engine.IO */
    ws_client_expect_close(&broken);
    assert_false(come_back(&again, &f, &session, &before));
}

static void what_was_said_before_it_joined_is_not_heard_again(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    join(&speaker, "red"); /* the room is there all the time */
    say_hello(&ws, &f, "{\"owner\":7}", &session, &before);
    free(hear(&ws, &session));
    speak(&speaker, "421[\"say\",\"red\"]");
    join(&ws, "red");
    speak(&speaker, "422[\"say\",\"red\"]");
    drop(&ws, &f, 1);
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"said\",\"red\"] ");
    assert_int_equal(stats_of(&f).replayed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_for_its_rooms_is_heard_again),
        cmocka_unit_test(the_log_and_passing_events_come_in_one_order),
        cmocka_unit_test(a_log_that_is_not_whole_gives_a_new_session),
        cmocka_unit_test(what_is_more_than_the_limit_gives_a_new_session),
        cmocka_unit_test(replies_are_not_kept),
        cmocka_unit_test(what_is_sent_again_fits_the_queue_that_a_reload_left),
        cmocka_unit_test(the_oldest_session_goes_when_there_are_too_many),
        cmocka_unit_test(what_was_said_before_it_joined_is_not_heard_again),
        cmocka_unit_test(who_left_or_spoke_nonsense_does_not_come_back),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
