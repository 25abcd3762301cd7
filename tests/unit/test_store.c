/* The store's functions on businesses, agents, contacts and chats, through write and read jobs. */
#include "libshared/buf.h"
#include "store_fixture.h"

/* ------------------------------------------------------------------ names */

static void test_names_convert_both_ways(void **state)
{
    enum store_status status;
    enum store_chat_state chat_state;

    (void)state;
    for (int i = STORE_STATUS_RECEIVED; i <= STORE_STATUS_FAILED; i++) {
        assert_true(store_status_parse(str_of(store_status_name((enum store_status)i)), &status));
        assert_int_equal(status, i);
    }
    for (int i = STORE_CHAT_WAITING; i <= STORE_CHAT_CLOSED; i++) {
        assert_true(store_chat_state_parse(str_of(store_chat_state_name((enum store_chat_state)i)),
                                           &chat_state));
        assert_int_equal(chat_state, i);
    }
    assert_false(store_status_parse(STR("Read"), &status));
    assert_false(store_status_parse(STR(""), &status));
    assert_false(store_chat_state_parse(STR("open"), &chat_state));
    assert_string_equal(store_direction_name(STORE_OUTBOUND), "outbound");
    assert_string_equal(store_webhook_state_name(STORE_WEBHOOK_QUARANTINED), "quarantined");
}

/* ------------------------------------------------------------------ businesses */

struct put {
    struct store_business business;
    struct errmsg msg;
};

static enum err put_body(struct store_tx *tx, void *arg)
{
    struct put *put = arg;

    return store_business_put(tx, &put->business, &put->msg);
}

static enum err put(struct fixture *f, int64_t id, enum store_source source, const char *phones,
                    struct errmsg *ret_msg)
{
    struct str list[8];
    struct put args = {
        .business = { .id = id, .name = STR("Acme"), .source = source, .phone_number_ids = list }
    };
    autofree char *copy = xstrdup(phones);
    char *rest = copy, *phone;
    enum err err;

    while ((phone = strsep(&rest, " ")) != NULL) {
        if (*phone != '\0') {
            list[args.business.phone_number_count++] = str_of(phone);
        }
    }
    err = write_now(f, put_body, &args);
    if (ret_msg != NULL) {
        *ret_msg = args.msg;
    }
    return err;
}

struct by_phone {
    const char *phone;
    int64_t business_id;
};

static enum err by_phone_body(struct store_tx *tx, void *arg)
{
    struct by_phone *by_phone = arg;

    return store_business_by_phone(tx, str_of(by_phone->phone), &by_phone->business_id);
}

static int64_t by_phone(struct fixture *f, const char *phone)
{
    struct by_phone args = { .phone = phone, .business_id = -1 };

    WRITE(f, by_phone_body, &args);
    return args.business_id;
}

/* "1:config:Acme:p1,p2 2:…" */
static bool describe_business(void *arg, const struct store_business *business)
{
    static const char *const sources[] = { "config", "control", "token" };
    struct buf *text = arg;

    buf_printf(text, "%s%lld:%s:%.*s:", text->len > 0 ? " " : "", (long long)business->id,
               sources[business->source], STR_ARG(business->name));
    for (size_t i = 0; i < business->phone_number_count; i++) {
        buf_printf(text, "%s%.*s", i > 0 ? "," : "", STR_ARG(business->phone_number_ids[i]));
    }
    return true;
}

static enum err businesses_body(struct store_reader *reader, void *arg)
{
    return store_businesses(reader, describe_business, arg);
}

static void assert_businesses(struct fixture *f, const char *expected)
{
    autobuf struct buf text = BUF_INIT;

    READ(f, businesses_body, &text);
    assert_string_equal(text.len > 0 ? text.data : "", expected);
}

static enum err ensure_body(struct store_tx *tx, void *arg)
{
    return store_business_ensure(tx, *(const int64_t *)arg);
}

static void test_a_business_appears_with_its_first_agent(void **state)
{
    struct fixture *f = *state;
    int64_t id = 77;

    WRITE(f, ensure_body, &id);
    WRITE(f, ensure_body, &id);
    assert_businesses(f, "77:token::");
    assert_int_equal(put(f, 77, STORE_SOURCE_CONTROL, "p1 p2", NULL), OK);
    WRITE(f, ensure_body, &id);
    assert_businesses(f, "77:control:Acme:p1,p2");
}

