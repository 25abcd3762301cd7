/* The desk's side of assignment on the real store: what is decided by word and by rule, the events
 * that follow, and the loads that the desk remembers. */
#include <semaphore.h>

#include "libshared/buf.h"
#include "siod/chat/access.h"
#include "siod/chat/assign.h"
#include "siod/chat/chat_change.h"
#include "siod/chat/desk.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/roster.h"
#include "siod/socketio/socketio.h"
#include "store_fixture.h"

static struct desk *desk;
static struct sio_server *sio;
static struct buf seen; /* "event:room " of every row */

static void on_commit(void *arg, struct store_events *events)
{
    (void)arg;
    for (size_t i = 0; i < events->count; i++) {
        const struct store_event *row = &events->rows[i];

        if (str_starts_with(row->event, STR("chat_"))) {
            buf_printf(&seen, "%.*s:%.*s ", STR_ARG(row->event), STR_ARG(row->room));
        }
    }
    desk_on_commit(desk, events);
}

static enum err agents_body(struct store_tx *tx, void *arg)
{
    struct store_agent row;
    enum err err = store_business_ensure(tx, 1);

    (void)arg;
    for (int64_t id = 7; err == OK && id <= 8; id++) {
        err = store_agent_seen(tx, 1, id, STR("Eve"), STR("agent"), &row);
    }
    return err;
}

static int setup(void **state)
{
    struct fixture *f = fixture_new("");
    const struct sio_config config = { .sockets_per_connection = 1 };
    struct desk_config desk_config = { .loop = f->loop,
                                       .offline_grace_ms = 60000,
                                       .assign_policy = ASSIGN_LEAST_LOADED };

    f->config.on_commit = on_commit;
    f->config.readers = 1; /* so that questions are answered in their order */
    sio = sio_server_new(f->loop, &config);
    fixture_open(f);
    desk_config.store = f->store;
    desk_config.sio = sio;
    desk = desk_new(&desk_config);
    assert_int_equal(write_now(f, agents_body, NULL), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    sio_server_free(sio);
    desk_free(desk);
    fixture_free(f);
    buf_finish(&seen);
    return 0;
}

/* ---- steps */

static struct agent *agent_comes(int64_t user_id)
{
    const struct store_agent row = { .business_id = 1,
                                     .user_id = user_id,
                                     .role = STR_INIT("agent"),
                                     .capacity = 50,
                                     .online = true };

    roster_restore(desk, &row);
    return roster_find(desk, 1, user_id);
}

static int64_t deliver(struct fixture *f, const char *wamid, const char *sender)
{
    struct delivery_job job = { .business_id = 1 };

    snprintf(job.wamid, sizeof(job.wamid), "%s", wamid);
    snprintf(job.sender, sizeof(job.sender), "%s", sender);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    return job.chat_id;
}

static void needs_agent(int64_t chat_id)
{
    const struct store_waiting chat = {
        .chat_id = chat_id, .business_id = 1, .version = 1, .since_ms = 1
    };

    desk_chat_waits(desk, &chat);
}

struct answer {
    bool done;
    enum err err;
    struct store_chat chat;
};

static void answered(void *arg, enum err err, const struct store_chat *chat)
{
    struct answer *answer = arg;

    answer->done = true;
    answer->err = err;
    if (chat != NULL) {
        answer->chat = *chat;
    }
}

static struct answer change(struct fixture *f, const struct chat_change *change)
{
    struct answer answer = { .done = false };

    chat_change(desk, change, answered, &answer);
    WAIT_FOR(f, answer.done);
    return answer;
}

static enum err say(struct fixture *f, enum chat_verb verb, int64_t chat_id, int64_t agent_id)
{
    const struct chat_change word = {
        .verb = verb, .chat_id = chat_id, .agent_id = agent_id, .who = STR_INIT("root")
    };

    return change(f, &word).err;
}

static bool chat_has(struct fixture *f, int64_t chat_id, int64_t agent_id)
{
    autofree char *sql = xasprintf("SELECT agent_id FROM chat WHERE id = %lld", (long long)chat_id);

    return sql_int(f, sql) == agent_id;
}

static void assert_seen(const char *text)
{
    assert_string_equal(seen.len > 0 ? seen.data : "", text);
}

/* ---- tests */

static void a_chat_moves_by_word_and_the_loads_follow(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7), *bob = agent_comes(8);
    int64_t chat = deliver(f, "w1", "491");
    struct chat_change word = {
        .verb = CHAT_ASSIGN, .chat_id = chat, .agent_id = 7, .who = STR_INIT("root")
    };
    struct answer answer = change(f, &word);

    assert_int_equal(answer.err, OK);
    assert_int_equal(answer.chat.agent_id, 7);
    assert_int_equal(answer.chat.state, STORE_CHAT_ASSIGNED);
    assert_int_equal(eve->load, 1);
    word.agent_id = 8;
    assert_int_equal(change(f, &word).err, ERR_CONFLICT);
    word.force = true;
    assert_int_equal(change(f, &word).err, OK);
    assert_int_equal(eve->load, 0);
    assert_int_equal(bob->load, 1);
    assert_seen("chat_assigned:business_1 chat_assigned:business_1 ");
    buf_clear(&seen);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM decision WHERE who = CAST('root' AS BLOB)"
                                " AND policy = CAST('manual' AS BLOB)"),
                     2);
    assert_int_equal(say(f, CHAT_CLOSE, chat, 0), OK);
    assert_int_equal(bob->load, 0);
    assert_int_equal(say(f, CHAT_CLOSE, chat, 0), ERR_CONFLICT);
    assert_seen("chat_closed:business_1 ");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM log WHERE CAST(args AS TEXT) LIKE"
                                " '{\"chatId\":1,\"agentId\":8,\"timestamp\":\"2%'"),
                     1);
}

