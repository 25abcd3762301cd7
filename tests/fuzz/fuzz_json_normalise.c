/* fuzz: links shared */
/* What json_normalise accepts, with and without mending, jansson must accept too and read as we do,
 * and normalising it again must change nothing. */
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "libshared/json.h"
#include "libshared/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str text, const struct json_limits *limits)
{
    autobuf struct buf first = BUF_INIT;
    autobuf struct buf second = BUF_INIT;
    struct str normal, again;
    json_t *root, *ours;

    if (json_normalise(text, limits, &first, &normal, NULL) != OK) {
        return;
    }
    root = json_loadb(normal.data, normal.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (root == NULL || !utf8_valid(normal)) {
        abort();
    }
    ours = json_tree(normal);
    if (!json_equal(root, ours)) {
        abort();
    }
    json_decref(root);
    json_decref(ours);
    if (json_normalise(normal, limits, &second, &again, NULL) != OK || !str_eq(normal, again) ||
        second.len != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits strict = { .depth = 100, .keys = 1000 }, mending = {
        .depth = 100, .containers = 1000, .mend_utf8 = true
    };
    struct str text = { (const char *)data, size };

    check(text, &strict);
    check(text, &mending);
    return 0;
}
