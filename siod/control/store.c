/* `store check`, `store backup` and `store migrate`, asked of the daemon that has the store open.
 */
#include "siod/store/store.h"

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/control/rows.h"

enum { PROGRESS_MS = 250 };

/* sioctl reads other files itself: the daemon would open them with its own rights. */
static bool names_file(struct control_call *call)
{
    if (control_arg(call, "file") == NULL) {
        return false;
    }
    control_fail(call, ERR_INVALID, "the daemon looks at its own store only");
    return true;
}

/* ---- check */

static void add_finding(void *arg, const struct store_finding *finding)
{
    struct control_list *list = arg;
    struct buf *out = &list->rows.text;

    buf_add_cstr(out, "{\"check\":");
    json_add_cstr(out, finding->check);
    buf_add_cstr(out, finding->problems == 0 ? ",\"ok\":true" : ",\"ok\":false");
    buf_add_cstr(out, ",\"problems\":");
    buf_add_u64(out, finding->problems);
    buf_add_cstr(out, ",\"what\":");
    json_add_cstr(out, finding->what);
    buf_add_cstr(out, ",\"details\":");
    json_add_str_or_null(out, finding->problems > 0 ? finding->details : STR_NONE);
    buf_add_char(out, '}');
    control_rows_end_row(&list->rows);
}

static enum err check_read(struct control_list *list, struct store_reader *reader)
{
    return store_check(reader, add_finding, list);
}

void control_store_check(struct control_call *call)
{
    if (!names_file(call)) {
        control_list_care(call, check_read, NULL);
    }
}

/* ---- backup: pieces say how far it is; when nobody listens any more it is given up */

struct backup {
    struct store_query query;
    struct control_call *call;
    struct store_backup backup;
    struct timer progress;
    uint64_t started_ms;
    struct errmsg msg;
    char *path;
};

static void backup_free(void *state)
{
    struct backup *backup = state;

    timer_clear(&backup->progress);
    free(backup->path);
    free(backup);
}

static void add_pages(struct buf *out, const struct store_backup *backup)
{
    unsigned pages = backup->pages, left = backup->pages_left;

    buf_printf(out, "\"pages\":%u,\"copied\":%u", pages, left < pages ? pages - left : 0);
}

static void on_progress(struct timer *timer)
{
    struct backup *backup = CONTAINER_OF(timer, struct backup, progress);
    autobuf struct buf text = BUF_INIT;

    if (backup->call->peer == NULL) {
        backup->backup.cancelled = true;
        return;
    }
    if (backup->backup.pages > 0 && !control_behind(backup->call)) {
        buf_add_char(&text, '{');
        add_pages(&text, &backup->backup);
        buf_add_char(&text, '}');
        control_piece(backup->call, buf_str(&text));
    }
    timer_set(control_config(backup->call)->loop, timer, PROGRESS_MS, on_progress);
}

static enum err backup_fetch(struct store_query *query, struct store_reader *reader)
{
    struct backup *backup = CONTAINER_OF(query, struct backup, query);

    return store_backup(reader, &backup->backup, &backup->msg);
}

static void backup_done(struct store_query *query, enum err err)
{
    struct backup *backup = CONTAINER_OF(query, struct backup, query);
    struct control_call *call = backup->call;
    const struct control_config *config;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, backup->msg.text[0] != '\0' ? "%s" : NULL, backup->msg.text);
        return;
    }
    config = control_config(call);
    buf_add_cstr(&text, "{\"file\":");
    json_add_cstr(&text, backup->path);
    buf_add_cstr(&text, ",\"bytes\":");
    buf_add_i64(&text, backup->backup.bytes);
    buf_add_char(&text, ',');
    add_pages(&text, &backup->backup);
    buf_printf(&text, ",\"milliseconds\":%llu,\"copyOf\":",
               (unsigned long long)(loop_now_ms(config->loop) - backup->started_ms));
    json_add_cstr(&text, store_epoch(config->store));
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

void control_store_backup(struct control_call *call)
{
    const struct control_config *config = control_config(call);
    struct str path = control_arg_str(call, "file");
    struct backup *backup = xnew(struct backup);

    backup->query.fetch = backup_fetch;
    backup->query.done = backup_done;
    backup->call = call;
    backup->path = xstrndup(path.data, path.len);
    backup->backup.path = backup->path;
    backup->backup.force = control_arg(call, "force") != NULL;
    backup->started_ms = loop_now_ms(config->loop);
    call->state = backup;
    call->release = backup_free;
    control_hold(call);
    timer_set(config->loop, &backup->progress, PROGRESS_MS, on_progress);
    store_care(config->store, &backup->query);
}

/* ---- migrate: that was done when the daemon opened it */

void control_store_migrate(struct control_call *call)
{
    autobuf struct buf text = BUF_INIT;

    if (names_file(call)) {
        return;
    }
    buf_printf(&text, "{\"file\":null,\"version\":%u,\"newest\":%u,\"applied\":[]}",
               store_newest_schema(), store_newest_schema());
    control_reply(call, buf_str(&text));
}
