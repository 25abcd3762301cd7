/* The file. libconfuse parses it; what libconfuse lets pass or cannot place is closed around it:
 *   - config_scan() goes over the same tokens first. It notes the line of every section and
 *     setting, and refuses what libconfuse accepts.
 *   - Every option is read as text and judged by the table, in the order of the file, so that
 *     numbers are what they look like and each error has its line. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <confuse.h>

#include "libshared/alloc.h"
#include "libshared/config_place.h"
#include "libshared/config_table.h"

enum { FILE_MAX = 4 << 20 };

/* libconfuse's error callback has no argument of ours. */
static const struct config_source *parsing;
static bool reported;

PRINTF(2, 0) static void report(cfg_t *cfg, const char *format, va_list args)
{
    struct errmsg sentence;

    if (!reported) {
        reported = true;
        vsnprintf(sentence.text, sizeof sentence.text, format, args);
        config_fail_at(parsing, (unsigned)cfg->line, "%s", sentence.text);
    }
}

/* The table as libconfuse wants it: every setting a text. */
static cfg_opt_t *make_settings(const char *section)
{
    const struct config_setting *setting;
    cfg_opt_t *options = NULL;
    size_t count = 0;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        if (strcmp(setting->section, section) == 0) {
            options = xrealloc(options, (count + 2) * sizeof *options);
            options[count++] = setting->type == CONFIG_LIST
                                   ? (cfg_opt_t)CFG_STR_LIST(setting->key, NULL, CFGF_NONE)
                                   : (cfg_opt_t)CFG_STR(setting->key, NULL, CFGF_NONE);
            options[count] = (cfg_opt_t)CFG_END();
        }
    }
    return options;
}

static cfg_t *make_parser(void)
{
    const struct config_section *section;
    autofree cfg_opt_t *options = NULL;
    size_t count = 0;
    cfg_t *cfg;

    for (; (section = config_section_at(count)) != NULL; count++) {
        cfg_flag_t flags = section->title != NULL ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;

        options = xrealloc(options, (count + 2) * sizeof *options);
        options[count] = (cfg_opt_t)CFG_SEC(section->name, make_settings(section->name), flags);
        options[count + 1] = (cfg_opt_t)CFG_END();
    }
    cfg = cfg_init(options, CFGF_NONE); /* copies the options */
    for (size_t i = 0; i < count; i++) {
        free(options[i].subopts);
    }
    cfg_set_error_function(cfg, report);
    return cfg;
}

static enum err take_value(struct config *config, const struct config_source *source, cfg_t *cfg,
                           const struct config_place *place)
{
    const struct config_section *section = config_section_find(place->section);
    const struct config_setting *setting = config_setting_find(place->section, place->key);
    cfg_t *from = place->title != NULL ? cfg_gettsec(cfg, place->section, place->title)
                                       : cfg_getsec(cfg, place->section);
    autofree const char **values = NULL;
    unsigned count = cfg_size(from, place->key);
    struct errmsg sentence;
    enum err err;

    values = xcalloc(count, sizeof *values);
    for (unsigned i = 0; i < count; i++) {
        values[i] = cfg_getnstr(from, place->key, i);
    }
    err = config_assign(config_section_open(config, section, place->title), setting, values, count,
                        &sentence);
    return err == OK ? OK
                     : config_fail(source, err, place->section, place->title, place->key, "%s",
                                   sentence.text);
}

static enum err take_values(struct config *config, const struct config_source *source, cfg_t *cfg)
{
    struct config_place *place, *next;

    HASH_ITER (hh, source->places, place, next) {
        enum err err = OK;

        if (place->key != NULL) {
            err = take_value(config, source, cfg, place);
        } else {
            config_section_open(config, config_section_find(place->section), place->title);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err failed(const struct config_source *source)
{
    return err_set(source->msg, ERR_IO, "%s: %s", source->file, strerror(errno));
}

static enum err open_text(const struct config_source *source, FILE **ret)
{
    int fd = open(source->file, O_RDONLY | O_CLOEXEC | (source->is_running ? O_NONBLOCK : 0));
    struct stat status;

    if (fd < 0) {
        return failed(source);
    }
    if (source->is_running && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        close(fd);
        return err_set(source->msg, ERR_INVALID, "%s" CONFIG_MAY_WAIT, source->file);
    }
    *ret = fdopen(fd, "r");
    return *ret != NULL ? OK : failed(source);
}

static enum err read_text(const struct config_source *source, struct buf *ret_text)
{
    FILE *file;
    size_t len;
    enum err err = open_text(source, &file);

    if (err != OK) {
        return err;
    }
    do {
        len = fread(buf_reserve(ret_text, BUFSIZ), 1, BUFSIZ, file);
        ret_text->len += len;
    } while (len > 0 && ret_text->len <= FILE_MAX && !ferror(file));
    if (ferror(file)) {
        err = failed(source);
    } else if (ret_text->len > FILE_MAX) {
        err =
            err_set(source->msg, ERR_TOO_LARGE, "%s: larger than %d bytes", source->file, FILE_MAX);
    }
    fclose(file);
    buf_add(ret_text, "", 0);
    return err;
}

enum err config_read_file(struct config *config, struct config_source *source)
{
    autobuf struct buf text = BUF_INIT;
    enum err err = read_text(source, &text);
    cfg_t *cfg;

    if (err != OK) {
        return err;
    }
    err = config_scan(buf_str(&text), source);
    if (err != OK) {
        return err;
    }
    cfg = make_parser();
    parsing = source;
    reported = false;
    if (cfg_parse_buf(cfg, text.data) != CFG_SUCCESS) {
        err = reported ? ERR_SYNTAX : config_fail_at(source, 1, "syntax error");
    } else {
        err = take_values(config, source, cfg);
    }
    cfg_free(cfg);
    return err;
}
