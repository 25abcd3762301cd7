/* `config show`, `config reload` and `log level`. */
#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/control/call.h"

/* What waits for a restart: as lines of the file, commented out, and as JSON. */
struct pending {
    struct buf *lines;
    struct buf rows;
};

static void add_line(const struct config_change *change, struct buf *lines)
{
    if (lines->len == 0) {
        buf_add_cstr(lines, "# In the file, and not taken over before a restart:\n");
    }
    buf_add_cstr(lines, "# ");
    config_change_path(change, lines);
    if (change->after != NULL) {
        buf_add_cstr(lines, " = ");
        config_value_print(change->setting, change->after, lines);
    } else {
        buf_add_cstr(lines, " is gone");
    }
    buf_add_char(lines, '\n');
}

static void add_pending(void *arg, const struct config_change *change)
{
    struct pending *pending = arg;

    if (change->reloads) { /* `log level` set another one since */
        return;
    }
    if (pending->rows.len > 0) {
        buf_add_char(&pending->rows, ',');
    }
    config_change_render(change, &pending->rows);
    add_line(change, pending->lines);
}

void control_config_show(struct control_call *call)
{
    const struct control_config *control = control_config(call);
    const struct config *wanted = control->wanted(control->arg);
    autobuf struct buf config = BUF_INIT;
    autobuf struct buf lines = BUF_INIT;
    autobuf struct buf text = BUF_INIT;
    struct pending pending = { .lines = &lines, .rows = BUF_INIT };

    if (wanted != NULL) {
        config_compare(control->config, wanted, add_pending, &pending);
    }
    config_print(control->config, &config);
    buf_add_str(&config, buf_str(&lines));
    while (config.len > 0 && config.data[config.len - 1] == '\n') {
        config.len--;
    }
    buf_add_cstr(&text, "{\"config\":");
    json_add_string(&text, buf_str(&config));
    buf_add_cstr(&text, ",\"pending\":[");
    buf_add_str(&text, buf_str(&pending.rows));
    buf_add_cstr(&text, "]}");
    buf_finish(&pending.rows);
    control_reply(call, buf_str(&text));
}

static void reloaded(void *arg, enum err err, const char *why, struct str changes)
{
    struct control_call *call = arg;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, "%s", why);
    } else {
        control_reply(call, changes);
    }
}

void control_config_reload(struct control_call *call)
{
    const struct control_config *control = control_config(call);

    control_hold(call);
    control->reload(control->arg, reloaded, call);
}

void control_log_level(struct control_call *call)
{
    struct str name = control_arg_str(call, "level");
    autofree char *word = xstrndup(name.data != NULL ? name.data : "", name.len);
    autobuf struct buf text = BUF_INIT;
    enum log_level level;

    if (log_level_parse(word, &level)) {
        if (!control_require(call, CTL_OPERATE)) {
            return;
        }
        log_set_level(level);
        control_config(call)->config->log.level = level;
    }
    buf_add_cstr(&text, "{\"level\":");
    json_add_cstr(&text, log_level_name(log_level()));
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}
