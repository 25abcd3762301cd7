/* fuzz: links store wire shared */

/* Whatever a body holds: what is searched for is never left in what comes out, what comes out is
 * JSON, and what was taken away are members of lists that mentioned it, nothing else. What is
 * collected is a list of JSON values that mention it. The input's first line is the names,
 * separated by blanks: @ before a username, # before an id of siod's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/json.h"
#include "siod/store/mention.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void add_name(struct mention_names *names, struct str word)
{
    if (str_starts_with(word, STR("#"))) {
        mention_names_add(names, MENTION_CONTACT, str_skip(word, 1));
    } else {
        mention_names_add(names, str_starts_with(word, STR("@")) ? MENTION_USERNAME : MENTION_ID,
                          word);
    }
}

static void read_names(struct str line, struct mention_names *names)
{
    while (line.len > 0) {
        const char *blank = memchr(line.data, ' ', line.len);
        size_t len = blank != NULL ? (size_t)(blank - line.data) : line.len;

        add_name(names, (struct str) { line.data, len });
        line = str_skip(line, MIN(len + 1, line.len));
    }
}

static bool mentions(const json_t *value, const struct mention_names *names)
{
    autobuf struct buf text = BUF_INIT;

    json_add_tree(&text, value);
    return mention_in(buf_str(&text), names);
}

static bool is_rest(const json_t *before, const json_t *after, const struct mention_names *names);

static bool is_rest_of_list(const json_t *before, const json_t *after,
                            const struct mention_names *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *item = json_array_get(before, i);

        if (kept < json_array_size(after) && is_rest(item, json_array_get(after, kept), names)) {
            kept++;
        } else if (!mentions(item, names)) {
            return false;
        }
    }
    return kept == json_array_size(after);
}

static bool is_rest(const json_t *before, const json_t *after, const struct mention_names *names)
{
    const char *key;
    json_t *member;

    if (json_typeof(before) != json_typeof(after)) {
        return false;
    }
    if (json_is_array(before)) {
        return is_rest_of_list(before, after, names);
    }
    if (!json_is_object(before)) {
        return json_equal(before, after);
    }
    json_object_foreach((json_t *)(uintptr_t)before, key, member)
    {
        const json_t *other = json_object_get(after, key);

        if (other == NULL || !is_rest(member, other, names)) {
            return false;
        }
    }
    return json_object_size(before) == json_object_size(after);
}

static void check_rest(struct str body, const json_t *before, const struct mention_names *names)
{
    static const struct json_limits limits = { 0 };
    autobuf struct buf rest = BUF_INIT;

    buf_add_cstr(&rest, "kept");
    if (mention_remove(body, names, &rest)) {
        struct str json = { rest.data + 4, rest.len - 4 };
        autojson json_t *after = json_read(json, &limits, NULL);

        require(before != NULL && after != NULL);
        require(!mention_in(json, names));
        require(is_rest(before, after, names));
    } else {
        require(str_eq(buf_str(&rest), STR("kept")));
    }
}

static void check_collected(struct str body, const struct mention_names *names)
{
    static const struct json_limits limits = { 0 };
    autobuf struct buf list = BUF_INIT;
    autojson json_t *items = NULL;
    const json_t *item;
    size_t i;

    buf_add_char(&list, '[');
    mention_collect(body, names, &list);
    buf_add_char(&list, ']');
    items = json_read(buf_str(&list), &limits, NULL);
    require(items != NULL);
    json_array_foreach(items, i, item)
    {
        require(mentions(item, names));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { 0 };
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    struct str input = { (const char *)data, size };
    const char *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct str line = { input.data, end != NULL ? (size_t)(end - input.data) : 0 };
    struct str body = end != NULL ? str_skip(input, line.len + 1) : STR_NONE;
    autojson json_t *before = NULL;

    read_names(line, &names);
    (void)mention_in(body, &names);
    before = json_read(body, &limits, NULL);
    check_rest(body, before, &names);
    check_collected(body, &names);
    return 0;
}