static void test_a_phone_number_belongs_to_one_business(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;

    assert_int_equal(put(f, 1, STORE_SOURCE_CONTROL, "p1 p2", NULL), OK);
    assert_int_equal(put(f, 2, STORE_SOURCE_CONTROL, "p3 p2", &msg), ERR_EXISTS);
    assert_non_null(strstr(msg.text, "p2"));
    assert_non_null(strstr(msg.text, "business 1"));
    assert_businesses(f, "1:control:Acme:p1,p2");
    assert_int_equal(by_phone(f, "p1"), 1);
    assert_int_equal(by_phone(f, "p3"), 0);
    assert_int_equal(put(f, 1, STORE_SOURCE_CONTROL, "p1", NULL), OK);
    assert_int_equal(put(f, 2, STORE_SOURCE_CONTROL, "p3 p2", NULL), OK);
    assert_int_equal(by_phone(f, "p2"), 2);
    assert_int_equal(by_phone(f, "p3"), 2);
    assert_int_equal(by_phone(f, "p1"), 1);
}

static void test_a_configured_business_is_read_only_for_control(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;

    assert_int_equal(put(f, 1, STORE_SOURCE_CONFIG, "p1", NULL), OK);
    assert_int_equal(put(f, 1, STORE_SOURCE_CONTROL, "p9", &msg), ERR_READ_ONLY);
    assert_non_null(strstr(msg.text, "read-only"));
    assert_int_equal(put(f, 2, STORE_SOURCE_CONTROL, "p2", NULL), OK);
    assert_int_equal(put(f, 2, STORE_SOURCE_CONFIG, "p2", NULL), OK);
    assert_businesses(f, "1:config:Acme:p1 2:config:Acme:p2");
}

struct restart {
    struct put puts[3];
    size_t count;
};

static enum err restart_body(struct store_tx *tx, void *arg)
{
    struct restart *restart = arg;
    int64_t ids[3];

    for (size_t i = 0; i < restart->count; i++) {
        ids[i] = restart->puts[i].business.id;
    }
    TRY(store_business_retain(tx, ids, restart->count));
    for (size_t i = 0; i < restart->count; i++) {
        TRY(put_body(tx, &restart->puts[i]));
    }
    return OK;
}

static struct put configured(int64_t id, const struct str *phones, size_t count)
{
    return (struct put) { .business = { .id = id,
                                        .source = STORE_SOURCE_CONFIG,
                                        .phone_number_ids = phones,
                                        .phone_number_count = count } };
}

static void test_a_number_may_move_between_configured_businesses(void **state)
{
    static const struct str p1 = STR_INIT("p1"), p2 = STR_INIT("p2");
    struct fixture *f = *state;
    struct restart before = { { configured(1, &p1, 1), configured(2, &p2, 1) }, 2 };
    struct restart swapped = { { configured(1, &p2, 1), configured(2, &p1, 1) }, 2 };
    struct restart doubled = { { configured(1, &p1, 1), configured(2, &p1, 1) }, 2 };

    WRITE(f, restart_body, &before);
    assert_int_equal(by_phone(f, "p1"), 1);
    WRITE(f, restart_body, &swapped);
    assert_int_equal(by_phone(f, "p1"), 2);
    assert_int_equal(by_phone(f, "p2"), 1);
    assert_int_equal(write_now(f, restart_body, &doubled), ERR_EXISTS);
    assert_int_equal(by_phone(f, "p1"), 2);
}

static void test_a_business_that_left_the_configuration_loses_its_numbers(void **state)
{
    static const struct str p1 = STR_INIT("p1"), p2 = STR_INIT("p2");
    struct fixture *f = *state;
    struct restart both = { { configured(1, &p1, 1), configured(2, &p2, 1) }, 2 };
    struct restart one = { { configured(2, &p2, 1) }, 1 };

    assert_int_equal(put(f, 9, STORE_SOURCE_CONTROL, "p9", NULL), OK);
    WRITE(f, restart_body, &both);
    WRITE(f, restart_body, &one);
    assert_businesses(f, "1:control:: 2:config::p2 9:control:Acme:p9");
    assert_int_equal(by_phone(f, "p1"), 0);
}

static void test_a_business_may_take_any_number_that_nobody_has(void **state)
{
    struct fixture *f = *state;
    struct put any = { .business = { .id = 1, .takes_any = true } };

    assert_int_equal(by_phone(f, "p5"), 0);
    WRITE(f, put_body, &any);
    assert_int_equal(put(f, 2, STORE_SOURCE_CONTROL, "p2", NULL), OK);
    assert_int_equal(by_phone(f, "p5"), 1);
    assert_int_equal(by_phone(f, "p2"), 2);
}

