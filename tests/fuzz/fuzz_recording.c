/* fuzz: links wire shared */

/* Two ways: the input as a recording, of which everything that is read must survive being written
 * and read again; and the input as a body, which must come back byte by byte. */
#include <stdint.h>
#include <stdlib.h>

#include "libshared/wire/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void require_same(const struct recorded *a, const struct recorded *b)
{
    require(a->at_ms == b->at_ms && a->webhook_id == b->webhook_id && a->sign == b->sign);
    require(str_eq(a->app, b->app) && str_eq(a->body, b->body));
    require(a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        require(str_eq(a->headers[i].name, b->headers[i].name));
        require(str_eq(a->headers[i].value, b->headers[i].value));
    }
}

static void write_and_read(const struct recording_info *info, const struct recorded *recorded)
{
    autobuf struct buf text = BUF_INIT;
    struct recording recording;
    struct recorded again;

    recording_add_info(&text, info);
    recording_add(&text, recorded);
    require(recording_is(buf_str(&text)));
    require(recording_open(buf_str(&text), &recording, NULL) == OK);
    require(recording.info.redacted == info->redacted);
    require(recording_next(&recording, &again, NULL) == OK);
    require_same(recorded, &again);
    recorded_finish(&again);
    require(recording_next(&recording, &again, NULL) == ERR_NOT_FOUND);
}

static void as_a_recording(struct str text)
{
    struct recording recording;
    struct recorded recorded;
    struct errmsg msg = { "" };
    enum err err = recording_open(text, &recording, &msg);

    require((err == OK) || msg.text[0] != '\0');
    if (err != OK) {
        return;
    }
    require(recording_is(text));
    while ((err = recording_next(&recording, &recorded, &msg)) != ERR_NOT_FOUND) {
        if (err == OK) {
            write_and_read(&recording.info, &recorded);
            recorded_finish(&recorded);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };

    as_a_recording(text);
    write_and_read(&(struct recording_info) { .redacted = size % 2 == 0 },
                   &(struct recorded) { .at_ms = (int64_t)size, .sign = true, .body = text });
    return 0;
}
