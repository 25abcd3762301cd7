/* The queue's single steps; test_assign_sim.c has the long runs. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "libshared/buf.h"
#include "siod/chat/assign_queue.h"

/* Business 1 with agents 1 and 2, and what the queue asked for: "1>2@1" = chat 1 to agent 2 at
 * version 1, "!3" = chat 3 is told that it waits, "~3" = it may be told later, "?" = try again
 * later. */
struct rig {
    struct assign_queue *queue;
    struct agent agents[2], *online;
    struct agent other; /* of business 2 */
    struct buf asked;
    unsigned told;
    bool refuses;
    int64_t now_us;
};

static struct agent *rig_agents(void *arg, int64_t business_id)
{
    struct rig *rig = arg;

    return business_id == 1 ? rig->online : &rig->other;
}

static bool rig_propose(void *arg, const struct assign_proposal *proposal)
{
    struct rig *rig = arg;

    if (!rig->refuses) {
        buf_printf(&rig->asked, "%" PRId64 ">%" PRId64 "@%" PRId64 " ", proposal->chat_id,
                   proposal->agent_id, proposal->version);
    }
    return !rig->refuses;
}

static bool rig_tell(void *arg, const struct store_waiting *chat, struct str considered, bool later)
{
    struct rig *rig = arg;

    assert_true(considered.len > 0);
    assert_false(chat->told);
    if (!rig->refuses) {
        buf_printf(&rig->asked, "%s%" PRId64 " ", later ? "~" : "!", chat->chat_id);
        rig->told++;
    }
    return !rig->refuses;
}

static void rig_retry(void *arg)
{
    struct rig *rig = arg;

    buf_add_cstr(&rig->asked, "? ");
}

static int64_t rig_now_us(void *arg)
{
    struct rig *rig = arg;

    return rig->now_us;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    const struct assign_ops ops = { rig_agents, rig_propose, rig_tell, rig_retry, rig_now_us, rig };

    rig->queue = assign_queue_new(&ops, ASSIGN_LEAST_LOADED);
    for (size_t i = 0; i < 2; i++) {
        rig->agents[i] =
            (struct agent) { .key = { 1, (int64_t)i + 1 }, .capacity = 2, .known = true };
        DL_APPEND(rig->online, &rig->agents[i]);
    }
    rig->other = (struct agent) { .key = { 2, 9 }, .capacity = 1000, .known = true };
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    assign_queue_free(rig->queue);
    buf_finish(&rig->asked);
    free(rig);
    return 0;
}

static void waits(struct rig *rig, int64_t chat_id, int64_t since_ms)
{
    const struct store_waiting chat = {
        .chat_id = chat_id, .business_id = 1, .version = 1, .since_ms = since_ms
    };

    assign_queue_add(rig->queue, &chat);
}

static void nobody_is_available(struct rig *rig, bool so)
{
    for (size_t i = 0; i < 2; i++) {
        rig->agents[i].status = so ? STORE_AGENT_BUSY : STORE_AGENT_AVAILABLE;
    }
}

static void settle(struct rig *rig, int64_t chat_id, enum err err)
{
    const struct assign_outcome outcome = { .err = err };

    assign_queue_settle(rig->queue, chat_id, &outcome);
}

#define ASKED(rig_, text_)                                                                         \
    do {                                                                                           \
        buf_add_char(&(rig_)->asked, '\0');                                                        \
        assert_string_equal((rig_)->asked.data, text_);                                            \
        buf_clear(&(rig_)->asked);                                                                 \
    } while (0)

static void a_chat_is_proposed_at_once_and_counted_when_it_is_given(void **state)
{
    struct rig *rig = *state;

    waits(rig, 1, 10);
    waits(rig, 2, 11);
    ASKED(rig, "1>1@1 2>2@1 ");
    assert_int_equal(rig->agents[0].reserved, 1);
    settle(rig, 1, OK);
    assert_int_equal(rig->agents[0].reserved, 0);
    assert_int_equal(rig->agents[0].load, 1);
    assert_int_equal(assign_queue_waiting(rig->queue), 1);
    settle(rig, 2, OK);
    ASKED(rig, "");
}