static enum err put_and_fail_body(struct store_tx *tx, void *arg)
{
    struct by_phone asked = { .phone = "p1" };

    TRY(put_body(tx, arg));
    TRY(by_phone_body(tx, &asked));
    return asked.business_id == 5 ? ERR_INVALID : ERR_INTERNAL;
}

static void test_what_an_undone_job_said_of_a_number_is_forgotten(void **state)
{
    static const struct str p1 = STR_INIT("p1");
    struct fixture *f = *state;
    struct put args = configured(5, &p1, 1);

    assert_int_equal(write_now(f, put_and_fail_body, &args), ERR_INVALID);
    assert_int_equal(by_phone(f, "p1"), 0);
}

struct agent {
    const char *name, *role;
};

static enum err agent_body(struct store_tx *tx, void *arg)
{
    const struct agent *agent = arg;
    struct store_agent row;

    TRY(store_business_ensure(tx, 1));
    return store_agent_seen(tx, 1, 7, str_of(agent->name), str_of(agent->role), &row);
}

static void test_an_agents_name_and_role_are_kept_current(void **state)
{
    struct fixture *f = *state;
    struct agent first = { "Eve", "agent" }, nameless = { "", "supervisor" };

    WRITE(f, agent_body, &first);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM agent WHERE name = CAST('Eve' AS BLOB)"
                                " AND role = CAST('agent' AS BLOB) AND status = 'available'"
                                " AND capacity = 50"),
                     1);
    WRITE(f, agent_body, &nameless);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM agent WHERE name = CAST('Eve' AS BLOB)"
                                " AND role = CAST('supervisor' AS BLOB)"),
                     1);
}

/* ------------------------------------------------------------------ contacts */

static enum err contact_rows_body(struct store_tx *tx, void *arg)
{
    struct store_contact made = { .business_id = 1, .name = STR("Ann"), .user_id = STR("US.1") };
    struct store_contact change = { .phone = STR("491"), .wa_id = STR("491"), .name = STR("") };
    struct store_contact got;
    int64_t id = 0, found = 0;

    (void)arg;
    TRY(store_business_ensure(tx, 1));
    TRY(store_contact_by_alias(tx, 1, STORE_ALIAS_BSUID, STR("US.1"), &found));
    MUST(found == 0);
    TRY(store_contact_create(tx, &made, &id));
    MUST(id > 0);
    TRY(store_contact_alias_add(tx, 1, id, STORE_ALIAS_BSUID, STR("US.1")));
    TRY(store_contact_by_alias(tx, 1, STORE_ALIAS_BSUID, STR("US.1"), &found));
    MUST(found == id);
    TRY(store_contact_by_alias(tx, 1, STORE_ALIAS_WA_ID, STR("US.1"), &found));
    MUST(found == 0);
    TRY(store_contact_by_alias(tx, 2, STORE_ALIAS_BSUID, STR("US.1"), &found));
    MUST(found == 0);
    TRY(store_contact_get(tx, id, &got));
    MUST(got.id == id);
    MUST(got.business_id == 1);
    MUST(same(got.name, "Ann") && same(got.phone, NULL) && same(got.wa_id, NULL) &&
         same(got.user_id, "US.1"));
    change.id = id;
    TRY(store_contact_update(tx, &change));
    TRY(store_contact_get(tx, id, &got));
    MUST(same(got.name, "Ann") && same(got.phone, "491") && same(got.wa_id, "491") &&
         same(got.user_id, "US.1"));
    return store_contact_get(tx, id + 1, &got);
}

static void test_contacts_are_found_by_alias_and_updated_where_given(void **state)
{
    assert_int_equal(write_now(*state, contact_rows_body, NULL), ERR_NOT_FOUND);
}

static enum err alias_twice_body(struct store_tx *tx, void *arg)
{
    struct store_contact contact = { .business_id = 1, .name = STR("x") };
    int64_t first, other, found;

    (void)arg;
    TRY(store_business_ensure(tx, 1));
    TRY(store_contact_create(tx, &contact, &first));
    TRY(store_contact_create(tx, &contact, &other));
    TRY(store_contact_alias_add(tx, 1, first, STORE_ALIAS_WA_ID, STR("491")));
    TRY(store_contact_alias_add(tx, 1, other, STORE_ALIAS_WA_ID, STR("491")));
    TRY(store_contact_by_alias(tx, 1, STORE_ALIAS_WA_ID, STR("491"), &found));
    MUST(found == first);
    return OK;
}

