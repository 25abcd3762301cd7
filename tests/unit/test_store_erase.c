/* A contact is erased: nothing of it is left, and nothing of others goes with it. */
#include "siod/store/mention.h"
#include "store_fixture.h"
#include "tests/unit/gate.h"

/* ------------------------------------------------------------------ mentions */

static void test_a_name_counts_where_it_stands_alone(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } vectors[] = {
        { "{\"from\":\"4915\"}", true },
        { "{\"from\":4915}", true },
        { "\"4915\"", true },
        { "call +4915.", true },
        { "{\"from\":\"49155\"}", false },
        { "{\"from\":\"14915\"}", false },
        { "x4915", false },
        { "", false },
        { "49155 and 4915", true },
        { "{\"user_id\":\"DE.7\"}", true },
    };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("4915"));
    mention_names_add(&names, MENTION_ID, STR_NONE);
    mention_names_add(&names, MENTION_ID, STR("DE.7"));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (mention_in(str_of(vectors[i].text), &names) != vectors[i].found) {
            fail_msg("%s", vectors[i].text);
        }
    }
}

static void test_a_name_is_found_however_its_characters_are_written(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } vectors[] = {
        { "{\"from\":\"\\u0034915\"}", true },           { "{\"body\":\"call\\n4915\"}", true },
        { "{\"body\":\"\\u002b4915\"}", true },          { "{\"body\":\"a\\u00344915\"}", false },
        { "{\"a\":1},{\"from\":\"\\u0034915\"}", true }, { "no JSON: \\ 4915", true },
    };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("4915"));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (mention_in(str_of(vectors[i].text), &names) != vectors[i].found) {
            fail_msg("%s", vectors[i].text);
        }
    }
}

static void test_a_username_counts_where_it_can_be_nothing_else(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } vectors[] = {
        { "{\"username\":\"text\"}", true },
        { "{\"username\" : \"@text\"}", true },
        { "{\"username\":\"\\u0040text\"}", true },
        { "{\"body\":\"ask @text.\"}", true },
        { "{\"body\":\"ask \\u0040text, please\"}", true },
        { "{\"type\":\"text\",\"text\":{\"body\":\"text\"}}", false },
        { "{\"username\":\"text2\"}", false },
        { "{\"username\":\"text.b\"}", false },
        { "{\"body\":\"@text.b\"}", false },
        { "{\"body\":\"@text_b\"}", false },
        { "{\"body\":\"joe@text\"}", false },
        { "text", false },
    };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_USERNAME, STR("@text"));
    mention_names_add(&names, MENTION_USERNAME, STR("@"));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (mention_in(str_of(vectors[i].text), &names) != vectors[i].found) {
            fail_msg("%s", vectors[i].text);
        }
    }
}

static void test_siods_own_id_counts_as_the_id_of_a_contact(void **state)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_CONTACT, STR("7"));
    assert_true(mention_in(STR("{\"reaction\":{\"contactId\":7,\"name\":\"Ann\"}}"), &names));
    assert_true(mention_in(STR("{\"message\":{\"contact\":{\"id\":7}}}"), &names));
    assert_true(mention_in(STR("{\"customerInfo\":{\"name\":\"x\",\"id\" : 7}}"), &names));
    assert_false(mention_in(STR("{\"contactId\":77,\"chatId\":7}"), &names));
    assert_false(mention_in(STR("{\"message\":{\"id\":7,\"contact\":{\"id\":77}}}"), &names));
    assert_false(mention_in(STR("{\"contact\":[{\"id\":7}],\"id\":7}"), &names));
}

static void test_siods_own_id_of_a_chat_counts_as_that(void **state)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_CHAT, STR("7"));
    assert_true(mention_in(STR("{\"message\":{\"id\":1,\"chatId\":7}}"), &names));
    assert_false(mention_in(STR("{\"id\":7,\"contactId\":7,\"chatId\":77}"), &names));
    assert_false(mention_in(STR("{\"chatId\":\"7\"}"), &names));
}

