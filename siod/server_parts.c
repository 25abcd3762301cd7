/* Modules whose settings have to be read from files or looked up before they can start. */
#include <pwd.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "siod/chat/assign.h"
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
    if (err == OK && from->verify_token_file[0] != '\0') {
        err = config_read_secret_file(from->verify_token_file, &app->files[app->count], msg);
    }
    *ret = (struct webhook_app_config) {
        .name = from->title,
        .path = from->path,
        .secrets = app->secrets,
        .secret_count = app->count,
        .verify_token = buf_str(&app->files[app->count]),
    };
    return err;
}

enum err siod_start_webhook(struct siod *siod, struct errmsg *msg)
{
    const struct config *config = siod->config;
    size_t count = config->app_count;
    autofree struct app_secrets *secrets = xcalloc(count, sizeof *secrets);
    autofree struct webhook_app_config *apps = xcalloc(count, sizeof *apps);
    enum err err = OK;

    for (size_t i = 0; err == OK && i < count; i++) {
        err = read_app(&config->app[i], &secrets[i], &apps[i], msg);
    }
    if (err == OK) {
        const struct webhook_config webhook = {
            .loop = siod->loop,
            .store = siod->store,
            .apps = apps,
            .app_count = count,
            .body_bytes = config->limits.body_bytes,
            .body_bytes_in_flight = config->limits.body_bytes_in_flight,
            .json_depth = config->limits.json_depth,
            .on_waiting = desk_chat_waits,
            .arg = siod->desk,
        };

        siod->webhook = webhook_receiver_new(&webhook);
    }
    for (size_t i = 0; i < count; i++) {
        app_secrets_finish(&secrets[i]);
    }
    return err;
}

/* ---- control: who may operate */

static enum err user_id(const char *name, uid_t *ret_uid, struct errmsg *msg)
{
    const struct passwd *user = getpwnam(name);
    char *end;

    if (user != NULL) {
        *ret_uid = user->pw_uid;
        return OK;
    }
    *ret_uid = (uid_t)strtoul(name, &end, 10);
    if (*end != '\0' || name[0] < '0' || name[0] > '9') {
        return err_set(msg, ERR_INVALID, "control.operators: there is no user %s", name);
    }
    return OK;
}

static const char *address_at(void *arg, size_t n)
{
    const struct siod *siod = arg;

    return n < siod->listener_count ? listener_address(siod->listeners[n]) : NULL;
}

enum err siod_start_control(struct siod *siod, struct errmsg *msg)
{
    const struct config_list *names = &siod->config->control.operators;
    autofree uid_t *operators = xcalloc(names->count, sizeof *operators);
    enum err err = OK;

    for (size_t i = 0; err == OK && i < names->count; i++) {
        err = user_id(names->items[i], &operators[i], msg);
    }
    if (err != OK) {
        return err;
    }
    const struct control_config config = {
        .socket_path = siod->config->control.socket,
        .operators = operators,
        .operator_count = names->count,
        .queue_bytes = siod->config->limits.queue_bytes,
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
        .arg = siod,
    };

    return control_new(&config, &siod->control, msg);
}
