/* `webhook export`: what the daemon has kept as a recording, siorec(5), redacted unless that is
 * unwanted. The key of the pseudonyms is made for this one export and forgotten with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/wire/recording.h"
#include "libshared/wire/redact.h"
#include "sioctl/sioctl.h"

enum { KEY_BYTES = 32 };

struct export
{
    struct session *session;
    struct pseudonyms *pseudonyms; /* NULL: nothing is redacted */
    int64_t started_at_ms;         /* when the first one came; 0 = there was none yet */
    struct buf body;               /* of the one that is arriving */
    size_t records, left_out;
};

static bool print_line(struct export *export, const struct buf *line)
{
    const struct json_limits limits = { .depth = 8 };
    autojson json_t *record = json_read(buf_str(line), &limits, NULL);

    return record != NULL && output_record(&export->session->out, record);
}

/* Tsv has a column for each member of a delivery, and none for this. */
static bool print_info(struct export *export)
{
    struct recording_info info = { .started_at_ms = export->started_at_ms,
                                   .redacted = export->pseudonyms != NULL };
    autobuf struct buf line = BUF_INIT;

    if (export->session->out.format == OUTPUT_TSV) {
        return true;
    }
    snprintf(info.source, sizeof info.source, "sioctl %s", SIOD_VERSION);
    recording_add_info(&line, &info);
    return print_line(export, &line);
}

static bool begin(struct export *export, int64_t received_ms)
{
    if (export->started_at_ms > 0) {
        return true;
    }
    export->started_at_ms = MAX(received_ms, 1);
    return print_info(export);
}

static bool print_webhook(struct export *export, const json_t *record, int64_t received_ms)
{
    autobuf struct buf redacted = BUF_INIT;
    autobuf struct buf line = BUF_INIT;
    struct recorded recorded = {
        .at_ms = MAX(received_ms - export->started_at_ms, 0),
        .webhook_id = json_integer_value(json_object_get(record, "webhookId")),
        .app = json_str_at(record, "app"),
        .sign = true,
        .headers = { { STR_INIT("Content-Type"), STR_INIT("application/json") } },
        .header_count = 1,
        .body = buf_str(&export->body),
    };

    if (export->pseudonyms != NULL) {
        redact_body(export->pseudonyms, recorded.body, &redacted);
        recorded.body = buf_str(&redacted);
    }
    if (recorded.body.len > RECORDING_BODY_MAX) {
        say("webhook %lld is too large for a recording", (long long)recorded.webhook_id);
        export->left_out++;
        return true;
    }
    recording_add(&line, &recorded);
    export->records++;
    return print_line(export, &line);
}

/* One part of a webhook, the last one unless `more`. */
static bool take_part(void *arg, json_t *record)
{
    struct export *export = arg;
    int64_t received_ms = 0;
    bool go_on;

    if (!base64_decode(json_str_at(record, "bodyB64"), &export->body) ||
        !clock_iso_parse(json_str_at(record, "receivedAt"), &received_ms)) {
        say("the daemon sent a record that makes no sense");
        return false;
    }
    if (json_is_true(json_object_get(record, "more"))) {
        return true;
    }
    go_on = begin(export, received_ms) && print_webhook(export, record, received_ms);
    buf_clear(&export->body);
    return go_on;
}

static struct pseudonyms *fresh_pseudonyms(void)
{
    unsigned char key[KEY_BYTES];

    if (RAND_bytes(key, sizeof key) != 1) {
        abort();
    }
    return pseudonyms_new((struct str) { (const char *)key, sizeof key });
}

static json_t *fetch_args(const struct session *session)
{
    json_t *args = json_copy(session->line->args);

    json_object_del(args, "redact");
    json_object_del(args, "noRedact");
    return args;
}

static enum exit_code finish(struct export *export, enum exit_code code, const json_t *result)
{
    size_t sent = (size_t)json_integer_value(json_object_get(result, "records"));
    bool whole = code == EXIT_DONE && result != NULL;

    if (whole && export->started_at_ms == 0) {
        (void)print_info(export);
    }
    output_close(&export->session->out);
    if (!whole) {
        return code == EXIT_DONE && !export->session->out.failed ? EXIT_REFUSED : code;
    }
    say("%zu exported%s", export->records, export->pseudonyms != NULL ? ", redacted" : "");
    return export->left_out > 0 || sent != export->records ? EXIT_REFUSED : EXIT_DONE;
}

enum exit_code run_webhook_export(struct session *session)
{
    bool plain = json_is_true(session_arg(session, "noRedact"));
    struct export export = { .session = session };
    autojson json_t *args = fetch_args(session);
    const struct ctl_call call = {
        .cmd = "webhook fetch", .args = args, .on_piece = take_part, .arg = &export
    };
    autojson json_t *result = NULL;
    enum exit_code code;

    if (plain && session_arg(session, "redact") != NULL) {
        say("--redact or --no-redact: not both");
        return EXIT_USAGE;
    }
    if (session->out.format == OUTPUT_TEXT) {
        session->out.format = OUTPUT_NDJSON;
    }
    export.pseudonyms = plain ? NULL : fresh_pseudonyms();
    code = session_call(session, &call, &result);
    code = finish(&export, code, result);
    pseudonyms_free(export.pseudonyms);
    buf_finish(&export.body);
    return code;
}
