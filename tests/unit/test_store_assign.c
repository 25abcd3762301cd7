/* Agents and whose chat it is: rows, compare-and-set, read cursors. */
#include "libshared/buf.h"
#include "store_fixture.h"

/* A desk in the store: business 1, agents 7 and 8, chats made by deliveries. */
struct desk {
    struct fixture *f;
    int64_t chats[8];
};

static enum err agents_body(struct store_tx *tx, void *arg)
{
    struct store_agent row;
    bool changed;

    (void)arg;
    TRY(store_business_ensure(tx, 1));
    TRY(store_business_ensure(tx, 2));
    TRY(store_agent_seen(tx, 1, 7, STR("Eve"), STR("agent"), &row));
    TRY(store_agent_seen(tx, 1, 8, STR("Bob"), STR("agent"), &row));
    TRY(store_agent_seen(tx, 2, 9, STR("Zoe"), STR("agent"), &row));
    return store_agent_capacity_set(tx, 1, 7, 2, &changed);
}

static int64_t deliver(struct fixture *f, const char *wamid, const char *sender)
{
    struct delivery_job job = { .business_id = 1 };

    snprintf(job.wamid, sizeof(job.wamid), "%s", wamid);
    snprintf(job.sender, sizeof(job.sender), "%.*s", (int)sizeof(job.sender) - 1, sender);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    return job.chat_id;
}

static struct desk desk_setup(struct fixture *f, size_t chats)
{
    struct desk desk = { .f = f };

    assert_int_equal(write_now(f, agents_body, NULL), OK);
    for (size_t i = 0; i < chats; i++) {
        char name[32];

        snprintf(name, sizeof(name), "49%zu", i);
        desk.chats[i] = deliver(f, name, name);
    }
    return desk;
}

/* ------------------------------------------------------------------ steps */

struct step {
    enum { ASSIGN, UNASSIGN, CLOSE, REOPEN, TOLD, TOUCH, TOUCH_OUT, CURRENT, UNANSWERED } what;
    struct store_assignment assignment;
    struct store_waiting waiting;
    struct store_chat chat;
    int64_t last_id, last_seconds;
    bool first;
    char text[64];
};

static enum err add_id(void *arg, int64_t chat_id)
{
    struct step *step = arg;
    size_t len = strlen(step->text);

    snprintf(step->text + len, sizeof(step->text) - len, "%lld ", (long long)chat_id);
    return OK;
}

static enum err step_body(struct store_tx *tx, void *arg)
{
    struct step *step = arg;
    int64_t chat_id = step->assignment.chat_id, agent_id = step->assignment.agent_id;
    struct store_message last;

    switch (step->what) {
    case ASSIGN:
        return store_chat_assign(tx, &step->assignment);
    case UNASSIGN:
        return store_chat_unassign(tx, chat_id, agent_id, &step->waiting);
    case CLOSE:
        return store_chat_close(tx, chat_id);
    case REOPEN:
        return store_chat_reopen(tx, chat_id, &step->waiting);
    case TOLD:
        return store_chat_waiting_told(tx, chat_id, step->assignment.version, &step->first);
    case TOUCH:
    case TOUCH_OUT:
        return store_chat_touch(tx, chat_id, step->last_id, step->last_seconds, step->what == TOUCH,
                                &step->waiting);
    case CURRENT:
        TRY(store_chat_current(tx, chat_id, &step->chat, &last));
        step->last_id = last.id;
        snprintf(step->text, sizeof(step->text), "%.*s:%.*s", STR_ARG(step->chat.contact.name),
                 STR_ARG(last.text));
        return OK;
    case UNANSWERED:
        return store_agent_unanswered(tx, 1, agent_id, add_id, step);
    }
    return ERR_INTERNAL;
}

static enum err run(struct desk *desk, struct step *step)
{
    return write_now(desk->f, step_body, step);
}

static enum err assign(struct desk *desk, size_t chat, int64_t agent_id, int64_t version)
{
    struct step step = { .what = ASSIGN, .assignment = { desk->chats[chat], agent_id, version } };

    return run(desk, &step);
}

