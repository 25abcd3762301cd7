/* Webhooks that are looked for, and the way out of quarantine. */
#include <limits.h>

#include "siod/store/owners.h"
#include "store_fixture.h"

/* Five: id n was received at n00 ms; 2, 3 and 5 are in quarantine. */
static enum err fill_body(struct store_tx *tx, void *arg)
{
    static const char *const reasons[] = { "", "not JSON: x", "number 5 belongs to no business", "",
                                           "not JSON: y" };

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        struct store_webhook webhook = {
            .received_at_ms = (int64_t)(i + 1) * 100,
            .app = STR("main"),
            .counts = STR("{}"),
            .state = reasons[i][0] != '\0' ? STORE_WEBHOOK_QUARANTINED : STORE_WEBHOOK_DONE,
            .reason = str_of(reasons[i]),
            .body = { "a\0bcdef", i + 2 },
        };
        int64_t id;
        enum err err = store_webhook_append(tx, &webhook, &id);

        if (err != OK) {
            return err;
        }
        assert_int_equal(id, i + 1);
    }
    return OK;
}

struct search {
    struct store_webhook_search filter;
    char found[128];
};

static bool note(void *arg, const struct store_webhook *webhook)
{
    struct search *search = arg;
    size_t len = strlen(search->found);

    assert_null(webhook->body.data);
    assert_int_equal(webhook->bytes, webhook->id + 1);
    assert_int_equal(webhook->received_at_ms, webhook->id * 100);
    snprintf(search->found + len, sizeof search->found - len, "%lld%c ", (long long)webhook->id,
             store_webhook_state_name(webhook->state)[1]);
    return true;
}

static enum err find_body(struct store_reader *reader, void *arg)
{
    struct search *search = arg;

    search->found[0] = '\0';
    return store_webhooks_find(reader, &search->filter, note, search);
}

static const char *found(struct fixture *f, struct store_webhook_search filter)
{
    static struct search search;

    filter.last_id = filter.last_id > 0 ? filter.last_id : 1000;
    filter.until_ms = filter.until_ms > 0 ? filter.until_ms : INT64_MAX;
    search.filter = filter;
    assert_int_equal(read_now(f, find_body, &search), OK);
    return search.found;
}

static int filled(void **state)
{
    fixture_setup(state);
    return write_now(*state, fill_body, NULL) == OK ? 0 : -1;
}

