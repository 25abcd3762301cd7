/* Assignment over days of virtual time: the queue and the rule against a model of everything else.
 */
#include "tests/unit/assign_sim.h"

/* ------------------------------------------------------------------ the world */

static void come(int64_t business_id, struct sim_agent *agent)
{
    struct sim_job *job = sim_job_new(SEEN, business_id);

    agent->live = xnew(struct agent);
    agent->live->key = (struct agent_key) { business_id, agent->user_id };
    DL_APPEND(sim_business_of(business_id)->online, agent->live);
    job->user_id = agent->user_id;
    sim_submit(job);
}

static void go(int64_t business_id, struct sim_agent *agent)
{
    struct sim_job *job = sim_job_new(GIVE_BACK, business_id);

    assign_queue_forget_agent(sim->queue, agent->live);
    DL_DELETE(sim_business_of(business_id)->online, agent->live);
    free(TAKE(agent->live));
    job->user_id = agent->user_id;
    sim_submit(job);
}

static int64_t any_business(void)
{
    return 1 + sim_below(BUSINESSES);
}

static struct sim_agent *any_agent(int64_t business_id)
{
    return sim_agent_of(business_id, 1 + sim_below(sim->agents));
}

static void set_agent(enum kind kind, int64_t value)
{
    int64_t business_id = any_business();
    struct sim_agent *agent = any_agent(business_id);
    struct sim_job *job;

    if (agent->seen) {
        job = sim_job_new(kind, business_id);
        job->user_id = agent->user_id;
        job->value = value;
        sim_submit(job);
    }
}

static void on_chat(enum kind kind, struct sim_chat *chat)
{
    struct sim_job *job = sim_job_new(kind, chat->business_id);

    job->chat = chat;
    if (kind == FORCE) {
        job->user_id = any_agent(chat->business_id)->user_id;
    }
    sim_submit(job);
}

static void customer_writes(void)
{
    struct sim_chat *chat;

    if (sim->chat_count + 1 < CHATS_MAX && (sim->chat_count == 0 || sim_chance(600))) {
        chat = &sim->chats[++sim->chat_count];
        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED; /* until the store has it */
    } else {
        chat = &sim->chats[1 + sim_below((unsigned)sim->chat_count)];
    }
    on_chat(ARRIVE, chat);
}

/* Of the later chats, those that are still open; often of the very last, about which siod is still
 * thinking. */
static void touch_some_chat(enum kind kind)
{
    size_t last = sim_chance(150) ? 10 : 2000;
    unsigned recent = (unsigned)MIN(sim->chat_count, last);

    if (recent > 0) {
        on_chat(kind, &sim->chats[sim->chat_count - sim_below(recent)]);
    }
}

static bool is_night(void)
{
    int64_t hour = sim->now_ms % DAY_MS / (3600 * 1000);

    return hour < 7 || hour >= 19;
}

static void somebody_comes_or_goes(void)
{
    int64_t business_id = any_business();
    struct sim_agent *agent = any_agent(business_id);

    if (agent->live == NULL && sim_chance(is_night() ? 50 : 900)) {
        come(business_id, agent);
    } else if (agent->live != NULL && sim_chance(is_night() ? 700 : 60)) {
        go(business_id, agent);
    }
}

static void world_step(void)
{
    unsigned dice = sim_below(1000);

    sim->now_ms += sim_below(2400);
    if (dice < (is_night() ? 60u : 170u)) {
        customer_writes();
    } else if (dice < 420) {
        touch_some_chat(CLOSE);
    } else if (dice < 430) {
        touch_some_chat(BACK);
    } else if (dice < 440) {
        touch_some_chat(FORCE);
    } else if (dice < 470) {
        somebody_comes_or_goes();
    } else if (dice < 490) {
        set_agent(SET_STATUS, sim_chance(800) ? STORE_AGENT_AVAILABLE : 1 + sim_below(2));
    } else if (dice < 493) {
        set_agent(SET_CAPACITY, 1 + sim_below(12));
    } else if (dice < 494 && !sim->calm) {
        sim->failing = sim_chance(300);
    } else if (dice < 700 && sim->retry && !sim->failing) {
        sim->retry = false;
        assign_queue_resume(sim->queue);
    }
    sim_check_nobody_waits_in_vain();
}

/* ------------------------------------------------------------------ runs */

static void store_and_loop(unsigned most)
{
    for (unsigned i = sim_below(most); i > 0; i--) {
        sim_store_step();
    }
    for (unsigned i = sim_below(most); i > 0; i--) {
        sim_loop_step();
    }
}

static void check_at_rest(void)
{
    size_t waiting = 0;

    CHECK(sim->in_flight == 0);
    sim_check_nobody_waits_in_vain();
    for (size_t i = 1; i <= sim->chat_count; i++) {
        const struct sim_chat *chat = &sim->chats[i];

        CHECK(!chat->proposed);
        CHECK(chat->in_line == (chat->state == STORE_CHAT_WAITING));
        CHECK(!chat->in_line || chat->told);
        waiting += chat->in_line;
    }
    CHECK(waiting == assign_queue_waiting(sim->queue));
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < sim->agents; i++) {
            const struct sim_agent *agent = &sim_business_of(id)->agents[i];

            if (agent->live != NULL) {
                CHECK(agent->live->reserved == 0);
                CHECK(agent->live->load == agent->load);
                CHECK(agent->live->capacity == agent->capacity);
            }
        }
    }
}

