/* Messages and statuses become rows and events, on the real store. */
#include "inbound_fixture.h"
#include "siod/chat/change.h"
#include "siod/chat/message.h"

/* ---- messages */

static void a_first_message_makes_contact_chat_and_events(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara Okafor")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE state = 0"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE direction = 0"), 1);
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms / 1000 FROM chat"),
                     1772357401 + 24 * 3600);
    assert_seen("1 business_1 whatsapp_message_received {\"chatId\":1,\"message\":{\"id\":1,"
                "\"chatId\":1,\"businessId\":1,\"wamid\":\"w1\",\"direction\":\"inbound\","
                "\"type\":\"text\",\"text\":\"hello\",\"status\":\"received\",\"contact\":{");
    assert_seen("1 chat_1 new_message {\"message\":{\"id\":1,");
    assert_seen("\"first_name\":\"Amara\",\"last_name\":\"Okafor\"");
    assert_int_equal(seen_count("\n"), 2);
}

static void a_duplicate_changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Old Name")));
    assert_true(store_message(f, text_of("w2", "491", "New Name")));
    buf_clear(&seen);
    assert_false(store_message(f, text_of("w1", "491", "Old Name")));
    assert_false(store_message(f, text_of("w1", "499", "Somebody Else")));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(
        sql_int(f, "SELECT count(*) FROM contact WHERE name = CAST('New Name' AS BLOB)"), 1);
}

static void an_unknown_number_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct message_job job = { .message = text_of("w1", "491", "") };

    job.message.phone_number_id = STR("999");
    assert_int_equal(write_now(f, message_body, &job), ERR_NOT_FOUND);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 0);
    assert_int_equal(seen.len, 0);
}

static void the_number_decides_the_tenant(void **state)
{
    struct fixture *f = *state;
    struct inbound_message other = text_of("w1", "491", "Amara");

    other.phone_number_id = STR("200");
    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    assert_true(store_message(f, other));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_seen("1 business_1 whatsapp_message_received {\"chatId\":1,");
    assert_seen("2 business_2 whatsapp_message_received {\"chatId\":2,");
    assert_int_equal(seen_count("\n"), 4);
}

static void a_customer_is_found_by_user_id_and_by_number(void **state)
{
    struct fixture *f = *state;
    struct inbound_message bsuid = text_of("w1", NULL, "Noor");
    struct inbound_message both = text_of("w2", "494", "Noor Haddad");

    bsuid.party.user_id = both.party.user_id = STR("DE.7");
    assert_true(store_message(f, bsuid));
    assert_true(store_message(f, both));
    assert_true(store_message(f, text_of("w3", "494", NULL)));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
    assert_int_equal(seen_count("\"phone\":null,\"waId\":null,\"userId\":\"DE.7\""), 2);
    assert_int_equal(seen_count("\"phone\":\"494\",\"waId\":\"494\",\"userId\":\"DE.7\""), 4);
}

