/* What is done to a message after it was sent: edits, revokes, reactions, and by whom. */
#include "inbound_fixture.h"
#include "siod/chat/change.h"
#include "siod/chat/content.h"

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

static void a_revoked_message_has_the_type_that_it_was_sent_as(void **state)
{
    struct fixture *f = *state;
    autojson json_t *element = json_pack("{ss}", "type", "unsupported");
    struct message_job job = { .message = text_of("w1", "491", "Amara"), .element = element };

    job.message.type = STR("unsupported");
    assert_int_equal(write_now(f, message_body, &job), OK);
    assert_true(edit_to(f, "e1", 1, "edited"));
    assert_shown(f, "\"type\":\"text\"");
    assert_true(take_back(f, "v1", 2));
    assert_shown(f, "\"type\":\"unsupported\",\"text\":null");
}

static void store_as(struct fixture *f, const char *text)
{
    autojson json_t *element = json_loads(text, 0, NULL);
    struct message_job job = { .message = text_of("w1", "491", "Amara"), .element = element };

    job.message.historic = true;
    job.message.opens_window = false;
    job.message.type = content_type(element);
    job.message.text = STR_NONE;
    assert_int_equal(write_now(f, message_body, &job), OK);
    assert_true(job.stored);
}

static const char placeholder[] = "{\"type\":\"media_placeholder\"}";
static const char image[] = "{\"type\":\"image\",\"image\":{\"id\":\"77\"}}";

static void a_medium_takes_the_place_of_an_edited_placeholder_and_the_edit_stays(void **state)
{
    struct fixture *f = *state;

    store_as(f, placeholder);
    assert_true(change_message(f, change_of(STORE_CHANGE_EDIT, "e1", 1),
                               "{\"type\":\"image\",\"image\":{\"caption\":\"new\"}}"));
    store_as(f, image);
    assert_shown(f, "\"type\":\"image\",\"text\":\"new\",\"media\":{\"id\":\"77\",");
    assert_shown(f, "\"edited\":true");
}

static void a_medium_brings_nothing_back_that_was_revoked_but_its_type(void **state)
{
    struct fixture *f = *state;

    store_as(f, placeholder);
    assert_true(take_back(f, "v1", 1));
    store_as(f, image);
    assert_shown(f, "\"type\":\"image\",\"text\":null,\"status\":\"received\",\"revoked\":true");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE raw = x''"), 1);
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

static void an_edit_that_waits_shows_whatever_waits_behind_it(void **state)
{
    struct fixture *f = *state;

    assert_true(edit_to(f, "e1", 1, "edited"));
    assert_true(react(f, "r1", 2, "491", ""));
    store_message(f, text_of("w1", "491", "Amara"));
    assert_int_equal(seen_count("\"text\":\"edited\",\"status\":\"received\",\"edited\":true"), 2);
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
    assert_true(take_back(f, "v1", 1));
    assert_true(react(f, "r2", 2, "491", "b"));
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms / 1000 FROM chat"),
                     1772357502 + 24 * 3600);
}