static void test_ids_of_siods_own_times_and_ids_of_messages_are_no_mention(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } vectors[] = {
        { "4915", false },
        { "{\"chatId\":4915,\"messageId\":4915,\"id\":4915,\"userId\":4915}", false },
        { "{\"duration\":4915,\"file_size\":4915}", false },
        { "{\"timestamp\":\"4915\",\"expiration_timestamp\":\"4915\",\"createdAt\":\"4915\"}",
          false },
        { "{\"wamid\":\"wamid.4915\"}", false },
        { "{\"context\":{\"id\":\"wamid.x/4915+\"}}", false },
        { "{\"text\":\"wamid.x, call 4915\"}", true },
        { "{\"phoneNumberId\":[\"4915\"]}", false },
        { "{\"contact\":\"4915\"}", true },
        { "{\"phones\":[{\"phone\":4915}]}", true },
        { "{\"to\":[4915]}", true },
        { "{\"user_id\":4915},2", true },
        { "1,{\"userId\":\"4915\"}", true },
        { "{\"wa_id\":49150}", false },
    };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("4915"));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (mention_in(str_of(vectors[i].text), &names) != vectors[i].found) {
            fail_msg("%s", vectors[i].text);
        }
    }
}

/* ------------------------------------------------------------------ raw bodies */

/* "100" is the contact's business's, "200" another's, all others nobody's. */
static enum mention_owner owner_of(void *arg, struct str phone_number_id)
{
    (void)arg;
    return str_eq(phone_number_id, STR("100"))   ? MENTION_OF_OWN
           : str_eq(phone_number_id, STR("200")) ? MENTION_OF_OTHERS
                                                 : MENTION_OF_NOBODY;
}
static const struct mention_numbers numbers = { .owner = owner_of };

#define CHANGE(number, display, rest)                                                              \
    "{\"field\":\"messages\",\"value\":{\"metadata\":{\"display_phone_number\":\"" display         \
    "\",\"phone_number_id\":\"" number "\"}," rest "}}"
#define ENTRY(changes)        "{\"entry\":[{\"id\":\"1999\",\"changes\":[" changes "]}]}"
#define ONE(number, rest)     ENTRY(CHANGE(number, "5550", rest))
#define TO_DESK(number, rest) ENTRY(CHANGE(number, "+1 999", rest))

static void test_what_a_raw_body_names_is_told_from_whom_it_came_to(void **state)
{
    static const struct {
        const char *body;
        bool found;
    } vectors[] = {
        { ONE("100", "\"messages\":[{\"from\":\"1999\"}]"), true },
        { ONE("100", "\"messages\":[{\"from\":1999}]"), true },
        { ONE("100", "\"messages\":[{\"text\":{\"body\":\"ask +1999\"}}]"), true },
        { ONE("100", "\"history\":[{\"threads\":[{\"id\":1999}]}]"), true },
        { ONE("100", "\"messages\":[{\"id\":1999,\"timestamp\":\"1999\"}]"), false },
        { ONE("100", "\"statuses\":[{\"recipient_id\":\"1999\"}]"), true },
        { ONE("200", "\"messages\":[{\"from\":\"1999\"}]"), false },
        { ONE("300", "\"messages\":[{\"from\":\"1999\"}]"), true },
        { ONE("300", "\"contacts\":[{\"wa_id\":1999}]"), true },
        { ONE("300", "\"messages\":[{\"text\":{\"body\":\"ask 1999\"}}]"), false },
        { ONE("300", "\"messages\":[{\"text\":{\"body\":\"ask @ann\"}}]"), false },
        { ONE("300", "\"contacts\":[{\"profile\":{\"username\":\"ann\"}}]"), true },
        { ONE("1999", "\"messages\":[{\"from\":\"2\"}]"), false },
        { TO_DESK("100", "\"messages\":[{\"from\":\"2\",\"context\":{\"from\":\"1999\"}}]"),
          false },
        { TO_DESK("100", "\"message_echoes\":[{\"from\":\"1999\",\"to\":\"2\"}]"), false },
        { TO_DESK("100", "\"calls\":[{\"from\":\"2\",\"to\":\"1999\"}]"), false },
        { TO_DESK("100", "\"messages\":[{\"from\":\"1999\"}]"), true },
        { TO_DESK("300", "\"messages\":[{\"from\":\"2\"}]"), false },
        { "{\"entry\":[{\"id\":\"1999\",\"messaging\":[{\"sender\":\"1999\"}]}]}", true },
        { "{\"entry\":[{\"id\":\"1999\",\"messaging\":[]}]}", false },
        { "{\"display_phone_number\":\"1999\",\"phone_number_id\" : \"1999", false },
        { "{\"from\":\"1999\",", true },
    };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("1999"));
    mention_names_add(&names, MENTION_USERNAME, STR("ann"));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (mention_in_body(str_of(vectors[i].body), &names, &numbers) != vectors[i].found) {
            fail_msg("%s", vectors[i].body);
        }
    }
}

