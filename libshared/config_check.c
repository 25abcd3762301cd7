#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/address.h"
#include "libshared/alloc.h"
#include "libshared/config_table.h"
#include "libshared/id.h"
#include "libshared/map.h"

static enum err check_required(const struct config *config, const struct config_source *source)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        const struct config_section *section = config_section_find(setting->section);
        size_t count = config_section_count(config, section);

        for (size_t j = 0; (setting->flags & CONFIG_REQUIRED) != 0 && j < count; j++) {
            char *item = config_section_get(config, section, j);
            const struct config_list *list = (void *)(item + setting->offset);

            if (setting->type == CONFIG_LIST && list->count == 0) {
                return config_fail(source, ERR_INVALID, setting->section,
                                   section->title != NULL ? *(char **)(void *)item : NULL,
                                   setting->key, "must be given");
            }
        }
    }
    return OK;
}

/* "http://localhost:5173", as browsers write it into the Origin header: no path, no capitals, no
 * port that goes without saying. Anything else would never match (RFC 6454, 6.2). */
static bool is_origin(const char *text)
{
    static const char scheme_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    static const char host_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    size_t scheme = strspn(text, scheme_chars);
    const char *host = text + scheme + 3;

    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0 || host[0] == '\0' ||
        host[strspn(host, host_chars)] != '\0') {
        return false;
    }
    return !(strncmp(text, "http:", 5) == 0 && str_ends_with(str_of(host), STR(":80"))) &&
           !(strncmp(text, "https:", 6) == 0 && str_ends_with(str_of(host), STR(":443")));
}

static enum err check_cors(const struct config *config, const struct config_source *source)
{
    const struct config_list *origins = &config->http.cors_origins;

    for (size_t i = 0; i < origins->count; i++) {
        bool any = strcmp(origins->items[i], "*") == 0;

        if (any && origins->count > 1) {
            return config_fail(source, ERR_INVALID, "http", NULL, "cors_origins", "* stands alone");
        }
        if (!any && !is_origin(origins->items[i])) {
            return config_fail(source, ERR_INVALID, "http", NULL, "cors_origins",
                               "%s is no origin such as https://desk.example.com",
                               origins->items[i]);
        }
    }
    return OK;
}

/* An address, a network as ADDRESS/BITS, or "unix". */
static bool is_proxy(const char *text)
{
    autofree char *address = xstrdup(text);
    char *slash = strchr(address, '/');
    unsigned char bytes[sizeof(struct in6_addr)];
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    int64_t bits = 0;

    if (strcmp(text, "unix") == 0) {
        return true;
    }
    if (slash != NULL) {
        *slash = '\0';
        if (strcmp(slash + 1, "0") != 0 && !id_parse(str_of(slash + 1), &bits)) {
            return false;
        }
    }
    return bits <= (family == AF_INET ? 32 : 128) && inet_pton(family, address, bytes) == 1;
}

/* A map of texts that must be unique, with where they were first seen. */
struct seen {
    const char *text, *title;
    UT_hash_handle hh;
};

/* Returns the earlier title when `text` was seen before. */
static const char *seen_before(struct seen **map, const char *text, const char *title)
{
    struct seen *seen;

    HASH_FIND_STR(*map, text, seen);
    if (seen != NULL) {
        return seen->title;
    }
    seen = xnew(struct seen);
    seen->text = text;
    seen->title = title;
    HASH_ADD_KEYPTR(hh, *map, seen->text, strlen(text), seen);
    return NULL;
}

static void forget(struct seen **map)
{
    struct seen *seen, *next;

    HASH_ITER (hh, *map, seen, next) {
        HASH_DEL(*map, seen);
        free(seen);
    }
}

