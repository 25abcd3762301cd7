/* The store's functions on messages and their statuses, through write and read jobs. */
#include "libshared/buf.h"
#include "store_fixture.h"

static const int64_t second = 1700000000;

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
        /* one that is not there, with its second */
        { { .chat_id = 1, .from_id = 9, .from_second = 10 }, "5 2 " },
        { { .chat_id = 1, .from_id = 4711, .from_second = 20, .limit = 1 }, "4 " },
        { { .chat_id = 1, .forward = true, .from_id = 1, .from_second = 20 }, "3 4 1 " },
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
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 20, 1 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("read"), { 0 }, { 0 }, 30, 1 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("delivered"), { 0 }, { 0 }, 30, 1 }, true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 40, 1 }, false },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("sent"), STR_INIT("bob"), { 0 }, 10, 1 },
          true },
        { { STR_INIT("p1"), STR_INIT("w"), STR_INIT("failed"), { 0 }, STR_INIT("[]"), 30, 1 },
          true },
        { { STR_INIT("p2"), STR_INIT("w"), STR_INIT("sent"), { 0 }, { 0 }, 20, 1 }, true },
        { { STR_INIT("p1"), STR_INIT("v"), STR_INIT("sent"), { 0 }, { 0 }, 20, 1 }, true },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_messages_keep_any_byte_and_are_one_per_number_and_wamid),
        STORE_TEST(test_the_state_of_a_large_message_is_its_row_s_without_the_text),
        STORE_TEST(test_messages_without_a_wamid_yet_do_not_exclude_each_other),
        STORE_TEST(test_the_last_messages_come_oldest_first_by_second_and_id),
        STORE_TEST(test_pages_of_messages_begin_where_the_last_one_ended),
        STORE_TEST(test_a_page_cannot_begin_at_a_message_of_another_chat),
        STORE_TEST(test_each_distinct_status_is_kept_in_order_of_time_and_arrival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
