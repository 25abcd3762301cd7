/* `config check`: the file alone, read as siod would read it. */
#include "libshared/config.h"

#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum exit_code run_config_check(struct session *session)
{
    const char *path = session_arg_text(session, "config");
    autojson json_t *verdict = json_object();
    struct config *config = NULL;
    struct errmsg msg = { "" }, missing = { "" };
    enum err err = config_load(path, NULL, 0, &config, &msg);

    if (interrupted) { /* it may not have been read to its end */
        config_free(err == OK ? config : NULL);
        return EXIT_INTERRUPTED;
    }
    json_object_set_new(verdict, "file", json_text(str_of(path)));
    json_object_set_new(verdict, "valid", json_boolean(err == OK));
    if (err == OK && config_suffices(config, &missing) != OK) {
        snprintf(msg.text, sizeof msg.text, "%.200s: siod does not start unless its -o gives it",
                 missing.text);
    }
    json_object_set_new(verdict, "message",
                        msg.text[0] == '\0' ? json_null() : json_text(str_of(msg.text)));
    if (msg.text[0] != '\0') {
        say("%s", msg.text);
    }
    config_free(config);
    output_result(&session->out, verdict);
    return err == OK ? EXIT_DONE : EXIT_REFUSED;
}