static void a_word_about_a_chat_of_another_business_finds_nothing(void **state)
{
    struct fixture *f = *state;
    const struct chat_change word = { .verb = CHAT_CLOSE,
                                      .chat_id = deliver(f, "w1", "491"),
                                      .business_id = 2 };

    assert_int_equal(change(f, &word).err, ERR_NOT_FOUND);
    assert_int_equal(say(f, CHAT_CLOSE, 99, 0), ERR_NOT_FOUND);
    assert_int_equal(say(f, CHAT_ASSIGN, word.chat_id, 99), ERR_NOT_FOUND);
    assert_int_equal(say(f, CHAT_UNASSIGN, word.chat_id, 0), ERR_CONFLICT);
    assert_seen("");
}

static void a_chat_that_is_given_back_by_word_goes_to_who_can_take_it(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7), *bob = agent_comes(8);
    int64_t chat = deliver(f, "w1", "491");

    assert_int_equal(say(f, CHAT_ASSIGN, chat, 7), OK);
    eve->status = STORE_AGENT_AWAY;
    assert_int_equal(say(f, CHAT_UNASSIGN, chat, 0), OK);
    WAIT_FOR(f, bob->load == 1);
    assert_true(chat_has(f, chat, 8));
    bob->status = STORE_AGENT_BUSY;
    assert_int_equal(say(f, CHAT_CLOSE, chat, 0), OK);
    assert_int_equal(say(f, CHAT_REOPEN, chat, 0), OK);
    WAIT_FOR(f, sql_int(f, "SELECT waiting_told FROM chat") == 1);
    assert_int_equal(desk_chats_waiting(desk), 1);
    assert_int_equal(say(f, CHAT_CLOSE, chat, 0), OK);
    assert_int_equal(desk_chats_waiting(desk), 0);
    assert_seen("chat_assigned:business_1 chat_assigned:business_1 chat_closed:business_1 "
                "chat_waiting:business_1 chat_closed:business_1 ");
}

static void
a_chat_does_not_go_back_to_whom_it_was_taken_from_unless_nobody_else_is_there(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7), *bob = agent_comes(8);
    int64_t chat = deliver(f, "w1", "491");

    bob->load = 3;
    needs_agent(chat);
    WAIT_FOR(f, eve->load == 1);
    assert_int_equal(say(f, CHAT_UNASSIGN, chat, 0), OK);
    WAIT_FOR(f, bob->load == 4);
    assert_true(chat_has(f, chat, 8));
    eve->status = STORE_AGENT_AWAY;
    assert_int_equal(say(f, CHAT_UNASSIGN, chat, 0), OK);
    WAIT_FOR(f, desk_chats_waiting(desk) == 0);
    assert_true(chat_has(f, chat, 8));
}