static void who_came_back_first_is_served_first(void **state)
{
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    waits(rig, 3, 30);
    waits(rig, 1, 10);
    waits(rig, 2, 20);
    waits(rig, 5, 20);
    ASKED(rig, "!3 !1 !2 !5 ");
    nobody_is_available(rig, false);
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "1>1@1 2>2@1 5>1@1 3>2@1 ");
}

static void a_place_is_found_from_either_end(void **state)
{
    static const int64_t order[] = { 5, 9, 1, 7, 3, 8, 2, 6, 4, 10 };
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        waits(rig, order[i], order[i]);
    }
    buf_clear(&rig->asked);
    nobody_is_available(rig, false);
    rig->agents[0].capacity = ARRAY_SIZE(order);
    rig->agents[1].capacity = 0;
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "1>1@1 2>1@1 3>1@1 4>1@1 5>1@1 6>1@1 7>1@1 8>1@1 9>1@1 10>1@1 ");
}

static void a_full_agent_is_found_out_and_another_is_asked(void **state)
{
    struct rig *rig = *state;
    struct assign_outcome full = { .err = ERR_CONFLICT,
                                   .chat = { .chat_id = 1, .business_id = 1, .version = 1 },
                                   .agent = { .user_id = 1, .load = 7, .capacity = 7 } };

    waits(rig, 1, 10);
    ASKED(rig, "1>1@1 ");
    assign_queue_settle(rig->queue, 1, &full);
    ASKED(rig, "1>2@1 ");
    assert_int_equal(rig->agents[0].load, 7);
    full.agent = (struct store_agent) { .user_id = 0 };
    assign_queue_settle(rig->queue, 1, &full);
    ASKED(rig, "!1 ");
    assert_false(rig->agents[1].known);
}

static void a_chat_that_changed_meanwhile_is_proposed_as_it_is_now(void **state)
{
    struct rig *rig = *state;
    const struct assign_outcome changed = {
        .err = ERR_CONFLICT,
        .chat = { .chat_id = 1,
                  .business_id = 1,
                  .version = 5,
                  .since_ms = 50,
                  .last_agent_id = 2 },
        .agent = { .user_id = 1, .load = 0, .capacity = 2 },
    };

    waits(rig, 1, 10);
    assign_queue_settle(rig->queue, 1, &changed);
    ASKED(rig, "1>1@1 1>2@5 ");
    settle(rig, 1, ERR_CONFLICT); /* it does not wait any more */
    assert_int_equal(assign_queue_waiting(rig->queue), 0);
    ASKED(rig, "");
}

static void another_wait_is_told_again(void **state)
{
    struct rig *rig = *state;
    const struct assign_outcome changed = {
        .err = ERR_CONFLICT, .chat = { .chat_id = 1, .business_id = 1, .version = 5 }
    };

    nobody_is_available(rig, true);
    waits(rig, 1, 10);
    nobody_is_available(rig, false);
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "!1 1>1@1 ");
    nobody_is_available(rig, true);
    assign_queue_settle(rig->queue, 1, &changed);
    ASKED(rig, "!1 ");
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "");
}

/* Closed and written to again while a proposal was under way: the desk hears of the new wait before
 * it hears that the old one was refused. */
