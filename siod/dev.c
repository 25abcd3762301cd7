#include "siod/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/ctl/words.h"
#include "libshared/id.h"
#include "libshared/utf8.h"

enum { SECRET_BYTES = 32, SECRET_CHARS = 2 * SECRET_BYTES };

static enum err failed(struct errmsg *msg, const char *path)
{
    return err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
}

static void random_hex(char ret_text[SECRET_CHARS + 2])
{
    unsigned char bytes[SECRET_BYTES];

    id_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
    }
    memcpy(ret_text + SECRET_CHARS, "\n", 2);
}

static enum err make_secret(const char *path, struct errmsg *msg)
{
    char text[SECRET_CHARS + 2];
    enum err err = OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return errno == EEXIST ? OK : failed(msg, path);
    }
    random_hex(text);
    if (write(fd, text, SECRET_CHARS + 1) != SECRET_CHARS + 1) {
        err = failed(msg, path);
    }
    close(fd);
    return err;
}

static void add(struct dev_settings *settings, char *item)
{
    settings->items[settings->count++] = item;
}

/* One secret file and the setting that names it. */
static enum err add_secret(struct dev_settings *settings, const char *key, const char *dir,
                           const char *file, struct errmsg *msg)
{
    autofree char *path = xasprintf("%s/%s", dir, file);

    add(settings, xasprintf("%s=%s", key, path));
    return make_secret(path, msg);
}

/* Commas separate the members of a list in an override, behind a question mark are options of the
 * store, and the hints are lines to be copied. */
static enum err check_name(const char *dir, struct errmsg *msg)
{
    const char *wrong = strchr(dir, ',') != NULL   ? "a comma"
                        : strchr(dir, '?') != NULL ? "a question mark"
                                                   : NULL;

    for (const char *at = dir; wrong == NULL && *at != '\0'; at++) {
        wrong = utf8_control_len(at) > 0 ? "a control character" : NULL;
    }
    return wrong == NULL ? OK
                         : err_set(msg, ERR_INVALID,
                                   "%s: a state directory cannot have %s in its name", dir, wrong);
}

enum err dev_prepare(const char *dir, struct dev_settings *ret, struct errmsg *msg)
{
    enum err err;

    *ret = (struct dev_settings) { .count = 0 };
    err = check_name(dir, msg);
    if (err != OK) {
        return err;
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return failed(msg, dir);
    }
    add(ret, xasprintf("store.url=sqlite:%s/siod.db", dir));
    add(ret, xasprintf("control.socket=%s/siod.sock", dir));
    add(ret, xstrdup("app.dev.path=/webhook"));
    err = add_secret(ret, "jwt.key_files", dir, "jwt.key", msg);
    err = err == OK ? add_secret(ret, "app.dev.secret_files", dir, "app.secret", msg) : err;
    err = err == OK ? add_secret(ret, "app.dev.verify_token_file", dir, "verify.token", msg) : err;
    if (err != OK) {
        dev_settings_finish(ret);
    }
    return err;
}

void dev_settings_finish(struct dev_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->items[i]);
    }
    settings->count = 0;
}

/* As a shell takes it for one word. */
static void add_word(struct buf *line, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "%+-./:=@_";

    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        buf_add_cstr(line, word);
    } else {
        buf_add_char(line, '\'');
        ctl_words_quote(line, str_of(word), '\'');
        buf_add_char(line, '\'');
    }
}

static void add_curl(struct buf *text, const struct dev_hints *hints)
{
    autofree char *url = xasprintf("%s://%s/readyz", hints->is_tls ? "https" : "http",
                                   hints->is_unix ? "localhost" : hints->address);

    buf_add_cstr(text, hints->is_tls ? "  curl -k " : "  curl ");
    if (hints->is_unix) {
        buf_add_cstr(text, "--unix-socket ");
        add_word(text, hints->address);
        buf_add_char(text, ' ');
    }
    add_word(text, url);
    buf_add_char(text, '\n');
}

void dev_print_hints(const struct dev_hints *hints)
{
    static const char *const commands[] = { "status", "tail", "token mint --user 7 --business 1",
                                            "webhook replay PAYLOAD.json" };
    autobuf struct buf text = BUF_INIT;

    buf_printf(
        &text,
        "\nA desk for trying things: business 1 takes any phone number, state and secrets are "
        "in %s\n\n",
        hints->dir);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        buf_add_cstr(&text, "  sioctl -s ");
        add_word(&text, hints->socket);
        buf_printf(&text, " %s\n", commands[i]);
    }
    add_curl(&text, hints);
    fprintf(stderr, "%s\n", text.data);
}