static void they_are_found_by_time_state_and_reason_from_either_end(void **state)
{
    static const enum store_webhook_state done = STORE_WEBHOOK_DONE;
    static const enum store_webhook_state quarantined = STORE_WEBHOOK_QUARANTINED;
    static const struct {
        struct store_webhook_search filter;
        const char *found;
    } cases[] = {
        { { 0 }, "1o 2u 3u 4o 5u " },
        { { .newest_first = true }, "5u 4o 3u 2u 1o " },
        { { .newest_first = true, .limit = 2 }, "5u 4o " },
        { { .first_id = 2, .last_id = 3 }, "2u 3u " },
        { { .since_ms = 200, .until_ms = 400 }, "2u 3u " },
        { { .state = &done }, "1o 4o " },
        { { .state = &done, .newest_first = true }, "4o 1o " },
        { { .state = &quarantined }, "2u 3u 5u " },
        { { .state = &quarantined, .newest_first = true, .limit = 1 }, "5u " },
        { { .state = &quarantined, .reason = STR_INIT("not JSON") }, "2u 5u " },
        { { .reason = STR_INIT("belongs to") }, "3u " },
        { { .reason = STR_INIT("Belongs") }, "" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(found(*state, cases[i].filter), cases[i].found);
    }
}

struct ids {
    int64_t since_ms, until_ms, first, last;
};

static enum err ids_body(struct store_reader *reader, void *arg)
{
    struct ids *ids = arg;

    return store_webhook_ids(reader, ids->since_ms, ids->until_ms, &ids->first, &ids->last);
}

static void assert_ids(struct fixture *f, int64_t since_ms, int64_t until_ms, int64_t first,
                       int64_t last)
{
    struct ids ids = { .since_ms = since_ms, .until_ms = until_ms, .first = -1, .last = -1 };

    assert_int_equal(read_now(f, ids_body, &ids), OK);
    assert_int_equal(ids.first, first);
    assert_int_equal(ids.last, last);
}

static void the_ids_of_a_time_are_found_with_a_day_to_spare(void **state)
{
    static const int64_t day = 24LL * 60 * 60 * 1000;

    assert_ids(*state, INT64_MIN, INT64_MAX, 1, 5);
    assert_ids(*state, 0, 1000, 1, 5);
    assert_ids(*state, day + 201, INT64_MAX, 3, 5);
    assert_ids(*state, 0, 301 - day, 1, 3);
    assert_ids(*state, day + 201, 301 - day, 3, 3);
    assert_ids(*state, day + 501, INT64_MAX, 0, 0);
    assert_ids(*state, 0, 100 - day, 0, 0);
    sql_exec(*state, "DELETE FROM webhook WHERE id IN (1, 2, 5)");
    assert_ids(*state, 0, INT64_MAX, 3, 4);
    sql_exec(*state, "DELETE FROM webhook");
    assert_ids(*state, 0, INT64_MAX, 0, 0);
    assert_ids(*state, day + 201, 1000, 0, 0);
}

static enum err get_body(struct store_reader *reader, void *arg)
{
    struct store_webhook webhook;
    enum err err = store_webhook_get(reader, *(const int64_t *)arg, &webhook);

    if (err == OK) {
        assert_int_equal(webhook.id, 2);
        assert_int_equal(webhook.bytes, 3);
        assert_int_equal(webhook.body.len, 3);
        assert_memory_equal(webhook.body.data, "a\0b", 3);
        assert_int_equal(webhook.state, STORE_WEBHOOK_QUARANTINED);
        assert_true(str_eq(webhook.reason, STR("not JSON: x")));
    }
    return err;
}

static void one_is_read_with_its_body(void **state)
{
    int64_t id = 2;

    assert_int_equal(read_now(*state, get_body, &id), OK);
    id = 6;
    assert_int_equal(read_now(*state, get_body, &id), ERR_NOT_FOUND);
}

static enum err settle_body(struct store_tx *tx, void *arg)
{
    return store_webhook_settle(tx, arg);
}

static void only_what_is_in_quarantine_is_settled(void **state)
{
    struct store_webhook webhook = { .id = 3,
                                     .state = STORE_WEBHOOK_QUARANTINED,
                                     .counts = STR("{\"inbound\":1}"),
                                     .reason = STR("still bad") };

    assert_int_equal(write_now(*state, settle_body, &webhook), OK);
    assert_string_equal(found(*state, (struct store_webhook_search) { .reason = STR("still") }),
                        "3u ");
    webhook.state = STORE_WEBHOOK_DONE;
    webhook.reason = STR("");
    assert_int_equal(write_now(*state, settle_body, &webhook), OK);
    assert_int_equal(write_now(*state, settle_body, &webhook), ERR_CONFLICT);
    assert_int_equal(sql_int(*state, "SELECT state = 0 AND length(reason) = 0 AND"
                                     " CAST(counts AS TEXT) = '{\"inbound\":1}' AND"
                                     " length(body) = 4 FROM webhook WHERE id = 3"),
                     1);
    webhook.id = 9;
    assert_int_equal(write_now(*state, settle_body, &webhook), ERR_NOT_FOUND);
}

static enum err drop_body(struct store_tx *tx, void *arg)
{
    return store_webhook_drop(tx, *(const int64_t *)arg);
}

static void what_is_dropped_keeps_its_row_and_its_reason(void **state)
{
    static const enum store_webhook_state dropped = STORE_WEBHOOK_DROPPED;
    int64_t id = 5;

    assert_int_equal(write_now(*state, drop_body, &id), OK);
    assert_int_equal(write_now(*state, drop_body, &id), ERR_CONFLICT);
    assert_string_equal(found(*state, (struct store_webhook_search) { .state = &dropped,
                                                                      .reason = STR("JSON: y") }),
                        "5r ");
    assert_int_equal(sql_int(*state, "SELECT length(body) FROM webhook WHERE id = 5"), 6);
    id = 1;
    assert_int_equal(write_now(*state, drop_body, &id), ERR_CONFLICT);
    id = 9;
    assert_int_equal(write_now(*state, drop_body, &id), ERR_NOT_FOUND);
}

static void states_have_names(void **state)
{
    enum store_webhook_state parsed;

    (void)state;
    for (enum store_webhook_state i = STORE_WEBHOOK_DONE; i <= STORE_WEBHOOK_DROPPED; i++) {
        assert_true(store_webhook_state_parse(str_of(store_webhook_state_name(i)), &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(store_webhook_state_parse(STR("lost"), &parsed));
}

static void whose_numbers_were_is_told_shortly_when_they_were_all_of_one(void **state)
{
    static const struct {
        struct owner owners[3];
        size_t count;
        const char *text;
    } vectors[] = {
        { { { STR_INIT("1"), 7 } }, 0, "" },
        { { { STR_INIT("1"), 0 } }, 1, "" },
        { { { STR_INIT("1"), 7 } }, 1, "7" },
        { { { STR_INIT("1"), 7 }, { STR_INIT("2"), 7 } }, 2, "7" },
        { { { STR_INIT("1"), 0 }, { STR_INIT("\""), 7 }, { STR_INIT("3"), 8 } },
          3,
          "{\"\\\"\":7,\"3\":8}" },
        { { { STR_INIT("1"), 7 }, { STR_INIT("2"), 0 }, { STR_INIT("1"), 7 } },
          3,
          "{\"1\":7,\"1\":7}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        CLEANUP(owners_finish) struct owners read = { NULL };
        autobuf struct buf text = BUF_INIT;

        owners_render(&text, vectors[i].owners, vectors[i].count);
        assert_true(str_eq(buf_str(&text), str_of(vectors[i].text)));
        owners_read(buf_str(&text), &read);
        for (size_t j = 0; j < vectors[i].count; j++) {
            assert_int_equal(owners_find(&read, vectors[i].owners[j].phone_number_id),
                             vectors[i].owners[j].business_id);
        }
    }
}

static void what_makes_no_sense_tells_no_owner(void **state)
{
    static const char *const texts[] = { "", "{", "-1", "\"x\"", "[7]", "{\"1\":\"x\"}", "null" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(owners_finish) struct owners read = { NULL };

        owners_read(str_of(texts[i]), &read);
        assert_int_equal(owners_find(&read, STR("1")), 0);
    }
}

int main(void)
{
#define FILLED_TEST(name) cmocka_unit_test_setup_teardown(name, filled, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FILLED_TEST(they_are_found_by_time_state_and_reason_from_either_end),
        FILLED_TEST(the_ids_of_a_time_are_found_with_a_day_to_spare),
        FILLED_TEST(one_is_read_with_its_body),
        FILLED_TEST(only_what_is_in_quarantine_is_settled),
        FILLED_TEST(what_is_dropped_keeps_its_row_and_its_reason),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(whose_numbers_were_is_told_shortly_when_they_were_all_of_one),
        cmocka_unit_test(what_makes_no_sense_tells_no_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
