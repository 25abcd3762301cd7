/* Modules whose settings have to be read from files or looked up before they can start. */
#include <pwd.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "siod/chat/assign.h"
#include "siod/chat/merge.h"
#include "siod/control/server.h"
#include "siod/net/transport.h"
#include "siod/server_state.h"
#include "siod/webhook/receive.h"

/* ---- webhook: the apps' secrets */

struct app_secrets {
    struct buf *files;   /* one for each secret, then the verify token */
    struct str *secrets; /* borrow from files */
    size_t count;
};

static void app_secrets_finish(struct app_secrets *app)
{
    for (size_t i = 0; app->files != NULL && i <= app->count; i++) {
        OPENSSL_cleanse(app->files[i].data, app->files[i].cap);
        buf_finish(&app->files[i]);
    }
    free(app->files);
    free(app->secrets);
}

/* Whose file it is that msg speaks of. */
static enum err blame_setting(enum err err, const char *setting, struct errmsg *msg)
{
    const struct errmsg reason = *msg;

    return err_set(msg, err, "%s: %s", setting, reason.text);
}

static enum err blame_app(enum err err, const struct config_app *app, const char *key,
                          struct errmsg *msg)
{
    autofree char *setting = xasprintf("app.%s.%s", app->title, key);

    return blame_setting(err, setting, msg);
}

static enum err read_app(const struct config_app *from, struct app_secrets *app,
                         struct webhook_app_config *ret, struct errmsg *msg)
{
    enum err err = OK;

    app->count = from->secret_files.count;
    app->files = xcalloc(app->count + 1, sizeof *app->files);
    app->secrets = xcalloc(app->count, sizeof *app->secrets);
    for (size_t i = 0; err == OK && i < app->count; i++) {
        err = config_read_secret_file(from->secret_files.items[i], &app->files[i], msg);
        app->secrets[i] = buf_str(&app->files[i]);
    }
    if (err != OK) {
        return blame_app(err, from, "secret_files", msg);
    }
    if (from->verify_token_file[0] != '\0') {
        err = config_read_secret_file(from->verify_token_file, &app->files[app->count], msg);
    }
    if (err != OK) {
        return blame_app(err, from, "verify_token_file", msg);
    }
    *ret = (struct webhook_app_config) {
        .name = from->title,
        .path = from->path,
        .secrets = app->secrets,
        .secret_count = app->count,
        .verify_token = buf_str(&app->files[app->count]),
    };
    return OK;
}

enum err siod_webhook_settings(const struct siod *siod, const struct config *config,
                               struct webhook_settings *settings, struct errmsg *msg)
{
    enum err err = OK;

    settings->apps = xcalloc(config->app_count, sizeof *settings->apps);
    settings->secrets = xcalloc(config->app_count, sizeof *settings->secrets);
    settings->config = (struct webhook_config) {
        .loop = siod->loop,
        .store = siod->store,
        .apps = settings->apps,
        .app_count = config->app_count,
        .body_bytes = config->limits.body_bytes,
        .body_bytes_in_flight = config->limits.body_bytes_in_flight,
        .json_depth = config->limits.json_depth,
        .on_waiting = desk_chat_waits,
        .on_merged = desk_chats_merged,
        .arg = siod->desk,
    };
    for (size_t i = 0; err == OK && i < config->app_count; i++) {
        err = read_app(&config->app[i], &settings->secrets[i], &settings->apps[i], msg);
    }
    return err;
}

void siod_webhook_settings_finish(struct webhook_settings *settings)
{
    for (size_t i = 0; i < settings->config.app_count; i++) {
        app_secrets_finish(&settings->secrets[i]);
    }
    free(settings->secrets);
    free(settings->apps);
}

enum err siod_start_webhook(struct siod *siod, struct errmsg *msg)
{
    struct webhook_settings settings = { .secrets = NULL };
    enum err err = siod_webhook_settings(siod, siod->config, &settings, msg);

    if (err == OK) {
        siod->webhook = webhook_receiver_new(&settings.config);
    }
    siod_webhook_settings_finish(&settings);
    return err;
}

/* ---- tokens */

enum err siod_read_keys(const struct config *config, struct token_config *ret_config,
                        struct token_verifier **ret, struct errmsg *msg)
{
    enum { TOKENS_CACHED = 20000 };
    enum err err;

    *ret_config = (struct token_config) {
        .algorithm = config->jwt.algorithm,
        .key_files = (const char *const *)config->jwt.key_files.items,
        .issuer = config->jwt.issuer,
        .audience = config->jwt.audience,
        .leeway_s = config->jwt.leeway_s,
        .require_exp = config->jwt.require_exp,
        /* an HMAC is soon checked; to remember its token costs time and memory at each connect */
        .cache_entries = config->jwt.algorithm == TOKEN_HS256 ? 0 : TOKENS_CACHED,
    };
    err = token_verifier_new(ret_config, ret, msg);
    return err == OK ? OK : blame_setting(err, "jwt.key_files", msg);
}

