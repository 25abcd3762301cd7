/* The rule, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "libshared/base.h"
#include "siod/chat/assign_rule.h"

/* An agent 1, 2, 3 … of a case; the list ends with capacity 0 and no user. */
struct row {
    int64_t user_id;
    unsigned load, reserved, capacity;
    uint64_t turn;
    enum store_agent_status status;
    enum token_role role;
    bool unknown;
};
enum { ROWS = 4 };
#define AT(id_, load_, reserved_, capacity_, turn_)                                                \
    {                                                                                              \
        id_, load_, reserved_, capacity_, turn_, STORE_AGENT_AVAILABLE, TOKEN_ROLE_AGENT, false    \
    }

static struct agent *list_of(const struct row *rows, struct agent *agents)
{
    struct agent *list = NULL;

    for (size_t i = 0; i < ROWS && rows[i].user_id != 0; i++) {
        agents[i] = (struct agent) {
            .key = { 1, rows[i].user_id },
            .load = rows[i].load,
            .reserved = rows[i].reserved,
            .capacity = rows[i].capacity,
            .turn = rows[i].turn,
            .status = rows[i].status,
            .role = rows[i].role,
            .known = !rows[i].unknown,
        };
        DL_APPEND(list, &agents[i]);
    }
    return list;
}

static void the_rule_chooses(void **state)
{
    static const struct {
        const char *what;
        enum assign_policy policy;
        struct row rows[ROWS];
        int64_t last, expected; /* 0 = nobody */
        bool sticky;
    } cases[] = {
        { "nobody is there", ASSIGN_LEAST_LOADED, { AT(0, 0, 0, 0, 0) }, 0, 0, false },
        { "the least loaded",
          ASSIGN_LEAST_LOADED,
          { AT(1, 3, 0, 9, 0), AT(2, 2, 0, 9, 0) },
          0,
          2,
          false },
        { "relative to the capacity",
          ASSIGN_LEAST_LOADED,
          { AT(1, 3, 0, 50, 0), AT(2, 2, 0, 4, 0) },
          0,
          1,
          false },
        { "reserved chats count",
          ASSIGN_LEAST_LOADED,
          { AT(1, 1, 2, 9, 0), AT(2, 2, 0, 9, 0) },
          0,
          2,
          false },
        { "equals take turns",
          ASSIGN_LEAST_LOADED,
          { AT(1, 1, 0, 9, 5), AT(2, 1, 0, 9, 4) },
          0,
          2,
          false },
        { "equals without a turn by id",
          ASSIGN_LEAST_LOADED,
          { AT(4, 0, 0, 9, 0), AT(3, 0, 0, 9, 0) },
          0,
          3,
          false },
        { "1/3 is not less than 2/6",
          ASSIGN_LEAST_LOADED,
          { AT(1, 2, 0, 6, 1), AT(2, 1, 0, 3, 2) },
          0,
          1,
          false },
        { "round robin ignores the load",
          ASSIGN_ROUND_ROBIN,
          { AT(1, 8, 0, 9, 1), AT(2, 0, 0, 9, 2) },
          0,
          1,
          false },
        { "but not the capacity",
          ASSIGN_ROUND_ROBIN,
          { AT(1, 8, 1, 9, 1), AT(2, 0, 0, 9, 2) },
          0,
          2,
          false },
        { "the last agent again",
          ASSIGN_LEAST_LOADED,
          { AT(1, 0, 0, 9, 0), AT(2, 8, 0, 9, 0) },
          2,
          2,
          true },
        { "unless it is full",
          ASSIGN_LEAST_LOADED,
          { AT(1, 0, 0, 9, 0), AT(2, 9, 0, 9, 0) },
          2,
          1,
          false },
        { "or not there", ASSIGN_ROUND_ROBIN, { AT(1, 0, 0, 9, 0) }, 2, 1, false },
        { "manual chooses nobody", ASSIGN_MANUAL, { AT(1, 0, 0, 9, 0) }, 1, 0, false },
        { "busy, away, a service, unknown",
          ASSIGN_LEAST_LOADED,
          { { 1, 0, 0, 9, 0, STORE_AGENT_BUSY, TOKEN_ROLE_AGENT, false },
            { 2, 0, 0, 9, 0, STORE_AGENT_AWAY, TOKEN_ROLE_AGENT, false },
            { 3, 0, 0, 9, 0, STORE_AGENT_AVAILABLE, TOKEN_ROLE_SERVICE, false },
            { 4, 0, 0, 9, 0, STORE_AGENT_AVAILABLE, TOKEN_ROLE_AGENT, true } },
          0,
          0,
          false },
        { "a capacity of 0 takes nothing",
          ASSIGN_LEAST_LOADED,
          { AT(1, 0, 0, 0, 0) },
          0,
          0,
          false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct store_waiting chat = { .last_agent_id = cases[i].last };
        struct agent agents[ROWS];
        struct assign_choice choice =
            assign_choose(cases[i].policy, list_of(cases[i].rows, agents), &chat);
        int64_t chosen = choice.agent != NULL ? choice.agent->key.user_id : 0;

        if (chosen != cases[i].expected || choice.sticky != cases[i].sticky) {
            fail_msg("%s: %lld is chosen, sticky %d", cases[i].what, (long long)chosen,
                     choice.sticky);
        }
    }
}

static void who_lost_the_chat_by_word_gets_it_only_when_nobody_else_can(void **state)
{
    static const struct {
        enum assign_policy policy;
        struct row rows[ROWS];
        int64_t last, expected;
    } cases[] = {
        { ASSIGN_LEAST_LOADED, { AT(1, 0, 0, 9, 0), AT(2, 8, 0, 9, 0) }, 0, 2 },
        { ASSIGN_LEAST_LOADED, { AT(1, 0, 0, 9, 0), AT(2, 8, 0, 9, 0) }, 1, 2 },
        { ASSIGN_ROUND_ROBIN, { AT(1, 0, 0, 9, 0), AT(2, 8, 0, 9, 5) }, 1, 2 },
        { ASSIGN_LEAST_LOADED, { AT(1, 0, 0, 9, 0), AT(2, 9, 0, 9, 0) }, 1, 1 },
        { ASSIGN_LEAST_LOADED, { AT(1, 9, 0, 9, 0), AT(2, 9, 0, 9, 0) }, 1, 0 },
        { ASSIGN_MANUAL, { AT(1, 0, 0, 9, 0) }, 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct store_waiting chat = { .last_agent_id = cases[i].last, .avoid_agent_id = 1 };
        struct agent agents[ROWS];
        struct assign_choice choice =
            assign_choose(cases[i].policy, list_of(cases[i].rows, agents), &chat);

        assert_int_equal(choice.agent != NULL ? choice.agent->key.user_id : 0, cases[i].expected);
        assert_false(choice.sticky);
    }
}

static void each_obstacle_has_its_name(void **state)
{
    static const struct {
        struct row row;
        const char *name;
    } cases[] = {
        { AT(1, 0, 0, 1, 0), "eligible" },
        { AT(1, 0, 1, 1, 0), "full" },
        { AT(1, 2, 0, 1, 0), "full" },
        { { 1, 0, 0, 1, 0, STORE_AGENT_BUSY, TOKEN_ROLE_AGENT, false }, "busy" },
        { { 1, 0, 0, 1, 0, STORE_AGENT_AWAY, TOKEN_ROLE_AGENT, false }, "away" },
        { { 1, 0, 0, 1, 0, STORE_AGENT_AVAILABLE, TOKEN_ROLE_SERVICE, false }, "service" },
        { { 1, 0, 0, 1, 0, STORE_AGENT_AVAILABLE, TOKEN_ROLE_SUPERVISOR, false }, "eligible" },
        { { 1, 0, 0, 1, 0, STORE_AGENT_AVAILABLE, TOKEN_ROLE_AGENT, true }, "offline" },
    };

    (void)state;
    assert_string_equal(assign_obstacle_name(assign_obstacle(NULL)), "offline");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct row rows[ROWS] = { cases[i].row };
        struct agent agents[ROWS];

        assert_string_equal(assign_obstacle_name(assign_obstacle(list_of(rows, agents))),
                            cases[i].name);
    }
}

static void a_decision_names_who_was_considered(void **state)
{
    const struct row rows[ROWS] = { AT(1, 9, 0, 9, 0),
                                    AT(2, 1, 1, 9, 0),
                                    { 3, 0, 0, 9, 0, STORE_AGENT_AWAY, TOKEN_ROLE_AGENT, false } };
    struct agent agents[ROWS], *list = list_of(rows, agents);
    autobuf struct buf out = BUF_INIT;

    (void)state;
    assign_considered_render(&out, list, &agents[1], 0);
    assert_string_equal(out.data,
                        "{\"online\":3,\"eligible\":1,\"agents\":["
                        "{\"agentId\":2,\"load\":2,\"capacity\":9,\"reason\":\"eligible\"},"
                        "{\"agentId\":1,\"load\":9,\"capacity\":9,\"reason\":\"full\"},"
                        "{\"agentId\":3,\"load\":0,\"capacity\":9,\"reason\":\"away\"}]}");
    buf_clear(&out);
    assign_considered_render(&out, NULL, NULL, 0);
    assert_string_equal(out.data, "{\"online\":0,\"eligible\":0,\"agents\":[]}");
}

static void a_decision_says_who_was_avoided(void **state)
{
    const struct row rows[ROWS] = { AT(1, 0, 0, 9, 0), AT(2, 1, 0, 9, 0) };
    struct agent agents[ROWS], *list = list_of(rows, agents);
    autobuf struct buf out = BUF_INIT;

    (void)state;
    assign_considered_render(&out, list, &agents[1], 1);
    assert_string_equal(out.data,
                        "{\"online\":2,\"eligible\":2,\"agents\":["
                        "{\"agentId\":2,\"load\":1,\"capacity\":9,\"reason\":\"eligible\"},"
                        "{\"agentId\":1,\"load\":0,\"capacity\":9,\"reason\":\"avoided\"}]}");
}

static void a_decision_about_a_large_desk_stays_small(void **state)
{
    enum { MANY = 500 };
    struct agent *agents = calloc(MANY, sizeof *agents), *list = NULL;
    autobuf struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        agents[i].key.user_id = (int64_t)i + 1;
        DL_APPEND(list, &agents[i]);
    }
    assign_considered_render(&out, list, NULL, 0);
    assert_true(out.len < 2048);
    assert_non_null(strstr(out.data, "\"online\":500"));
    free(agents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_chooses),
        cmocka_unit_test(who_lost_the_chat_by_word_gets_it_only_when_nobody_else_can),
        cmocka_unit_test(each_obstacle_has_its_name),
        cmocka_unit_test(a_decision_names_who_was_considered),
        cmocka_unit_test(a_decision_says_who_was_avoided),
        cmocka_unit_test(a_decision_about_a_large_desk_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
