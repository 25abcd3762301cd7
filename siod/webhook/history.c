/* The field `history`: chats from before the number came to the platform, in chunks that come in
 * any order. A message is the business's own when it says so by `to`, or by coming from the
 * business's number; what it does not say of the customer is in the name of its thread. Media come
 * first as placeholders, and some of them once more as themselves, in `messages`. */
#include <string.h>

#include "libshared/json.h"
#include "siod/webhook/decoder.h"

/* Where an element is, for reasons. */
struct at {
    size_t chunk, thread;
    bool in_thread;
};

static void blame(struct decoder *decoder, const struct at *at, size_t index, const char *reason)
{
    struct buf *reasons = &decoder->out->reasons;

    if (at->in_thread) {
        wa_reason_add(reasons,
                      "entry[%zu].changes[%zu].value.history[%zu].threads[%zu].messages[%zu]: %s",
                      decoder->entry, decoder->change, at->chunk, at->thread, index, reason);
    } else {
        wa_reason_add(reasons, "entry[%zu].changes[%zu].value.messages[%zu]: %s", decoder->entry,
                      decoder->change, index, reason);
    }
}

static void blame_part(struct decoder *decoder, const char *part, size_t chunk, const char *reason)
{
    wa_reason_add(&decoder->out->reasons, "entry[%zu].changes[%zu].value.history[%zu]%s: %s",
                  decoder->entry, decoder->change, chunk, part, reason);
}

/* ---- whose message it is */

/* The number that is displayed may have any form. */
static bool is_own(struct decoder *decoder, const json_t *element, struct str display)
{
    struct str from = decode_id(decoder, element, "from"), to = decode_id(decoder, element, "to");

    return str_same_digits(from, display) || decode_id(decoder, element, "to_user_id").len > 0 ||
           (to.len > 0 && !str_same_digits(to, display));
}

/* "US.13491208655302741918" is no number. */
static void party_of_thread(struct str thread_id, struct inbound_party *party)
{
    if (memchr(thread_id.data, '.', thread_id.len) != NULL) {
        party->user_id = thread_id;
    } else {
        party->phone = thread_id;
    }
}

static enum store_status status_of(const json_t *element)
{
    static const struct {
        const char *word;
        enum store_status status;
    } words[] = {
        { "sent", STORE_STATUS_SENT },        { "delivered", STORE_STATUS_DELIVERED },
        { "read", STORE_STATUS_READ },        { "played", STORE_STATUS_PLAYED },
        { "pending", STORE_STATUS_ACCEPTED }, { "error", STORE_STATUS_FAILED },
        { "failed", STORE_STATUS_FAILED },
    };
    struct str word = json_str_at(json_object_get(element, "history_context"), "status");

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_eq_nocase(word, str_of(words[i].word))) {
            return words[i].status;
        }
    }
    return STORE_STATUS_SENT;
}

/* ---- messages */

static void decode_list(struct decoder *decoder, const json_t *messages, struct str thread_id,
                        const struct at *at)
{
    struct str display = decoder->display_phone_number;
    const json_t *element;
    size_t i;

    if (messages != NULL && !json_is_array(messages)) {
        blame(decoder, at, 0, "not an array");
    }
    json_array_foreach(messages, i, element)
    {
        struct inbound_message in = { .historic = true,
                                      .direction = is_own(decoder, element, display)
                                                       ? STORE_OUTBOUND
                                                       : STORE_INBOUND,
                                      .past_status = status_of(element) };
        const char *reason;

        if (thread_id.len > 0) {
            party_of_thread(thread_id, &in.party);
        }
        reason = decode_said(decoder, element, &in);
        if (reason != NULL) {
            blame(decoder, at, i, reason);
        }
    }
}

static void decode_thread(struct decoder *decoder, const json_t *thread, const struct at *at)
{
    if (!json_is_object(thread)) {
        blame_part(decoder, ".threads", at->chunk, "not an object");
        return;
    }
    decode_list(decoder, json_object_get(thread, "messages"), decode_id(decoder, thread, "id"), at);
}

/* With errors the owner has declined to share the past, say. */
static void decode_chunk(struct decoder *decoder, const json_t *chunk, size_t index)
{
    const json_t *threads = json_object_get(chunk, "threads"), *thread;
    struct at at = { .chunk = index, .in_thread = true };

    if (!json_is_object(chunk)) {
        blame_part(decoder, "", index, "not an object");
    } else if (threads == NULL) {
        decoder->out->counts.of[WA_ADMIN]++;
    } else if (!json_is_array(threads)) {
        blame_part(decoder, ".threads", index, "not an array");
    }
    json_array_foreach(threads, at.thread, thread)
    {
        decode_thread(decoder, thread, &at);
    }
}

void decode_history(struct decoder *decoder, const json_t *value)
{
    const json_t *chunks = json_object_get(value, "history"), *chunk;
    const json_t *messages = json_object_get(value, "messages");
    size_t before = decoder->out->message_count + decoder->out->change_count;
    size_t i, blamed = decoder->out->reasons.len;
    unsigned admin = decoder->out->counts.of[WA_ADMIN];

    if (chunks != NULL && !json_is_array(chunks)) {
        blame_part(decoder, "", 0, "not an array");
    }
    json_array_foreach(chunks, i, chunk)
    {
        decode_chunk(decoder, chunk, i);
    }
    decode_list(decoder, messages, STR_NONE, &(struct at) { .in_thread = false });
    if (decoder->out->message_count + decoder->out->change_count == before &&
        decoder->out->reasons.len == blamed && decoder->out->counts.of[WA_ADMIN] == admin) {
        decoder->out->counts.of[WA_ADMIN]++; /* progress, and nothing in it */
    }
}
