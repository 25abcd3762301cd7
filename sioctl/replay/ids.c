#include "sioctl/replay/ids.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "libshared/map.h"

enum { FRESH_BYTES = 24, DEPTH_MAX = 256, KEYS_MAX = 4000000, ID_BYTES_MAX = 512, NUMBER_MIN = 6 };

struct id {
    char *old, *fresh;
    size_t old_len;
    UT_hash_handle by_old, by_fresh;
};

struct replay_ids {
    unsigned char salt[REPLAY_SALT_SIZE];
    struct id *by_old, *by_fresh;
};

struct replay_ids *replay_ids_new(const unsigned char salt[REPLAY_SALT_SIZE])
{
    struct replay_ids *ids = xnew(struct replay_ids);

    memcpy(ids->salt, salt, sizeof ids->salt);
    return ids;
}

void replay_ids_free(struct replay_ids *ids)
{
    struct id *id, *next;

    if (ids == NULL) {
        return;
    }
    HASH_CLEAR(by_fresh, ids->by_fresh);
    HASH_ITER (by_old, ids->by_old, id, next) {
        HASH_DELETE(by_old, ids->by_old, id);
        free(id->old);
        free(id->fresh);
        free(id);
    }
    free(ids);
}

static struct id *find(const struct replay_ids *ids, struct str text)
{
    struct id *id = NULL;

    if (text.len > 0) {
        HASH_FIND(by_old, ids->by_old, text.data, text.len, id);
    }
    return id;
}

/* "wamid." stays in front: it tells what kind of id it is. */
static size_t prefix_len(struct str id)
{
    for (size_t i = 0; i < MIN(id.len, (size_t)8); i++) {
        if (id.data[i] == '.') {
            return i + 1;
        }
        if (base64_value(id.data[i], "+/") < 0) {
            break;
        }
    }
    return 0;
}

static char *make_fresh(const struct replay_ids *ids, struct str old)
{
    size_t prefix = prefix_len(old);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    autobuf struct buf salted = BUF_INIT;
    struct buf fresh = BUF_INIT;

    buf_add(&salted, ids->salt, sizeof ids->salt);
    buf_add_str(&salted, old);
    SHA256((const unsigned char *)salted.data, salted.len, hash);
    buf_add(&fresh, old.data, prefix);
    base64_add(&fresh, (struct str) { (const char *)hash, FRESH_BYTES });
    return buf_take(&fresh);
}

static void learn(struct replay_ids *ids, struct str old)
{
    struct id *id;

    if (old.len == 0 || old.len > ID_BYTES_MAX || find(ids, old) != NULL) {
        return;
    }
    id = xnew(struct id);
    id->old = xstrndup(old.data, old.len);
    id->old_len = old.len;
    id->fresh = make_fresh(ids, old);
    HASH_ADD_KEYPTR(by_old, ids->by_old, id->old, id->old_len, id);
    HASH_ADD_KEYPTR(by_fresh, ids->by_fresh, id->fresh, strlen(id->fresh), id);
}

static bool begins_as_id(struct str text)
{
    return str_starts_with(text, STR("wamid.")) || str_starts_with(text, STR("wacid."));
}

/* Is the member `key` of an object an id? `under` is the key that the object, or the array with it,
 * stands under. */
static bool names_a_message(const char *under, const char *key)
{
    static const char *const named[] = { "messages", "statuses", "message_echoes",
                                         "calls",    "context",  NULL };
    static const char *const naming[] = { "message_id", "original_message_id", NULL };

    return cstr_in(key, naming) || (strcmp(key, "id") == 0 && cstr_in(under, named));
}

/* Whoever writes or is written to. */
static bool names_a_person(const char *under, const char *key)
{
    static const char *const naming[] = {
        "from",
        "from_user_id",
        "to",
        "to_user_id",
        "wa_id",
        "new_wa_id",
        "user_id",
        "recipient_id",
        "recipient_user_id",
        "recipient_participant_id",
        "recipient_participant_user_id",
        "group_id",
        "customer",
        NULL,
    };

    return cstr_in(key, naming) || (strcmp(key, "id") == 0 && strcmp(under, "threads") == 0);
}

struct search {
    replay_id_fn *id, *person; /* either may be NULL */
    void *arg;
    const json_t *metadata; /* of the value that the search is in: whose number it came to */
};

/* The business itself is in every chat: that it writes, or is quoted, says nothing. */
static bool names_the_business(const struct search *search, struct str text)
{
    static const char *const naming[] = { "display_phone_number", "phone_number_id" };

    for (size_t i = 0; i < ARRAY_SIZE(naming); i++) {
        char digits[24];
        const json_t *own = json_object_get(search->metadata, naming[i]);

        if (str_same_digits(text, json_id_text(own, digits))) {
            return true;
        }
    }
    return false;
}

static void found(const struct search *search, const char *under, const char *key, json_t *object,
                  const json_t *member)
{
    char digits[24];
    struct str text = json_id_text(member, digits);

    if (search->id != NULL && text.len > 0 && names_a_message(under, key)) {
        search->id(search->arg, text, json_str_at(object, "status"));
    } else if (search->id != NULL && begins_as_id(text)) {
        search->id(search->arg, text, STR_NONE);
    }
    if (search->person != NULL && text.len > 0 && names_a_person(under, key) &&
        !names_the_business(search, text)) {
        search->person(search->arg, text, STR_NONE);
    }
}