static void a_number_that_differs_from_the_wa_id_is_the_same_customer(void **state)
{
    struct fixture *f = *state;
    struct inbound_message differing = text_of("w1", "5511999", "Ana");

    differing.party.wa_id = STR("551199");
    assert_true(store_message(f, differing));
    assert_true(store_message(f, text_of("w2", "551199", "Ana")));
    assert_true(store_message(f, text_of("w3", "5511999", "Ana")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
}

static void a_group_is_one_chat_of_many_senders(void **state)
{
    struct fixture *f = *state;
    struct inbound_message first = text_of("w1", "491", "Amara");
    struct inbound_message second = text_of("w2", "492", "Jonas");

    first.group_id = second.group_id = STR("R3JvdXA=");
    assert_true(store_message(f, first));
    assert_true(store_message(f, second));
    assert_true(store_message(f, text_of("w3", "491", "Amara")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 1"), 2);
    assert_int_equal(seen_count("\"first_name\":\"Jonas\""), 2);
}

static void an_echo_is_an_outbound_message_of_the_chat(void **state)
{
    struct fixture *f = *state;
    struct inbound_message echo = text_of("w2", "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    echo.opens_window = false;
    assert_true(store_message(f, echo));
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms FROM chat"), 0);
    assert_int_equal(seen_count("whatsapp_message_received"), 0);
    assert_seen("1 chat_1 new_message {\"message\":{\"id\":1,\"chatId\":1,\"businessId\":1,"
                "\"wamid\":\"w2\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"sent\"");
}

/* ---- statuses */

static void a_status_only_rises(void **state)
{
    static const struct {
        enum store_status now, next;
        bool rises;
    } cases[] = {
        { STORE_STATUS_RECEIVED, STORE_STATUS_READ, true },
        { STORE_STATUS_QUEUED, STORE_STATUS_ACCEPTED, true },
        { STORE_STATUS_SENT, STORE_STATUS_SENT, false },
        { STORE_STATUS_SENT, STORE_STATUS_READ, true },
        { STORE_STATUS_READ, STORE_STATUS_DELIVERED, false },
        { STORE_STATUS_READ, STORE_STATUS_PLAYED, true },
        { STORE_STATUS_QUEUED, STORE_STATUS_FAILED, true },
        { STORE_STATUS_SENT, STORE_STATUS_FAILED, true },
        { STORE_STATUS_DELIVERED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_READ, STORE_STATUS_FAILED, false },
        { STORE_STATUS_PLAYED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_FAILED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_FAILED, STORE_STATUS_READ, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (status_rises(cases[i].now, cases[i].next) != cases[i].rises) {
            fail_msg("%s to %s", store_status_name(cases[i].now), store_status_name(cases[i].next));
        }
    }
}

/* ---- who needs an agent */

static void a_first_message_asks_for_an_agent_and_the_next_does_not(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.business_id, 1);
    assert_int_equal(work.waiting.version, sql_int(f, "SELECT version FROM chat"));
    assert_int_equal(work.waiting.since_ms, sql_int(f, "SELECT waiting_since_ms FROM chat"));
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
    assert_false(store_message(f, text_of("w1", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
}

static void a_chat_that_begins_with_an_echo_asks_when_the_customer_answers(void **state)
{
    struct fixture *f = *state;
    struct inbound_message echo = text_of("w1", "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    echo.opens_window = false;
    assert_true(store_message(f, echo));
    assert_int_equal(work.waiting.chat_id, 0);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_CLOSED);
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.version, 2);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_WAITING);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM decision"
                                " WHERE outcome = CAST('reopened' AS BLOB)"),
                     1);
}

static void an_assigned_chat_asks_only_when_its_agent_is_offline(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    sql_exec(f, "INSERT INTO agent (business_id, user_id, name, role, created_at_ms, online)"
                " VALUES (1, 7, x'', x'', 0, 1);"
                "UPDATE chat SET state = 1, agent_id = 7, last_agent_id = 7");
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
    sql_exec(f, "UPDATE agent SET online = 0");
    assert_true(store_message(f, text_of("w3", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.last_agent_id, 7);
    assert_int_equal(sql_int(f, "SELECT agent_id FROM chat WHERE state = 0"), 0);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 3);
}

static struct inbound_message echo_of(const char *wamid)
{
    struct inbound_message echo = text_of(wamid, "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    return echo;
}

static void a_rising_status_is_told_once(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "read", ""));
    assert_string_equal(seen.data,
                        "1 chat_1 message_status_update {\"messageId\":1,\"chatId\":1,"
                        "\"status\":\"read\",\"timestamp\":\"1970-01-21T12:19:17.500Z\"}\n");
    buf_clear(&seen);
    assert_false(report(f, "w1", "read", ""));
    assert_true(report(f, "w1", "delivered", ""));
    assert_true(report(f, "w1", "failed", ""));
    assert_true(report(f, "w1", "deleted", ""));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 4);
}

static void a_failure_carries_its_error(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    assert_true(report(f, "w1", "failed", ""));
    assert_seen("\"status\":\"failed\",\"error\":{\"code\":131047},\"timestamp\":");
    buf_clear(&seen);
    assert_true(report(f, "w1", "delivered", ""));
    assert_int_equal(seen.len, 0);
}

static void early_statuses_wait_for_their_message(void **state)
{
    struct fixture *f = *state;

    assert_true(report(f, "w1", "sent", ""));
    assert_true(report(f, "w1", "delivered", ""));
    assert_true(report(f, "w2", "failed", ""));
    assert_int_equal(seen.len, 0);
    store_message(f, echo_of("w1"));
    store_message(f, echo_of("w2"));
    assert_seen("\"wamid\":\"w1\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"delivered\",\"contact\"");
    assert_seen("\"wamid\":\"w2\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"failed\",\"error\":{\"code\":131047},\"contact\"");
    assert_int_equal(seen_count("message_status_update"), 0);
}

/* The message as the API shows it now. */
static enum err show_body(struct store_reader *reader, void *arg)
{
    struct buf *out = arg;
    struct store_message message;
    struct store_contact contact;
    enum err err = store_message_find(reader, 0, STR("w1"), &message, &contact);

    buf_clear(out);
    if (err == OK) {
        message_render(out, &message, &contact);
    }
    return err;
}

static void assert_shown(struct fixture *f, const char *text)
{
    autobuf struct buf out = BUF_INIT;

    assert_int_equal(read_now(f, show_body, &out), OK);
    if (strstr(out.data, text) == NULL) {
        fail_msg("%s is not in:\n%s", text, out.data);
    }
}

static void assert_not_shown(struct fixture *f, const char *text)
{
    autobuf struct buf out = BUF_INIT;

    assert_int_equal(read_now(f, show_body, &out), OK);
    if (strstr(out.data, text) != NULL) {
        fail_msg("%s is in:\n%s", text, out.data);
    }
}

static void each_participant_has_a_state_of_its_own(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w0", "492", "Jonas"));
    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "delivered", "492"));
    assert_seen("{\"messageId\":2,\"chatId\":2,\"status\":\"delivered\",\"participant\":{\"id\":"
                "\"492\",\"contactId\":1,\"name\":\"Jonas\",\"status\":\"delivered\",\"timestamp\":"
                "\"2026-03-01T09:30:02.000Z\"},\"timestamp\":");
    assert_true(report(f, "w1", "read", "DE.3"));
    assert_true(report(f, "w1", "delivered", "DE.3"));
    assert_true(report(f, "w1", "read", "492"));
    assert_int_equal(seen_count("message_status_update"), 3);
    assert_int_equal(seen_count("\"chatId\":2,\"status\":\"read\",\"participant\""), 2);
    assert_shown(f,
                 "\"status\":\"read\",\"participants\":[{\"id\":\"492\",\"contactId\":1,\"name\":"
                 "\"Jonas\",\"status\":\"read\",\"timestamp\":\"2026-03-01T09:30:02.000Z\"},"
                 "{\"id\":\"DE.3\",\"contactId\":null,\"name\":null,\"status\":\"read\",");
}

static void one_participants_failure_is_not_the_groups(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "failed", "492"));
    assert_seen(
        "\"status\":\"sent\",\"participant\":{\"id\":\"492\",\"contactId\":null,\"name\":null,"
        "\"status\":\"failed\",\"error\":{\"code\":131047},\"timestamp\":");
    assert_true(report(f, "w1", "delivered", "492"));
    assert_int_equal(seen_count("message_status_update"), 2);
    assert_shown(f, "\"status\":\"delivered\",\"participants\":[{\"id\":\"492\",\"contactId\":null,"
                    "\"name\":null,\"status\":\"failed\"");
}