static void a_wait_that_began_meanwhile_is_told_although_the_last_one_was(void **state)
{
    struct rig *rig = *state;
    const struct store_waiting now = {
        .chat_id = 1, .business_id = 1, .version = 3, .since_ms = 30, .last_agent_id = 2
    };
    const struct assign_outcome refused = { .err = ERR_CONFLICT, .chat = now };

    nobody_is_available(rig, true);
    waits(rig, 1, 10);
    waits(rig, 2, 20);
    ASKED(rig, "!1 !2 ");
    rig->agents[0].status = STORE_AGENT_AVAILABLE;
    rig->agents[0].capacity = 1;
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "1>1@1 ");
    assign_queue_remove(rig->queue, 1);
    assign_queue_add(rig->queue, &now);
    ASKED(rig, "");
    nobody_is_available(rig, true);
    assign_queue_settle(rig->queue, 1, &refused);
    ASKED(rig, "!1 ");
    rig->agents[0].capacity = rig->agents[1].capacity = 2;
    nobody_is_available(rig, false);
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "2>1@1 1>2@3 "); /* behind the one that has waited longer, to who had it last */
}

static void a_newer_wait_takes_its_own_place(void **state)
{
    struct rig *rig = *state;
    const struct store_waiting again = {
        .chat_id = 1, .business_id = 1, .version = 4, .since_ms = 40
    };

    nobody_is_available(rig, true);
    waits(rig, 1, 10);
    waits(rig, 2, 20);
    assign_queue_add(rig->queue, &again);
    ASKED(rig, "!1 !2 !1 ");
    nobody_is_available(rig, false);
    assign_queue_drain(rig->queue, 1);
    ASKED(rig, "2>1@1 1>2@4 ");
}

static void a_store_that_takes_nothing_is_asked_again_later(void **state)
{
    struct rig *rig = *state;

    rig->refuses = true;
    waits(rig, 1, 10);
    ASKED(rig, "? ");
    assert_int_equal(rig->agents[0].reserved, 0);
    rig->refuses = false;
    assign_queue_resume(rig->queue);
    ASKED(rig, "1>1@1 ");
    settle(rig, 1, ERR_STORE);
    ASKED(rig, "? ");
    nobody_is_available(rig, true);
    rig->refuses = true;
    assign_queue_resume(rig->queue);
    ASKED(rig, "? ");
    rig->refuses = false;
    assign_queue_resume(rig->queue);
    ASKED(rig, "!1 ");
    waits(rig, 2, 20);
    assign_queue_remove(rig->queue, 2);
    assign_queue_told(rig->queue, 1, false);
    assign_queue_told(rig->queue, 2, false);
    ASKED(rig, "!2 ? ? ");
    assign_queue_resume(rig->queue);
    ASKED(rig, "~1 ");
}

static void an_agent_may_leave_while_a_chat_is_on_its_way_to_it(void **state)
{
    struct rig *rig = *state;

    waits(rig, 1, 10);
    ASKED(rig, "1>1@1 ");
    assign_queue_forget_agent(rig->queue, &rig->agents[0]);
    DL_DELETE(rig->online, &rig->agents[0]);
    rig->agents[0].reserved = 77;
    settle(rig, 1, ERR_STORE);
    assert_int_equal(rig->agents[0].reserved, 77);
    assign_queue_resume(rig->queue);
    ASKED(rig, "? 1>2@1 ");
}

static void a_chat_that_is_there_keeps_its_place_and_one_that_is_removed_is_gone(void **state)
{
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    waits(rig, 1, 10);
    waits(rig, 2, 20);
    waits(rig, 1, 30);
    assign_queue_remove(rig->queue, 2);
    assign_queue_remove(rig->queue, 2);
    waits(rig, 3, 25);
    ASKED(rig, "!1 !2 !3 ");
    nobody_is_available(rig, false);
    assign_queue_drain(rig->queue, 1);
    assign_queue_remove(rig->queue, 1); /* on its way: the answer decides */
    ASKED(rig, "1>1@1 3>2@1 ");
    assert_int_equal(assign_queue_waiting(rig->queue), 2);
}