#define THEIRS "{\"from\":\"2\",\"text\":{\"body\":\"kept\"}}"
#define BODY(messages, contacts)                                                                   \
    ONE("100", "\"messages\":[" messages "],\"contacts\":[" contacts "]")

static void test_of_a_shared_body_what_is_others_stays(void **state)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    autobuf struct buf rest = BUF_INIT;
    autobuf struct buf mine = BUF_INIT;

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("1999"));
    assert_true(mention_remove(STR(BODY("{\"from\":\"1999\",\"text\":\"secret\"}," THEIRS,
                                        "{\"wa_id\":\"1999\"},{\"wa_id\":\"2\"}")),
                               &names, &numbers, &rest));
    assert_string_equal(rest.data, BODY(THEIRS, "{\"wa_id\":\"2\"}"));
    mention_collect(STR(BODY("{\"from\":\"1999\"}," THEIRS, "{\"wa_id\":\"1999\"}")), &names,
                    &numbers, &mine);
    assert_string_equal(mine.data, "{\"from\":\"1999\"},{\"wa_id\":\"1999\"}");
    buf_clear(&rest);
    assert_false(mention_remove(STR(BODY("{\"from\":\"1999\"}", "{\"wa_id\":\"1999\"}")), &names,
                                &numbers, &rest));
    assert_false(mention_remove(STR("{\"a\":\"1999\"}"), &names, &numbers, &rest));
    assert_false(mention_remove(STR("no JSON, but 1999"), &names, &numbers, &rest));
    assert_int_equal(rest.len, 0);
}

#define MINE           CHANGE("100", "5550", "\"messages\":[{\"from\":\"1999\"}]")
#define OF_OTHERS      CHANGE("200", "1999", "\"messages\":[{\"from\":\"1999\",\"to\":1999}]")
#define OF_OTHERS_BARE CHANGE("200", "1999", "\"contacts\":[{\"wa_id\":\"1999\"}]")

static void test_what_came_to_another_business_stays_whatever_it_shares_a_body_with(void **state)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    autobuf struct buf rest = BUF_INIT;
    autobuf struct buf mine = BUF_INIT;

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("1999"));
    assert_true(
        mention_remove(STR(ENTRY(OF_OTHERS "," MINE "," OF_OTHERS_BARE)), &names, &numbers, &rest));
    assert_string_equal(rest.data, ENTRY(OF_OTHERS "," OF_OTHERS_BARE));
    mention_collect(STR(ENTRY(OF_OTHERS "," MINE)), &names, &numbers, &mine);
    assert_string_equal(mine.data, "{\"from\":\"1999\"}");
}

/* A chunk of the past has the threads of many. */
static void test_of_a_shared_chunk_only_the_contacts_thread_is_collected(void **state)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    autobuf struct buf mine = BUF_INIT;

    (void)state;
    mention_names_add(&names, MENTION_ID, STR("1999"));
    mention_collect(STR(ONE("100", "\"history\":[{\"threads\":[{\"id\":\"2\",\"messages\":[" THEIRS
                                   "]},{\"id\":\"1999\",\"messages\":[]}]}]")),
                    &names, &numbers, &mine);
    assert_string_equal(mine.data, "{\"id\":\"1999\",\"messages\":[]}");
}

