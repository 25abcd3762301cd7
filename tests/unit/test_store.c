/* Every function of the store on rows, through write and read jobs. */
#include "libshared/buf.h"
#include "store_fixture.h"

static const int64_t second = 1700000000;

/* Runs a body on the writer or on a reader and expects it to succeed. */
#define WRITE(f_, body_, arg_) assert_int_equal(write_now((f_), (body_), (arg_)), OK)
#define READ(f_, body_, arg_)  assert_int_equal(read_now((f_), (body_), (arg_)), OK)

/* In a body: pass an error on, as the jobs of the daemon do. */
#define TRY(expression_)                                                                           \
    do {                                                                                           \
        enum err try_err = (expression_);                                                          \
        if (try_err != OK) {                                                                       \
            return try_err;                                                                        \
        }                                                                                          \
    } while (0)

/* For code on the store's threads, where cmocka cannot fail a test. */
#define MUST(expression_)                                                                          \
    do {                                                                                           \
        if (!(expression_)) {                                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #expression_);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static bool same(struct str value, const char *text)
{
    return text == NULL ? value.data == NULL : value.data != NULL && str_eq(value, str_of(text));
}

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

static enum err two_contacts(struct store_tx *tx, int64_t *ret_first, int64_t *ret_second)
{
    struct store_contact contact = { .business_id = 1, .name = STR("Ann"), .wa_id = STR("491") };

    TRY(store_business_ensure(tx, 1));
    TRY(store_contact_create(tx, &contact, ret_first));
    return store_contact_create(tx, &contact, ret_second);
}

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

/* ------------------------------------------------------------------ messages */

static enum err messages_body(struct store_tx *tx, void *arg)
{
    static const char foreign[] = "nul \0, latin \xe9, surrogate \xed\xa0\x80";
    struct store_chat chat = { .business_id = 1, .phone_number_id = STR("p1") };
    struct store_message message = { .business_id = 1,
                                     .phone_number_id = STR("p1"),
                                     .wamid = STR("wamid.A"),
                                     .type = STR("text"),
                                     .text = { foreign, sizeof(foreign) - 1 },
                                     .raw = STR("{\"a\":1}"),
                                     .context_wamid = STR(""),
                                     .wa_timestamp_s = second,
                                     .created_at_ms = 5 };
    struct store_message got;
    int64_t other, id = 0, duplicate = -1;
    bool created, inserted = false;

    (void)arg;
    TRY(two_contacts(tx, &chat.contact.id, &other));
    TRY(store_chat_ensure(tx, &chat, &message.chat_id, &created));
    message.contact_id = chat.contact.id;
    TRY(store_message_append(tx, &message, &id, &inserted));
    MUST(inserted && id > 0);
    message.text = STR("again");
    TRY(store_message_append(tx, &message, &duplicate, &inserted));
    MUST(!inserted);
    MUST(duplicate == 0);
    TRY(store_message_by_wamid(tx, STR("p1"), STR("wamid.A"), &got));
    MUST(got.id == id);
    MUST(got.text.len == sizeof(foreign) - 1);
    MUST(memcmp(got.text.data, foreign, sizeof(foreign) - 1) == 0);
    MUST(same(got.raw, "{\"a\":1}") && same(got.context_wamid, "") && same(got.error, NULL) &&
         same(got.type, "text"));
    MUST(got.wa_timestamp_s == second);
    MUST(got.created_at_ms == 5);
    MUST(got.contact_id == chat.contact.id);
    MUST(got.status == STORE_STATUS_RECEIVED);

    TRY(store_message_status_set(tx, id, STORE_STATUS_FAILED, STR("[{}]")));
    TRY(store_message_by_wamid(tx, STR("p1"), STR("wamid.A"), &got));
    MUST(got.status == STORE_STATUS_FAILED);
    MUST(same(got.error, "[{}]"));
    message.phone_number_id = STR("p2");
    TRY(store_message_append(tx, &message, &duplicate, &inserted));
    MUST(inserted);
    MUST(duplicate == id + 1);
    return store_message_by_wamid(tx, STR("p1"), STR("wamid.B"), &got);
}

static void test_messages_keep_any_byte_and_are_one_per_number_and_wamid(void **state)
{
    assert_int_equal(write_now(*state, messages_body, NULL), ERR_NOT_FOUND);
}

static enum err state_body(struct store_tx *tx, void *arg)
{
    enum { LARGE = 4 << 20 };
    autofree char *large = xcalloc(LARGE, 1);
    struct store_chat chat = { .business_id = 1, .phone_number_id = STR("p1") };
    struct store_message message = { .business_id = 1,
                                     .phone_number_id = STR("p1"),
                                     .wamid = STR("wamid.A"),
                                     .direction = STORE_OUTBOUND,
                                     .status = STORE_STATUS_SENT,
                                     .type = STR("text"),
                                     .text = { large, LARGE } };
    struct store_message_state state;
    int64_t other, id;
    bool created, inserted;

    (void)arg;
    TRY(two_contacts(tx, &chat.contact.id, &other));
    TRY(store_chat_ensure(tx, &chat, &message.chat_id, &created));
    message.contact_id = chat.contact.id;
    TRY(store_message_append(tx, &message, &id, &inserted));
    TRY(store_message_state_by_wamid(tx, STR("p1"), STR("wamid.A"), &state));
    MUST(state.id == id && state.chat_id == message.chat_id && state.business_id == 1);
    MUST(state.status == STORE_STATUS_SENT);
    TRY(store_message_status_set(tx, id, STORE_STATUS_READ, STR_NONE));
    TRY(store_message_state_by_wamid(tx, STR("p1"), STR("wamid.A"), &state));
    MUST(state.status == STORE_STATUS_READ);
    return store_message_state_by_wamid(tx, STR("p2"), STR("wamid.A"), &state);
}

static void test_the_state_of_a_large_message_is_its_row_s_without_the_text(void **state)
{
    assert_int_equal(write_now(*state, state_body, NULL), ERR_NOT_FOUND);
}

static enum err unnamed_body(struct store_tx *tx, void *arg)
{
    struct store_chat chat = { .business_id = 1, .phone_number_id = STR("p1") };
    struct store_message message = { .business_id = 1,
                                     .phone_number_id = STR("p1"),
                                     .direction = STORE_OUTBOUND,
                                     .status = STORE_STATUS_QUEUED,
                                     .type = STR("text"),
                                     .sender_user_id = 7 };
    int64_t other, first, id;
    bool created, inserted;

    (void)arg;
    TRY(two_contacts(tx, &chat.contact.id, &other));
    TRY(store_chat_ensure(tx, &chat, &message.chat_id, &created));
    TRY(store_message_append(tx, &message, &first, &inserted));
    MUST(inserted);
    TRY(store_message_append(tx, &message, &id, &inserted));
    MUST(inserted);
    MUST(id == first + 1);
    return OK;
}

static void test_messages_without_a_wamid_yet_do_not_exclude_each_other(void **state)
{
    WRITE(*state, unnamed_body, NULL);
}

struct history {
    unsigned limit;
    struct buf text;
};

static enum err history_rows_body(struct store_tx *tx, void *arg)
{
    static const int seconds[] = { 30, 10, 20, 20, 10 };
    struct store_chat chat = { .business_id = 1, .phone_number_id = STR("p1") };
    struct store_message message = { .business_id = 1,
                                     .phone_number_id = STR("p1"),
                                     .type = STR("text") };
    int64_t other, id;
    bool created, inserted;

    (void)arg;
    TRY(two_contacts(tx, &chat.contact.id, &other));
    TRY(store_chat_ensure(tx, &chat, &message.chat_id, &created));
    message.contact_id = chat.contact.id;
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
        char wamid[8];

        snprintf(wamid, sizeof(wamid), "w%zu", i + 1);
        message.wamid = str_of(wamid);
        message.wa_timestamp_s = seconds[i];
        TRY(store_message_append(tx, &message, &id, &inserted));
    }
    return OK;
}

static bool history_row(void *arg, const struct store_message *message,
                        const struct store_contact *contact)
{
    struct history *history = arg;

    MUST(same(contact->name, "Ann"));
    buf_printf(&history->text, "%.*s ", STR_ARG(message->wamid));
    return true;
}

static enum err history_body(struct store_reader *reader, void *arg)
{
    struct history *history = arg;

    return store_chat_messages(reader, 1, history->limit, history_row, history);
}

static void test_the_last_messages_come_oldest_first_by_second_and_id(void **state)
{
    static const struct {
        unsigned limit;
        const char *expected;
    } vectors[] = { { 10, "w2 w5 w3 w4 w1 " }, { 3, "w3 w4 w1 " }, { 1, "w1 " } };
    struct fixture *f = *state;

    WRITE(f, history_rows_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct history history = { .limit = vectors[i].limit };

        READ(f, history_body, &history);
        assert_string_equal(history.text.data, vectors[i].expected);
        buf_finish(&history.text);
    }
}

struct message_page {
    struct store_message_page page;
    struct buf text;
};

static bool message_page_row(void *arg, const struct store_message *message,
                             const struct store_contact *contact)
{
    struct message_page *self = arg;

    (void)contact;
    buf_printf(&self->text, "%lld ", (long long)message->id);
    return true;
}

static enum err message_page_body(struct store_reader *reader, void *arg)
{
    struct message_page *self = arg;

    buf_clear(&self->text);
    return store_chat_messages_page(reader, &self->page, message_page_row, self);
}

/* By second and id the messages are 2 5 3 4 1. */
static void test_pages_of_messages_begin_where_the_last_one_ended(void **state)
{
    static const struct {
        struct store_message_page page;
        const char *expected;
    } vectors[] = {
        { { .chat_id = 1 }, "1 4 3 5 2 " },
        { { .chat_id = 1, .limit = 2 }, "1 4 " },
        { { .chat_id = 1, .from_id = 4, .limit = 2 }, "3 5 " },
        { { .chat_id = 1, .from_id = 5, .limit = 2 }, "2 " },
        { { .chat_id = 1, .from_id = 2 }, "" },
        { { .chat_id = 1, .forward = true, .limit = 2 }, "2 5 " },
        { { .chat_id = 1, .forward = true, .from_id = 5, .limit = 2 }, "3 4 " },
        { { .chat_id = 1, .forward = true, .from_id = 1 }, "" },
        { { .chat_id = 9 }, "" },
    };
    struct fixture *f = *state;

    WRITE(f, history_rows_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct message_page self = { .page = vectors[i].page };

        READ(f, message_page_body, &self);
        assert_string_equal(self.text.len > 0 ? self.text.data : "", vectors[i].expected);
        buf_finish(&self.text);
    }
}

static void test_a_page_cannot_begin_at_a_message_of_another_chat(void **state)
{
    struct message_page self = { .page = { .chat_id = 2, .from_id = 1 } };
    struct fixture *f = *state;

    WRITE(f, history_rows_body, NULL);
    assert_int_equal(read_now(f, message_page_body, &self), ERR_INVALID);
    self.page = (struct store_message_page) { .chat_id = 1, .from_id = 4711, .forward = true };
    assert_int_equal(read_now(f, message_page_body, &self), ERR_INVALID);
    buf_finish(&self.text);
}

/* ------------------------------------------------------------------ statuses */

static enum err status_text(void *arg, const struct store_status_row *row)
{
    buf_printf(arg, "%.*s/%.*s/%s ", STR_ARG(row->status), STR_ARG(row->participant),
               row->error.data != NULL ? "error" : "-");
    return OK;
}

static enum err status_stop(void *arg, const struct store_status_row *row)
{
    (void)row;
    ++*(unsigned *)arg;
    return ERR_CONFLICT;
}

static enum err statuses_body(struct store_tx *tx, void *arg)
{
    static const struct {
        struct store_status_row row;
        bool is_new;
    } rows[] = {
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 20 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("read"), { 0 }, { 0 }, 30 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("delivered"), { 0 }, { 0 }, 30 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 40 }, false },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), STR_INIT("bob"), { 0 }, 10 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("failed"), { 0 }, STR_INIT("[]"), 30 }, true },
        { { STR_INIT("p2"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 20 }, true },
        { { STR_INIT("p1"), STR_INIT("v"), STR_INIT("sent"), { 0 }, { 0 }, 20 }, true },
    };
    autobuf struct buf text = BUF_INIT;
    unsigned calls = 0;

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool is_new = !rows[i].is_new;

        TRY(store_status_record(tx, &rows[i].row, &is_new));
        MUST(is_new == rows[i].is_new);
    }
    TRY(store_status_each(tx, STR("p1"), STR("w"), status_text, &text));
    MUST(strcmp(text.data, "sent/bob/- sent//- read//- delivered//- failed//error ") == 0);
    MUST(store_status_each(tx, STR("p1"), STR("w"), status_stop, &calls) == ERR_CONFLICT);
    MUST(calls == 1);
    return store_status_each(tx, STR("p1"), STR("unknown"), status_stop, &calls);
}