static void test_an_alias_stays_with_its_first_contact(void **state)
{
    WRITE(*state, alias_twice_body, NULL);
}

/* ------------------------------------------------------------------ chats */

static enum err chats_body(struct store_tx *tx, void *arg)
{
    struct store_chat chat = { .business_id = 1, .phone_number_id = STR("p1") };
    int64_t first, second_contact, id, again, other, group, same_group;
    bool created;

    (void)arg;
    TRY(two_contacts(tx, &first, &second_contact));
    chat.contact.id = first;
    TRY(store_chat_ensure(tx, &chat, &id, &created));
    MUST(created);
    TRY(store_chat_ensure(tx, &chat, &again, &created));
    MUST(!created);
    MUST(again == id);
    chat.phone_number_id = STR("p2");
    TRY(store_chat_ensure(tx, &chat, &other, &created));
    MUST(created);
    MUST(other == id + 1);
    chat.group_id = STR("group");
    TRY(store_chat_ensure(tx, &chat, &group, &created));
    MUST(created);
    chat.contact.id = second_contact;
    TRY(store_chat_ensure(tx, &chat, &same_group, &created));
    MUST(!created);
    MUST(same_group == group);
    return OK;
}

static void test_a_chat_is_one_per_number_and_contact_or_group(void **state)
{
    WRITE(*state, chats_body, NULL);
}

struct touch {
    int64_t chat_id, message_id, at_s;
    bool inbound;
};

static enum err touch_body(struct store_tx *tx, void *arg)
{
    const struct touch *touch = arg;
    struct store_waiting reopened;

    return store_chat_touch(tx, touch->chat_id, touch->message_id, touch->at_s, touch->inbound,
                            &reopened);
}

struct got_chat {
    int64_t id;
    struct store_chat chat;
    char name[32], phone[32];
};

static enum err get_chat_body(struct store_reader *reader, void *arg)
{
    struct got_chat *got = arg;

    TRY(store_chat_get(reader, got->id, &got->chat));
    snprintf(got->name, sizeof(got->name), "%.*s", STR_ARG(got->chat.contact.name));
    snprintf(got->phone, sizeof(got->phone), "%.*s", STR_ARG(got->chat.phone_number_id));
    return OK;
}

static void test_touching_a_chat_only_moves_forward(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct touch touch;
        int64_t message_id, at_s, window_s;
    } steps[] = {
        { { 1, 5, 1000, false }, 5, 1000, 0 },     { { 1, 6, 2000, true }, 6, 2000, 88400 },
        { { 1, 7, 1500, true }, 6, 2000, 88400 },  /* late */
        { { 1, 8, 2000, false }, 8, 2000, 88400 }, /* the same second, a later id */
        { { 1, 4, 2000, true }, 8, 2000, 88400 },  { { 1, 9, 3000, false }, 9, 3000, 88400 },
        { { 1, 3, 2500, true }, 9, 3000, 88900 }, /* late, but the window grows */
    };
    struct got_chat got = { .id = 1 };

    WRITE(f, chats_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct touch touch = steps[i].touch;

        WRITE(f, touch_body, &touch);
        READ(f, get_chat_body, &got);
        assert_int_equal(got.chat.last_message_id, steps[i].message_id);
        assert_int_equal(got.chat.last_message_at_ms, steps[i].at_s * 1000);
        assert_int_equal(got.chat.window_expires_at_ms, steps[i].window_s * 1000);
    }
    assert_string_equal(got.name, "Ann");
    assert_string_equal(got.phone, "p1");
    assert_int_equal(got.chat.state, STORE_CHAT_WAITING);
    assert_int_equal(got.chat.agent_id, 0);
    assert_null(got.chat.group_id.data);
    assert_true(got.chat.created_at_ms > 0);
    got.id = 99;
    assert_int_equal(read_now(f, get_chat_body, &got), ERR_NOT_FOUND);
}

struct listing {
    struct store_chat_filter filter;
    struct buf text;
    unsigned stop_after;
};

static bool list_chat(void *arg, const struct store_chat *chat)
{
    struct listing *listing = arg;

    buf_printf(&listing->text, "%lld ", (long long)chat->id);
    return listing->stop_after == 0 || --listing->stop_after > 0;
}

