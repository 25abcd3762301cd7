/* `config check`: the file alone, read as siod would read it. */
#include "libshared/config.h"

#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum exit_code run_config_check(struct session *session)
{
    const char *path = session_arg_text(session, "config");
    autojson json_t *verdict = json_object();
    struct config *config = NULL;
    struct errmsg msg = { "" };
    enum err err = config_load(path, NULL, 0, &config, &msg);

    json_object_set_new(verdict, "file", json_text(str_of(path)));
    json_object_set_new(verdict, "valid", json_boolean(err == OK));
    json_object_set_new(verdict, "message", err == OK ? json_null() : json_text(str_of(msg.text)));
    if (err != OK) {
        say("%s", msg.text);
    } else {
        config_free(config);
    }
    output_result(&session->out, verdict);
    return err == OK ? EXIT_DONE : EXIT_REFUSED;
}