static void test_each_distinct_status_is_kept_in_order_of_time_and_arrival(void **state)
{
    WRITE(*state, statuses_body, NULL);
}

/* ------------------------------------------------------------------ webhooks, audit */

static enum err webhooks_rows_body(struct store_tx *tx, void *arg)
{
    struct store_webhook webhook = { .received_at_ms = 11,
                                     .app = STR("main"),
                                     .body = { "a\0b", 3 },
                                     .counts = STR("{\"inbound\":1}") };
    int64_t first, id;

    (void)arg;
    TRY(store_webhook_append(tx, &webhook, &first));
    webhook.state = STORE_WEBHOOK_QUARANTINED;
    webhook.reason = STR("unknown number");
    TRY(store_webhook_append(tx, &webhook, &id));
    MUST(id == first + 1);
    return store_audit_append(tx, STR("root"), STR("webhook replay"), STR("{}"));
}

struct webhook_list {
    bool with_body;
    unsigned seen;
};

static bool webhook_row(void *arg, const struct store_webhook *webhook)
{
    struct webhook_list *list = arg;

    list->seen++;
    MUST(webhook->id == 3 - list->seen);
    MUST(webhook->received_at_ms == 11);
    MUST(same(webhook->app, "main") && same(webhook->counts, "{\"inbound\":1}"));
    MUST(same(webhook->reason, webhook->id == 2 ? "unknown number" : ""));
    MUST(webhook->state == (webhook->id == 2 ? STORE_WEBHOOK_QUARANTINED : STORE_WEBHOOK_DONE));
    MUST(webhook->body.len == (list->with_body ? 3 : 0));
    return true;
}