static void early_statuses_of_participants_wait_too(void **state)
{
    struct fixture *f = *state;

    assert_true(report(f, "w1", "sent", ""));
    assert_true(report(f, "w1", "delivered", "492"));
    assert_true(report(f, "w1", "failed", "493"));
    assert_true(report(f, "w1", "read", "492"));
    store_message(f, echo_of("w1"));
    assert_int_equal(seen_count("message_status_update"), 0);
    assert_seen(
        "\"status\":\"read\",\"participants\":[{\"id\":\"492\",\"contactId\":null,\"name\":null,"
        "\"status\":\"read\",");
    assert_seen(
        "{\"id\":\"493\",\"contactId\":null,\"name\":null,\"status\":\"failed\",\"error\":{");
}

/* ---- edits, revokes, reactions */

static struct inbound_change change_of(enum store_change_kind kind, const char *wamid, int second)
{
    return (struct inbound_change) {
        .kind = kind,
        .phone_number_id = STR("100"),
        .party = { .name = STR("Amara"), .phone = STR("491"), .wa_id = STR("491") },
        .wamid = str_of(wamid),
        .target = STR("w1"),
        .wa_timestamp_s = 1772357500 + second,
    };
}

struct change_job {
    struct inbound_change change;
    const char *edited;
    bool stored;
};

static enum err change_body(struct store_tx *tx, void *arg)
{
    struct change_job *job = arg;
    autojson json_t *edited =
        job->edited != NULL ? json_loads(job->edited, 0, NULL) : json_object();