static void days_of_a_busy_desk(unsigned seed, enum assign_policy policy)
{
    sim_start(seed, policy, AGENTS, 0);
    for (unsigned day = 0; day < 4; day++) {
        int64_t end_ms = ((int64_t)day + 1) * DAY_MS;

        while (sim->now_ms < end_ms) {
            world_step();
            if (sim_chance(150)) {
                store_and_loop(40);
            }
        }
        sim_settle();
        check_at_rest();
        sim->calm = false;
    }
    print_message("seed %u: %zu chats, %u assigned (%u sticky, %u by word), %u refused, %u failed,"
                  " %u full, %u waited, %u reopened, %u given back\n",
                  seed, sim->chat_count, sim->seen.assigned, sim->seen.sticky, sim->seen.forced,
                  sim->seen.refused, sim->seen.failed, sim->seen.full, sim->seen.waited,
                  sim->seen.reopened, sim->seen.given_back);
    /* A run in which nothing happened would prove nothing. */
    CHECK(sim->chat_count > 10000 && sim->seen.assigned > 10000 && sim->seen.refused > 20);
    CHECK(sim->seen.waited > 500 && sim->seen.reopened > 500 && sim->seen.given_back > 500);
    CHECK(sim->seen.sticky > 300 && sim->seen.failed > 0 && sim->seen.full > 0);
    CHECK(sim->seen.avoided > 50);
    sim_end();
}

static void chats_always_go_to_the_least_loaded(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 4; seed++) {
        days_of_a_busy_desk(seed, ASSIGN_LEAST_LOADED);
    }
}

static void chats_go_round(void **state)
{
    (void)state;
    days_of_a_busy_desk(11, ASSIGN_ROUND_ROBIN);
}

/* ------------------------------------------------------------------ arrivals only */

static void loads_of(int64_t business_id, unsigned *ret_least, unsigned *ret_most)
{
    *ret_least = UINT32_MAX;
    *ret_most = 0;
    for (unsigned i = 0; i < sim->agents; i++) {
        unsigned load = sim_live_load(sim_business_of(business_id)->agents[i].live);

        *ret_least = MIN(*ret_least, load);
        *ret_most = MAX(*ret_most, load);
    }
}

static void check_even(void)
{
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        unsigned least, most;

        loads_of(id, &least, &most);
        CHECK(most - least <= 1);
    }
}

static void arrivals_only(unsigned seed, enum assign_policy policy, bool calm)
{
    enum { ARRIVALS = 9000, FEW = 30, ROOM = 1000 };

    sim_start(seed, policy, FEW, ROOM);
    sim->calm = true;
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < FEW; i++) {
            come(id, &sim_business_of(id)->agents[i]);
        }
    }
    sim_settle();
    sim->calm = calm;
    while (sim->chat_count < ARRIVALS) {
        struct sim_chat *chat = &sim->chats[++sim->chat_count];

        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED;
        on_chat(ARRIVE, chat);
        store_and_loop(6);
        if (calm) {
            check_even();
        } else if (sim->retry) {
            sim->retry = false;
            assign_queue_resume(sim->queue);
        }
    }
    sim_settle();
    check_at_rest();
    check_even();
    CHECK(sim->seen.assigned == ARRIVALS);
    sim_end();
}

static void equal_agents_differ_by_at_most_one_while_chats_only_arrive(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        arrivals_only(seed, ASSIGN_LEAST_LOADED, true);
        arrivals_only(seed, ASSIGN_ROUND_ROBIN, true);
    }
}

static void a_store_that_refuses_does_not_make_it_uneven(void **state)
{
    (void)state;
    arrivals_only(5, ASSIGN_LEAST_LOADED, false);
}

/* ------------------------------------------------------------------ no policy */

static void by_hand_everything_waits_and_is_told(void **state)
{
    (void)state;
    sim_start(1, ASSIGN_MANUAL, 2, 5);
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        come(id, &sim_business_of(id)->agents[0]);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct sim_chat *chat = &sim->chats[++sim->chat_count];

        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED;
        on_chat(ARRIVE, chat);
    }
    while (sim->submitted != NULL || sim->applied != NULL) {
        struct sim_job *job;

        sim_store_step();
        if ((job = sim->applied) != NULL && job->kind != TELL) {
            sim->retry = true; /* nobody is served although somebody is eligible */
        }
        sim_loop_step();
    }
    assert_int_equal(sim->seen.assigned, 0);
    assert_int_equal(sim->seen.waited, 50);
    sim->policy = ASSIGN_LEAST_LOADED;
    sim->retry = false;
    assign_queue_set_policy(sim->queue, ASSIGN_LEAST_LOADED);
    sim_settle();
    check_at_rest();
    assert_int_equal(sim->seen.assigned, BUSINESSES * 5);
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_always_go_to_the_least_loaded),
        cmocka_unit_test(chats_go_round),
        cmocka_unit_test(equal_agents_differ_by_at_most_one_while_chats_only_arrive),
        cmocka_unit_test(a_store_that_refuses_does_not_make_it_uneven),
        cmocka_unit_test(by_hand_everything_waits_and_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
