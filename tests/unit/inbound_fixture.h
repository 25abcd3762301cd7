/* For tests of what webhooks become: messages and statuses go to a real store, and what was logged
 * is looked at. */
#pragma once

#include "libshared/buf.h"
#include "libshared/json.h"
#include "siod/chat/inbound.h"
#include "siod/chat/message.h"
#include "siod/chat/status.h"
#include "store_fixture.h"

enum { NOW_MS = 1772357500 };

/* Everything that was logged, a line each: "business room event args". */
static struct buf seen;
static struct inbound_work work;

UNUSED static void on_commit(void *arg, struct store_events *events)
{
    (void)arg;
    for (size_t i = 0; i < events->count; i++) {
        const struct store_event *row = &events->rows[i];

        buf_printf(&seen, "%lld %.*s %.*s ", (long long)row->business_id, STR_ARG(row->room),
                   STR_ARG(row->event));
        buf_add_str(&seen, row->args);
        buf_add_char(&seen, '\n');
    }
    store_events_free(events);
}

UNUSED static size_t seen_count(const char *text)
{
    size_t count = 0;

    for (const char *at = seen.data; at != NULL && (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

UNUSED static void assert_seen(const char *text)
{
    if (seen_count(text) == 0) {
        fail_msg("%s is not in:\n%s", text, seen.data != NULL ? seen.data : "");
    }
}

/* Business 1 has the number 100, business 2 has 200. */
UNUSED static enum err add_businesses(struct store_tx *tx, void *arg)
{
    const struct str numbers[] = { STR("100"), STR("200") };
    enum err err = OK;

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && err == OK; i++) {
        const struct store_business business = { .id = (int64_t)i + 1,
                                                 .name = STR("test"),
                                                 .source = STORE_SOURCE_CONTROL,
                                                 .phone_number_ids = &numbers[i],
                                                 .phone_number_count = 1 };

        err = store_business_put(tx, &business, NULL);
    }
    return err;
}

UNUSED static int inbound_setup(void **state)
{
    struct fixture *f = fixture_new("");

    f->config.on_commit = on_commit;
    fixture_open(f);
    assert_int_equal(write_now(f, add_businesses, NULL), OK);
    *state = f;
    return 0;
}

UNUSED static int inbound_teardown(void **state)
{
    fixture_free(*state);
    inbound_work_finish(&work);
    buf_finish(&seen);
    return 0;
}

/* ---- what comes in */

UNUSED static struct inbound_message text_of(const char *wamid, const char *from, const char *name)
{
    return (struct inbound_message) {
        .direction = STORE_INBOUND,
        .phone_number_id = STR("100"),
        .party = { .name = str_of(name), .phone = str_of(from), .wa_id = str_of(from) },
        .wamid = str_of(wamid),
        .type = STR("text"),
        .text = STR("hello"),
        .opens_window = true,
        .wa_timestamp_s = 1772357401,
    };
}

UNUSED static struct inbound_message echo_of(const char *wamid)
{
    struct inbound_message echo = text_of(wamid, "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    return echo;
}

struct message_job {
    struct inbound_message message;
    const json_t *element; /* NULL: some */
    bool stored;
};

UNUSED static enum err message_body(struct store_tx *tx, void *arg)
{
    struct message_job *job = arg;
    autojson json_t *element = json_pack("{ss}", "id", "w");

    job->message.element = job->element != NULL ? job->element : element;
    inbound_begin(&work, tx, NOW_MS);
    return inbound_message_store(&work, &job->message, &job->stored);
}

/* True if it was new. */
UNUSED static bool store_message(struct fixture *f, struct inbound_message message)
{
    struct message_job job = { .message = message };

    assert_int_equal(write_now(f, message_body, &job), OK);
    return job.stored;
}

struct status_job {
    struct inbound_status status;
    bool fresh;
};

UNUSED static enum err status_body(struct store_tx *tx, void *arg)
{
    struct status_job *job = arg;

    inbound_begin(&work, tx, NOW_MS);
    return status_apply(&work, &job->status, &job->fresh);
}

UNUSED static bool report(struct fixture *f, const char *wamid, const char *word,
                          const char *participant)
{
    autojson json_t *error = json_pack("[{si}]", "code", 131047);
    struct status_job job = { .status = { .phone_number_id = STR("100"),
                                          .wamid = str_of(wamid),
                                          .status = str_of(word),
                                          .participant = str_of(participant),
                                          .wa_timestamp_s = 1772357402 } };

    if (strcmp(word, "failed") == 0) {
        job.status.errors = error;
    }
    assert_int_equal(write_now(f, status_body, &job), OK);
    return job.fresh;
}

/* ---- what is shown */

/* The message as the API shows it now. */
UNUSED static enum err show_body(struct store_reader *reader, void *arg)
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

UNUSED static void assert_shown(struct fixture *f, const char *text)
{
    autobuf struct buf out = BUF_INIT;

    assert_int_equal(read_now(f, show_body, &out), OK);
    if (strstr(out.data, text) == NULL) {
        fail_msg("%s is not in:\n%s", text, out.data);
    }
}

UNUSED static void assert_not_shown(struct fixture *f, const char *text)
{
    autobuf struct buf out = BUF_INIT;

    assert_int_equal(read_now(f, show_body, &out), OK);
    if (strstr(out.data, text) != NULL) {
        fail_msg("%s is in:\n%s", text, out.data);
    }
}