static enum err webhooks_body(struct store_reader *reader, void *arg)
{
    struct webhook_list *list = arg;

    const struct store_webhook_filter filter = { .with_body = list->with_body,
                                                 .limit = list->with_body ? 0 : 2 };

    return store_webhooks(reader, &filter, webhook_row, list);
}

static enum err count_body(struct store_reader *reader, void *arg)
{
    return store_count(reader, arg);
}

static void test_webhooks_are_listed_newest_first_with_or_without_bodies(void **state)
{
    struct fixture *f = *state;
    struct webhook_list without = { .with_body = false }, with = { .with_body = true };
    struct store_counts counts;

    WRITE(f, webhooks_rows_body, NULL);
    READ(f, webhooks_body, &without);
    assert_int_equal(without.seen, 2);
    READ(f, webhooks_body, &with);
    assert_int_equal(with.seen, 2);
    READ(f, count_body, &counts);
    assert_int_equal(counts.webhooks, 2);
    assert_int_equal(counts.quarantined, 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM audit"), 1);
}

static enum err fields_write_body(struct store_tx *tx, void *arg)
{
    static const char *const fields[] = { "[\"messages\"]",
                                          "[\"messages\",\"account_update\"]",
                                          "[\"account_update_2\"]",
                                          "[\"a\\\",\\\"account_update\"]",
                                          "[]",
                                          "[\"account_update\"]" };

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const struct store_webhook webhook = { .app = STR("main"), .fields = str_of(fields[i]) };
        int64_t id;

        TRY(store_webhook_append(tx, &webhook, &id));
    }
    return OK;
}

