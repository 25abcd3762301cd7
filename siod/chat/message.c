#include "siod/chat/message.h"

#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "libshared/utf8.h"

/* `key` with its punctuation: add_int(out, ",\"id\":", 7). */
static void add_int(struct buf *out, const char *key, int64_t value)
{
    buf_add_cstr(out, key);
    buf_add_i64(out, value);
}

static void add_id_or_null(struct buf *out, const char *key, int64_t id)
{
    if (id != 0) {
        add_int(out, key, id);
        return;
    }
    buf_add_cstr(out, key);
    buf_add_cstr(out, "null");
}

static void add_str(struct buf *out, const char *key, struct str value)
{
    buf_add_cstr(out, key);
    json_add_str_or_null(out, value);
}

static void add_name(struct buf *out, const char *key, const char *name)
{
    buf_add_cstr(out, key);
    buf_add_char(out, '"');
    buf_add_cstr(out, name);
    buf_add_char(out, '"');
}

void time_render(struct buf *out, int64_t at_ms)
{
    char text[CLOCK_ISO_SIZE];

    if (at_ms == 0) {
        buf_add_cstr(out, "null");
        return;
    }
    clock_iso(at_ms, text);
    buf_add_char(out, '"');
    buf_add(out, text, CLOCK_ISO_SIZE - 1);
    buf_add_char(out, '"');
}

static void add_time(struct buf *out, const char *key, int64_t at_ms)
{
    buf_add_cstr(out, key);
    time_render(out, at_ms);
}