static enum err force(struct desk *desk, size_t chat, int64_t agent_id)
{
    struct step step = { .what = ASSIGN,
                         .assignment = { desk->chats[chat], agent_id, .force = true } };

    return run(desk, &step);
}

static struct step on_chat(const struct desk *desk, int what, size_t chat, int64_t agent_id)
{
    return (struct step) { .what = what, .assignment = { desk->chats[chat], agent_id } };
}

static enum err close_chat(struct desk *desk, size_t chat)
{
    struct step step = on_chat(desk, CLOSE, chat, 0);

    return run(desk, &step);
}

static struct store_chat chat_now(struct desk *desk, size_t chat)
{
    struct step step = on_chat(desk, CURRENT, chat, 0);

    assert_int_equal(run(desk, &step), OK);
    return step.chat;
}

/* ------------------------------------------------------------------ assignment */

static void a_new_chat_waits_for_its_first_agent(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct store_chat chat = chat_now(&desk, 0);
    struct step current = on_chat(&desk, CURRENT, 0, 0);

    assert_int_equal(chat.state, STORE_CHAT_WAITING);
    assert_int_equal(chat.version, 1);
    assert_true(chat.waiting_since_ms > 0);
    assert_int_equal(run(&desk, &current), OK);
    assert_true(current.last_id > 0);
    assert_string_equal(current.text, "Ann:hello");
    assert_int_equal(assign(&desk, 0, 7, 1), OK);
    chat = chat_now(&desk, 0);
    assert_int_equal(chat.state, STORE_CHAT_ASSIGNED);
    assert_int_equal(chat.agent_id, 7);
    assert_int_equal(chat.last_agent_id, 7);
    assert_int_equal(chat.version, 2);
    assert_int_equal(chat.waiting_since_ms, 0);
    assert_true(chat.assigned_at_ms > 0);
}

static void an_assignment_needs_the_chat_as_it_was(void **state)
{
    struct desk desk = desk_setup(*state, 1);

    assert_int_equal(assign(&desk, 0, 7, 2), ERR_CONFLICT);
    assert_int_equal(assign(&desk, 0, 7, 1), OK);
    assert_int_equal(assign(&desk, 0, 8, 1), ERR_CONFLICT);
    assert_int_equal(assign(&desk, 0, 8, 2), ERR_CONFLICT);
    assert_int_equal(chat_now(&desk, 0).agent_id, 7);
}

static void an_assignment_needs_room_below_the_capacity(void **state)
{
    struct desk desk = desk_setup(*state, 4);

    assert_int_equal(assign(&desk, 0, 7, 1), OK);
    assert_int_equal(assign(&desk, 1, 7, 1), OK);
    assert_int_equal(assign(&desk, 2, 7, 1), ERR_CONFLICT);
    assert_int_equal(close_chat(&desk, 0), OK);
    assert_int_equal(assign(&desk, 2, 7, 1), OK);
    assert_int_equal(force(&desk, 3, 7), OK);
    assert_int_equal(sql_int(desk.f, "SELECT count(*) FROM chat WHERE agent_id = 7"), 3);
}

static void an_agent_s_turn_only_moves_forward(void **state)
{
    struct desk desk = desk_setup(*state, 3);
    const int64_t turns[] = { 20, 10, 30 }, expected[] = { 20, 20, 30 };

    for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
        struct step step = { .what = ASSIGN,
                             .assignment = {
                                 .chat_id = desk.chats[i], .agent_id = 8, .turn = turns[i] } };

        assert_int_equal(run(&desk, &step), OK);
        assert_int_equal(sql_int(desk.f, "SELECT turn FROM agent WHERE user_id = 8"), expected[i]);
    }
    assert_int_equal(sql_int(desk.f, "SELECT sum(turn) FROM agent WHERE user_id <> 8"), 0);
}

static void only_agents_of_the_chats_business_can_have_it(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct step nowhere = { .what = ASSIGN, .assignment = { 999, 7, .force = true } };

    assert_int_equal(assign(&desk, 0, 9, 1), ERR_NOT_FOUND);
    assert_int_equal(force(&desk, 0, 9), ERR_NOT_FOUND);
    assert_int_equal(force(&desk, 0, 1234), ERR_NOT_FOUND);
    assert_int_equal(run(&desk, &nowhere), ERR_NOT_FOUND);
}