struct field_list {
    struct str field;
    struct buf ids;
};

static bool field_row(void *arg, const struct store_webhook *webhook)
{
    buf_add_i64(arg, webhook->id);
    buf_add_char(arg, ' ');
    return true;
}

static enum err fields_read_body(struct store_reader *reader, void *arg)
{
    struct field_list *list = arg;
    const struct store_webhook_filter filter = { .field = list->field };

    return store_webhooks(reader, &filter, field_row, &list->ids);
}

static void test_webhooks_are_found_by_a_field_in_them(void **state)
{
    static const struct {
        struct str field;
        const char *ids;
    } cases[] = {
        { { NULL, 0 }, "6 5 4 3 2 1 " },
        { STR_INIT("messages"), "2 1 " },
        { STR_INIT("account_update"), "6 2 " },
        { STR_INIT("a\",\"account_update"), "4 " },
        { STR_INIT(","), "" },
        { STR_INIT("calls"), "" },
    };

    WRITE(*state, fields_write_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct field_list list = { .field = cases[i].field };

        READ(*state, fields_read_body, &list);
        assert_string_equal(list.ids.len > 0 ? list.ids.data : "", cases[i].ids);
        buf_finish(&list.ids);
    }
}

static bool audit_row(void *arg, const struct store_audit *audit)
{
    buf_printf(arg, "%lld:%.*s:%.*s:%.*s ", (long long)audit->id, STR_ARG(audit->who),
               STR_ARG(audit->command), STR_ARG(audit->args));
    MUST(audit->at_ms > 0);
    return true;
}

