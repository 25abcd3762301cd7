#include "siod/webhook/payload.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/json.h"
#include "siod/webhook/decoder.h"

enum {
    REASONS_MAX = 1024,
    FIELDS_MAX = 2048, /* bytes of all their names: more are left out */
};

/* ---- counts and reasons */

static const char *const kind_names[WA_KINDS] = {
    [WA_INBOUND] = "inbound",    [WA_SYSTEM] = "system",
    [WA_REACTION] = "reactions", [WA_EDIT] = "edits",
    [WA_REVOKE] = "revokes",     [WA_STATUS] = "statuses",
    [WA_ECHO] = "echoes",        [WA_HISTORY] = "history",
    [WA_CALL] = "calls",         [WA_CALL_STATUS] = "call_statuses",
    [WA_ADMIN] = "admin",        [WA_DUPLICATE] = "dups",
    [WA_IGNORED] = "ignored",
};

const char *wa_kind_name(enum wa_kind kind)
{
    return kind_names[kind];
}

void wa_counts_render(struct buf *out, const struct wa_counts *counts)
{
    for (size_t i = 0; i < WA_KINDS; i++) {
        buf_add_cstr(out, i == 0 ? "{\"" : ",\"");
        buf_add_cstr(out, kind_names[i]);
        buf_add_cstr(out, "\":");
        buf_add_u64(out, counts->of[i]);
    }
    buf_add_char(out, '}');
}

void wa_counts_read(struct str json, struct wa_counts *ret_counts)
{
    const struct json_limits limits = { .depth = 4, .keys = 64 };
    autojson json_t *object = json_read(json, &limits, NULL);

    for (size_t i = 0; i < WA_KINDS; i++) {
        json_int_t count = json_integer_value(json_object_get(object, kind_names[i]));

        ret_counts->of[i] = count > 0 && count <= INT_MAX ? (unsigned)count : 0;
    }
}

static unsigned less(unsigned a, unsigned b)
{
    return a > b ? a - b : 0;
}

struct wa_counts wa_counts_again(const struct wa_counts *before, const struct wa_counts *now,
                                 const struct wa_counts *rowless)
{
    struct wa_counts all = *now;
    unsigned handled = 0;

    for (size_t i = 0; i < WA_KINDS; i++) {
        unsigned stored = less(before->of[i], rowless->of[i]);

        if (i != WA_DUPLICATE && i != WA_ADMIN && i != WA_IGNORED) {
            all.of[i] += stored;
            handled += stored;
        }
    }
    all.of[WA_DUPLICATE] = MAX(before->of[WA_DUPLICATE], less(now->of[WA_DUPLICATE], handled));
    return all;
}

void wa_reason_add(struct buf *reasons, const char *format, ...)
{
    va_list args;

    if (reasons->len >= REASONS_MAX) {
        return;
    }
    if (reasons->len > 0) {
        buf_add_cstr(reasons, "; ");
    }
    va_start(args, format);
    buf_vprintf(reasons, format, args);
    va_end(args);
    if (reasons->len >= REASONS_MAX) {
        buf_add_cstr(reasons, "; and more");
    }
}

/* An element that cannot be used. */
static void blame(struct decoder *decoder, const char *array, size_t index, const char *reason)
{
    wa_reason_add(&decoder->out->reasons, "entry[%zu].changes[%zu].value.%s[%zu]: %s",
                  decoder->entry, decoder->change, array, index, reason);
}

static void blame_change(struct decoder *decoder, const char *reason)
{
    wa_reason_add(&decoder->out->reasons, "entry[%zu].changes[%zu]: %s", decoder->entry,
                  decoder->change, reason);
}

static void count(struct decoder *decoder, enum wa_kind kind, size_t n)
{
    decoder->out->counts.of[kind] += (unsigned)n;
}

/* ---- changes by field */

