/* The configuration: a file in libconfuse's syntax, overrides, and the table config.def that says
 * what may stand in them.
 *
 *     http { listen = {"127.0.0.1:3000"} }    # comment
 *     business 456 { name = "Acme"  phone_number_ids = {"106540352242922"} }
 *
 * Every error names its place: "siod.conf:12: …" or "-o http.listen=x: …". Settings are members of
 * struct config by section and key: config->engineio.ping_interval_ms. siod.conf(5) documents them.
 * Not thread-safe (libconfuse's lexer is not). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/log.h"
#include "libshared/token.h"

enum config_synchronous { CONFIG_SYNCHRONOUS_FULL, CONFIG_SYNCHRONOUS_NORMAL };
enum config_policy { CONFIG_POLICY_MANUAL, CONFIG_POLICY_ROUND_ROBIN, CONFIG_POLICY_LEAST_LOADED };

/* Owned texts; items[count] is NULL, items never. */
struct config_list {
    char **items;
    size_t count;
};

#define CONFIG_C_BOOL  bool
#define CONFIG_C_COUNT unsigned
#define CONFIG_C_BYTES size_t
#define CONFIG_C_TEXT  char *
#define CONFIG_C_LIST  struct config_list

/* `struct config_http http;` and, for sections with a title, `struct config_app *app; size_t
 * app_count;` in the order of the file. A TEXT is never NULL. */
/* clang-format off */
struct config {
#define SECTION(section, help)           struct config_##section {
#define SECTION_END(section)             } section;
#define TITLED(section, title_is, help)  struct config_##section { char *title;
#define TITLED_END(section)              } *section; size_t section##_count;
#define SETTING(section, key, type, initial, min, max, unit, flags, help) CONFIG_C_##type key;
#define CHOICE(section, key, type, words, initial, flags, help) type key;
#include "libshared/config.def"
#undef SECTION
#undef SECTION_END
#undef TITLED
#undef TITLED_END
#undef SETTING
#undef CHOICE
    struct config_source *source; /* where it was written */
};
/* clang-format on */

/* Read `path` (NULL: no file), then apply the overrides, each "section.key=value" or
 * "section.title.key=value" (the title's section is made when absent; the members of a list are
 * separated by commas), then check what concerns several settings. Returns owned. ERR_INVALID,
 * ERR_SYNTAX or ERR_IO with the place in msg. */
NODISCARD
enum err config_load(const char *path, const char *const *overrides, size_t override_count,
                     struct config **ret, struct errmsg *msg);
/* The same in a running daemon, which cannot wait for anybody: neither the file nor one that a
 * setting names may be a pipe or a device. */
NODISCARD
enum err config_reload(const char *path, const char *const *overrides, size_t override_count,
                       struct config **ret, struct errmsg *msg);
/* Is everything given that siod needs and the defaults cannot give? ERR_INVALID names what is not.
 */
NODISCARD
enum err config_suffices(const struct config *config, struct errmsg *msg);
/* Puts the place before the sentence in msg, for what is found wrong with a setting after the load:
 * "siod.conf:12: control.operators: …". `title` is NULL in a section without one. Returns err. */
enum err config_blame(const struct config *config, enum err err, const char *section,
                      const char *title, const char *key, struct errmsg *msg);
/* Has it the form of an override? */
bool config_override_valid(const char *text);
/* Returns owned. */
NODISCARD
struct config *config_defaults(void);
void config_free(struct config *config);
/* The whole configuration in the file's syntax: config_load() reads it back to the same. Files of
 * secrets appear by name. */
void config_print(const struct config *config, struct buf *buf);

struct config_setting;
/* A setting in which two configurations differ. */
struct config_change {
    const struct config_setting *setting;
    const char *title;          /* of its section, NULL when it has none */
    const void *before, *after; /* the members; NULL: there is no such title */
    bool reloads; /* a running daemon takes it over: RELOAD, and, where the title comes
                     or goes, all settings of the section */
};
/* In the order of the table; `change` is borrowed for the call. */
typedef void config_change_fn(void *arg, const struct config_change *change);
void config_compare(const struct config *before, const struct config *after, config_change_fn *fn,
                    void *arg);
/* Copies from `from` all changes that reload. What was borrowed from them is dangling then. */
void config_take(struct config *config, const struct config *from);
/* "log.level", "business.456.name". */
void config_change_path(const struct config_change *change, struct buf *buf);
/* {"setting":PATH,"old":…,"new":…,"outcome":"applied" or "needs restart"}; null: no such title. */
void config_change_render(const struct config_change *change, struct buf *buf);
/* A member's value as the file has it. */
void config_value_print(const struct config_setting *setting, const void *member, struct buf *buf);

/* Append the content of a file that a setting names, at most max_bytes. A relative path is looked
 * up in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=) first. An empty file, a larger
 * one and an unreadable one are errors that name it. */
NODISCARD
enum err config_read_named_file(const char *path, size_t max_bytes, struct buf *ret_content,
                                struct errmsg *msg);
/* Is it a pipe or a device, which may keep its reader waiting? It is looked up likewise. */
bool config_file_may_wait(const char *path);
enum { CONFIG_SECRET_MAX = 65536 };
/* The same for a file that holds a secret, of at most CONFIG_SECRET_MAX, without one trailing \n or
 * \r\n. */
NODISCARD
enum err config_read_secret_file(const char *path, struct buf *ret_secret, struct errmsg *msg);

enum config_type {
    CONFIG_BOOL,
    CONFIG_COUNT,
    CONFIG_BYTES,
    CONFIG_TEXT,
    CONFIG_LIST,
    CONFIG_CHOICE
};
enum config_flag {
    CONFIG_RELOAD = 1 << 0,
    CONFIG_SECRET = 1 << 1,
    CONFIG_ZERO = 1 << 2,
    CONFIG_REQUIRED = 1 << 3,
};

/* One row of the table, for whoever compares it with something: man page, completion. */
struct config_setting {
    const char *section, *key;
    const char *title; /* what the section's title is ("NAME"), "" when it has none */
    enum config_type type;
    const char *initial; /* the default as text */
    uint64_t min, max;
    const char *unit;  /* "" when it has none */
    const char *words; /* of a CHOICE: "a|b|c"; otherwise NULL */
    unsigned flags;    /* enum config_flag */
    const char *help;
    size_t offset; /* within its section's struct */
};
/* Does it name files? */
bool config_names_files(const struct config_setting *setting);
/* The row at `index` in the order of config.def; NULL behind the last one. */
const struct config_setting *config_setting_at(size_t index);