/* ---- contact */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trim(struct str text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = str_skip(text, 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static struct str first_word(struct str text)
{
    size_t len = 0;

    while (len < text.len && !is_blank(text.data[len])) {
        len++;
    }
    return (struct str) { text.data, len };
}

/* How to address somebody whose name is not known. */
static struct str nameless(const struct store_contact *contact)
{
    return contact->phone.len > 0      ? contact->phone
           : contact->wa_id.len > 0    ? contact->wa_id
           : contact->username.len > 0 ? contact->username
                                       : contact->user_id;
}

void contact_render(struct buf *out, const struct store_contact *contact)
{
    struct str name = trim(contact->name);
    struct str first = first_word(name);
    struct str last = name.len > 0 ? trim(str_skip(name, first.len)) : STR("");

    if (contact->id == 0) {
        buf_add_cstr(out, "null");
        return;
    }
    add_int(out, "{\"id\":", contact->id);
    buf_add_cstr(out, ",\"first_name\":");
    json_add_string(out, name.len > 0 ? first : nameless(contact));
    buf_add_cstr(out, ",\"last_name\":");
    json_add_string(out, last);
    add_str(out, ",\"name\":", name.len > 0 ? contact->name : STR_NONE);
    add_str(out, ",\"phone\":", contact->phone);
    add_str(out, ",\"waId\":", contact->wa_id);
    add_str(out, ",\"userId\":", contact->user_id);
    if (contact->username.len > 0) {
        add_str(out, ",\"username\":", contact->username);
    }
    buf_add_char(out, '}');
}

/* ---- message */

/* What the message says beyond its text. The context is part of it, but for rows that have nothing
 * else to say. */
static void add_content(struct buf *out, const struct store_message *message)
{
    if (message->content.len > 0) {
        buf_add_str(out, message->content);
    } else if (message->context_wamid.len > 0) {
        add_str(out, ",\"context\":{\"wamid\":", message->context_wamid);
        buf_add_char(out, '}');
    }
}

static void add_sender(struct buf *out, int64_t user_id)
{
    if (user_id != 0) {
        add_int(out, ",\"sender\":{\"userId\":", user_id);
        buf_add_char(out, '}');
    }
}

/* JSON text that is embedded as it is. */
static void add_json(struct buf *out, const char *key, struct str json)
{
    if (json.len > 0) {
        buf_add_cstr(out, key);
        buf_add_str(out, json);
    }
}

void errors_render(struct buf *out, struct str errors)
{
    struct str list, first;

    if (errors.len == 0) {
        return;
    }
    list = errors.data[0] == '[' ? json_text_inside(errors) : STR_NONE;
    if (list.data == NULL || !json_text_take(&list, &first)) {
        first = errors;
    }
    add_json(out, ",\"error\":", first);
    if (list.len > 0) {
        add_json(out, ",\"errors\":", errors);
    }
}

void mark_render(struct buf *out, bool revoked, int64_t at_ms)
{
    add_time(out, revoked ? ",\"revoked\":true,\"revokedAt\":" : ",\"edited\":true,\"editedAt\":",
             at_ms);
}

/* A text says all that there is to say; one without a text was none. */
static bool shows_raw(const struct store_message *message)
{
    return message->text.data == NULL || !str_eq(message->type, STR("text"));
}

void message_render(struct buf *out, const struct store_message *message,
                    const struct store_contact *contact)
{
    add_int(out, "{\"id\":", message->id);
    add_int(out, ",\"chatId\":", message->chat_id);
    add_int(out, ",\"businessId\":", message->business_id);
    add_str(out, ",\"wamid\":", message->wamid);
    add_name(out, ",\"direction\":", store_direction_name(message->direction));
    add_str(out, ",\"type\":", message->type);
    add_str(out, ",\"text\":", message->text);
    add_content(out, message);
    add_name(out, ",\"status\":", store_status_name(message->status));
    errors_render(out, message->error);
    buf_add_str(out, message->changes);
    buf_add_cstr(out, ",\"contact\":");
    contact_render(out, contact);
    add_sender(out, message->sender_user_id);
    add_time(out, ",\"whatsappTimestamp\":", message->wa_timestamp_s * 1000);
    add_time(out, ",\"createdAt\":", message->created_at_ms);
    if (message->kind == STORE_MESSAGE_HISTORIC) {
        buf_add_cstr(out, ",\"historic\":true");
    }
    if (shows_raw(message)) {
        add_json(out, ",\"raw\":", message->raw);
    }
    buf_add_char(out, '}');
}

/* ---- chat */
/* Half a character at the end of a text that was cut is left out. */
static struct str whole_characters(struct str text)
{
    size_t at = 0, len;

    while (at < text.len && (len = utf8_sequence(str_skip(text, at))) > 0) {
        at += len;
    }
    return (struct str) { text.data, at };
}

static void add_last_message(struct buf *out, const struct store_glance *glance)
{
    const struct store_message *last = &glance->last;

    buf_add_cstr(out, ",\"lastMessage\":");
    if (last->id == 0) {
        buf_add_cstr(out, "null");
        return;
    }
    add_int(out, "{\"id\":", last->id);
    add_str(out, ",\"wamid\":", last->wamid);
    add_name(out, ",\"direction\":", store_direction_name(last->direction));
    add_str(out, ",\"type\":", last->type);
    add_str(out, ",\"text\":", glance->cut ? whole_characters(last->text) : last->text);
    add_name(out, ",\"status\":", store_status_name(last->status));
    add_sender(out, last->sender_user_id);
    add_time(out, ",\"whatsappTimestamp\":", last->wa_timestamp_s * 1000);
    buf_add_char(out, '}');
}

void glance_render(struct buf *out, const struct store_glance *glance)
{
    add_int(out, ",\"unread\":", glance->unread);
    add_last_message(out, glance);
}

void chat_render(struct buf *out, const struct store_chat *chat)
{
    add_int(out, "{\"chatId\":", chat->id);
    add_int(out, ",\"businessId\":", chat->business_id);
    add_str(out, ",\"phoneNumberId\":", chat->phone_number_id);
    add_str(out, ",\"groupId\":", chat->group_id);
    add_name(out, ",\"state\":", store_chat_state_name(chat->state));
    add_id_or_null(out, ",\"agentId\":", chat->agent_id);
    add_time(out, ",\"waitingSince\":", chat->waiting_since_ms);
    buf_add_cstr(out, ",\"contact\":");
    contact_render(out, &chat->contact);
    add_id_or_null(out, ",\"lastMessageId\":", chat->last_message_id);
    add_time(out, ",\"lastMessageAt\":", chat->last_message_at_ms);
    add_time(out, ",\"windowExpiresAt\":", chat->window_expires_at_ms);
    add_time(out, ",\"createdAt\":", chat->created_at_ms);
    buf_add_char(out, '}');
}