static void a_reaction_of_the_past_opens_no_window(void **state)
{
    struct fixture *f = *state;
    struct inbound_change change = change_of(STORE_CHANGE_REACTION, "r1", 1);

    store_as(f, image);
    change.historic = true;
    change.emoji = STR("a");
    assert_true(change_message(f, change, NULL));
    assert_shown(f, "reactions");
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms FROM chat"), 0);
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

/* ---- by whom */

/* A change of w1 by the customer of this number, or by the business when it is NULL. */
static bool change_by(struct fixture *f, const char *number, enum store_change_kind kind,
                      const char *wamid, int second, const char *body)
{
    autofree char *edited = xasprintf("{\"type\":\"text\",\"text\":{\"body\":\"%s\"}}", body);
    struct inbound_change change = change_of(kind, wamid, second);

    change.party = (struct inbound_party) { .phone = str_of(number), .wa_id = str_of(number) };
    change.own = number == NULL;
    return change_message(f, change, edited);
}

static bool edit_by(struct fixture *f, const char *number, const char *wamid, int second,
                    const char *body)
{
    return change_by(f, number, STORE_CHANGE_EDIT, wamid, second, body);
}

static bool revoke_by(struct fixture *f, const char *number, const char *wamid)
{
    return change_by(f, number, STORE_CHANGE_REVOKE, wamid, 1, "");
}

static struct inbound_message number_change(const char *wamid, const char *from, const char *to)
{
    struct inbound_message message = text_of(wamid, from, NULL);

    message.type = STR("system");
    message.opens_window = false;
    message.new_wa_id = str_of(to);
    return message;
}

static void who_did_not_write_a_message_does_not_change_it(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    store_message(f, text_of("w2", "492", "Bo"));
    buf_clear(&seen);
    assert_true(edit_by(f, "492", "e1", 1, "forged"));
    assert_true(edit_by(f, NULL, "e2", 2, "forged"));
    assert_true(revoke_by(f, "492", "v1"));
    assert_true(revoke_by(f, NULL, "v2"));
    assert_true(revoke_by(f, "499", "v3"));
    assert_false(revoke_by(f, "492", "v1"));
    assert_int_equal(seen.len, 0);
    assert_shown(f, "\"text\":\"hello\"");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message_change"), 5);
}

static void what_the_business_sent_is_changed_by_the_business_alone(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(edit_by(f, "491", "e1", 2, "forged"));
    assert_true(revoke_by(f, "491", "v1"));
    assert_int_equal(seen.len, 0);
    assert_true(edit_by(f, NULL, "e2", 1, "mended"));
    assert_shown(f, "\"text\":\"mended\"");
    assert_true(revoke_by(f, NULL, "v2"));
    assert_shown(f, "\"revoked\":true");
}

static void who_did_it_is_asked_when_the_message_comes(void **state)
{
    struct fixture *f = *state;

    assert_true(revoke_by(f, "492", "v1"));
    assert_true(edit_by(f, "491", "e1", 1, "mine"));
    assert_true(edit_by(f, "492", "e2", 2, "forged"));
    assert_true(edit_by(f, NULL, "e3", 3, "forged"));
    store_message(f, text_of("w1", "491", "Amara"));
    assert_shown(f, "\"text\":\"mine\"");
    assert_true(edit_by(f, "491", "e4", 0, "older"));
    assert_shown(f, "\"text\":\"mine\"");
}

static void in_a_group_another_member_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = text_of("w1", "491", "Amara");

    message.group_id = STR("G");
    store_message(f, message);
    message = text_of("w2", "492", "Bo");
    message.group_id = STR("G");
    store_message(f, message);
    assert_true(revoke_by(f, "492", "v1"));
    assert_shown(f, "hello");
    assert_true(revoke_by(f, "491", "v2"));
    assert_not_shown(f, "hello");
}

static void an_author_is_known_by_every_name(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = text_of("w1", "491", "Amara");
    struct inbound_change change = change_of(STORE_CHANGE_EDIT, "e1", 1);

    message.party.user_id = STR("DE.1");
    store_message(f, message);
    change.party = (struct inbound_party) { .user_id = STR("DE.1") };
    assert_true(
        change_message(f, change, "{\"type\":\"text\",\"text\":{\"body\":\"by user id\"}}"));
    assert_shown(f, "by user id");
    store_message(f, number_change("w2", "491", "493"));
    assert_true(edit_by(f, "493", "e2", 2, "by new number"));
    assert_shown(f, "by new number");
}