/* ---- control: who may operate */

static enum err user_id(const char *name, uid_t *ret_uid, struct errmsg *msg)
{
    const struct passwd *user = getpwnam(name);
    char *end;
    unsigned long number;

    if (user != NULL) {
        *ret_uid = user->pw_uid;
        return OK;
    }
    number = strtoul(name, &end, 10);
    if (*end != '\0' || name[0] < '0' || name[0] > '9' || number >= (uid_t)-1) {
        return err_set(msg, ERR_INVALID, "there is no user %s", name);
    }
    *ret_uid = (uid_t)number;
    return OK;
}

/* On success *ret is the caller's to free. */
static enum err find_operators(const struct config *config, uid_t **ret, struct errmsg *msg)
{
    const struct config_list *names = &config->control.operators;
    autofree uid_t *operators = xcalloc(names->count, sizeof *operators);

    for (size_t i = 0; i < names->count; i++) {
        if (user_id(names->items[i], &operators[i], msg) != OK) {
            return config_blame(config, ERR_INVALID, "control", NULL, "operators", msg);
        }
    }
    *ret = TAKE(operators);
    return OK;
}

/* ---- what -n can tell without starting anything */

static enum err check_app(const struct config_app *from, struct errmsg *msg)
{
    struct app_secrets secrets = { .count = 0 };
    struct webhook_app_config app;
    enum err err = read_app(from, &secrets, &app, msg);

    app_secrets_finish(&secrets);
    return err;
}

static enum err check_keys(const struct config *config, struct errmsg *msg)
{
    struct token_config token_config;
    struct token_verifier *tokens;
    enum err err = siod_read_keys(config, &token_config, &tokens, msg);

    if (err == OK) {
        token_verifier_free(tokens);
    }
    return err;
}

enum err siod_check_tls(const struct config *config, struct errmsg *msg)
{
    struct tls_files files;
    enum err err = siod_tls_files(config, &files) != NULL ? tls_files_check(&files, msg) : OK;

    return err == OK ? OK : blame_setting(err, "http.tls_cert_file and tls_key_file", msg);
}

/* ---- the client for browsers */

enum err siod_read_bundle(const struct config *config, struct client_bundle *ret,
                          struct errmsg *msg)
{
    enum err err = client_bundle_read(config->http.client_bundle_file, ret, msg);

    return err == OK ? OK : blame_setting(err, "http.client_bundle_file", msg);
}

static enum err check_bundle(const struct config *config, struct errmsg *msg)
{
    struct client_bundle bundle;
    enum err err = siod_read_bundle(config, &bundle, msg);

    if (err == OK) {
        client_bundle_finish(&bundle);
    }
    return err;
}

static enum err check_operators(const struct config *config, struct errmsg *msg)
{
    autofree uid_t *operators = NULL;

    return find_operators(config, &operators, msg);
}

enum err siod_check(const struct config *config, struct errmsg *msg)
{
    enum err err = check_keys(config, msg);

    for (size_t i = 0; err == OK && i < config->app_count; i++) {
        err = check_app(&config->app[i], msg);
    }
    err = err == OK ? check_bundle(config, msg) : err;
    err = err == OK ? siod_check_tls(config, msg) : err;
    return err == OK ? check_operators(config, msg) : err;
}

/* ---- control */

static const char *address_at(void *arg, size_t n)
{
    const struct siod *siod = arg;

    return n < siod->listener_count ? listener_address(siod->listeners[n]) : NULL;
}

static void reload(void *arg, control_reloaded *done, void *done_arg)
{
    siod_reload(arg, done, done_arg);
}

static const struct config *wanted(void *arg)
{
    const struct siod *siod = arg;

    return siod->wanted;
}

enum err siod_start_control(struct siod *siod, struct errmsg *msg)
{
    autofree uid_t *operators = NULL;
    enum err err = find_operators(siod->config, &operators, msg);

    if (err != OK) {
        return err;
    }
    const struct control_config config = {
        .socket_path = siod->config->control.socket,
        .operators = operators,
        .operator_count = siod->config->control.operators.count,
        .config = siod->config,
        .loop = siod->loop,
        .transport = siod->transport,
        .store = siod->store,
        .sio = siod->sio,
        .desk = siod->desk,
        .http = siod->http,
        .webhook = siod->webhook,
        .tokens = siod->tokens,
        .token_config = &siod->token_config,
        .ready = siod_is_ready,
        .address = address_at,
        .reload = reload,
        .wanted = wanted,
        .arg = siod,
    };

    return control_new(&config, &siod->control, msg);
}
