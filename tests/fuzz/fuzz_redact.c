/* fuzz: links wire shared */

/* Whatever a body holds, nothing is left in it to be found once it is redacted; the same body is
 * redacted in the same way; and the values of a document keep their types. */
#include <stdint.h>
#include <stdlib.h>

#include "libshared/json.h"
#include "libshared/wire/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool refuse(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
    abort();
}

static bool count(void *arg, const char *path, const char *what)
{
    require(path != NULL && what != NULL);
    return ++*(size_t *)arg < 1000;
}

static void require_same_shape(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    require(json_typeof(a) == json_typeof(b) || (json_is_boolean(a) && json_is_boolean(b)));
    require(json_array_size(a) == json_array_size(b));
    require(json_object_size(a) == json_object_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        require_same_shape(json_array_get(a, i), json_array_get(b, i));
    }
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);

        if (other != NULL) {
            require_same_shape(value, other);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    struct str body = { (const char *)data, size };
    struct pseudonyms *pseudonyms = pseudonyms_new(STR("key"));
    autobuf struct buf once = BUF_INIT;
    autobuf struct buf again = BUF_INIT;
    autojson json_t *before = json_read(body, &limits, NULL);
    autojson json_t *after = NULL;
    size_t findings = 0;

    redact_body(pseudonyms, body, &once);
    redact_body(pseudonyms, body, &again);
    require(str_eq(buf_str(&once), buf_str(&again)));
    redact_scan(buf_str(&once), refuse, NULL);
    redact_scan(body, count, &findings);
    after = json_read(buf_str(&once), &limits, NULL);
    require((before == NULL) == (after == NULL));
    if (before != NULL) {
        require_same_shape(before, after);
    }
    pseudonyms_free(pseudonyms);
    return 0;
}