static void somebodys_word_moves_a_chat_from_agent_to_agent(void **state)
{
    struct desk desk = desk_setup(*state, 1);

    assert_int_equal(force(&desk, 0, 7), OK);
    assert_int_equal(force(&desk, 0, 7), ERR_CONFLICT);
    assert_int_equal(force(&desk, 0, 8), OK);
    assert_int_equal(chat_now(&desk, 0).version, 3);
    assert_int_equal(close_chat(&desk, 0), OK);
    assert_int_equal(force(&desk, 0, 8), OK);
    assert_int_equal(chat_now(&desk, 0).closed_at_ms, 0);
}

static void a_chat_that_is_given_back_waits(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct step back = on_chat(&desk, UNASSIGN, 0, 0);
    struct step not_his = on_chat(&desk, UNASSIGN, 0, 8);

    assert_int_equal(run(&desk, &back), ERR_CONFLICT);
    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(run(&desk, &not_his), ERR_CONFLICT);
    assert_int_equal(run(&desk, &back), OK);
    assert_int_equal(back.waiting.chat_id, desk.chats[0]);
    assert_int_equal(back.waiting.business_id, 1);
    assert_int_equal(back.waiting.version, 3);
    assert_int_equal(back.waiting.last_agent_id, 0); /* taken from whoever had it */
    assert_false(back.waiting.told);
    assert_int_equal(chat_now(&desk, 0).state, STORE_CHAT_WAITING);
    assert_int_equal(assign(&desk, 0, 8, 3), OK);
    assert_int_equal(run(&desk, &not_his), OK);
    assert_int_equal(not_his.waiting.last_agent_id, 8); /* given back */
}

static void a_closed_chat_reopens_when_its_customer_writes(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct step touch = on_chat(&desk, TOUCH, 0, 0);
    struct step late = on_chat(&desk, TOUCH, 0, 0);
    struct step echo = on_chat(&desk, TOUCH_OUT, 0, 0);

    touch.last_id = 1000;
    touch.last_seconds = 1800000000;
    echo.last_id = 999;
    echo.last_seconds = 1799999999;
    late.last_id = 5;
    late.last_seconds = 1000;
    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(close_chat(&desk, 0), OK);
    assert_int_equal(close_chat(&desk, 0), ERR_CONFLICT);
    assert_true(chat_now(&desk, 0).closed_at_ms > 0);
    assert_int_equal(run(&desk, &echo), OK);
    assert_int_equal(echo.waiting.chat_id, 0);
    assert_int_equal(chat_now(&desk, 0).state, STORE_CHAT_CLOSED);
    assert_int_equal(chat_now(&desk, 0).last_message_id, 999);
    assert_int_equal(run(&desk, &touch), OK);
    assert_int_equal(touch.waiting.chat_id, desk.chats[0]);
    assert_int_equal(touch.waiting.last_agent_id, 7);
    assert_int_equal(chat_now(&desk, 0).state, STORE_CHAT_WAITING);
    assert_int_equal(chat_now(&desk, 0).last_message_id, 1000);
    assert_int_equal(run(&desk, &late), OK);
    assert_int_equal(late.waiting.chat_id, 0);
    assert_int_equal(close_chat(&desk, 0), OK);
    assert_int_equal(run(&desk, &late), OK);
    assert_int_equal(late.waiting.chat_id, desk.chats[0]);
}

static void an_operator_may_reopen_a_chat(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct step reopen = on_chat(&desk, REOPEN, 0, 0);

    assert_int_equal(run(&desk, &reopen), ERR_CONFLICT);
    assert_int_equal(close_chat(&desk, 0), OK);
    assert_int_equal(run(&desk, &reopen), OK);
    assert_int_equal(reopen.waiting.version, 3);
}