static enum err audits_write_body(struct store_tx *tx, void *arg)
{
    (void)arg;
    TRY(store_audit_append(tx, STR("root"), STR("first"), STR("{}")));
    TRY(store_audit_append(tx, STR("root"), STR("second"), STR("{\"a\":1}")));
    return store_audit_append(tx, STR("nobody"), STR("third"), STR("{}"));
}

static enum err audits_read_body(struct store_reader *reader, void *arg)
{
    return store_audits(reader, 2, audit_row, arg);
}

static void test_the_audit_is_listed_newest_first(void **state)
{
    struct fixture *f = *state;
    autobuf struct buf text = BUF_INIT;

    WRITE(f, audits_write_body, NULL);
    READ(f, audits_read_body, &text);
    assert_string_equal(text.data, "3:nobody:third:{} 2:root:second:{\"a\":1} ");
}

struct find {
    int64_t message_id;
    const char *wamid;
    struct buf text;
};

static enum err find_body(struct store_reader *reader, void *arg)
{
    struct find *find = arg;
    struct store_message message;
    struct store_contact contact;
    enum err err =
        store_message_find(reader, find->message_id, str_of(find->wamid), &message, &contact);

    buf_clear(&find->text);
    if (err == OK) {
        buf_printf(&find->text, "%lld %.*s %.*s", (long long)message.id, STR_ARG(message.wamid),
                   STR_ARG(contact.wa_id));
    }
    return err;
}

static enum err other_phone_body(struct store_tx *tx, void *arg)
{
    struct store_message message = { .business_id = 1,
                                     .chat_id = 1,
                                     .contact_id = 1,
                                     .phone_number_id = STR("999"),
                                     .wamid = STR("z"),
                                     .type = STR("text"),
                                     .raw = STR("{}") };
    int64_t id;
    bool inserted;

    (void)arg;
    return store_message_append(tx, &message, &id, &inserted);
}

