/* Query parameters. */
#include "libshared/id.h"
#include "libshared/json.h"
#include "siod/api/call.h"

bool api_query_text(struct api_call *call, const char *name, struct str *ret_value)
{
    if (http_query_param_once(call->request, str_of(name), ret_value) == OK) {
        return true;
    }
    api_fail(call, ERR_INVALID, "%s: given twice, or with a broken escape", name);
    return false;
}

bool api_query_id(struct api_call *call, const char *name, int64_t *ret_id)
{
    struct str value;

    *ret_id = 0;
    if (!api_query_text(call, name, &value)) {
        return false;
    }
    if (value.data == NULL || id_parse(value, ret_id)) {
        return true;
    }
    api_fail(call, ERR_INVALID, "%s: a positive integer is needed", name);
    return false;
}

bool api_query_limit(struct api_call *call, unsigned *ret_limit)
{
    int64_t limit = API_PAGE_DEFAULT;
    struct str value;

    if (!api_query_text(call, "limit", &value)) {
        return false;
    }
    if (value.data != NULL && (!id_parse(value, &limit) || limit > API_PAGE_MAX)) {
        api_fail(call, ERR_INVALID, "limit: an integer from 1 to %d is needed", API_PAGE_MAX);
        return false;
    }
    *ret_limit = (unsigned)limit;
    return true;
}