static void no_more_than_so_many_proposals_are_under_way(void **state)
{
    enum { MANY = 1000, MOST = 256 };
    struct rig *rig = *state;
    unsigned proposed = 0;

    rig->agents[0].capacity = rig->agents[1].capacity = MANY;
    for (int64_t id = 1; id <= MANY; id++) {
        waits(rig, id, id);
    }
    assert_int_equal(rig->agents[0].reserved + rig->agents[1].reserved, MOST);
    for (int64_t id = 1; id <= MANY; id++) {
        settle(rig, id, OK);
        proposed = MAX(proposed, rig->agents[0].reserved + rig->agents[1].reserved);
    }
    assert_int_equal(proposed, MOST);
    assert_int_equal(rig->agents[0].load, MANY / 2);
    assert_int_equal(rig->agents[1].load, MANY / 2);
    assert_int_equal(assign_queue_waiting(rig->queue), 0);
}

static void a_business_with_many_chats_does_not_keep_the_others_waiting(void **state)
{
    enum { MANY = 1000, MOST = 256 };
    struct rig *rig = *state;

    rig->agents[0].capacity = MANY;
    for (int64_t id = 1; id <= MANY; id++) {
        waits(rig, id, id);
    }
    for (int64_t id = MANY + 1; id <= MANY + 10; id++) {
        const struct store_waiting chat = { .chat_id = id, .business_id = 2, .version = 1 };

        assign_queue_add(rig->queue, &chat);
    }
    assert_int_equal(rig->other.reserved, 0);
    for (int64_t id = 1; id <= 20; id++) {
        settle(rig, id, OK);
    }
    assert_in_range(rig->other.reserved, 9, 10);
}

/* ---- announcements */

static void wait_of(struct rig *rig, int64_t chat_id, int64_t business_id)
{
    const struct store_waiting chat = {
        .chat_id = chat_id, .business_id = business_id, .version = 1, .since_ms = chat_id
    };

    assign_queue_add(rig->queue, &chat);
}

static void no_more_than_so_many_announcements_are_under_way(void **state)
{
    enum { MANY = 1000, MOST = 64 };
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    for (int64_t id = 1; id <= MANY; id++) {
        wait_of(rig, id, 1);
    }
    assert_int_equal(rig->told, MOST);
    for (int64_t id = 1; id <= MANY; id++) {
        assign_queue_told(rig->queue, id, true);
        assert_int_equal(rig->told, MIN(MOST + id, MANY));
    }
    assign_queue_resume(rig->queue);
    assert_int_equal(rig->told, MANY);
}

static void a_business_with_many_announcements_does_not_keep_the_others_waiting(void **state)
{
    enum { MANY = 1000, MOST = 64 };
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    rig->other.status = STORE_AGENT_AWAY;
    for (int64_t id = 1; id <= MANY; id++) {
        wait_of(rig, id, 1);
    }
    wait_of(rig, 5001, 2);
    wait_of(rig, 5002, 2);
    buf_clear(&rig->asked);
    for (int64_t id = 1; id <= 4; id++) {
        assign_queue_told(rig->queue, id, true);
    }
    ASKED(rig, "!65 !5001 !66 !5002 ");
}

static void restored(struct rig *rig, int64_t chat_id, bool told)
{
    const struct store_waiting chat = {
        .chat_id = chat_id, .business_id = 1, .version = 1, .since_ms = chat_id, .told = told
    };

    assign_queue_restore(rig->queue, &chat);
}

static void what_waited_before_a_restart_is_looked_at_when_all_is_known(void **state)
{
    struct rig *rig = *state;

    for (int64_t id = 1; id <= 6; id++) {
        restored(rig, id, id != 6);
        restored(rig, id, false); /* it is there already */
    }
    ASKED(rig, "");
    assert_int_equal(assign_queue_waiting(rig->queue), 6);
    assign_queue_resume(rig->queue);
    ASKED(rig, "1>1@1 2>2@1 3>1@1 4>2@1 ~6 "); /* whoever was told of is not told of again */
    assign_queue_told(rig->queue, 6, true);
    assign_queue_resume(rig->queue);
    ASKED(rig, "");
}

