/* `webhook list`, and `webhook deliver`, of which sioctl makes `webhook replay`. */
#include "siod/control/webhook.h"

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/control/rows.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"

static bool add_webhook(void *arg, const struct store_webhook *webhook)
{
    struct control_list *list = arg;
    struct buf *out = &list->rows.text;

    control_webhook_render(out, webhook);
    buf_add_char(out, '}');
    control_rows_end_row(&list->rows);
    return true;
}

static enum err list_read(struct control_list *list, struct store_reader *reader)
{
    const struct store_webhook_filter filter = { .field = control_arg_str(list->call, "field"),
                                                 .limit = list->limit };

    return store_webhooks(reader, &filter, add_webhook, list);
}

void control_webhook_list(struct control_call *call)
{
    control_list_newest(call, list_read);
}

static void render_result(struct buf *out, enum err err, const struct webhook_result *result)
{
    buf_printf(out, "{\"status\":%u,\"webhookId\":", err_http_status(err));
    if (result->webhook_id > 0) {
        buf_add_i64(out, result->webhook_id);
    } else {
        buf_add_cstr(out, "null");
    }
    buf_add_cstr(out, ",\"counts\":");
    wa_counts_render(out, &result->counts);
    buf_add_cstr(out, ",\"reason\":");
    if (result->reasons.len > 0) {
        json_add_string(out, result->reasons);
    } else {
        json_add_cstr(out, err != OK ? err_text(err) : NULL);
    }
    buf_add_char(out, '}');
}

static void delivered(void *arg, enum err err, const struct webhook_result *result)
{
    struct control_call *call = arg;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    render_result(&text, err, result);
    control_reply(call, buf_str(&text));
}

void control_webhook_deliver(struct control_call *call)
{
    struct str body = control_arg_str(call, "body");
    struct str encoded = control_arg_str(call, "bodyB64");
    autobuf struct buf decoded = BUF_INIT;

    if ((body.data == NULL) == (encoded.data == NULL)) {
        control_fail(call, ERR_INVALID, "give body or bodyB64");
        return;
    }
    if (encoded.data != NULL) {
        if (!base64_decode(encoded, &decoded)) {
            control_fail(call, ERR_INVALID, "bodyB64: not base64");
            return;
        }
        body = buf_str(&decoded);
    }
    control_hold(call);
    webhook_deliver(control_config(call)->webhook, "control", body, delivered, call);
}
