/* fuzz: links shared */
/* What json_normalise accepts, jansson must accept too and read as we do, and normalising it again
 * must change nothing. */
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "libshared/json.h"
#include "libshared/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { 100, 1000 };
    autobuf struct buf first = BUF_INIT;
    autobuf struct buf second = BUF_INIT;
    struct str text = { (const char *)data, size }, normal, again;
    json_t *root, *ours;

    if (json_normalise(text, &limits, &first, &normal, NULL) != OK) {
        return 0;
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
    if (json_normalise(normal, &limits, &second, &again, NULL) != OK || !str_eq(normal, again) ||
        second.len != 0) {
        abort();
    }
    return 0;
}