static void test_a_message_is_found_by_id_and_by_wamid(void **state)
{
    static const struct {
        int64_t message_id;
        const char *wamid, *expected;
    } vectors[] = {
        { 1, "", "1 a 1" }, { 0, "b", "2 b 1" }, { 0, "z", "3 z 1" },
        { 4, "", NULL },    { 0, "c", NULL },    { 0, "", NULL },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" } };
    struct find find = { 0 };

    find.wamid = "a";
    assert_int_equal(read_now(f, find_body, &find), ERR_NOT_FOUND);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    WRITE(f, other_phone_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        enum err err;

        find.message_id = vectors[i].message_id;
        find.wamid = vectors[i].wamid;
        err = read_now(f, find_body, &find);
        assert_int_equal(err, vectors[i].expected != NULL ? OK : ERR_NOT_FOUND);
        if (vectors[i].expected != NULL) {
            assert_string_equal(find.text.data, vectors[i].expected);
        }
    }
    buf_finish(&find.text);
}

static void test_counts_count(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" } };
    struct store_counts counts;

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    READ(f, count_body, &counts);
    assert_int_equal(counts.businesses, 2);
    assert_int_equal(counts.contacts, 2);
    assert_int_equal(counts.chats, 2);
    assert_int_equal(counts.messages, 3);
    assert_int_equal(counts.webhooks, 3);
    assert_int_equal(counts.quarantined, 0);
}

/* ------------------------------------------------------------------ the log and snapshots */

struct since {
    int64_t business_id, position;
    unsigned limit;
    struct buf text;
    int64_t snapshot;
};

static bool since_row(void *arg, const struct store_event *event)
{
    struct since *since = arg;

    MUST(event->business_id == since->business_id);
    MUST(event->at_ms > 0);
    buf_printf(&since->text, "%lld:%.*s:%.*s:%.*s ", (long long)event->position,
               STR_ARG(event->room), STR_ARG(event->event), STR_ARG(event->args));
    return true;
}

static enum err since_body(struct store_reader *reader, void *arg)
{
    struct since *since = arg;

    TRY(store_snapshot(reader, since->business_id, &since->snapshot));
    return store_log_since(reader, since->business_id, since->position, since->limit, since_row,
                           since);
}

static void test_the_log_is_read_from_a_position(void **state)
{
    static const struct {
        int64_t business_id, position;
        unsigned limit;
        const char *expected;
        int64_t snapshot;
    } vectors[] = {
        { 1, 0, 0,
          "1:chat:new_message:a 2:business:received:a 3:chat:new_message:b "
          "4:business:received:b ",
          4 },
        { 1, 1, 2, "2:business:received:a 3:chat:new_message:b ", 4 },
        { 1, 4, 0, "", 4 },
        { 2, 0, 0, "1:chat:new_message:c 2:business:received:c ", 2 },
        { 3, 0, 0, "", 0 },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" } };

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct since since = { .business_id = vectors[i].business_id,
                               .position = vectors[i].position,
                               .limit = vectors[i].limit };

        READ(f, since_body, &since);
        assert_string_equal(since.text.len > 0 ? since.text.data : "", vectors[i].expected);
        assert_int_equal(since.snapshot, vectors[i].snapshot);
        buf_finish(&since.text);
    }
}

struct position_at {
    int64_t at_ms, position;
};

static enum err position_at_body(struct store_reader *reader, void *arg)
{
    struct position_at *at = arg;

    return store_log_position_at(reader, 1, at->at_ms, &at->position);
}

static void test_a_time_leads_to_the_position_before_it(void **state)
{
    static const struct position_at vectors[] = {
        { 0, 0 }, { 1000, 0 }, { 1001, 2 }, { 2000, 2 }, { 2001, 4 }, { INT64_MAX, 4 },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" } };

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    sql_exec(f, "UPDATE log SET at_ms = iif(position <= 2, 1000, 2000)");
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct position_at at = { .at_ms = vectors[i].at_ms, .position = -1 };

        READ(f, position_at_body, &at);
        assert_int_equal(at.position, vectors[i].position);
    }
}

/* A read job that takes its snapshot, lets the test write, and looks again. */
struct held_snapshot {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool taken, go_on;
    int64_t first, second;
    struct store_counts counts;
};

static enum err held_body(struct store_reader *reader, void *arg)
{
    struct held_snapshot *held = arg;

    TRY(store_snapshot(reader, 1, &held->first));
    pthread_mutex_lock(&held->lock);
    held->taken = true;
    pthread_cond_broadcast(&held->changed);
    while (!held->go_on) {
        pthread_cond_wait(&held->changed, &held->lock);
    }
    pthread_mutex_unlock(&held->lock);
    TRY(store_snapshot(reader, 1, &held->second));
    return store_count(reader, &held->counts);
}

static void test_a_read_job_sees_one_snapshot_while_writes_go_on(void **state)
{
    struct fixture *f = *state;
    struct delivery_job before = { .business_id = 1, .wamid = "a", .sender = "1" };
    struct delivery_job after = { .business_id = 1, .wamid = "b", .sender = "2" };
    struct held_snapshot held = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                  .changed = PTHREAD_COND_INITIALIZER };
    struct store_counts counts;
    struct read read;

    WRITE(f, delivery_body, &before);
    read_submit(f, &read, held_body, &held);
    pthread_mutex_lock(&held.lock);
    while (!held.taken) {
        pthread_cond_wait(&held.changed, &held.lock);
    }
    pthread_mutex_unlock(&held.lock);
    WRITE(f, delivery_body, &after);
    pthread_mutex_lock(&held.lock);
    held.go_on = true;
    pthread_cond_broadcast(&held.changed);
    pthread_mutex_unlock(&held.lock);
    WAIT_FOR(f, read.done);
    assert_int_equal(read.err, OK);
    assert_int_equal(held.first, 2);
    assert_int_equal(held.second, 2);
    assert_int_equal(held.counts.messages, 1);
    /* The next job sees what was committed meanwhile, on either connection. */
    for (int i = 0; i < 4; i++) {
        READ(f, count_body, &counts);
        assert_int_equal(counts.messages, 2);
    }
}