static void decode_array(struct decoder *decoder, const json_t *value, const char *name,
                         const char *(*decode)(struct decoder *decoder, const json_t *element))
{
    const json_t *array = json_object_get(value, name), *element;
    size_t i;

    if (array != NULL && !json_is_array(array)) {
        blame(decoder, name, 0, "not an array");
    }
    json_array_foreach(array, i, element)
    {
        const char *reason = decode(decoder, element);

        if (reason != NULL) {
            blame(decoder, name, i, reason);
        }
    }
}

/* Whose it is, and who is in it. */
static bool decode_inbox(struct decoder *decoder, const json_t *value)
{
    const json_t *metadata = json_object_get(value, "metadata");

    if (decoder->phone_number_id.len == 0) {
        blame_change(decoder, "no metadata.phone_number_id");
        return false;
    }
    decoder->display_phone_number = decode_id(decoder, metadata, "display_phone_number");
    decoder->errors = json_object_get(value, "errors");
    decode_profiles(decoder, json_object_get(value, "contacts"));
    return true;
}

static void decode_chat(struct decoder *decoder, const json_t *value)
{
    if (json_object_get(value, "messages") == NULL && json_object_get(value, "statuses") == NULL &&
        json_object_get(value, "message_echoes") == NULL) {
        count(decoder, WA_IGNORED, 1);
        return;
    }
    if (!decode_inbox(decoder, value)) {
        return;
    }
    decode_array(decoder, value, "messages", decode_message);
    decode_array(decoder, value, "message_echoes", decode_echo);
    decode_array(decoder, value, "statuses", decode_status);
}

static void decode_past(struct decoder *decoder, const json_t *value)
{
    if (decode_inbox(decoder, value)) {
        decode_history(decoder, value);
    }
}

static void decode_calls(struct decoder *decoder, const json_t *value)
{
    if (json_object_get(value, "calls") == NULL && json_object_get(value, "statuses") == NULL) {
        count(decoder, WA_IGNORED, 1);
        return;
    }
    if (decode_inbox(decoder, value)) {
        decoder->calls = true;
        decode_array(decoder, value, "calls", decode_call);
        decode_array(decoder, value, "statuses", decode_status);
        decoder->calls = false;
    }
}

static void decode_admin(struct decoder *decoder, const json_t *value)
{
    (void)value;
    count(decoder, WA_ADMIN, 1);
}

static const struct field {
    const char *name;
    void (*decode)(struct decoder *decoder, const json_t *value);
} fields[] = {
    { "messages", decode_chat },
    { "smb_message_echoes", decode_chat },
    { "history", decode_past },
    { "calls", decode_calls },
    { "smb_app_state_sync", decode_admin },
    { "user_preferences", decode_admin },
    { "message_template_status_update", decode_admin },
    { "message_template_quality_update", decode_admin },
    { "message_template_components_update", decode_admin },
    { "template_category_update", decode_admin },
    { "account_update", decode_admin },
    { "account_review_update", decode_admin },
    { "account_alerts", decode_admin },
    { "account_settings_update", decode_admin },
    { "business_capability_update", decode_admin },
    { "phone_number_quality_update", decode_admin },
    { "phone_number_name_update", decode_admin },
    { "payment_configuration_update", decode_admin },
    { "partner_solutions", decode_admin },
    { "security", decode_admin },
    { "automatic_events", decode_admin },
    { "group_lifecycle_update", decode_admin },
    { "group_participants_update", decode_admin },
    { "group_settings_update", decode_admin },
    { "group_status_update", decode_admin },
};