static void a_wait_is_announced_once(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct step told = on_chat(&desk, TOLD, 0, 0), back = on_chat(&desk, UNASSIGN, 0, 0);

    assert_int_equal(run(&desk, &told), OK);
    assert_true(told.first);
    assert_int_equal(run(&desk, &told), OK);
    assert_false(told.first);
    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(run(&desk, &told), OK);
    assert_false(told.first);
    assert_int_equal(run(&desk, &back), OK);
    told.assignment.version = 2;
    assert_int_equal(run(&desk, &told), OK);
    assert_false(told.first);
    told.assignment.version = 3;
    assert_int_equal(run(&desk, &told), OK);
    assert_true(told.first);
}

static void unanswered_chats_are_those_whose_customer_wrote_last(void **state)
{
    struct desk desk = desk_setup(*state, 3);
    struct step unanswered = { .what = UNANSWERED, .assignment.agent_id = 7 };
    autofree char *expected =
        xasprintf("%lld %lld ", (long long)desk.chats[0], (long long)desk.chats[2]);

    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(assign(&desk, 1, 7, 0), OK);
    assert_int_equal(force(&desk, 2, 7), OK);
    sql_exec(desk.f, "UPDATE message SET direction = 1 WHERE wamid = CAST('491' AS BLOB)");
    assert_int_equal(run(&desk, &unanswered), OK);
    assert_string_equal(unanswered.text, expected);
}

/* ------------------------------------------------------------------ lists */

static bool describe_waiting(void *arg, const struct store_waiting *waiting)
{
    buf_printf(arg, "%lld%s ", (long long)waiting->chat_id, waiting->told ? "!" : "");
    return true;
}

struct waiting_page {
    struct store_waiting last;
    size_t count;
    struct buf text;
};

static bool take_waiting(void *arg, const struct store_waiting *waiting)
{
    struct waiting_page *page = arg;

    page->last = *waiting;
    page->count++;
    return describe_waiting(&page->text, waiting);
}

static enum err waiting_body(struct store_reader *reader, void *arg)
{
    const struct store_waiting beginning = { .chat_id = 0 };

    return store_waiting_chats(reader, &beginning, 1000, describe_waiting, arg);
}

/* Page by page, each behind the last one of the page before. */
static enum err pages_body(struct store_reader *reader, void *arg)
{
    struct waiting_page *pages = arg;
    enum err err;

    do {
        pages->count = 0;
        err = store_waiting_chats(reader, &pages->last, 2, take_waiting, pages);
        buf_add_cstr(&pages->text, "/ ");
    } while (err == OK && pages->count == 2);
    return err;
}

static void those_who_wait_are_read_in_pages(void **state)
{
    struct desk desk = desk_setup(*state, 5);
    struct waiting_page pages = { .count = 0 };
    autofree char *expected = xasprintf("%lld %lld / %lld %lld / %lld / ", (long long)desk.chats[0],
                                        (long long)desk.chats[1], (long long)desk.chats[2],
                                        (long long)desk.chats[3], (long long)desk.chats[4]);

    assert_int_equal(read_now(desk.f, pages_body, &pages), OK);
    buf_add_char(&pages.text, '\0');
    assert_string_equal(pages.text.data, expected);
    buf_finish(&pages.text);
}

static void who_has_waited_longest_comes_first(void **state)
{
    struct desk desk = desk_setup(*state, 3);
    struct step back = on_chat(&desk, UNASSIGN, 0, 0), told = on_chat(&desk, TOLD, 2, 0);
    autofree char *expected = xasprintf("%lld %lld! %lld ", (long long)desk.chats[1],
                                        (long long)desk.chats[2], (long long)desk.chats[0]);
    autobuf struct buf text = BUF_INIT;

    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(run(&desk, &told), OK);
    assert_int_equal(run(&desk, &back), OK);
    sql_exec(desk.f, "UPDATE chat SET waiting_since_ms = waiting_since_ms + 1000 WHERE id = 1");
    assert_int_equal(read_now(desk.f, waiting_body, &text), OK);
    assert_string_equal(text.data, expected);
}

static enum err decide_body(struct store_tx *tx, void *arg)
{
    struct store_decision decision = { .chat_id = *(int64_t *)arg,
                                       .agent_id = 7,
                                       .policy = STR("least_loaded"),
                                       .outcome = STR("assigned"),
                                       .considered = STR("[{\"agentId\":7}]") };