static enum err slow_write_body(struct store_tx *tx, void *arg)
{
    struct store_webhook webhook = { .app = STR("main") };
    int64_t id;

    (void)arg;
    for (int i = 0; i < 20000; i++) {
        TRY(store_webhook_append(tx, &webhook, &id));
    }
    return OK;
}

static bool never_enough(void *arg, const struct store_webhook *webhook)
{
    (void)webhook;
    ++*(unsigned *)arg;
    return true;
}

static enum err endless_body(struct store_reader *reader, void *arg)
{
    const struct store_webhook_filter all = { .with_body = true };

    for (;;) {
        TRY(store_webhooks(reader, &all, never_enough, arg));
    }
}

static void test_a_read_job_ends_when_its_time_is_up(void **state)
{
    struct fixture *f = fixture_new("");
    struct store_counts counts;
    struct store_stats stats;
    unsigned rows = 0;

    *state = f;
    f->config.read_timeout_ms = 30;
    fixture_open(f);
    WRITE(f, slow_write_body, NULL);
    assert_int_equal(read_now(f, endless_body, &rows), ERR_TIMEOUT);
    READ(f, count_body, &counts);
    READ(f, count_body, &counts);
    READ(f, count_body, &counts);
    assert_int_equal(counts.webhooks, 20000);
    store_stats(f->store, &stats);
    assert_int_equal(stats.reads, 4);
}

static enum err clock_body(struct store_tx *tx, void *arg)
{
    *(int64_t *)arg = store_tx_now_ms(tx);
    TRY(store_business_ensure(tx, 1));
    return store_log_append(tx, 1, STR("r"), STR("e"), STR("{}"));
}

static void test_the_transactions_clock_is_the_logs(void **state)
{
    struct fixture *f = *state;
    int64_t at_ms = 0;

    WRITE(f, clock_body, &at_ms);
    assert_true(at_ms > 0);
    assert_int_equal(sql_int(f, "SELECT at_ms FROM log"), at_ms);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
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
        STORE_TEST(test_messages_keep_any_byte_and_are_one_per_number_and_wamid),
        STORE_TEST(test_the_state_of_a_large_message_is_its_row_s_without_the_text),
        STORE_TEST(test_messages_without_a_wamid_yet_do_not_exclude_each_other),
        STORE_TEST(test_the_last_messages_come_oldest_first_by_second_and_id),
        STORE_TEST(test_pages_of_messages_begin_where_the_last_one_ended),
        STORE_TEST(test_a_page_cannot_begin_at_a_message_of_another_chat),
        STORE_TEST(test_each_distinct_status_is_kept_in_order_of_time_and_arrival),
        STORE_TEST(test_webhooks_are_listed_newest_first_with_or_without_bodies),
        STORE_TEST(test_webhooks_are_found_by_a_field_in_them),
        STORE_TEST(test_the_audit_is_listed_newest_first),
        STORE_TEST(test_a_message_is_found_by_id_and_by_wamid),
        STORE_TEST(test_counts_count),
        STORE_TEST(test_the_log_is_read_from_a_position),
        STORE_TEST(test_a_time_leads_to_the_position_before_it),
        STORE_TEST(test_a_read_job_sees_one_snapshot_while_writes_go_on),
        cmocka_unit_test_teardown(test_a_read_job_ends_when_its_time_is_up, fixture_teardown),
        STORE_TEST(test_the_transactions_clock_is_the_logs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
