/* Recovery while the log is read: what the client and the server do meanwhile. */
#include "tests/unit/recovery_fixture.h"

static void log_resume(void *arg)
{
    struct fake_log *log = arg;

    loop_post(rig_loop(log->f->rig), &log->call);
}

static void a_client_that_goes_while_its_log_is_read_comes_back_later(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autoclient struct client ws = { 0 }, hasty = { 0 };
    autobuf struct buf before = BUF_INIT, hello = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    emit_row(&log, "red");
    for (int i = 0; i < 20; i++) {
        ws_session_open(&hasty, f.rig);
        buf_clear(&hello);
        buf_printf(&hello, "40{\"pid\":\"%s\",\"offset\":\"%s\",\"owner\":7}", session.pid,
                   session.offset);
        ws_client_text(&hasty, hello.data);
        client_close(&hasty);
    }
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"logged\",1] ");
}

static void clear_journal(void *arg)
{
    buf_clear(&((struct sio_fixture *)arg)->journal);
}

/* A round later than what was posted. */
static void log_idle(void *arg)
{
    (void)arg;
}

/* Comes back; the log waits. */
static void come_back_half(struct client *ws, struct sio_fixture *f, const struct session *session)
{
    autobuf struct buf hello = BUF_INIT;

    ws_session_open(ws, f->rig);
    buf_printf(&hello, "40{\"pid\":\"%s\",\"offset\":\"%s\",\"owner\":7}", session->pid,
               session->offset);
    ws_client_text(ws, hello.data);
}

static void expect_message(struct client *ws, unsigned wanted, const char *text)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(opcode, wanted);
    assert_true(str_eq(buf_str(&payload), str_of(text)));
}

/* All that was sent has been handled. */
static void expect_pong(struct client *ws)
{
    ws_client_send(ws, OP_PING, STR("?"));
    expect_message(ws, OP_PONG, "?");
}

static void expect_echo(struct client *ws, const char *text)
{
    struct session session;
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    cut_offset(payload.data, &session);
    assert_string_equal(payload.data, text);
}

static void what_comes_behind_the_connect_waits_for_the_log(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    struct session session;

    (void)state;
    run(&f, &log);
    for (int i = 0; i < 2; i++) { /* is restored, or begins anew */
        autoclient struct client ws = { 0 };
        autobuf struct buf answer = BUF_INIT;
        unsigned opcode;

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        log.waits = true;
        log.fails = i == 1;
        come_back_half(&ws, &f, &session);
        ws_client_text(&ws, "42[\"echo\",\"early\"]");
        ws_client_text(&ws, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
        ws_client_send(&ws, OP_BINARY, STR("abc"));
        ws_client_text(&ws, "427[\"ack\",\"me\"]");
        expect_pong(&ws);
        log.waits = false;
        rig_call(f.rig, log_resume, &log);
        if (i == 0) {
            expect_echo(&ws, "42[\"logged\",1]");
        }
        assert_true(ws_client_receive(&ws, &opcode, &answer));
        assert_memory_equal(answer.data, "40{\"sid\"", 8);
        expect_echo(&ws, "42[\"echo\",\"early\"]");
        expect_echo(&ws, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
        expect_message(&ws, OP_BINARY, "abc");
        ws_client_expect(&ws, "437[\"me\"]");
        ws_client_text(&ws, "41");
        expect_journal(&f, "client namespace disconnect");
    }
    assert_int_equal(stats_of(&f).restored, 1);
}

static void too_much_behind_the_connect_closes_the_connection(void **state)
{
    static const struct {
        int size, count;
    } cases[] = { { 10, 65 }, { 400000, 5 } };
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    struct session session;

    (void)state;
    run(&f, &log);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autoclient struct client ws = { 0 }, again = { 0 };
        autobuf struct buf event = BUF_INIT, before = BUF_INIT;

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        buf_printf(&event, "42[\"echo\",\"%0*d\"]", cases[i].size, 0);
        come_back_half(&ws, &f, &session);
        for (int n = 0; n < cases[i].count; n++) {
            ws_client_text(&ws, event.data);
        }
        ws_client_expect_close(&ws);
        rig_call(f.rig, log_resume, &log);
        log.waits = false; /* and the session is still there */
        assert_true(come_back(&again, &f, &session, &before));
        assert_memory_equal(before.data, "42[\"logged\"", 11);
        log.waits = true;
        rig_call(f.rig, clear_journal, &f);
        ws_client_text(&again, "41"); /* it leaves no session behind */
        expect_journal(&f, "client namespace disconnect");
    }
}

static void a_log_is_not_read_to_its_end_for_nobody(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    autoclient struct client ws = { 0 };
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    for (int i = 0; i < 9; i++) {
        emit_row(&log, "red");
    }
    come_back_half(&ws, &f, &session);
    expect_pong(&ws);
    rig_call(f.rig, clear_journal, &f);
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\" rooms=0]");
    rig_call(f.rig, log_resume, &log);
    rig_call(f.rig, log_idle, NULL);
    assert_int_equal(log.rows_read, 1);
}

static void who_leaves_while_its_log_is_read_does_not_come_back(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    autoclient struct client ws = { 0 }, again = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    emit_row(&log, "red");
    come_back_half(&ws, &f, &session);
    ws_client_text(&ws, "42[\"echo\",\"never heard\"]");
    ws_client_text(&ws, "41");
    expect_pong(&ws);
    assert_int_equal(stats_of(&f).sessions, 0);
    log.waits = false;
    rig_call(f.rig, log_resume, &log);
    assert_false(come_back(&again, &f, &session, &before));
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_UNKNOWN], 1);
    ws_client_text(&ws, "40"); /* the connection is good for a new session */
    expect_journal(&f, "[connect / {}]");
    assert_null(strstr(f.journal.data, "never heard"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_goes_while_its_log_is_read_comes_back_later),
        cmocka_unit_test(what_comes_behind_the_connect_waits_for_the_log),
        cmocka_unit_test(too_much_behind_the_connect_closes_the_connection),
        cmocka_unit_test(a_log_is_not_read_to_its_end_for_nobody),
        cmocka_unit_test(who_leaves_while_its_log_is_read_does_not_come_back),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
