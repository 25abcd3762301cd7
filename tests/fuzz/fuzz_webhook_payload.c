/* fuzz: links payload shared */
#include <assert.h>
#include <stdint.h>

#include "libshared/json.h"
#include "siod/webhook/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct wa_message *message)
{
    const struct inbound_message *in = &message->in;

    assert(message->kind <= WA_REVOKE || message->kind == WA_ECHO);
    assert((message->kind == WA_ECHO) == (in->direction == STORE_OUTBOUND));
    assert(in->phone_number_id.len > 0 && in->phone_number_id.len <= WA_ID_MAX);
    assert(in->wamid.len > 0 && in->wamid.len <= WA_ID_MAX);
    assert(in->party.phone.len > 0 || in->party.user_id.len > 0);
    assert(in->type.len > 0);
    assert(in->wa_timestamp_s > 0);
    assert(json_is_object(in->element));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { 512, 0 };
    autojson json_t *root = json_read((struct str) { (const char *)data, size }, &limits, NULL);
    struct wa_delivery delivery;

    if (root == NULL) {
        return 0;
    }
    wa_decode(root, 1772357401, &delivery);
    for (size_t i = 0; i < delivery.message_count; i++) {
        check_message(&delivery.messages[i]);
    }
    for (size_t i = 0; i < delivery.status_count; i++) {
        assert(delivery.statuses[i].wamid.len > 0 && delivery.statuses[i].status.len > 0);
    }
    assert(delivery.reasons.len < 2048);
    wa_delivery_finish(&delivery);
    return 0;
}
