#include "siod/fingerprint.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "libshared/alloc.h"
#include "libshared/map.h"

/* One setting with its files; the key is "app.main.secret_files={"a", "b"}". */
struct print {
    UT_hash_handle hh;
    char *key;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct config_change change; /* `after` is the setting's member, `before` the same */
};

struct fingerprints {
    struct print *prints;
};

/* One that is larger than any setting's file may be is refused by who needs it. */
enum { FILE_MAX = 16 * 1024 * 1024 };

static void add_file(const struct config_setting *setting, const char *path, struct buf *bytes)
{
    struct errmsg msg;
    enum err err = OK;

    if (*path != '\0' && !config_file_may_wait(path)) { /* what a pipe gave is gone */
        err = setting->flags & CONFIG_SECRET ? config_read_secret_file(path, bytes, &msg)
                                             : config_read_named_file(path, FILE_MAX, bytes, &msg);
    }
    (void)err; /* whoever needs the file has said so */
    buf_add_char(bytes, '\0');
}

static void read_files(const struct config_change *change, struct buf *bytes)
{
    const struct config_list *list = change->after;

    if (change->setting->type == CONFIG_TEXT) {
        add_file(change->setting, *(char *const *)change->after, bytes);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        add_file(change->setting, list->items[i], bytes);
    }
}

static void add_print(void *arg, const struct config_change *change)
{
    struct fingerprints *prints = arg;
    struct buf key = BUF_INIT, bytes = BUF_INIT;
    struct print *print;

    if (change->after == NULL || (change->setting->flags & CONFIG_RELOAD) == 0 ||
        !config_names_files(change->setting)) {
        return;
    }
    print = xnew(struct print);
    print->change = *change;
    print->change.before = change->after;
    print->change.reloads = true;
    read_files(change, &bytes);
    SHA256((const unsigned char *)bytes.data, bytes.len, print->digest);
    OPENSSL_cleanse(bytes.data, bytes.cap);
    buf_finish(&bytes);
    config_change_path(change, &key);
    buf_add_char(&key, '=');
    config_value_print(change->setting, change->after, &key);
    print->key = buf_take(&key);
    HASH_ADD_KEYPTR(hh, prints->prints, print->key, strlen(print->key), print);
}

struct fingerprints *fingerprints_new(const struct config *config)
{
    struct fingerprints *prints = xnew(struct fingerprints);
    struct config *defaults = config_defaults();

    config_compare(defaults, config, add_print, prints); /* by default there are no files */
    config_free(defaults);
    return prints;
}

void fingerprints_free(struct fingerprints *prints)
{
    struct print *print, *next;

    if (prints == NULL) {
        return;
    }
    HASH_ITER (hh, prints->prints, print, next) {
        HASH_DEL(prints->prints, print);
        free(print->key);
        free(print);
    }
    free(prints);
}

void fingerprints_compare(const struct fingerprints *before, const struct fingerprints *after,
                          config_change_fn *fn, void *arg)
{
    for (const struct print *print = after->prints; print != NULL; print = print->hh.next) {
        const struct print *old;

        HASH_FIND_STR(before->prints, print->key, old);
        if (old != NULL && memcmp(old->digest, print->digest, sizeof old->digest) != 0) {
            fn(arg, &print->change);
        }
    }
}
