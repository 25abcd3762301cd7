/* fuzz: links replay wire shared */

/* Two ways: the input as a body, in which every id is exchanged and nothing else; and as a golden
 * file, which must survive being written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/buf.h"
#include "libshared/json.h"
#include "sioctl/replay/golden.h"
#include "sioctl/replay/ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

struct found {
    const struct replay_ids *ids;
    size_t count, fresh;
};

static void count_id(void *arg, struct str id, struct str status)
{
    struct found *found = arg;

    (void)status;
    found->count++;
    found->fresh += replay_ids_original(found->ids, id).data != NULL;
}

static void fuzz_body(struct str body)
{
    static const unsigned char salt[REPLAY_SALT_SIZE] = { 7 };
    static const struct json_limits limits = { .depth = 200 };
    struct replay_ids *ids = replay_ids_new(salt);
    struct found before = { .ids = ids }, after = { .ids = ids };
    autobuf struct buf text = BUF_INIT;
    autojson json_t *root = json_read(body, &limits, NULL);

    replay_ids_learn(ids, body);
    replay_ids_find(body, count_id, &before);
    replay_ids_exchange(ids, body, &text);
    if (root != NULL) {
        autojson json_t *exchanged = json_read(buf_str(&text), &limits, NULL);

        require(exchanged != NULL);
        replay_ids_find(buf_str(&text), count_id, &after);
        require(after.count >= before.count);
        require(before.count == 0 || text.len > 0);
    } else if (before.count == 0) {
        require(text.len == body.len &&
                (text.len == 0 || memcmp(text.data, body.data, text.len) == 0));
    }
    replay_ids_free(ids);
}

static void fuzz_golden(struct str file)
{
    struct golden_lines lines, again;
    struct errmsg msg = { "" };
    autobuf struct buf text = BUF_INIT;

    if (golden_parse(file, &lines, &msg) != OK) {
        require(msg.text[0] != '\0');
        return;
    }
    golden_render(&text, &lines);
    require(golden_parse(buf_str(&text), &again, &msg) == OK);
    require(again.count == lines.count && again.counted == lines.counted);
    for (size_t i = 0; i < lines.count; i++) {
        require(strcmp(again.list[i].text, lines.list[i].text) == 0);
    }
    golden_uncount(&again);
    golden_lines_finish(&again);
    golden_lines_finish(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };

    fuzz_body(text);
    fuzz_golden(text);
    return 0;
}
