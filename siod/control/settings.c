/* `config show` and `log level`. */
#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/control/call.h"

void control_config_show(struct control_call *call)
{
    autobuf struct buf config = BUF_INIT;
    autobuf struct buf text = BUF_INIT;

    config_print(control_config(call)->config, &config);
    while (config.len > 0 && config.data[config.len - 1] == '\n') {
        config.len--;
    }
    buf_add_cstr(&text, "{\"config\":");
    json_add_string(&text, buf_str(&config));
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
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
    }
    buf_add_cstr(&text, "{\"level\":");
    json_add_cstr(&text, log_level_name(log_level()));
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}