static enum err list_chats_body(struct store_reader *reader, void *arg)
{
    struct listing *listing = arg;

    return store_chats(reader, &listing->filter, list_chat, listing);
}

static void assert_chats(struct fixture *f, struct store_chat_filter filter, unsigned stop_after,
                         const char *expected)
{
    struct listing listing = { .filter = filter, .stop_after = stop_after };

    READ(f, list_chats_body, &listing);
    assert_string_equal(listing.text.len > 0 ? listing.text.data : "", expected);
    buf_finish(&listing.text);
}

static void test_chats_are_listed_by_business_state_and_page(void **state)
{
    static const enum store_chat_state waiting = STORE_CHAT_WAITING, closed = STORE_CHAT_CLOSED;
    struct fixture *f = *state;

    for (int i = 0; i < 6; i++) {
        struct delivery_job job = { .business_id = 1 + i % 2 };

        snprintf(job.wamid, sizeof(job.wamid), "w%d", i);
        snprintf(job.sender, sizeof(job.sender), "49%d", i);
        WRITE(f, delivery_body, &job);
    }
    sql_exec(f, "UPDATE chat SET state = 2 WHERE id = 3");
    assert_chats(f, (struct store_chat_filter) { 0 }, 0, "1 2 3 4 5 6 ");
    assert_chats(f, (struct store_chat_filter) { .business_id = 2 }, 0, "2 4 6 ");
    assert_chats(f, (struct store_chat_filter) { .business_id = 1, .state = &waiting }, 0, "1 5 ");
    assert_chats(f, (struct store_chat_filter) { .state = &closed }, 0, "3 ");
    assert_chats(f, (struct store_chat_filter) { .after_id = 2, .limit = 2 }, 0, "3 4 ");
    assert_chats(f, (struct store_chat_filter) { .business_id = 2, .after_id = 2, .limit = 1 }, 0,
                 "4 ");
    assert_chats(f, (struct store_chat_filter) { .business_id = 3 }, 0, "");
    assert_chats(f, (struct store_chat_filter) { 0 }, 2, "1 2 ");
}

static void test_the_chats_of_an_agent_are_those_assigned_to_it(void **state)
{
    static const enum store_chat_state waiting = STORE_CHAT_WAITING, assigned = STORE_CHAT_ASSIGNED;
    struct fixture *f = *state;
    struct store_chat_filter filter = { .business_id = 1, .agent_id = 7 };

    for (int i = 0; i < 8; i++) {
        struct delivery_job job = { .business_id = 1 + i % 2 };

        snprintf(job.wamid, sizeof(job.wamid), "w%d", i);
        snprintf(job.sender, sizeof(job.sender), "49%d", i);
        WRITE(f, delivery_body, &job);
    }
    sql_exec(f, "UPDATE chat SET state = 1, agent_id = 7 WHERE id IN (1, 2, 5, 7)");
    sql_exec(f, "UPDATE chat SET state = 1, agent_id = 8 WHERE id = 3");
    assert_chats(f, filter, 0, "1 5 7 ");
    filter.state = &assigned;
    filter.after_id = 1;
    filter.limit = 1;
    assert_chats(f, filter, 0, "5 ");
    filter.state = &waiting;
    assert_chats(f, filter, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_convert_both_ways),
        STORE_TEST(test_a_business_appears_with_its_first_agent),
        STORE_TEST(test_a_phone_number_belongs_to_one_business),
        STORE_TEST(test_a_configured_business_is_read_only_for_control),
        STORE_TEST(test_a_number_may_move_between_configured_businesses),
        STORE_TEST(test_a_business_that_left_the_configuration_loses_its_numbers),
        STORE_TEST(test_a_business_may_take_any_number_that_nobody_has),
        STORE_TEST(test_what_an_undone_job_said_of_a_number_is_forgotten),
        STORE_TEST(test_an_agents_name_and_role_are_kept_current),
        STORE_TEST(test_contacts_are_found_by_alias_and_updated_where_given),
        STORE_TEST(test_an_alias_stays_with_its_first_contact),
        STORE_TEST(test_a_chat_is_one_per_number_and_contact_or_group),
        STORE_TEST(test_touching_a_chat_only_moves_forward),
        STORE_TEST(test_chats_are_listed_by_business_state_and_page),
        STORE_TEST(test_the_chats_of_an_agent_are_those_assigned_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
