/* fuzz: links store wire shared */

/* Whatever a body holds: what is searched for is never left in what comes out, what comes out is
 * JSON, and what was taken away are members of lists that mentioned it, nothing else; what came to
 * others is as it was. What is collected is a list of JSON values that mention it. The input's
 * first line is the names, separated by blanks: @ before a username, # before an id of siod's. A
 * number that begins with 1 is of the contact's business, one that begins with 2 of others. */
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

static enum mention_owner owner_by_digit(void *arg, struct str phone_number_id)
{
    (void)arg;
    return str_starts_with(phone_number_id, STR("1"))   ? MENTION_OF_OWN
           : str_starts_with(phone_number_id, STR("2")) ? MENTION_OF_OTHERS
                                                        : MENTION_OF_NOBODY;
}
static const struct mention_numbers numbers = { .owner = owner_by_digit };

static enum mention_owner owner_of_all(void *arg, struct str phone_number_id)
{
    (void)arg;
    (void)phone_number_id;
    return MENTION_OF_OWN;
}

/* Could it, in a list that has this key? */
static bool mentions(const char *key, const json_t *item, const struct mention_names *names)
{
    static const struct mention_numbers all = { .owner = owner_of_all };
    autobuf struct buf text = BUF_INIT;

    buf_add_char(&text, '{');
    json_add_cstr(&text, key);
    buf_add_cstr(&text, ":[");
    json_add_tree(&text, item);
    buf_add_cstr(&text, "]}");
    return mention_in_body(buf_str(&text), names, &all);
}

static bool is_rest(const char *at, const json_t *before, const json_t *after,
                    const struct mention_names *names);

static bool is_rest_of_list(const char *at, const json_t *before, const json_t *after,
                            const struct mention_names *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *item = json_array_get(before, i);

        if (kept < json_array_size(after) &&
            is_rest(at, item, json_array_get(after, kept), names)) {
            kept++;
        } else if (!mentions(at, item, names)) {
            return false;
        }
    }
    return kept == json_array_size(after);
}

static bool is_rest(const char *at, const json_t *before, const json_t *after,
                    const struct mention_names *names)
{
    const char *key;
    json_t *member;

    if (json_typeof(before) != json_typeof(after)) {
        return false;
    }
    if (json_is_array(before)) {
        return is_rest_of_list(at, before, after, names);
    }
    if (!json_is_object(before)) {
        return json_equal(before, after);
    }
    json_object_foreach((json_t *)(uintptr_t)before, key, member)
    {
        const json_t *other = json_object_get(after, key);

        if (other == NULL || !is_rest(key, member, other, names)) {
            return false;
        }
    }
    return json_object_size(before) == json_object_size(after);
}

/* Returns owned. */
static json_t *changes_of_others(const json_t *root)
{
    json_t *all = json_array(), *entry, *change;
    size_t i, j;

    json_array_foreach(json_object_get(root, "entry"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "changes"), j, change)
        {
            const json_t *metadata = json_object_get(json_object_get(change, "value"), "metadata");
            char digits[24];
            struct str id = json_id_text(json_object_get(metadata, "phone_number_id"), digits);

            if (owner_by_digit(NULL, id) == MENTION_OF_OTHERS) {
                json_array_append(all, change);
            }
        }
    }
    return all;
}

static void check_rest(struct str body, const json_t *before, const struct mention_names *names)
{
    static const struct json_limits limits = { 0 };
    autobuf struct buf rest = BUF_INIT;
    autojson json_t *after = NULL, *theirs = NULL, *theirs_now = NULL;

    buf_add_cstr(&rest, "kept");
    if (mention_remove(body, names, &numbers, &rest)) {
        struct str json = { rest.data + 4, rest.len - 4 };

        after = json_read(json, &limits, NULL);
        require(before != NULL && after != NULL);
        require(!mention_in_body(json, names, &numbers));
        require(is_rest("", before, after, names));
    } else {
        require(str_eq(buf_str(&rest), STR("kept")));
    }
    theirs = changes_of_others(before);
    theirs_now = changes_of_others(after);
    require(json_equal(theirs, theirs_now));
}

static void check_collected(struct str body, const struct mention_names *names)
{
    static const struct json_limits limits = { 0 };
    autobuf struct buf list = BUF_INIT;
    autojson json_t *items = NULL;
    const json_t *item;
    size_t i;

    buf_add_char(&list, '[');
    mention_collect(body, names, &numbers, &list);
    buf_add_char(&list, ']');
    items = json_read(buf_str(&list), &limits, NULL);
    require(items != NULL);
    json_array_foreach(items, i, item)
    {
        require(json_is_integer(item) || mentions("threads", item, names));
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
    (void)mention_in_body(body, &names, &numbers);
    before = json_read(body, &limits, NULL);
    check_rest(body, before, &names);
    check_collected(body, &names);
    return 0;
}