/* Two of a kind, which the second one would find in use. */
static enum err check_unique(const struct address *address, const char *text, const char *key,
                             struct seen **addresses, const struct config *config,
                             const struct config_source *source)
{
    const char *other;

    if (address->kind == ADDRESS_TCP && strcmp(address->port, "0") == 0) {
        return OK; /* each time another */
    }
    if (address->kind == ADDRESS_UNIX && strcmp(address->path, config->control.socket) == 0) {
        return config_fail(source, ERR_INVALID, "http", NULL, key, "%s is control.socket, too",
                           text);
    }
    /* sockets that were passed are shared between the two settings: one `systemd` in each */
    other = seen_before(addresses,
                        address->kind == ADDRESS_UNIX      ? address->path
                        : address->kind == ADDRESS_SYSTEMD ? key
                                                           : text,
                        key);
    return other == NULL ? OK
                         : config_fail(source, ERR_INVALID, "http", NULL, key,
                                       "%s is in http.%s already", text, other);
}

static enum err check_listen(const struct config_list *list, const char *key,
                             struct seen **addresses, const struct config *config,
                             const struct config_source *source)
{
    enum err err = OK;

    for (size_t i = 0; err == OK && i < list->count; i++) {
        struct address address;
        struct errmsg sentence;

        err = address_parse(list->items[i], &address, &sentence);
        err = err == OK ? check_unique(&address, list->items[i], key, addresses, config, source)
                        : config_fail(source, err, "http", NULL, key, "%s", sentence.text);
    }
    return err;
}

static enum err check_addresses(const struct config *config, const struct config_source *source)
{
    const struct config_http *http = &config->http;
    struct seen *addresses = NULL;
    enum err err = check_listen(&http->listen, "listen", &addresses, config, source);

    if (err == OK) {
        err = check_listen(&http->admin_listen, "admin_listen", &addresses, config, source);
    }
    forget(&addresses);
    return err;
}

static enum err check_http(const struct config *config, const struct config_source *source)
{
    const struct config_http *http = &config->http;
    enum err err = check_addresses(config, source);

    if (err != OK) {
        return err;
    }

    for (size_t i = 0; i < http->trusted_proxies.count; i++) {
        if (!is_proxy(http->trusted_proxies.items[i])) {
            return config_fail(source, ERR_INVALID, "http", NULL, "trusted_proxies",
                               "%s is no address, network or \"unix\"",
                               http->trusted_proxies.items[i]);
        }
    }
    if ((*http->tls_cert_file == '\0') != (*http->tls_key_file == '\0')) {
        return config_fail(source, ERR_INVALID, "http", NULL,
                           *http->tls_cert_file == '\0' ? "tls_key_file" : "tls_cert_file",
                           "tls_cert_file and tls_key_file go together");
    }
    return check_cors(config, source);
}

static bool is_reserved(const char *path)
{
    static const char *const exact[] = { "/",        "/healthz", "/readyz",
                                         "/metrics", "/api",     "/socket.io" };

    for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
        if (strcmp(path, exact[i]) == 0) {
            return true;
        }
    }
    return str_starts_with(str_of(path), STR("/api/")) ||
           str_starts_with(str_of(path), STR("/socket.io/"));
}

static enum err check_app(const struct config_app *app, struct seen **paths,
                          const struct config_source *source)
{
    const char *other;

    if (app->path[0] != '/' || strpbrk(app->path, "?# %") != NULL) {
        return config_fail(source, ERR_INVALID, "app", app->title, "path",
                           "a path that starts with / is expected");
    }
    if (is_reserved(app->path)) {
        return config_fail(source, ERR_INVALID, "app", app->title, "path",
                           "%s is used by siod itself", app->path);
    }
    other = seen_before(paths, app->path, app->title);
    return other == NULL ? OK
                         : config_fail(source, ERR_INVALID, "app", app->title, "path",
                                       "%s is the path of app %s already", app->path, other);
}

