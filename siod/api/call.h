/* One request to the API while it is handled: what the handlers share. Private to siod/api.
 *
 * A call dies with its request. While a job or a question to the store runs on its behalf it is
 * held: the request may end meanwhile, then the call lives until api_unhold(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/token.h"
#include "siod/api/api.h"
#include "siod/net/http.h"
#include "siod/store/store.h"

enum {
    API_BODY_MAX = 64 * 1024,
    API_PAGE_DEFAULT = 50, /* rows, unless `limit` says otherwise */
    API_PAGE_MAX = 500,
};

struct api_route;

struct api_call {
    struct http_request *request; /* NULL: nobody waits for the answer any more */
    const struct api_config *config;
    const struct api_route *route;
    struct token_claims claims;
    int64_t id;              /* the one in the path, or 0 */
    struct buf text, normal; /* the body as it came; what normalising it had to change */
    struct str body;         /* a JSON object for json_bind(); .data NULL when there is none */
    bool held;
    void *state; /* the handler's own */
    void (*release)(void *state);
};

/* api.c */
void api_hold(struct api_call *call);
/* False when the request has gone: the call is freed then. */
NODISCARD
bool api_unhold(struct api_call *call);

/* reply.c: each ends the call, which must not be used afterwards. */
void api_reply(struct api_call *call, struct str json);
/* RFC 9457; `format` NULL is the error's own sentence. */
PRINTF(3, 4) void api_fail(struct api_call *call, enum err err, const char *format, ...);
/* The same before there is a call. `more` is header lines. */
void api_refuse(const struct api_config *config, struct http_request *request, unsigned status,
                const char *code, const char *detail, struct str more);

/* query.c: parameters. False when the value is no good: the call has ended with 400 then. */
/* .data NULL when absent. */
NODISCARD
bool api_query_text(struct api_call *call, const char *name, struct str *ret_value);
/* A positive id; 0 when absent. */
NODISCARD
bool api_query_id(struct api_call *call, const char *name, int64_t *ret_id);
/* `limit`: 1 … API_PAGE_MAX. */
NODISCARD
bool api_query_limit(struct api_call *call, unsigned *ret_limit);

/* page.c: a page of a list; part of the handler's state. One row more than `limit` is read, which
 * says whether there is a next page. */
struct api_page {
    struct store_query query;
    struct api_call *call;
    unsigned limit, rows; /* rows: read so far */
    int64_t last_id;      /* of the last row on the page */
    enum err (*read)(struct api_page *page, struct store_reader *reader); /* any thread */
    /* Ends the call, with api_page_reply() or api_fail(). */
    void (*done)(struct api_page *page, enum err err);
};
/* Takes `limit` from the query and sets call, limit. False: the call has ended. */
NODISCARD
bool api_page_init(struct api_page *page, struct api_call *call);
/* Starts reading; read and done are set. */
void api_page_read(struct api_page *page);
/* For each row that was read: does it belong to the page? If not, it was the last. */
NODISCARD
bool api_page_take(struct api_page *page, int64_t id);
/* How many rows are on the page. */
unsigned api_page_count(const struct api_page *page);
/* {"items":[<items>],"next":…}, or the error; ends the call. `next` is the URL of the request with
 * limit, `cursor` and `more` ("&name=value"…) behind the `?`, or null on the last page. */
void api_page_reply(struct api_page *page, enum err err, struct str items, const char *cursor,
                    struct str more);

#define ROUTE(id, method, path, who, body) void api_##id(struct api_call *call);
#include "siod/api/routes.def"
#undef ROUTE
