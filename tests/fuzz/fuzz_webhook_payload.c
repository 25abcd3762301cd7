/* fuzz: links payload content shared */
#include <assert.h>
#include <stdint.h>

#include "libshared/json.h"
#include "siod/chat/content.h"
#include "siod/webhook/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct wa_message *message)
{
    const struct inbound_message *in = &message->in;

    assert(message->kind <= WA_REVOKE || message->kind == WA_ECHO || message->kind == WA_HISTORY);
    assert((message->kind == WA_HISTORY) == in->historic);
    assert(in->historic || (message->kind == WA_ECHO) == (in->direction == STORE_OUTBOUND));
    assert(!in->historic || !in->opens_window);
    assert(in->phone_number_id.len > 0 && in->phone_number_id.len <= WA_ID_MAX);
    assert(in->wamid.len > 0 && in->wamid.len <= WA_ID_MAX);
    assert(in->party.phone.len > 0 || in->party.user_id.len > 0 ||
           (in->direction == STORE_OUTBOUND && in->group_id.len > 0));
    assert(in->type.len > 0);
    assert(in->wa_timestamp_s > 0);
    assert(json_is_object(in->element));
}

/* What is shown to clients is one JSON object, whatever came. */
static void check_content(const json_t *element)
{
    autobuf struct buf out = BUF_INIT;
    autojson json_t *shown = NULL;

    buf_add_cstr(&out, "{\"type\":");
    json_add_string(&out, content_type(element));
    content_render(&out, content_type(element), element, json_object_get(element, "errors"));
    buf_add_char(&out, '}');
    shown = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert(json_is_object(shown));
}

/* Takes nothing from `element`: it is edited as a copy, as it would be read from its row. */
static void check_edit(const json_t *element, const json_t *edited)
{
    autojson json_t *copy = json_deep_copy(element), *by = json_deep_copy(edited);
    autobuf struct buf scratch = BUF_INIT;

    content_edit(copy, by);
    check_content(copy);
    (void)content_text(content_type(copy), copy, &scratch);
}

static void check_change(const struct wa_change *change)
{
    const struct inbound_change *in = &change->in;

    assert((change->kind >= WA_REACTION && change->kind <= WA_REVOKE) || change->kind == WA_ECHO ||
           change->kind == WA_HISTORY);
    assert((change->kind == WA_HISTORY) == in->historic);
    assert(in->historic || (change->kind == WA_ECHO) == in->own);
    assert(in->phone_number_id.len > 0 && in->wamid.len > 0);
    assert(in->target.len > 0 && in->target.len <= WA_ID_MAX);
    assert(in->kind != STORE_CHANGE_EDIT || json_is_object(in->edited));
    assert(in->wa_timestamp_s > 0);
}

static void check_call(const struct wa_call *call)
{
    const struct inbound_call *in = &call->in;

    assert(call->kind == WA_CALL || call->kind == WA_CALL_STATUS);
    assert((call->kind == WA_CALL) == (in->report <= CALL_TERMINATE));
    assert(in->phone_number_id.len > 0 && in->wacid.len > 0 && in->wacid.len <= WA_ID_MAX);
    assert(in->party.phone.len > 0 || in->party.user_id.len > 0);
    assert(in->at_s > 0 && in->started_at_s >= 0 && in->ended_at_s >= 0 && in->duration_s >= 0);
}

/* Each edit is tried on each message of the delivery, a few of both. */
static void check_edits(const struct wa_delivery *delivery)
{
    for (size_t i = 0; i < MIN(delivery->change_count, (size_t)4); i++) {
        for (size_t j = 0; j < MIN(delivery->message_count, (size_t)4); j++) {
            if (delivery->changes[i].in.kind == STORE_CHANGE_EDIT) {
                check_edit(delivery->messages[j].in.element, delivery->changes[i].in.edited);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { .depth = 512, .mend_utf8 = true };
    autojson json_t *root = json_read((struct str) { (const char *)data, size }, &limits, NULL);
    struct wa_delivery delivery;

    if (root == NULL) {
        return 0;
    }
    wa_decode(root, 1772357401, &delivery);
    for (size_t i = 0; i < delivery.message_count; i++) {
        check_message(&delivery.messages[i]);
        check_content(delivery.messages[i].in.element);
    }
    for (size_t i = 0; i < delivery.call_count; i++) {
        check_call(&delivery.calls[i]);
    }
    for (size_t i = 0; i < delivery.change_count; i++) {
        check_change(&delivery.changes[i]);
    }
    check_edits(&delivery);
    for (size_t i = 0; i < delivery.status_count; i++) {
        assert(delivery.statuses[i].wamid.len > 0 && delivery.statuses[i].status.len > 0);
    }
    assert(delivery.reasons.len < 2048);
    wa_delivery_finish(&delivery);
    return 0;
}
