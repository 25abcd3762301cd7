/* Answers: JSON, never cached, with what browsers of other origins need. */
#include <stdarg.h>
#include <stdio.h>

#include "libshared/json.h"
#include "siod/api/call.h"
#include "siod/net/cors.h"

static void respond(const struct api_config *config, struct http_request *request, unsigned status,
                    const char *type, struct str more, struct str body)
{
    autobuf struct buf headers = BUF_INIT;

    buf_printf(&headers, "Content-Type: %s\r\nCache-Control: no-store\r\n", type);
    buf_add_str(&headers, more);
    cors_add(&headers, config->cors_origins, request);
    http_respond(request, status, buf_str(&headers), body);
}

void api_reply(struct api_call *call, struct str json)
{
    respond(call->config, call->request, 200, "application/json", STR(""), json);
}

void api_refuse(const struct api_config *config, struct http_request *request, unsigned status,
                const char *code, const char *detail, struct str more)
{
    autobuf struct buf body = BUF_INIT;

    buf_printf(&body,
               "{\"title\":\"%s\",\"status\":%u,\"code\":\"%s\",\"detail\":", http_reason(status),
               status, code);
    json_add_cstr(&body, detail);
    buf_add_char(&body, '}');
    respond(config, request, status, "application/problem+json", more, buf_str(&body));
}

void api_fail(struct api_call *call, enum err err, const char *format, ...)
{
    bool again = err == ERR_BUSY || err == ERR_STORE;
    struct errmsg msg;
    va_list args;

    snprintf(msg.text, sizeof msg.text, "%s", err_text(err));
    if (format != NULL) {
        va_start(args, format);
        vsnprintf(msg.text, sizeof msg.text, format, args);
        va_end(args);
    }
    api_refuse(call->config, call->request, err_http_status(err), err_code(err), msg.text,
               again ? STR("Retry-After: 1\r\n") : STR(""));
}