static enum err check_business(const struct config_business *business, struct seen **numbers,
                               const struct config_source *source)
{
    int64_t id;

    if (!id_parse(str_of(business->title), &id) || business->title[0] == '0') {
        return config_fail(source, ERR_INVALID, "business", business->title, NULL,
                           "the ID must be a whole number from 1 to 2^53 - 1");
    }
    for (size_t i = 0; i < business->phone_number_ids.count; i++) {
        const char *number = business->phone_number_ids.items[i];
        const char *other = seen_before(numbers, number, business->title);

        if (number[strspn(number, "0123456789")] != '\0') {
            return config_fail(source, ERR_INVALID, "business", business->title, "phone_number_ids",
                               "%s does not consist of digits", number);
        }
        if (other != NULL) {
            return config_fail(source, ERR_INVALID, "business", business->title, "phone_number_ids",
                               "%s belongs to business %s already", number, other);
        }
    }
    return OK;
}

static enum err check_file(const struct config_setting *setting, const char *title,
                           const char *path, const struct config_source *source)
{
    return config_file_may_wait(path) ? config_fail(source, ERR_INVALID, setting->section, title,
                                                    setting->key, "%s" CONFIG_MAY_WAIT, path)
                                      : OK;
}

/* The files of one setting of `item`, a section's struct. */
static enum err check_files(const struct config_setting *setting, char *item,
                            const struct config_source *source)
{
    const char *title = *setting->title != '\0' ? *(char **)(void *)item : NULL;
    void *member = item + setting->offset;
    const struct config_list *list = member;
    enum err err = OK;

    if (setting->type == CONFIG_TEXT) {
        return check_file(setting, title, *(char **)member, source);
    }
    for (size_t i = 0; err == OK && i < list->count; i++) {
        err = check_file(setting, title, list->items[i], source);
    }
    return err;
}

static enum err check_all_files(const struct config *config, const struct config_source *source)
{
    const struct config_setting *setting;
    enum err err = OK;

    for (size_t i = 0; err == OK && (setting = config_setting_at(i)) != NULL; i++) {
        const struct config_section *section = config_section_find(setting->section);
        size_t count = config_names_files(setting) ? config_section_count(config, section) : 0;

        for (size_t j = 0; err == OK && j < count; j++) {
            err = check_files(setting, config_section_get(config, section, j), source);
        }
    }
    return err;
}

enum err config_check(const struct config *config, const struct config_source *source)
{
    struct seen *paths = NULL, *numbers = NULL;
    enum err err = check_required(config, source);

    if (err == OK) {
        err = check_http(config, source);
    }
    for (size_t i = 0; err == OK && i < config->app_count; i++) {
        err = check_app(&config->app[i], &paths, source);
    }
    for (size_t i = 0; err == OK && i < config->business_count; i++) {
        err = check_business(&config->business[i], &numbers, source);
    }
    if (err == OK && (strncmp(config->store.url, "sqlite:", 7) != 0 ||
                      config->store.url[7] == '\0' || config->store.url[7] == '?')) {
        err = config_fail(source, ERR_INVALID, "store", NULL, "url", "sqlite:PATH is expected");
    }
    forget(&paths);
    forget(&numbers);
    if (err == OK && source->is_running) {
        err = check_all_files(config, source);
    }
    return err;
}

static enum err must_have(const struct config *config, const struct config_list *list,
                          const char *section, const char *key, const char *what,
                          struct errmsg *msg)
{
    autofree char *place = config_place_text(config->source, section, NULL, key);

    return list->count > 0
               ? OK
               : err_set(msg, ERR_INVALID, "%s%s%s.%s: at least one %s is needed",
                         place != NULL ? place : "", place != NULL ? ": " : "", section, key, what);
}

enum err config_suffices(const struct config *config, struct errmsg *msg)
{
    enum err err = must_have(config, &config->jwt.key_files, "jwt", "key_files", "file", msg);

    return err != OK ? err
                     : must_have(config, &config->http.listen, "http", "listen", "address", msg);
}
