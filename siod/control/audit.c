#include "siod/control/audit.h"

#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/control/rows.h"
#include "siod/store/store.h"

struct audit_job {
    struct store_job job;
    struct control_call *call; /* held */
    char *who, *cmd, *args;
};

static void audit_free(struct audit_job *audit)
{
    free(audit->who);
    free(audit->cmd);
    free(audit->args);
    free(audit);
}

static enum err audit_apply(struct store_job *job, struct store_tx *tx)
{
    const struct audit_job *audit = CONTAINER_OF(job, struct audit_job, job);

    return store_audit_append(tx, str_of(audit->who), str_of(audit->cmd), str_of(audit->args));
}

static void audit_done(struct store_job *job, enum err err)
{
    struct audit_job *audit = CONTAINER_OF(job, struct audit_job, job);

    if (err != OK) {
        log_warn(LOG_CONTROL, "audit row not written", "who=\"%s\" cmd=\"%s\" error=%s", audit->who,
                 audit->cmd, err_code(err));
    }
    control_arrived(audit->call, OK);
    audit_free(audit);
}

static char *args_text(const json_t *args)
{
    static const char *const hidden[] = { "body", "bodyB64", "token", "json" };
    autojson json_t *copy = json_copy((json_t *)(uintptr_t)args);
    autobuf struct buf text = BUF_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
        const json_t *value = json_object_get(args, hidden[i]);

        if (value != NULL) {
            json_object_set_new(copy, hidden[i],
                                json_sprintf("%zu bytes", json_string_length(value)));
        }
    }
    json_add_tree(&text, copy);
    return buf_take(&text);
}

void control_audit(struct control_call *call, const char *cmd)
{
    const struct control_peer *peer = call->peer;
    struct audit_job *audit = xnew(struct audit_job);

    audit->job.apply = audit_apply;
    audit->job.done = audit_done;
    audit->call = call;
    audit->who = xasprintf("uid %u pid %d", (unsigned)peer->uid, (int)peer->pid);
    audit->cmd = xstrdup(cmd);
    audit->args = args_text(call->args);
    log_info(LOG_CONTROL, "command", "cmd=\"%s\" who=\"%s\"", cmd, audit->who);
    control_await(call);
    if (!store_submit(control_config(call)->store, &audit->job)) {
        audit_done(&audit->job, ERR_BUSY);
    }
}

/* ---- `audit` */

static bool add_audit(void *arg, const struct store_audit *audit)
{
    struct control_list *list = arg;
    struct buf *out = &list->rows.text;

    buf_add_cstr(out, "{\"auditId\":");
    buf_add_i64(out, audit->id);
    buf_add_cstr(out, ",\"timestamp\":");
    time_render(out, audit->at_ms);
    buf_add_cstr(out, ",\"who\":");
    json_add_string(out, audit->who);
    buf_add_cstr(out, ",\"command\":");
    json_add_string(out, audit->command);
    buf_add_cstr(out, ",\"args\":");
    buf_add_str(out, audit->args.len > 0 ? audit->args : STR("{}"));
    buf_add_char(out, '}');
    control_rows_end_row(&list->rows);
    return true;
}

static enum err list_read(struct control_list *list, struct store_reader *reader)
{
    return store_audits(reader, list->limit, add_audit, list);
}

void control_audit_list(struct control_call *call)
{
    control_list_newest(call, list_read);
}