static void an_edit_from_a_new_number_counts_once_it_is_known_to_be_the_authors(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    assert_true(edit_by(f, "493", "e1", 1, "first"));
    assert_true(edit_by(f, "493", "e2", 2, "second"));
    assert_shown(f, "hello");
    buf_clear(&seen);
    store_message(f, number_change("w2", "491", "493"));
    assert_shown(f, "\"text\":\"second\"");
    assert_int_equal(seen_count("message_updated"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
}

static void a_revoke_of_what_the_younger_of_two_wrote_counts_when_they_are_joined(void **state)
{
    struct fixture *f = *state;

    assert_true(revoke_by(f, "491", "v1"));
    store_message(f, text_of("w1", "493", "Amara"));
    assert_shown(f, "hello");
    buf_clear(&seen);
    store_message(f, number_change("w2", "491", "493"));
    assert_shown(f, "\"revoked\":true");
    assert_seen("\"kind\":\"revoke\"");
}

static void who_reacted_and_who_got_it_are_the_joined_contact_from_then_on(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    store_message(f, text_of("w2", "493", "Amara"));
    assert_true(react(f, "r1", 1, "493", "\"contactId\":2,"));
    assert_true(report(f, "w1", "read", "493"));
    assert_true(report(f, "w1", "delivered", "491"));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM participant"), 2);
    assert_shown(f, "\"contactId\":2,\"name\":\"Amara\",\"timestamp\"");
    assert_shown(f, "\"contactId\":2,\"name\":\"Amara\",\"status\"");
    store_message(f, number_change("w3", "491", "493"));
    assert_int_equal(sql_int(f, "SELECT max(id) FROM contact"), 1);
    assert_shown(f,
                 "\"emoji\":\"\\\"contactId\\\":2,\",\"direction\":\"inbound\",\"contactId\":1,");
    assert_shown(f, "\"contactId\":1,\"name\":\"Amara\",\"status\":\"read\"");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM participant"), 1);
}

static void a_change_whose_author_was_never_kept_counts_as_before(void **state)
{
    struct fixture *f = *state;

    assert_true(edit_to(f, "e1", 1, "edited"));
    sql_exec(f, "UPDATE message_change SET contact_id = -1");
    store_message(f, text_of("w1", "491", "Amara"));
    assert_shown(f, "edited");
}

static void usernames_and_changes_of_an_older_schema_are_taken_over(void **state)
{
    struct fixture *f = *state;

    fixture_at_schema(
        f, 12,
        "INSERT INTO business (id, name, source, created_at_ms) VALUES (1, x'', 0, 0);"
        "INSERT INTO contact (id, business_id, name, username, created_at_ms)"
        " VALUES (1, 1, x'', x'616e6e', 0), (2, 1, x'', x'616e6e', 0),"
        " (3, 1, x'', NULL, 0);"
        "INSERT INTO message_change (phone_number_id, wamid, target, kind,"
        " contact_id, wa_timestamp_s, body) VALUES (x'31', x'31', x'32', 0, 0, 1, x''),"
        " (x'31', x'33', x'32', 1, 0, 1, x''), (x'31', x'34', x'32', 2, 0, 1, x'')");
    fixture_open(f);
    assert_int_equal(sql_int(f, "SELECT contact_id FROM contact_alias WHERE kind = 3"
                                " AND value = x'616e6e'"),
                     2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact_alias"), 1);
    assert_int_equal(sql_int(f, "SELECT sum(contact_id) FROM message_change WHERE kind < 2"), -2);
    assert_int_equal(sql_int(f, "SELECT contact_id FROM message_change WHERE kind = 2"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edit_changes_the_text_and_is_told_once),
        TEST(of_several_edits_the_last_counts_in_whatever_order_they_come),
        TEST(an_edited_caption_keeps_its_medium),
        TEST(a_revoked_message_says_nothing_any_more),
        TEST(a_revoke_beats_an_edit_and_a_reaction_whichever_comes_first),
        TEST(a_revoked_message_has_the_type_that_it_was_sent_as),
        TEST(a_medium_takes_the_place_of_an_edited_placeholder_and_the_edit_stays),
        TEST(a_medium_brings_nothing_back_that_was_revoked_but_its_type),
        TEST(changes_wait_for_their_message_over_a_restart),
        TEST(an_edit_that_waits_shows_whatever_waits_behind_it),
        TEST(a_revoke_that_waits_leaves_nothing_to_show),
        TEST(each_party_has_one_reaction_the_last),
        TEST(a_reaction_that_is_taken_back_does_not_return),
        TEST(a_reaction_keeps_the_window_open_and_asks_for_nobody),
        TEST(a_reaction_of_the_past_opens_no_window),
        TEST(a_change_never_reaches_another_tenants_message),
        TEST(thousands_of_changes_of_a_long_message_stay_within_bounds),
        TEST(who_did_not_write_a_message_does_not_change_it),
        TEST(what_the_business_sent_is_changed_by_the_business_alone),
        TEST(who_did_it_is_asked_when_the_message_comes),
        TEST(in_a_group_another_member_changes_nothing),
        TEST(an_author_is_known_by_every_name),
        TEST(an_edit_from_a_new_number_counts_once_it_is_known_to_be_the_authors),
        TEST(a_revoke_of_what_the_younger_of_two_wrote_counts_when_they_are_joined),
        TEST(who_reacted_and_who_got_it_are_the_joined_contact_from_then_on),
        TEST(a_change_whose_author_was_never_kept_counts_as_before),
        TEST(usernames_and_changes_of_an_older_schema_are_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
