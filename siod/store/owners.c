#include "siod/store/owners.h"

#include "libshared/json.h"

static bool are_one(const struct owner *owners, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (owners[i].business_id != owners[0].business_id) {
            return false;
        }
    }
    return true;
}

void owners_render(struct buf *out, const struct owner *owners, size_t count)
{
    char before = '{';

    if (count > 0 && are_one(owners, count)) {
        if (owners[0].business_id != 0) {
            buf_add_i64(out, owners[0].business_id);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (owners[i].business_id != 0) {
            buf_add_char(out, before);
            json_add_string(out, owners[i].phone_number_id);
            buf_add_char(out, ':');
            buf_add_i64(out, owners[i].business_id);
            before = ',';
        }
    }
    if (before == ',') {
        buf_add_char(out, '}');
    }
}

void owners_read(struct str text, struct owners *ret_owners)
{
    static const struct json_limits limits = { 0 };

    ret_owners->json = text.len > 0 ? json_read(text, &limits, NULL) : NULL;
}

void owners_finish(struct owners *owners)
{
    json_decref(owners->json);
    owners->json = NULL;
}

int64_t owners_find(const struct owners *owners, struct str phone_number_id)
{
    const json_t *json = owners->json;
    int64_t business_id;

    if (json_is_object(json)) {
        json = json_object_getn(json, phone_number_id.data, phone_number_id.len);
    }
    return json_id(json, &business_id) ? business_id : 0;
}