static void whoever_comes_new_is_told_of_before_those_of_before_the_restart(void **state)
{
    enum { MANY = 200, MOST = 64 };
    struct rig *rig = *state;

    nobody_is_available(rig, true);
    for (int64_t id = 1; id <= MANY; id++) {
        restored(rig, id, false);
    }
    assign_queue_resume(rig->queue);
    assert_int_equal(rig->told, MOST);
    buf_clear(&rig->asked);
    wait_of(rig, 1001, 1);
    wait_of(rig, 1002, 1);
    assign_queue_remove(rig->queue, MOST + 1); /* the first of those that may be told of later */
    wait_of(rig, 1003, 1);
    ASKED(rig, "");
    for (int64_t id = 1; id <= 5; id++) {
        assign_queue_told(rig->queue, id, true);
    }
    ASKED(rig, "!1001 !1002 !1003 ~66 ~67 ");
}

static void nobody_is_told_of_who_could_be_served(void **state)
{
    struct rig *rig = *state;

    rig->agents[0].capacity = 1;
    DL_DELETE(rig->online, &rig->agents[1]);
    waits(rig, 1, 10);
    for (int64_t id = 101; id <= 200; id++) {
        wait_of(rig, id, 1);
    }
    assert_int_equal(rig->told, 64);
    buf_clear(&rig->asked);
    settle(rig, 1, ERR_STORE); /* and so the agent is free again */
    assign_queue_told(rig->queue, 101, true);
    ASKED(rig, "? ");
    assign_queue_resume(rig->queue);
    ASKED(rig, "1>1@1 !165 ");
}

static void a_turn_is_later_than_those_before_though_the_clock_was_set_back(void **state)
{
    struct rig *rig = *state;

    assign_queue_set_policy(rig->queue, ASSIGN_ROUND_ROBIN);
    rig->now_us = 1000;
    rig->agents[0].turn = 5000;
    assign_queue_turn_seen(rig->queue, 5000);
    for (int64_t id = 1; id <= 3; id++) {
        waits(rig, id, id);
        settle(rig, id, OK);
    }
    ASKED(rig, "1>2@1 2>1@1 3>2@1 ");
    rig->now_us = 9000;
    assert_int_equal(assign_queue_next_turn(rig->queue), 9000);
    assert_int_equal(assign_queue_next_turn(rig->queue), 9001);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chat_is_proposed_at_once_and_counted_when_it_is_given),
        TEST(who_came_back_first_is_served_first),
        TEST(a_place_is_found_from_either_end),
        TEST(a_full_agent_is_found_out_and_another_is_asked),
        TEST(a_chat_that_changed_meanwhile_is_proposed_as_it_is_now),
        TEST(another_wait_is_told_again),
        TEST(a_wait_that_began_meanwhile_is_told_although_the_last_one_was),
        TEST(a_newer_wait_takes_its_own_place),
        TEST(a_store_that_takes_nothing_is_asked_again_later),
        TEST(an_agent_may_leave_while_a_chat_is_on_its_way_to_it),
        TEST(a_chat_that_is_there_keeps_its_place_and_one_that_is_removed_is_gone),
        TEST(no_more_than_so_many_proposals_are_under_way),
        TEST(a_business_with_many_chats_does_not_keep_the_others_waiting),
        TEST(no_more_than_so_many_announcements_are_under_way),
        TEST(a_business_with_many_announcements_does_not_keep_the_others_waiting),
        TEST(what_waited_before_a_restart_is_looked_at_when_all_is_known),
        TEST(whoever_comes_new_is_told_of_before_those_of_before_the_restart),
        TEST(nobody_is_told_of_who_could_be_served),
        TEST(a_turn_is_later_than_those_before_though_the_clock_was_set_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