    job->change.edited = edited;
    inbound_begin(&work, tx, NOW_MS);
    return change_store(&work, &job->change, &job->stored);
}

static bool change_message(struct fixture *f, struct inbound_change change, const char *edited)
{
    struct change_job job = { .change = change, .edited = edited };

    assert_int_equal(write_now(f, change_body, &job), OK);
    return job.stored;
}

static bool edit_to(struct fixture *f, const char *wamid, int second, const char *body)
{
    autofree char *edited = xasprintf("{\"type\":\"text\",\"text\":{\"body\":\"%s\"}}", body);

    return change_message(f, change_of(STORE_CHANGE_EDIT, wamid, second), edited);
}

static bool take_back(struct fixture *f, const char *wamid, int second)
{
    return change_message(f, change_of(STORE_CHANGE_REVOKE, wamid, second), NULL);
}

static bool react(struct fixture *f, const char *wamid, int second, const char *from,
                  const char *emoji)
{
    struct inbound_change change = change_of(STORE_CHANGE_REACTION, wamid, second);

    change.party.phone = change.party.wa_id = str_of(from);
    change.own = from == NULL;
    change.emoji = str_of(emoji);
    return change_message(f, change, NULL);
}

/* In one job, as one webhook brings them. */
static enum err many_reactions(struct store_tx *tx, void *arg)
{
    enum err err = OK;

    inbound_begin(&work, tx, NOW_MS);
    for (int i = 0; i < *(int *)arg && err == OK; i++) {
        autofree char *wamid = xasprintf("r%d", i);
        struct inbound_change change = change_of(STORE_CHANGE_REACTION, wamid, i);
        bool stored;

        change.own = true;
        change.emoji = STR("a");
        err = change_store(&work, &change, &stored);
    }
    return err;
}

static void an_edit_changes_the_text_and_is_told_once(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    buf_clear(&seen);
    assert_true(edit_to(f, "e1", 1, "hello again"));
    assert_seen(
        "1 chat_1 message_updated {\"chatId\":1,\"messageId\":1,\"kind\":\"edit\",\"message\":"
        "{\"id\":1,\"chatId\":1,\"businessId\":1,\"wamid\":\"w1\",\"direction\":\"inbound\","
        "\"type\":\"text\",\"text\":\"hello again\",\"status\":\"received\",\"edited\":true,"
        "\"editedAt\":\"2026-03-01T09:31:41.000Z\",\"contact\":{\"id\":1,");
    assert_shown(f, "\"text\":\"hello again\"");
    buf_clear(&seen);
    assert_false(edit_to(f, "e1", 1, "hello again"));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
}

static void of_several_edits_the_last_counts_in_whatever_order_they_come(void **state)
{
    struct fixture *f = *state;

    assert_true(edit_to(f, "e2", 2, "second"));
    store_message(f, text_of("w1", "491", "Amara"));
    assert_seen("\"text\":\"second\"");
    assert_int_equal(seen_count("\"text\":\"hello\""), 0);
    buf_clear(&seen);
    assert_true(edit_to(f, "e1", 1, "first"));
    assert_int_equal(seen.len, 0);
    assert_true(edit_to(f, "e3", 2, "third"));
    assert_shown(f, "\"text\":\"third\"");
    assert_int_equal(seen_count("message_updated"), 1);
}

static void an_edited_caption_keeps_its_medium(void **state)
{
    struct fixture *f = *state;
    struct inbound_message image = text_of("w1", "491", "Amara");
    autojson json_t *element = json_loads(
        "{\"type\":\"image\",\"image\":{\"id\":\"77\",\"mime_type\":\"image/png\",\"caption\":"
        "\"old\"}}",
        0, NULL);
    struct message_job job = { .message = image };

    job.message.type = STR("image");
    job.message.text = STR("old");
    job.element = element;
    assert_int_equal(write_now(f, message_body, &job), OK);
    assert_shown(f, "\"text\":\"old\",\"media\":{\"id\":\"77\",\"mimeType\":\"image/png\",");
    assert_true(change_message(f, change_of(STORE_CHANGE_EDIT, "e1", 1),
                               "{\"type\":\"image\",\"image\":{\"caption\":\"new\"}}"));
    assert_shown(f, "\"text\":\"new\",\"media\":{\"id\":\"77\",\"mimeType\":\"image/png\","
                    "\"sha256\":null,\"caption\":\"new\",");
    assert_not_shown(f, "old");
    assert_true(change_message(f, change_of(STORE_CHANGE_EDIT, "e2", 2),
                               "{\"type\":\"image\",\"image\":{\"filename\":\"b\"}}"));
    assert_shown(f, "\"caption\":\"old\",\"filename\":\"b\"");
    assert_not_shown(f, "new");
}

