/* `webhook quarantine replay`: the daemon's answer, and the answer no when something stays. */
#include <string.h>

#include "libshared/json.h"
#include "sioctl/sioctl.h"

static size_t count_done(const json_t *rows)
{
    const json_t *row;
    size_t done = 0, i;

    json_array_foreach(rows, i, row)
    {
        done += str_eq(json_str_at(row, "state"), STR("done"));
    }
    return done;
}

enum exit_code run_webhook_quarantine_replay(struct session *session)
{
    const struct ctl_call call = { .cmd = "webhook quarantine replay",
                                   .args = session->line->args };
    autojson json_t *rows = NULL;
    enum exit_code code = session_call(session, &call, &rows);
    size_t done;

    if (code != EXIT_DONE) {
        return code;
    }
    output_result(&session->out, rows);
    done = count_done(rows);
    say("%zu replayed, %zu left quarantine", json_array_size(rows), done);
    return done == json_array_size(rows) ? EXIT_DONE : EXIT_REFUSED;
}