    TRY(store_decision_append(tx, &decision));
    decision.agent_id = 0;
    decision.outcome = STR("unassigned");
    decision.who = STR("root");
    return store_decision_append(tx, &decision);
}

static bool describe_decision(void *arg, const struct store_decision *decision)
{
    assert_true(decision->at_ms > 0);
    buf_printf(arg, "%lld:%.*s:%.*s:%.*s:%.*s ", (long long)decision->agent_id,
               STR_ARG(decision->policy), STR_ARG(decision->outcome), STR_ARG(decision->who),
               STR_ARG(decision->considered));
    return true;
}

static enum err decisions_body(struct store_reader *reader, void *arg)
{
    return store_decisions(reader, 1, 2, describe_decision, arg);
}

static void decisions_are_read_back_newest_first(void **state)
{
    struct desk desk = desk_setup(*state, 2);
    autobuf struct buf text = BUF_INIT;

    assert_int_equal(desk.chats[0], 1);
    assert_int_equal(write_now(desk.f, decide_body, &desk.chats[0]), OK);
    assert_int_equal(write_now(desk.f, decide_body, &desk.chats[1]), OK);
    assert_int_equal(read_now(desk.f, decisions_body, &text), OK);
    assert_string_equal(text.data, "0:least_loaded:unassigned:root:[{\"agentId\":7}] "
                                   "7:least_loaded:assigned::[{\"agentId\":7}] ");
}

static bool describe_agent(void *arg, const struct store_agent *agent)
{
    buf_printf(arg, "%lld:%lld:%.*s:%.*s:%s:%lld:%lld:%s ", (long long)agent->business_id,
               (long long)agent->user_id, STR_ARG(agent->name), STR_ARG(agent->role),
               store_agent_status_name(agent->status), (long long)agent->capacity,
               (long long)agent->load, agent->online ? "on" : "off");
    return true;
}

static enum err agents_read_body(struct store_reader *reader, void *arg)
{
    const struct store_agent_filter all = { .business_id = 0 },
                                    here = { .business_id = 1, .online_only = true };
    struct buf *text = arg;

    TRY(store_agents(reader, &all, describe_agent, text));
    buf_add_cstr(text, "| ");
    return store_agents(reader, &here, describe_agent, text);
}

static enum err leave_body(struct store_tx *tx, void *arg)
{
    bool changed;

    (void)arg;
    TRY(store_agent_offline(tx, 1, 8));
    TRY(store_agent_offline(tx, 1, 8));
    TRY(store_agent_status_set(tx, 1, 7, STORE_AGENT_AWAY, &changed));
    TRY(changed ? OK : ERR_INTERNAL);
    TRY(store_agent_status_set(tx, 1, 7, STORE_AGENT_AWAY, &changed));
    TRY(changed ? ERR_INTERNAL : OK);
    TRY(store_agent_capacity_set(tx, 1, 7, 2, &changed));
    return changed ? ERR_INTERNAL : OK;
}

static enum err nobody_body(struct store_tx *tx, void *arg)
{
    bool changed;

    (void)arg;
    TRY(store_agent_offline(tx, 2, 7) == ERR_NOT_FOUND ? OK : ERR_INTERNAL);
    TRY(store_agent_capacity_set(tx, 2, 7, 1, &changed) == ERR_NOT_FOUND ? OK : ERR_INTERNAL);
    return store_agent_status_set(tx, 2, 7, STORE_AGENT_BUSY, &changed);
}

static void agents_are_listed_with_what_they_intend_and_carry(void **state)
{
    struct desk desk = desk_setup(*state, 2);
    autobuf struct buf text = BUF_INIT;

    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(write_now(desk.f, leave_body, NULL), OK);
    assert_int_equal(write_now(desk.f, nobody_body, NULL), ERR_NOT_FOUND);
    assert_int_equal(read_now(desk.f, agents_read_body, &text), OK);
    assert_string_equal(text.data, "1:7:Eve:agent:away:2:1:on 1:8:Bob:agent:available:50:0:off "
                                   "2:9:Zoe:agent:available:50:0:on | "
                                   "1:7:Eve:agent:away:2:1:on ");
}