static void who_is_gone_is_offline_in_the_store_once_the_chats_are_back(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7);
    int64_t chat = deliver(f, "w1", "491");

    needs_agent(chat);
    WAIT_FOR(f, eve->load == 1);
    assert_int_equal(sql_int(f, "SELECT online FROM agent WHERE user_id = 7"), 1);
    eve->status = STORE_AGENT_AWAY;
    assign_agent_gone(desk, eve);
    WAIT_FOR(f, desk_chats_waiting(desk) == 1);
    assert_int_equal(sql_int(f, "SELECT online FROM agent WHERE user_id = 7"), 0);
    assert_true(chat_has(f, chat, 0));
}

static void a_chat_taken_by_word_while_it_is_proposed_stays_with_whom_it_was_given_to(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7), *bob = agent_comes(8);
    int64_t chat = deliver(f, "w1", "491");
    const struct chat_change word = { .verb = CHAT_ASSIGN, .chat_id = chat, .agent_id = 8 };
    struct answer answer = { .done = false };

    chat_change(desk, &word, answered, &answer);
    needs_agent(chat);
    assert_int_equal(eve->reserved, 1);
    WAIT_FOR(f, answer.done && desk_chats_waiting(desk) == 0);
    assert_int_equal(answer.err, OK);
    assert_true(chat_has(f, chat, 8));
    assert_int_equal(eve->reserved + eve->load, 0);
    assert_int_equal(bob->load, 1);
    assert_seen("chat_assigned:business_1 ");
}

static void who_leaves_gives_back_what_is_not_answered(void **state)
{
    struct fixture *f = *state;
    struct agent *eve = agent_comes(7);
    int64_t open = deliver(f, "w1", "491"), answered_one = deliver(f, "w2", "492");
    struct agent *bob;

    needs_agent(open);
    needs_agent(answered_one);
    WAIT_FOR(f, eve->load == 2);
    sql_exec(f, "UPDATE message SET direction = 1 WHERE wamid = CAST('w2' AS BLOB)");
    bob = agent_comes(8);
    eve->status = STORE_AGENT_AWAY;
    assign_agent_gone(desk, eve);
    WAIT_FOR(f, bob->load == 1);
    assert_true(chat_has(f, open, 8));
    assert_true(chat_has(f, answered_one, 7));
}

/* ---- whose chat it is, while it goes */

struct signal {
    struct store_query query;
    sem_t passed;
};

static enum err signal_fetch(struct store_query *query, struct store_reader *reader)
{
    (void)reader;
    sem_post(&CONTAINER_OF(query, struct signal, query)->passed);
    return OK;
}

static void signal_done(struct store_query *query, enum err err)
{
    (void)query;
    (void)err;
}

static void access_told(void *arg, enum err err)
{
    struct answer *answer = arg;

    answer->done = true;
    answer->err = err;
}

static void what_was_read_before_a_chat_went_is_not_remembered(void **state)
{
    struct fixture *f = *state;
    int64_t chat_id = deliver(f, "w1", "49151");
    struct signal signal = { .query = { .fetch = signal_fetch, .done = signal_done } };
    struct answer answer = { .done = false };

    sem_init(&signal.passed, 0, 0);
    access_chat(desk, 1, chat_id, access_told, &answer);
    store_ask(f->store, &signal.query); /* behind it, on the only reader */
    sem_wait(&signal.passed);
    sql_exec(f, "DELETE FROM chat");
    desk_chat_forget(desk, chat_id);
    WAIT_FOR(f, answer.done);
    assert_int_equal(answer.err, ERR_NOT_FOUND);
    assert_int_equal(desk_chat_business(desk, chat_id), 0);
    sem_destroy(&signal.passed);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chat_moves_by_word_and_the_loads_follow),
        TEST(a_word_about_a_chat_of_another_business_finds_nothing),
        TEST(a_chat_that_is_given_back_by_word_goes_to_who_can_take_it),
        TEST(a_chat_does_not_go_back_to_whom_it_was_taken_from_unless_nobody_else_is_there),
        TEST(who_is_gone_is_offline_in_the_store_once_the_chats_are_back),
        TEST(a_chat_taken_by_word_while_it_is_proposed_stays_with_whom_it_was_given_to),
        TEST(who_leaves_gives_back_what_is_not_answered),
        TEST(what_was_read_before_a_chat_went_is_not_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
