#include "siod/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/id.h"

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

enum err dev_prepare(const char *dir, struct dev_settings *ret, struct errmsg *msg)
{
    enum err err = OK;

    *ret = (struct dev_settings) { .count = 0 };
    if (strpbrk(dir, ",\n") != NULL) {
        return err_set(msg, ERR_INVALID, "%s: a state directory cannot have a comma in its name",
                       dir);
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

void dev_print_hints(const char *dir, const char *url)
{
    fprintf(
        stderr,
        "\n"
        "A desk for trying things: business 1 takes any phone number, state and secrets are in %s\n"
        "\n"
        "  sioctl -s %s/siod.sock status\n"
        "  sioctl -s %s/siod.sock tail\n"
        "  sioctl -s %s/siod.sock token mint --user 7 --business 1\n"
        "  sioctl -s %s/siod.sock webhook replay PAYLOAD.json\n"
        "  curl %s/readyz\n"
        "\n",
        dir, dir, dir, dir, dir, url);
}