static enum err seen_again_body(struct store_tx *tx, void *arg)
{
    TRY(store_agent_offline(tx, 1, 7));
    return store_agent_seen(tx, 1, 7, STR(""), STR("supervisor"), arg);
}

static void an_agent_who_is_seen_again_finds_status_capacity_and_load(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct store_agent row;

    assert_int_equal(assign(&desk, 0, 7, 0), OK);
    assert_int_equal(write_now(desk.f, leave_body, NULL), OK);
    assert_int_equal(write_now(desk.f, seen_again_body, &row), OK);
    assert_int_equal(row.business_id, 1);
    assert_int_equal(row.user_id, 7);
    assert_int_equal(row.status, STORE_AGENT_AWAY);
    assert_int_equal(row.capacity, 2);
    assert_int_equal(row.load, 1);
    assert_true(row.online);
}

/* ------------------------------------------------------------------ read cursors */

struct cursor {
    int64_t business_id, chat_id, message_id;
    bool moved;
};

static enum err cursor_body(struct store_tx *tx, void *arg)
{
    struct cursor *cursor = arg;

    return store_read_cursor_set(tx, cursor->business_id, 7, cursor->chat_id, cursor->message_id,
                                 &cursor->moved);
}

static bool cursor_moves(struct fixture *f, int64_t chat_id, int64_t message_id)
{
    struct cursor cursor = { 1, chat_id, message_id, false };

    assert_int_equal(write_now(f, cursor_body, &cursor), OK);
    return cursor.moved;
}

static void a_read_cursor_never_moves_back(void **state)
{
    struct desk desk = desk_setup(*state, 2);
    struct fixture *f = desk.f;
    struct cursor foreign = { 2, desk.chats[0], 1, false };
    struct cursor elsewhere = { 1, desk.chats[1], 1, false };

    assert_int_equal(deliver(f, "w3", "490"), desk.chats[0]);
    assert_int_equal(deliver(f, "w4", "490"), desk.chats[0]);
    sql_exec(f, "UPDATE message SET wa_timestamp_s = wa_timestamp_s - 10 WHERE id = 4");
    assert_true(cursor_moves(f, desk.chats[0], 1));
    assert_false(cursor_moves(f, desk.chats[0], 1));
    assert_true(cursor_moves(f, desk.chats[0], 3));
    assert_false(cursor_moves(f, desk.chats[0], 4));
    assert_false(cursor_moves(f, desk.chats[0], 1));
    assert_int_equal(sql_int(f, "SELECT message_id FROM read_cursor"), 3);
    assert_int_equal(write_now(f, cursor_body, &foreign), ERR_NOT_FOUND);
    assert_int_equal(write_now(f, cursor_body, &elsewhere), ERR_NOT_FOUND);
}

/* ------------------------------------------------------------------ origin */

static enum err origin_body(struct store_tx *tx, void *arg)
{
    const struct store_event event = { .business_id = 1,
                                       .room = STR("r"),
                                       .event = STR("e"),
                                       .args = STR("{}"),
                                       .origin = STR("socket 5") };

    (void)arg;
    TRY(store_business_ensure(tx, 1));
    TRY(store_log_event(tx, &event));
    return store_log_append(tx, 1, STR("r"), STR("e"), STR("{}"));
}

static bool add_origin(void *arg, const struct store_event *event)
{
    buf_printf(arg, "<%.*s>", STR_ARG(event->origin));
    return true;
}

static enum err origins_body(struct store_reader *reader, void *arg)
{
    return store_log_since(reader, 1, 0, 0, add_origin, arg);
}

static void the_origin_of_an_event_comes_out_of_the_commit_and_of_the_log(void **state)
{
    struct fixture *f = *state;
    autobuf struct buf origins = BUF_INIT;

    assert_int_equal(write_now(f, origin_body, NULL), OK);
    assert_int_equal(f->event_count, 2);
    assert_string_equal(f->events[0].origin, "socket 5");
    assert_string_equal(f->events[0].args, "{}");
    assert_string_equal(f->events[1].origin, "");
    assert_int_equal(read_now(f, origins_body, &origins), OK);
    assert_string_equal(origins.data, "<socket 5><>");
}

