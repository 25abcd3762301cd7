#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/config_table.h"

/* "section.key=value" or "section.title.key=value", taken apart. */
struct override {
    char *section, *title, *key; /* within `copy` */
    const char *value;
    char *copy;
};

static bool split_override(const char *text, struct override *ret)
{
    const char *equals = strchr(text, '=');
    char *first, *last;

    if (equals == NULL) {
        return false;
    }
    *ret =
        (struct override) { .copy = xstrndup(text, (size_t)(equals - text)), .value = equals + 1 };
    ret->section = ret->copy;
    first = strchr(ret->copy, '.');
    last = strrchr(ret->copy, '.');
    if (first == NULL) {
        free(ret->copy);
        return false;
    }
    *first = *last = '\0';
    ret->title = first != last ? first + 1 : NULL;
    ret->key = last + 1;
    return true;
}

bool config_override_valid(const char *text)
{
    struct override parts;
    bool valid;

    if (!split_override(text, &parts)) {
        return false;
    }
    valid = parts.section[0] != '\0' && parts.key[0] != '\0';
    free(parts.copy);
    return valid;
}

static enum err apply_override(struct config *config, const struct override *override,
                               struct errmsg *msg)
{
    const struct config_section *section = config_section_find(override->section);
    const struct config_setting *setting = config_setting_find(override->section, override->key);

    if (section == NULL) {
        return err_set(msg, ERR_INVALID, "unknown section %s", override->section);
    }
    if (setting == NULL) {
        return err_set(msg, ERR_INVALID, "unknown setting %s in section %s", override->key,
                       override->section);
    }
    if (section->title == NULL && override->title != NULL) {
        return err_set(msg, ERR_INVALID, "section %s has no titles", override->section);
    }
    if (section->title != NULL && (override->title == NULL || *override->title == '\0')) {
        return err_set(msg, ERR_INVALID, "section %s needs a title: %s.%s.%s", override->section,
                       override->section, section->title, override->key);
    }
    if (section->title != NULL && !config_title_valid(override->title)) {
        return err_set(msg, ERR_INVALID, CONFIG_NO_TITLE, override->title);
    }
    return config_assign_text(config_section_open(config, section, override->title), setting,
                              override->value, msg);
}

static enum err override(struct config *config, struct config_source *source, const char *text)
{
    struct errmsg sentence;
    struct override parts;
    enum err err;

    if (!split_override(text, &parts)) {
        return err_set(source->msg, ERR_INVALID, "-o %s: SECTION.KEY=VALUE is expected", text);
    }
    err = apply_override(config, &parts, &sentence);
    if (err == OK) {
        config_place_override(source, parts.section, parts.title, parts.key, text);
    } else {
        err_set(source->msg, err, "-o %s: %s", text, sentence.text);
    }
    free(parts.copy);
    return err;
}

static enum err load(const char *path, const char *const *overrides, size_t override_count,
                     bool is_running, struct config **ret, struct errmsg *msg)
{
    struct config *config = config_defaults();
    struct config_source *source = config->source;
    enum err err;

    source->file = path != NULL ? xstrdup(path) : NULL;
    source->is_running = is_running;
    source->msg = msg;
    err = path != NULL ? config_read_file(config, source) : OK;
    for (size_t i = 0; err == OK && i < override_count; i++) {
        err = override(config, source, overrides[i]);
    }
    err = err == OK ? config_check(config, source) : err;
    if (err != OK) {
        config_free(config);
        return err;
    }
    *ret = config;
    return OK;
}

enum err config_load(const char *path, const char *const *overrides, size_t override_count,
                     struct config **ret, struct errmsg *msg)
{
    return load(path, overrides, override_count, false, ret, msg);
}

enum err config_reload(const char *path, const char *const *overrides, size_t override_count,
                       struct config **ret, struct errmsg *msg)
{
    return load(path, overrides, override_count, true, ret, msg);
}

/* Where a file is that a setting names. Returns owned. */
static char *look_up(const char *path)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (path[0] != '/' && credentials != NULL) {
        autofree char *below = xasprintf("%s/%s", credentials, path);

        if (access(below, F_OK) == 0 || errno != ENOENT) {
            return TAKE(below);
        }
    }
    return xstrdup(path);
}

bool config_file_may_wait(const char *path)
{
    autofree char *found = look_up(path);
    struct stat status;

    return stat(found, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

/* Stops behind max_bytes: that there is more is for the caller to see. */
static enum err read_up_to(int fd, size_t max_bytes, struct buf *content, const char *path,
                           struct errmsg *msg)
{
    ssize_t len;

    do {
        len = read(fd, buf_reserve(content, BUFSIZ), BUFSIZ);
        if (len < 0) {
            return err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
        }
        content->len += (size_t)len;
    } while (len > 0 && content->len <= max_bytes);
    return OK;
}

static enum err read_file(const char *path, size_t max_bytes, struct buf *content,
                          struct errmsg *msg)
{
    autofree char *found = look_up(path);
    int fd = open(found, O_RDONLY | O_CLOEXEC);
    enum err err;

    if (fd < 0) {
        return err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
    }
    err = read_up_to(fd, max_bytes, content, path, msg);
    close(fd);
    return err;
}

/* Appends `content` to *ret when its size is right. */
static enum err hand_out(const struct buf *content, size_t max_bytes, struct buf *ret,
                         const char *path, struct errmsg *msg)
{
    if (content->len > max_bytes) {
        return err_set(msg, ERR_TOO_LARGE, "%s: larger than %zu bytes", path, max_bytes);
    }
    if (content->len == 0) {
        return err_set(msg, ERR_INVALID, "%s: the file is empty", path);
    }
    buf_add(ret, content->data, content->len);
    return OK;
}

enum err config_read_named_file(const char *path, size_t max_bytes, struct buf *ret_content,
                                struct errmsg *msg)
{
    autobuf struct buf content = BUF_INIT;
    enum err err = read_file(path, max_bytes, &content, msg);

    return err == OK ? hand_out(&content, max_bytes, ret_content, path, msg) : err;
}

static void drop_line_end(struct buf *text)
{
    if (text->len > 0 && text->data[text->len - 1] == '\n') {
        text->len--;
        if (text->len > 0 && text->data[text->len - 1] == '\r') {
            text->len--;
        }
    }
}

enum err config_read_secret_file(const char *path, struct buf *ret_secret, struct errmsg *msg)
{
    autobuf struct buf secret = BUF_INIT;
    enum err err = read_file(path, CONFIG_SECRET_MAX + 2, &secret, msg);

    drop_line_end(&secret);
    return err == OK ? hand_out(&secret, CONFIG_SECRET_MAX, ret_secret, path, msg) : err;
}
