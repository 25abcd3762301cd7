#include "sioctl/replay/records.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/wire/recording.h"
#include "sioctl/payloads.h"
#include "sioctl/sioctl.h"

static const size_t file_max = (size_t)1 << 30;
static const size_t payload_max = 64 * 1024 * 1024;

static struct replay_record *add_record(struct replay_records *records)
{
    if ((records->count & (records->count - 1)) == 0) { /* a power of two, or 0: it is full */
        size_t room = records->count > 0 ? records->count * 2 : 1;

        records->list = xrealloc(records->list, room * sizeof *records->list);
    }
    records->list[records->count] = (struct replay_record) { .sign = true };
    return &records->list[records->count++];
}

static struct str copy(struct str bytes)
{
    return (struct str) { xmemdup(bytes.len > 0 ? bytes.data : "", bytes.len), bytes.len };
}

static char **copy_headers(const struct recorded *recorded)
{
    char **list;

    if (recorded->header_count == 0) {
        return NULL;
    }
    list = (char **)xcalloc(recorded->header_count + 1, sizeof *list);
    for (size_t i = 0; i < recorded->header_count; i++) {
        list[i] = xasprintf("%.*s: %.*s", STR_ARG(recorded->headers[i].name),
                            STR_ARG(recorded->headers[i].value));
    }
    return list;
}

void replay_record_set_body(struct replay_record *record, struct buf *body)
{
    free((void *)(uintptr_t)record->body.data);
    record->body.len = body->len;
    record->body.data = buf_take(body);
}

static bool load_recording(struct replay_records *records, const char *path, size_t file,
                           struct str text)
{
    struct recording recording;
    struct errmsg msg = { "" };
    enum err err = recording_open(text, &recording, &msg);
    struct recorded *recorded = xnew(struct recorded);

    while (err == OK && (err = recording_next(&recording, recorded, &msg)) == OK) {
        struct replay_record *record = add_record(records);

        record->name = xasprintf("%s:%zu", path, recording.line);
        record->time = (struct replay_time) { file, recording.info.started_at_ms, recorded->at_ms };
        record->body = copy(recorded->body);
        record->sign = recorded->sign;
        record->headers = copy_headers(recorded);
        recorded_finish(recorded);
    }
    free(recorded);
    if (err != ERR_NOT_FOUND) {
        say("%s: %s", path, msg.text);
    }
    return err == ERR_NOT_FOUND;
}

static bool load_payload(struct replay_records *records, const char *path, size_t file,
                         struct buf *text)
{
    struct replay_record *record;

    if (text->len > payload_max) {
        say("%s: larger than %zu bytes, and no recording", path, payload_max);
        return false;
    }
    record = add_record(records);
    record->name = xstrdup(path);
    record->time.file = file;
    replay_record_set_body(record, text);
    return true;
}

static bool load_file(struct replay_records *records, const char *path, size_t file)
{
    autobuf struct buf text = BUF_INIT;

    if (!read_input(path, file_max, &text)) {
        return false;
    }
    return recording_is(buf_str(&text)) ? load_recording(records, path, file, buf_str(&text))
                                        : load_payload(records, path, file, &text);
}

bool replay_records_load(const json_t *paths, struct replay_records *ret_records)
{
    struct payloads payloads;
    bool good = payloads_find(paths, &payloads);

    *ret_records = (struct replay_records) { 0 };
    for (size_t i = 0; i < payloads.count && good; i++) {
        good = load_file(ret_records, payloads.paths[i], i);
    }
    payloads_finish(&payloads);
    replay_records_label(ret_records);
    return good;
}

static void record_finish(struct replay_record *record)
{
    for (size_t i = 0; record->headers != NULL && record->headers[i] != NULL; i++) {
        free(record->headers[i]);
    }
    free((void *)record->headers);
    free((void *)(uintptr_t)record->body.data);
    free(record->label);
    free(record->name);
}

void replay_records_finish(struct replay_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        record_finish(&records->list[i]);
    }
    free(records->list);
    *records = (struct replay_records) { 0 };
}