/* No deeper than DEPTH_MAX. */
static void search_in(const struct search *search, const char *under, json_t *value)
{
    const json_t *metadata = json_object_get(value, "metadata");
    struct search inside = *search;
    const char *key;
    json_t *member;
    size_t i;

    inside.metadata = metadata != NULL ? metadata : search->metadata;

    json_array_foreach(value, i, member)
    {
        if (json_is_string(member)) {
            found(&inside, "", "", NULL, member);
        }
        search_in(&inside, under, member);
    }
    json_object_foreach(value, key, member)
    {
        found(&inside, under, key, value, member);
        search_in(&inside, key, member);
    }
}

static void search_body(const struct search *search, struct str body)
{
    static const struct json_limits limits = { .depth = DEPTH_MAX, .keys = KEYS_MAX };
    autojson json_t *root = json_read(body, &limits, NULL);

    if (root != NULL) {
        search_in(search, "", root);
    }
}

void replay_ids_find(struct str body, replay_id_fn *fn, void *arg)
{
    search_body(&(struct search) { .id = fn, .arg = arg }, body);
}

void replay_parties_find(struct str body, replay_id_fn *fn, void *arg)
{
    search_body(&(struct search) { .id = fn, .person = fn, .arg = arg }, body);
}

static void learn_id(void *arg, struct str id, struct str status)
{
    (void)status;
    learn(arg, id);
}

void replay_ids_learn(struct replay_ids *ids, struct str body)
{
    replay_ids_find(body, learn_id, ids);
}

/* The length of the string that begins here, with its quotes; 0 if it does not end. */
static size_t string_len(struct str text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] == '\\') {
            i++;
        } else if (text.data[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}

static bool is_key(struct str rest)
{
    return str_starts_with(json_text_trim(rest), STR(":"));
}

static void exchange_string(const struct replay_ids *ids, struct str string, struct buf *scratch,
                            struct buf *to)
{
    static const struct json_limits limits = { .depth = 1 };
    autobuf struct buf changed = BUF_INIT;
    struct str normal;
    const struct id *id = NULL;

    buf_clear(scratch);
    if (json_normalise(string, &limits, &changed, &normal, NULL) == OK) {
        json_add_decoded(scratch, json_text_inside(normal));
        id = find(ids, buf_str(scratch));
    }
    if (id != NULL) {
        json_add_cstr(to, id->fresh);
    } else {
        buf_add_str(to, string);
    }
}

static size_t number_len(struct str text)
{
    static const char of_numbers[] = "0123456789+-.eE";
    size_t len = 0;

    while (len < text.len && memchr(of_numbers, text.data[len], sizeof of_numbers - 1) != NULL) {
        len++;
    }
    return len;
}

/* What is between two strings: an id that is a number becomes a string, which ids may be as well.
 * Short numbers are too many other things. */
static void exchange_numbers(const struct replay_ids *ids, struct str text, struct buf *to)
{
    while (text.len > 0) {
        size_t len = number_len(text);
        const struct id *id = len >= NUMBER_MIN ? find(ids, (struct str) { text.data, len }) : NULL;
        if (id != NULL) {
            json_add_cstr(to, id->fresh);
        } else {
            len = MAX(len, (size_t)1);
            buf_add(to, text.data, len);
        }
        text = str_skip(text, len);
    }
}

/* Anything that is JSON. */
static void exchange_json(const struct replay_ids *ids, struct str text, struct buf *to)
{
    autobuf struct buf scratch = BUF_INIT;

    while (text.len > 0) {
        const char *quote = memchr(text.data, '"', text.len);
        size_t before = quote != NULL ? (size_t)(quote - text.data) : text.len, len;

        exchange_numbers(ids, (struct str) { text.data, before }, to);
        text = str_skip(text, before);
        len = text.len > 0 ? string_len(text) : 0;
        if (len == 0 || is_key(str_skip(text, len)) || len > 6 * ID_BYTES_MAX) {
            len = len > 0 ? len : text.len;
            buf_add(to, text.data, len);
        } else {
            exchange_string(ids, (struct str) { text.data, len }, &scratch, to);
        }
        text = str_skip(text, len);
    }
}

void replay_ids_exchange(const struct replay_ids *ids, struct str body, struct buf *to)
{
    static const struct json_limits limits = { .depth = DEPTH_MAX, .keys = KEYS_MAX };
    autobuf struct buf scratch = BUF_INIT;
    struct str normal;

    if (json_normalise(body, &limits, &scratch, &normal, NULL) == OK) {
        exchange_json(ids, body, to);
    } else {
        buf_add_str(to, body);
    }
}

struct str replay_ids_original(const struct replay_ids *ids, struct str fresh)
{
    struct id *id = NULL;

    if (fresh.len > 0) {
        HASH_FIND(by_fresh, ids->by_fresh, fresh.data, fresh.len, id);
    }
    return id != NULL ? (struct str) { id->old, id->old_len } : STR_NONE;
}
