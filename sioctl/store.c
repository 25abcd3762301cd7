/* `store …`: with --file a database that no daemon has open, else the daemon's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"
#include "siod/store/care.h"

/* ---- check */

static void add_finding(void *arg, const struct store_finding *finding)
{
    json_t *list = arg;
    json_t *row =
        json_pack("{s:s, s:b, s:I, s:s}", "check", finding->check, "ok", finding->problems == 0,
                  "problems", (json_int_t)finding->problems, "what", finding->what);

    json_object_set_new(row, "details",
                        finding->problems > 0 ? json_text(finding->details) : json_null());
    json_array_append_new(list, row);
}

static enum exit_code check_file(const char *path, json_t **ret_list)
{
    struct errmsg msg = { "" };

    *ret_list = json_array();
    if (store_file_check(path, add_finding, *ret_list, &msg) != OK) {
        say("%s", msg.text);
        return EXIT_REFUSED;
    }
    return EXIT_DONE;
}

/* It takes as long as reading all of the database. */
static enum exit_code check_by_daemon(struct session *session, json_t **ret_list)
{
    const struct ctl_call call = { .cmd = "store check",
                                   .args = session->line->args,
                                   .patient = true };

    return session_call(session, &call, ret_list);
}

static bool all_well(const json_t *list)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (!json_is_true(json_object_get(row, "ok"))) {
            return false;
        }
    }
    return true;
}

enum exit_code run_store_check(struct session *session)
{
    const char *path = session_arg_text(session, "file");
    autojson json_t *list = NULL;
    enum exit_code code = path != NULL ? check_file(path, &list) : check_by_daemon(session, &list);

    if (code != EXIT_DONE) {
        return code;
    }
    output_result(&session->out, list);
    return all_well(list) ? EXIT_DONE : EXIT_REFUSED;
}

/* ---- backup */

struct watch {
    bool shows; /* on a terminal */
    bool shown;
};

static bool show_progress(void *arg, json_t *piece)
{
    struct watch *watch = arg;
    json_int_t pages = json_integer_value(json_object_get(piece, "pages"));
    json_int_t copied = json_integer_value(json_object_get(piece, "copied"));

    if (watch->shows && pages > 0) {
        fprintf(stderr, "\r%3d %% of %lld pages", (int)(copied * 100 / pages), (long long)pages);
        watch->shown = true;
    }
    return true;
}

/* The daemon writes the file, and it works elsewhere. */
static char *absolute(const char *path)
{
    autofree char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;

    return here != NULL ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

enum exit_code run_store_backup(struct session *session)
{
    autofree char *path = absolute(session_arg_text(session, "file"));
    autojson json_t *args = json_copy(session->line->args);
    autojson json_t *result = NULL;
    struct watch watch = { .shows = isatty(STDERR_FILENO) != 0 };
    const struct ctl_call call = {
        .cmd = "store backup", .args = args, .on_piece = show_progress, .arg = &watch
    };
    enum exit_code code;

    json_object_set_new(args, "file", json_stringn_nocheck(path, strlen(path)));
    code = session_call(session, &call, &result);
    if (watch.shown) {
        fputc('\n', stderr);
    }
    if (code == EXIT_DONE) {
        output_result(&session->out, result);
    }
    return code;
}

/* ---- migrate */

static enum exit_code migrate_file(struct session *session, const char *path)
{
    autojson json_t *result = json_object();
    json_t *applied = json_array();
    struct store_schema schema;
    struct errmsg msg = { "" };
    enum err err = store_file_migrate(path, &schema, &msg);

    json_object_set_new(result, "file", json_text(str_of(path)));
    json_object_set_new(result, "version",
                        json_integer(err == OK ? schema.newest : schema.version));
    json_object_set_new(result, "newest", json_integer(schema.newest));
    json_object_set_new(result, "applied", applied);
    if (err != OK) {
        say("%s", msg.text);
        return EXIT_REFUSED;
    }
    for (unsigned version = schema.version + 1; version <= schema.newest; version++) {
        json_array_append_new(applied, json_string(store_migration_name(version)));
    }
    output_result(&session->out, result);
    return EXIT_DONE;
}

enum exit_code run_store_migrate(struct session *session)
{
    const char *path = session_arg_text(session, "file");

    return path != NULL ? migrate_file(session, path) : run_by_daemon(session);
}