/* ------------------------------------------------------------------ erasing */

static const char *const tables[] = {
#define TABLE(name, what) #name,
#include "siod/store/personal.def"
#undef TABLE
};

static void test_every_table_is_told_what_it_holds(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        autofree char *sql = xasprintf(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'", tables[i]);

        if (sql_int(f, sql) != 1) {
            fail_msg("no table %s", tables[i]);
        }
    }
    assert_int_equal(sql_int(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"),
                     ARRAY_SIZE(tables));
}

static enum err erase_body(struct store_tx *tx, void *arg)
{
    return store_contact_erase(tx, arg);
}

static struct store_erase erase_now(struct fixture *f, int64_t contact_id)
{
    struct store_erase erase = { .contact_id = contact_id };

    for (unsigned slices = 0; !erase.done; slices++) {
        assert_int_equal(write_now(f, erase_body, &erase), OK);
        assert_true(slices < 1000);
    }
    return erase;
}

/* Everything a delivery makes, with names that are found again in the file. */
static enum err personal_body(struct store_tx *tx, void *arg)
{
    struct delivery_job *job = arg;
    autofree char *body =
        xasprintf("{\"entry\":[{\"changes\":[{\"value\":{\"messages\":[{\"from\":\"%s\",\"id\":"
                  "\"%s\"},{\"from\":\"5550001\",\"id\":\"other\"}]}}]}]}",
                  job->sender, job->wamid);
    autofree char *args = xasprintf("{\"phone\":\"%s\",\"text\":\"%s\"}", job->sender, job->wamid);
    struct store_webhook webhook = {
        .received_at_ms = 1, .app = STR("main"), .counts = STR("{}"), .body = str_of(body)
    };
    int64_t id;
    enum err err = delivery_body(tx, job);

    err = err == OK ? store_webhook_append(tx, &webhook, &id) : err;
    err = err == OK ? store_audit_append(tx, STR("uid 0"), STR("emit"), str_of(args)) : err;
    return err == OK ? store_log_append(tx, job->business_id, STR("business_1"), STR("news"),
                                        str_of(args))
                     : err;
}

static void deliver(struct fixture *f, struct delivery_job *job)
{
    assert_int_equal(write_now(f, personal_body, job), OK);
}

static bool file_has(const char *path, const char *text)
{
    autofree char *command = xasprintf("grep -qaF '%s' %s", text, path);

    return system(command) == 0;
}

static enum err nothing_body(struct store_tx *tx, void *arg)
{
    (void)tx;
    (void)arg;
    return OK;
}

static void test_nothing_of_an_erased_contact_is_left_in_the_files(void **state)
{
    struct fixture *f = *state;
    autofree char *wal = xasprintf("%s-wal", f->path);
    struct delivery_job ann = { .business_id = 1, .wamid = "wamid.ANN", .sender = "491520001" };
    struct delivery_job bob = { .business_id = 1, .wamid = "wamid.BOB", .sender = "491520002" };
    struct store_erase erase;
    struct stat status;

    deliver(f, &ann);
    deliver(f, &bob);
    fixture_close(f);
    fixture_open(f);
    assert_true(file_has(f->path, "491520001"));
    erase = erase_now(f, 1);
    assert_int_equal(erase.messages, 1);
    assert_int_equal(erase.chats, 1);
    assert_int_equal(erase.webhooks, 1);
    assert_int_equal(erase.log, 1);
    for (unsigned i = 0; i < 200 && stat(wal, &status) == 0 && status.st_size > 0; i++) {
        assert_int_equal(write_now(f, nothing_body, NULL), OK);
    }
    assert_int_equal(stat(wal, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_false(file_has(f->path, "491520001"));
    assert_true(file_has(f->path, "491520002"));
    assert_true(file_has(f->path, "5550001"));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) = max(position) FROM log"), 1);

    assert_int_equal(write_now(f, delivery_body, &ann), OK);
    assert_true(ann.duplicate);
    assert_int_equal(write_now(f, erase_body, &(struct store_erase) { .contact_id = 1 }),
                     ERR_NOT_FOUND);
}

static void test_the_id_of_who_was_erased_is_not_given_again(void **state)
{
    struct fixture *f = *state;
    struct delivery_job ann = { .business_id = 1, .wamid = "wamid.ANN", .sender = "491520001" };
    struct delivery_job bob = { .business_id = 1, .wamid = "wamid.BOB", .sender = "491520002" };
    struct delivery_job eve = { .business_id = 1, .wamid = "wamid.EVE", .sender = "491520003" };

    deliver(f, &ann);
    (void)erase_now(f, 1);
    deliver(f, &bob);
    (void)erase_now(f, 2);
    fixture_close(f);
    fixture_open(f);
    deliver(f, &eve);
    assert_int_equal(sql_int(f, "SELECT id FROM contact"), 3);
}

static enum err long_webhook_body(struct store_tx *tx, void *arg)
{
    enum { LONG = 100 << 10 };
    autofree char *body = xasprintf("{\"entry\":[{\"changes\":[{\"value\":{\"messages\":[{\"from\":"
                                    "\"491520001\",\"text\":\"%0*d\"}]}}]}]}",
                                    LONG, 0);
    struct store_webhook webhook = {
        .received_at_ms = 1, .app = STR("main"), .counts = STR("{}"), .body = str_of(body)
    };
    int64_t id;

    (void)arg;
    return store_webhook_append(tx, &webhook, &id);
}

static void test_a_slice_is_short_however_many_long_bodies_mention_the_contact(void **state)
{
    enum { BODIES = 12, IN_A_SLICE = 4 };
    struct fixture *f = *state;
    struct delivery_job ann = { .business_id = 1, .wamid = "wamid.ANN", .sender = "491520001" };
    struct store_erase erase = { .contact_id = 1 };

    deliver(f, &ann);
    for (unsigned i = 0; i < BODIES; i++) {
        assert_int_equal(write_now(f, long_webhook_body, NULL), OK);
    }
    while (!erase.done) {
        uint64_t before = erase.webhooks;

        assert_int_equal(write_now(f, erase_body, &erase), OK);
        assert_true(erase.webhooks - before <= IN_A_SLICE);
    }
    assert_int_equal(erase.webhooks, BODIES + 1);
}

static int64_t rows_with(struct fixture *f, const char *table, const char *column, const char *text)
{
    autofree char *sql =
        xasprintf("SELECT count(*) FROM %s WHERE instr(%s, '%s')", table, column, text);

    return sql_int(f, sql);
}

/* Events of the chat of a delivery, and of contact 1, as the daemon tells them. */
static enum err told_body(struct store_tx *tx, void *arg)
{
    const struct delivery_job *job = arg;
    autofree char *updated =
        xasprintf("{\"message\":{\"chatId\":%lld,\"contact\":{\"id\":1,\"phone\":\"%s\"}}}",
                  (long long)job->chat_id, job->sender);
    autofree char *failed = xasprintf("{\"chatId\":%lld,\"error\":{\"title\":\"no %s\"}}",
                                      (long long)job->chat_id, job->sender);
    autofree char *closed = xasprintf("{\"chatId\":%lld}", (long long)job->chat_id);

    TRY(store_log_append(tx, 1, STR("chat"), STR("message_updated"), str_of(updated)));
    TRY(store_log_append(tx, 1, STR("chat"), STR("message_status_update"), str_of(failed)));
    return store_log_append(tx, 1, STR("business"), STR("chat_closed"), str_of(closed));
}

/* What is told of the old one's chat is not: but it may be told that it is closed. */
static void test_what_comes_meanwhile_is_a_new_contacts_and_stays(void **state)
{
    struct fixture *f = *state;
    struct delivery_job old = { .business_id = 1, .wamid = "wamid.OLD", .sender = "491520001" };
    struct delivery_job new = old;
    struct store_erase erase = { .contact_id = 1 };
    unsigned came = 0;

    deliver(f, &old);
    assert_int_equal(write_now(f, erase_body, &erase), OK);
    while (!erase.done) {
        snprintf(new.wamid, sizeof new.wamid, "wamid.NEW%u", came++);
        deliver(f, &new);
        assert_int_not_equal(new.chat_id, old.chat_id);
        assert_int_equal(write_now(f, told_body, &old), OK);
        assert_int_equal(write_now(f, erase_body, &erase), OK);
        assert_true(came < 1000);
    }
    assert_int_equal(erase.messages, 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE contact_id = 2"), came);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), came);
    assert_int_equal(sql_int(f, "SELECT id FROM contact"), 2);
    assert_int_equal(rows_with(f, "webhook", "body", "491520001"), came);
    assert_int_equal(rows_with(f, "log", "args", "491520001"), came);
    assert_int_equal(rows_with(f, "log", "event", "news"), came);
    assert_int_equal(rows_with(f, "log", "event", "message_"), 0);
    assert_int_equal(rows_with(f, "log", "event", "chat_closed"), came);
    assert_int_equal(sql_int(f, "SELECT contact_id FROM contact_alias"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM erasure_alias"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM erasure"), 0);
}

/* The log rows of the first have no place yet when the second begins. */
static void test_what_came_in_the_same_commit_before_it_began_goes(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[] = {
        { .business_id = 1, .wamid = "wamid.1", .sender = "491520001" },
        { .business_id = 1, .wamid = "wamid.2", .sender = "491520001" },
    };
    struct store_erase erase = { .contact_id = 1 };
    struct write writes[2];
    struct gate *gate;

    deliver(f, &jobs[0]);
    gate = gate_close(f->store);
    gate_await(gate);
    assert_true(write_submit(f, &writes[0], personal_body, &jobs[1]));
    assert_true(write_submit(f, &writes[1], erase_body, &erase));
    gate_open(gate);
    WAIT_FOR(f, writes[1].done);
    while (!erase.done) {
        assert_int_equal(write_now(f, erase_body, &erase), OK);
    }
    assert_int_equal(rows_with(f, "log", "args", "491520001"), 0);
    assert_int_equal(rows_with(f, "webhook", "body", "491520001"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 0);
}

struct finding {
    enum err (*find)(struct store_reader *reader, int64_t business_id, struct str name,
                     bool (*fn)(void *arg, const struct store_contact *contact), void *arg);
    const char *name;
    int64_t id;
};

static bool note_contact(void *arg, const struct store_contact *contact)
{
    ((struct finding *)arg)->id = contact->id;
    return true;
}

static enum err find_body(struct store_reader *reader, void *arg)
{
    struct finding *finding = arg;

    return finding->find(reader, 0, str_of(finding->name), note_contact, finding);
}

/* 0 = nobody. */
static int64_t named(struct fixture *f, const char *name)
{
    struct finding finding = { store_contacts_named, name, 0 };

    assert_int_equal(read_now(f, find_body, &finding), OK);
    return finding.id;
}

static int64_t in_erasure(struct fixture *f, const char *name)
{
    struct finding finding = { store_contacts_in_erasure, name, 0 };

    assert_int_equal(read_now(f, find_body, &finding), OK);
    return finding.id;
}

static void test_what_was_interrupted_is_found_by_its_names_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct delivery_job old = { .business_id = 1, .wamid = "wamid.1", .sender = "491520001" };
    struct delivery_job new = { .business_id = 1, .wamid = "wamid.2", .sender = "491520001" };
    struct store_erase erase = { .contact_id = 1 };

    deliver(f, &old);
    assert_int_equal(in_erasure(f, "491520001"), 0);
    assert_int_equal(write_now(f, erase_body, &erase), OK);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(named(f, "491520001"), 0);
    assert_int_equal(named(f, "1"), 1);
    assert_int_equal(in_erasure(f, "+491520001"), 1);
    deliver(f, &new);
    assert_int_equal(named(f, "491520001"), 2);
    erase = erase_now(f, 1);
    assert_int_equal(erase.messages, 1);
    assert_int_equal(erase.webhooks, 1);
    assert_int_equal(sql_int(f, "SELECT contact_id FROM message"), 2);
    assert_int_equal(rows_with(f, "webhook", "body", "491520001"), 1);
    assert_int_equal(in_erasure(f, "491520001"), 0);
}

/* ------------------------------------------------------------------ exporting */

struct records {
    struct buf text;
    int64_t contact_id;
};

static void add_record(void *arg, struct str record)
{
    struct records *records = arg;

    buf_add_str(&records->text, record);
    buf_add_char(&records->text, '\n');
}

static enum err export_body(struct store_reader *reader, void *arg)
{
    struct records *records = arg;

    return store_contact_export(reader, records->contact_id, add_record, records);
}

static void test_an_export_has_what_is_of_the_contact_and_nothing_of_others(void **state)
{
    static const char *const wanted[] = { "\"section\":\"contact\"", "\"section\":\"aliases\"",
                                          "\"section\":\"chats\"",   "\"section\":\"messages\"",
                                          "\"section\":\"events\"",  "\"section\":\"webhooks\"",
                                          "\"wamid\":\"wamid.ANN\"", "\"createdAt\":\"20" };
    struct fixture *f = *state;
    struct delivery_job ann = { .business_id = 1, .wamid = "wamid.ANN", .sender = "491520001" };
    struct delivery_job bob = { .business_id = 1, .wamid = "wamid.BOB", .sender = "491520002" };
    struct records records = { .contact_id = 1 };

    deliver(f, &ann);
    deliver(f, &bob);
    assert_int_equal(read_now(f, export_body, &records), OK);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (strstr(records.text.data, wanted[i]) == NULL) {
            fail_msg("no %s in: %s", wanted[i], records.text.data);
        }
    }
    assert_null(strstr(records.text.data, "491520002"));
    assert_null(strstr(records.text.data, "5550001"));
    records.contact_id = 99;
    assert_int_equal(read_now(f, export_body, &records), ERR_NOT_FOUND);
    buf_finish(&records.text);
}

static int gated_teardown(void **state)
{
    gates_forget();
    return fixture_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_counts_where_it_stands_alone),
        cmocka_unit_test(test_a_name_is_found_however_its_characters_are_written),
        cmocka_unit_test(test_a_username_counts_where_it_can_be_nothing_else),
        cmocka_unit_test(test_siods_own_id_counts_as_the_id_of_a_contact),
        cmocka_unit_test(test_siods_own_id_of_a_chat_counts_as_that),
        cmocka_unit_test(test_ids_of_siods_own_times_and_ids_of_messages_are_no_mention),
        cmocka_unit_test(test_what_a_raw_body_names_is_told_from_whom_it_came_to),
        cmocka_unit_test(test_of_a_shared_body_what_is_others_stays),
        cmocka_unit_test(test_what_came_to_another_business_stays_whatever_it_shares_a_body_with),
        cmocka_unit_test(test_of_a_shared_chunk_only_the_contacts_thread_is_collected),
        STORE_TEST(test_every_table_is_told_what_it_holds),
        STORE_TEST(test_nothing_of_an_erased_contact_is_left_in_the_files),
        STORE_TEST(test_the_id_of_who_was_erased_is_not_given_again),
        STORE_TEST(test_a_slice_is_short_however_many_long_bodies_mention_the_contact),
        STORE_TEST(test_what_comes_meanwhile_is_a_new_contacts_and_stays),
        cmocka_unit_test_setup_teardown(test_what_came_in_the_same_commit_before_it_began_goes,
                                        fixture_setup, gated_teardown),
        STORE_TEST(test_what_was_interrupted_is_found_by_its_names_and_goes_on),
        STORE_TEST(test_an_export_has_what_is_of_the_contact_and_nothing_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