static void a_revoked_message_says_nothing_any_more(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    assert_true(react(f, "r1", 1, "491", "x"));
    buf_clear(&seen);
    assert_true(take_back(f, "v1", 2));
    assert_seen("\"kind\":\"revoke\",\"message\":{\"id\":1,");
    assert_seen("\"text\":null,\"status\":\"received\",\"revoked\":true,\"revokedAt\":"
                "\"2026-03-01T09:31:42.000Z\",\"contact\"");
    assert_not_shown(f, "hello");
    assert_not_shown(f, "reactions");
    assert_not_shown(f, "raw");
}

static void a_revoke_beats_an_edit_and_a_reaction_whichever_comes_first(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    assert_true(take_back(f, "v1", 1));
    buf_clear(&seen);
    assert_true(edit_to(f, "e1", 2, "late"));
    assert_true(react(f, "r1", 2, "491", "x"));
    assert_true(take_back(f, "v2", 3));
    assert_int_equal(seen.len, 0);
    assert_not_shown(f, "late");
    assert_not_shown(f, "reactions");
}

static void changes_wait_for_their_message_over_a_restart(void **state)
{
    struct fixture *f = *state;

    assert_true(edit_to(f, "e1", 1, "edited"));
    assert_true(react(f, "r1", 1, "491", "x"));
    assert_int_equal(seen.len, 0);
    fixture_close(f);
    fixture_open(f);
    store_message(f, text_of("w1", "491", "Amara"));
    assert_int_equal(seen_count("\"text\":\"edited\",\"status\":\"received\",\"edited\":true"), 2);
    assert_int_equal(seen_count("\"reactions\":[{\"emoji\":\"x\""), 2);
    assert_int_equal(seen_count("message_updated"), 0);
    assert_int_equal(seen_count("\n"), 2);
}

static void a_revoke_that_waits_leaves_nothing_to_show(void **state)
{
    struct fixture *f = *state;

    assert_true(edit_to(f, "e1", 1, "edited"));
    assert_true(take_back(f, "v1", 2));
    assert_true(react(f, "r1", 3, "491", "x"));
    store_message(f, text_of("w1", "491", "Amara"));
    assert_int_equal(seen_count("\"text\":null"), 2);
    assert_int_equal(seen_count("\"revoked\":true"), 2);
    assert_int_equal(seen_count("reactions"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE text IS NULL AND raw = x''"),
                     1);
}

static void each_party_has_one_reaction_the_last(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    buf_clear(&seen);
    assert_true(react(f, "r1", 1, "491", "a"));
    assert_seen("\"kind\":\"reaction\",\"reaction\":{\"emoji\":\"a\",\"direction\":\"inbound\","
                "\"contactId\":1,\"name\":\"Amara\",\"timestamp\":\"2026-03-01T09:31:41.000Z\"},"
                "\"message\":{\"id\":1,");
    assert_true(react(f, "r3", 3, "491", "c"));
    assert_true(react(f, "r2", 2, "491", "b"));
    assert_true(react(f, "r4", 4, NULL, "d"));
    assert_int_equal(seen_count("message_updated"), 3);
    assert_shown(
        f, "\"reactions\":[{\"emoji\":\"c\",\"direction\":\"inbound\",\"contactId\":1,\"name\":"
           "\"Amara\",\"timestamp\":\"2026-03-01T09:31:43.000Z\"},{\"emoji\":\"d\","
           "\"direction\":\"outbound\",\"contactId\":null,\"name\":null,");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
}

static void a_reaction_that_is_taken_back_does_not_return(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    assert_true(react(f, "r1", 2, "491", "a"));
    buf_clear(&seen);
    assert_true(react(f, "r3", 4, "491", ""));
    assert_seen("\"reaction\":{\"emoji\":null,");
    assert_true(react(f, "r2", 3, "491", "b"));
    assert_false(react(f, "r1", 2, "491", "a"));
    assert_true(react(f, "r4", 5, "492", ""));
    assert_int_equal(seen_count("message_updated"), 1);
    assert_not_shown(f, "reactions");
}

static void a_reaction_keeps_the_window_open_and_asks_for_nobody(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    sql_exec(f, "UPDATE chat SET state = 2");
    assert_true(react(f, "r1", 0, "491", "a"));
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms / 1000 FROM chat"),
                     1772357500 + 24 * 3600);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_CLOSED);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 1);
}