static const struct field *find_field(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (str_eq(name, str_of(fields[i].name))) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Is this among the elements of an array that is still open? */
static bool has_field(struct str named, struct str quoted)
{
    while (named.len > quoted.len) {
        const char *at = memmem(named.data + 1, named.len - 1, quoted.data, quoted.len);

        if (at == NULL) {
            return false;
        }
        if (at[-1] == '[' || at[-1] == ',') {
            return true;
        }
        named = str_skip(named, (size_t)(at - named.data));
    }
    return false;
}

static void add_field(struct buf *named, struct str name)
{
    size_t end = named->len;

    if (end + name.len > FIELDS_MAX) {
        return;
    }
    buf_add_char(named, end == 0 ? '[' : ',');
    json_add_string(named, name);
    if (has_field((struct str) { named->data, end }, str_skip(buf_str(named), end + 1))) {
        named->len = end;
    }
}

/* Of a field that is not understood, too. */
static void decode_number(struct decoder *decoder, const json_t *value)
{
    const json_t *metadata = json_object_get(value, "metadata");
    struct str number = decode_id(decoder, metadata, "phone_number_id");
    struct wa_delivery *out = decoder->out;

    decoder->phone_number_id = number;
    if (number.len == 0 || (out->number_count > 0 &&
                            str_eq(number, out->numbers[out->number_count - 1].phone_number_id))) {
        return;
    }
    out->numbers =
        decode_grow(out->numbers, out->number_count, &out->number_room, sizeof *out->numbers);
    out->numbers[out->number_count++] = (struct owner) { .phone_number_id = number };
}

static void decode_change(struct decoder *decoder, const json_t *change)
{
    struct str name = json_str_at(change, "field");
    const json_t *value = json_object_get(change, "value");
    const struct field *field = find_field(name);

    if (name.len > 0) {
        add_field(&decoder->out->fields, name);
    }
    decode_number(decoder, value);
    if (!json_is_object(change)) {
        blame_change(decoder, "not an object");
    } else if (name.len == 0) {
        blame_change(decoder, "no field");
    } else if (field == NULL) {
        count(decoder, WA_IGNORED, 1);
    } else if (!json_is_object(value)) {
        blame_change(decoder, "value is not an object");
    } else {
        field->decode(decoder, value);
    }
}

/* ---- the envelope */

static void decode_entry(struct decoder *decoder, const json_t *entry)
{
    const json_t *changes = json_object_get(entry, "changes"), *change;

    if (!json_is_array(changes)) {
        wa_reason_add(&decoder->out->reasons, "entry[%zu]: no changes", decoder->entry);
    }
    json_array_foreach(changes, decoder->change, change)
    {
        decode_change(decoder, change);
    }
}

void wa_decode(const json_t *root, int64_t received_s, struct wa_delivery *ret_delivery)
{
    struct decoder decoder = { .out = ret_delivery, .received_s = received_s };
    struct str object = json_str_at(root, "object");
    const json_t *entries = json_object_get(root, "entry"), *entry;

    *ret_delivery = (struct wa_delivery) { .reasons = BUF_INIT, .fields = BUF_INIT };
    if (object.len == 0) {
        wa_reason_add(&ret_delivery->reasons, "no object");
        return;
    }
    if (!str_eq(object, STR("whatsapp_business_account"))) {
        ret_delivery->foreign = true;
        count(&decoder, WA_IGNORED, 1);
        return;
    }
    if (!json_is_array(entries)) {
        wa_reason_add(&ret_delivery->reasons, "no entry");
    }
    json_array_foreach(entries, decoder.entry, entry)
    {
        decode_entry(&decoder, entry);
    }
    if (ret_delivery->fields.len > 0) {
        buf_add_char(&ret_delivery->fields, ']');
    }
    decode_profiles_forget(&decoder);
    free(decoder.profiles);
}

void wa_delivery_finish(struct wa_delivery *delivery)
{
    while (delivery->texts != NULL) {
        struct wa_text *text = delivery->texts;

        delivery->texts = text->next;
        free(text);
    }
    free(delivery->messages);
    free(delivery->changes);
    free(delivery->statuses);
    free(delivery->calls);
    free(delivery->numbers);
    buf_finish(&delivery->reasons);
    buf_finish(&delivery->fields);
    *delivery = (struct wa_delivery) { .reasons = BUF_INIT, .fields = BUF_INIT };
}
