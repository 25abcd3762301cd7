/* Query parameters, and the pages of lists. */
#include "libshared/id.h"
#include "libshared/json.h"
#include "siod/api/call.h"

bool api_query_id(struct api_call *call, const char *name, int64_t *ret_id)
{
    struct str value = http_query_param(call->request, str_of(name));

    *ret_id = 0;
    if (value.data == NULL || id_parse(value, ret_id)) {
        return true;
    }
    api_fail(call, ERR_INVALID, "%s: a positive integer is needed", name);
    return false;
}

bool api_query_limit(struct api_call *call, unsigned *ret_limit)
{
    struct str value = http_query_param(call->request, STR("limit"));
    int64_t limit = API_PAGE_DEFAULT;

    if (value.data != NULL && (!id_parse(value, &limit) || limit > API_PAGE_MAX)) {
        api_fail(call, ERR_INVALID, "limit: an integer from 1 to %d is needed", API_PAGE_MAX);
        return false;
    }
    *ret_limit = (unsigned)limit;
    return true;
}

void api_reply_page(struct api_call *call, struct str items, struct str query)
{
    autobuf struct buf text = BUF_INIT, url = BUF_INIT;

    buf_add_cstr(&text, "{\"items\":[");
    buf_add_str(&text, items);
    buf_add_cstr(&text, "],\"next\":");
    if (query.len > 0) {
        buf_add_str(&url, http_path(call->request));
        buf_add_char(&url, '?');
        buf_add_str(&url, query);
        json_add_string(&text, buf_str(&url));
    } else {
        buf_add_cstr(&text, "null");
    }
    buf_add_char(&text, '}');
    api_reply(call, buf_str(&text));
}