static void a_change_never_reaches_another_tenants_message(void **state)
{
    struct fixture *f = *state;
    struct inbound_change change = change_of(STORE_CHANGE_REVOKE, "v1", 1);

    store_message(f, text_of("w1", "491", "Amara"));
    change.phone_number_id = STR("200");
    assert_true(change_message(f, change, NULL));
    assert_shown(f, "hello");
    sql_exec(f, "UPDATE message SET business_id = 2");
    buf_clear(&seen);
    assert_true(take_back(f, "v2", 1));
    assert_true(report(f, "w1", "read", ""));
    assert_shown(f, "hello");
    assert_int_equal(seen.len, 0);
}

static void thousands_of_changes_of_a_long_message_stay_within_bounds(void **state)
{
    enum { LONG = 1 << 20, CHANGES = 100 };
    struct fixture *f = *state;
    autofree char *text = xcalloc(LONG + 1, 1);
    struct inbound_message message = text_of("w1", "491", "Amara");

    memset(text, 'x', LONG);
    message.text = (struct str) { text, LONG };
    store_message(f, message);
    buf_clear(&seen);
    assert_int_equal(write_now(f, many_reactions, &(int) { CHANGES }), OK);
    assert_int_equal(seen_count("message_updated"), CHANGES);
    assert_true(seen.len < CHANGE_TOLD_MAX + 2 * LONG);
    assert_seen("\"kind\":\"reaction\",\"reaction\":{\"emoji\":\"a\",\"direction\":\"outbound\","
                "\"contactId\":null,\"name\":null,\"timestamp\":\"2026-03-01T09:33:19.000Z\"},"
                "\"message\":null,");
}

static void a_status_of_an_unknown_number_is_refused(void **state)
{
    struct fixture *f = *state;
    struct status_job job = {
        .status = { .phone_number_id = STR("999"), .wamid = STR("w1"), .status = STR("sent") }
    };

    assert_int_equal(write_now(f, status_body, &job), ERR_NOT_FOUND);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_message_makes_contact_chat_and_events),
        TEST(a_duplicate_changes_nothing),
        TEST(an_unknown_number_writes_nothing),
        TEST(the_number_decides_the_tenant),
        TEST(a_customer_is_found_by_user_id_and_by_number),
        TEST(a_number_that_differs_from_the_wa_id_is_the_same_customer),
        TEST(a_group_is_one_chat_of_many_senders),
        TEST(an_echo_is_an_outbound_message_of_the_chat),
        TEST(a_first_message_asks_for_an_agent_and_the_next_does_not),
        TEST(a_chat_that_begins_with_an_echo_asks_when_the_customer_answers),
        TEST(an_assigned_chat_asks_only_when_its_agent_is_offline),
        cmocka_unit_test(a_status_only_rises),
        TEST(a_rising_status_is_told_once),
        TEST(a_failure_carries_its_error),
        TEST(early_statuses_wait_for_their_message),
        TEST(each_participant_has_a_state_of_its_own),
        TEST(one_participants_failure_is_not_the_groups),
        TEST(early_statuses_of_participants_wait_too),
        TEST(an_edit_changes_the_text_and_is_told_once),
        TEST(of_several_edits_the_last_counts_in_whatever_order_they_come),
        TEST(an_edited_caption_keeps_its_medium),
        TEST(a_revoked_message_says_nothing_any_more),
        TEST(a_revoke_beats_an_edit_and_a_reaction_whichever_comes_first),
        TEST(changes_wait_for_their_message_over_a_restart),
        TEST(a_revoke_that_waits_leaves_nothing_to_show),
        TEST(each_party_has_one_reaction_the_last),
        TEST(a_reaction_that_is_taken_back_does_not_return),
        TEST(a_reaction_keeps_the_window_open_and_asks_for_nobody),
        TEST(a_change_never_reaches_another_tenants_message),
        TEST(thousands_of_changes_of_a_long_message_stay_within_bounds),
        TEST(a_status_of_an_unknown_number_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