/* ------------------------------------------------------------------ groups */

struct group {
    int64_t business_id, chat_id;
};

static enum err group_body(struct store_tx *tx, void *arg)
{
    struct group *group = arg;
    struct store_contact contact = { .business_id = group->business_id, .name = STR("Ann") };
    struct store_chat chat = { .business_id = group->business_id,
                               .phone_number_id = STR("p1"),
                               .group_id = STR("g") };
    bool created;

    TRY(store_business_ensure(tx, group->business_id));
    TRY(store_contact_create(tx, &contact, &chat.contact.id));
    return store_chat_ensure(tx, &chat, &group->chat_id, &created);
}

static void a_number_that_moves_leaves_its_group_chats_behind(void **state)
{
    struct fixture *f = *state;
    struct group before = { 1, 0 }, after = { 2, 0 }, again = { 1, 0 };

    assert_int_equal(write_now(f, group_body, &before), OK);
    assert_int_equal(write_now(f, group_body, &after), OK);
    assert_int_equal(write_now(f, group_body, &again), OK);
    assert_true(after.chat_id != before.chat_id);
    assert_int_equal(again.chat_id, before.chat_id);
}

/* ------------------------------------------------------------------ migration */

static void a_database_of_the_first_schema_keeps_its_waiting_chats(void **state)
{
    struct desk desk = desk_setup(*state, 1);
    struct fixture *f = desk.f;
    autobuf struct buf text = BUF_INIT;

    fixture_at_schema(
        f, 1,
        "INSERT INTO business (id, name, source, created_at_ms) VALUES (1, x'', 0, 0);"
        "INSERT INTO agent (business_id, user_id, name, role, created_at_ms)"
        " VALUES (1, 7, x'', x'', 0);"
        "INSERT INTO contact (id, business_id, name, created_at_ms)"
        " VALUES (1, 1, x'', 0);"
        "INSERT INTO chat (id, business_id, phone_number_id, contact_id, created_at_ms)"
        " VALUES (1, 1, x'70', 1, 5000);"
        "UPDATE sequence SET last = 1 WHERE name = 'chat'");
    fixture_open(f);
    assert_int_equal(read_now(f, waiting_body, &text), OK);
    assert_string_equal(text.data, "1 ");
    assert_true(chat_now(&desk, 0).waiting_since_ms > 0);
    assert_int_equal(assign(&desk, 0, 7, 1), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_new_chat_waits_for_its_first_agent),
        STORE_TEST(an_assignment_needs_the_chat_as_it_was),
        STORE_TEST(an_assignment_needs_room_below_the_capacity),
        STORE_TEST(an_agent_s_turn_only_moves_forward),
        STORE_TEST(only_agents_of_the_chats_business_can_have_it),
        STORE_TEST(somebodys_word_moves_a_chat_from_agent_to_agent),
        STORE_TEST(a_chat_that_is_given_back_waits),
        STORE_TEST(a_closed_chat_reopens_when_its_customer_writes),
        STORE_TEST(an_operator_may_reopen_a_chat),
        STORE_TEST(a_wait_is_announced_once),
        STORE_TEST(unanswered_chats_are_those_whose_customer_wrote_last),
        STORE_TEST(those_who_wait_are_read_in_pages),
        STORE_TEST(who_has_waited_longest_comes_first),
        STORE_TEST(decisions_are_read_back_newest_first),
        STORE_TEST(agents_are_listed_with_what_they_intend_and_carry),
        STORE_TEST(an_agent_who_is_seen_again_finds_status_capacity_and_load),
        STORE_TEST(a_read_cursor_never_moves_back),
        STORE_TEST(the_origin_of_an_event_comes_out_of_the_commit_and_of_the_log),
        STORE_TEST(a_number_that_moves_leaves_its_group_chats_behind),
        STORE_TEST(a_database_of_the_first_schema_keeps_its_waiting_chats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
