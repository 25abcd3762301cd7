/* Keyset paging: what the lists have in common. */
#include <inttypes.h>

#include "libshared/json.h"
#include "siod/api/call.h"

static enum err page_fetch(struct store_query *query, struct store_reader *reader)
{
    struct api_page *page = CONTAINER_OF(query, struct api_page, query);

    return page->read(page, reader);
}

static void page_done(struct store_query *query, enum err err)
{
    struct api_page *page = CONTAINER_OF(query, struct api_page, query);

    if (api_unhold(page->call)) {
        page->done(page, err);
    }
}

bool api_page_init(struct api_page *page, struct api_call *call)
{
    page->call = call;
    return api_query_limit(call, &page->limit);
}

void api_page_read(struct api_page *page)
{
    page->query.fetch = page_fetch;
    page->query.done = page_done;
    api_hold(page->call);
    store_ask(page->call->config->store, &page->query);
}

bool api_page_take(struct api_page *page, int64_t id)
{
    if (page->rows++ == page->limit) {
        return false;
    }
    page->last_id = id;
    return true;
}

unsigned api_page_count(const struct api_page *page)
{
    return MIN(page->rows, page->limit);
}

/* Without a Host that can be believed it is a path, which is a URL, too, if a relative one. */
static void add_next(struct buf *text, const struct api_page *page, const char *cursor,
                     struct str more)
{
    const struct http_request *request = page->call->request;
    autobuf struct buf url = BUF_INIT;

    if (page->rows <= page->limit) {
        buf_add_cstr(text, "null");
        return;
    }
    if (!http_origin(request, &url)) {
        buf_clear(&url);
    }
    buf_add_str(&url, http_path(request));
    buf_printf(&url, "?limit=%u&%s=%" PRId64, page->limit, cursor, page->last_id);
    buf_add_str(&url, more);
    json_add_string(text, buf_str(&url));
}

void api_page_reply(struct api_page *page, enum err err, struct str items, const char *cursor,
                    struct str more)
{
    autobuf struct buf text = BUF_INIT;

    if (err != OK) {
        api_fail(page->call, err, NULL);
        return;
    }
    buf_add_cstr(&text, "{\"items\":[");
    buf_add_str(&text, items);
    buf_add_cstr(&text, "],\"next\":");
    add_next(&text, page, cursor, more);
    buf_add_char(&text, '}');
    api_reply(page->call, buf_str(&text));
}
