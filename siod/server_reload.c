/* The configuration again, in a running daemon: SIGHUP and `config reload`.
 *
 * Everything that can fail comes first: the file and the options are read and checked whole, then
 * the files that they name (keys, secrets, certificate), then the businesses go into the store.
 * Only then is anything taken over, on the loop thread between two rounds, and nobody is
 * disconnected. What cannot change in a running daemon stays as it was; it is reported by this and
 * by each later reload, and by `config show`, until the next start. One reload at a time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"
#include "siod/chat/desk.h"
#include "siod/fingerprint.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/transport.h"
#include "siod/notify.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"

enum { NS_PER_US = 1000 };

struct reload {
    struct store_job job; /* enters the businesses, when they differ */
    struct siod *siod;
    struct config *config;
    struct token_verifier *tokens;
    struct webhook_settings webhook;
    struct client_bundle bundle;
    struct fingerprints *prints;
    struct buf changes; /* JSON objects, each with a comma behind it */
    unsigned applied, kept;
    bool businesses;
    struct errmsg msg;
    siod_reloaded *done;
    void *arg;
};

static void reload_free(struct reload *reload)
{
    if (reload == NULL) {
        return;
    }
    token_verifier_free(reload->tokens);
    siod_webhook_settings_finish(&reload->webhook);
    client_bundle_finish(&reload->bundle);
    fingerprints_free(reload->prints);
    config_free(reload->config);
    buf_finish(&reload->changes);
    free(reload);
}

/* ---- what can fail */

static enum err read_again(struct reload *reload)
{
    const struct siod *siod = reload->siod;
    struct token_config tokens;
    enum err err = config_reload(siod->options.config_path, siod->options.overrides,
                                 siod->options.override_count, &reload->config, &reload->msg);

    err = err == OK ? config_suffices(reload->config, &reload->msg) : err;
    err = err == OK ? siod_read_keys(reload->config, &tokens, &reload->tokens, &reload->msg) : err;
    err = err == OK ? siod_webhook_settings(siod, reload->config, &reload->webhook, &reload->msg)
                    : err;
    err = err == OK ? siod_check_tls(reload->config, &reload->msg) : err;
    err = err == OK ? siod_read_bundle(reload->config, &reload->bundle, &reload->msg) : err;
    if (err == OK) {
        reload->prints = fingerprints_new(reload->config);
    }
    return err;
}

static void add_change(void *arg, const struct config_change *change)
{
    struct reload *reload = arg;

    config_change_render(change, &reload->changes);
    buf_add_char(&reload->changes, ',');
    reload->applied += change->reloads;
    reload->kept += !change->reloads;
    reload->businesses |= strcmp(change->setting->section, "business") == 0;
}

static void compare(struct reload *reload, config_change_fn *fn)
{
    config_compare(reload->siod->config, reload->config, fn, reload);
    fingerprints_compare(reload->siod->prints, reload->prints, fn, reload);
}

static enum err enter_apply(struct store_job *job, struct store_tx *tx)
{
    struct reload *reload = CONTAINER_OF(job, struct reload, job);

    return siod_enter_businesses(reload->siod, reload->config, tx, &reload->msg);
}

/* ---- what cannot */

static void log_change(void *arg, const struct config_change *change)
{
    autobuf struct buf path = BUF_INIT;

    (void)arg;
    config_change_path(change, &path);
    if (change->reloads) {
        log_info(LOG_CONFIG, "setting changed", "setting=%s", path.data);
    } else {
        log_warn(LOG_CONFIG, "setting needs a restart", "setting=%s", path.data);
    }
}

/* The files were good a moment ago. */
static void take_certificate(struct siod *siod)
{
    struct tls_files files;
    const struct tls_files *tls = siod_tls_files(siod->config, &files);
    struct errmsg msg = { "" };

    for (size_t i = 0; i < MIN(siod->admin_from, siod->listener_count); i++) {
        if (listener_set_tls(siod->listeners[i], tls, &msg) != OK) {
            log_error(LOG_CONFIG, "certificate not reloaded", "why=\"%s\"", msg.text);
            return;
        }
    }
    if (tls != NULL) {
        log_info(LOG_CONFIG, "certificate reloaded", "file=%s", tls->cert_file);
    }
}

static void take_clients(struct siod *siod)
{
    const struct sio_config sio = siod_sio_settings(siod);
    const struct desk_config desk = siod_desk_settings(siod);
    const struct store_config store = siod_store_settings(siod);

    admission_set_rate(&siod->admission, siod->config->limits.handshakes_per_s);
    sio_server_reconfigure(siod->sio, &sio);
    store_reconfigure(siod->store, &store);
    desk_reconfigure(siod->desk, &desk);
}

static void take_bundle(struct siod *siod, struct client_bundle *bundle)
{
    client_bundle_finish(&siod->client_bundle.bundle);
    siod->client_bundle.bundle = *bundle;
    *bundle = (struct client_bundle) { .script = BUF_INIT };
    siod->client_bundle.cors_origins = siod->api.cors_origins;
}

static void take_http(struct siod *siod)
{
    const struct transport_limits transport = siod_transport_limits(siod);
    const struct http_limits http = siod_http_limits(siod);
    struct errmsg msg = { "" };

    siod_check_descriptors(siod);
    transport_set_limits(siod->transport, &transport);
    budget_set_limit(loop_budget(siod->loop), siod->config->limits.partial_bytes);
    http_server_set_limits(siod->http, &http);
    if (siod->admin != NULL) {
        http_server_set_limits(siod->admin, &http);
    }
    if (siod_trust_proxies(siod, &msg) != OK) {
        log_error(LOG_CONFIG, "proxies not changed", "why=\"%s\"", msg.text);
    }
    siod->api = siod_api_settings(siod);
    take_certificate(siod);
}

static void take_over(struct reload *reload)
{
    struct siod *siod = reload->siod;

    compare(reload, log_change);
    config_take(siod->config, reload->config);
    log_set_level(siod->config->log.level);
    log_set_format(siod->config->log.format);
    token_verifier_rekey(siod->tokens, TAKE(reload->tokens));
    siod->token_config.key_files = (const char *const *)siod->config->jwt.key_files.items;
    webhook_reconfigure(siod->webhook, &reload->webhook.config);
    take_clients(siod);
    take_http(siod);
    take_bundle(siod, &reload->bundle);
    fingerprints_free(siod->prints);
    siod->prints = TAKE(reload->prints);
    config_free(siod->wanted);
    siod->wanted = TAKE(reload->config);
    log_info(LOG_CONFIG, "configuration reloaded", "changed=%u needs_restart=%u", reload->applied,
             reload->kept);
}

/* ---- from beginning to end */

static void reload_end(struct reload *reload, enum err err)
{
    struct siod *siod = reload->siod;
    autobuf struct buf changes = BUF_INIT;

    err = err == OK || err == ERR_BUSY || err == ERR_STORE ? err : ERR_CONFIG;
    siod->reload = NULL;
    if (err == OK) {
        take_over(reload);
        reload->changes.len -= reload->changes.len > 0;
        buf_printf(&changes, "[%.*s]", (int)reload->changes.len,
                   reload->changes.len > 0 ? reload->changes.data : "");
    } else {
        log_error(LOG_CONFIG, "configuration not reloaded", "why=\"%s\"", reload->msg.text);
    }
    notify_manager("READY=1");
    reload->done(reload->arg, err, reload->msg.text, buf_str(&changes));
    reload_free(reload);
    if (siod->reload_again) {
        siod->reload_again = false;
        siod_reload_logged(siod);
    }
}

static void entered(struct store_job *job, enum err err)
{
    struct reload *reload = CONTAINER_OF(job, struct reload, job);

    if (err != OK && reload->msg.text[0] == '\0') {
        err_set(&reload->msg, err, "the businesses were not stored: %s", err_text(err));
    }
    reload_end(reload, err);
}

static void tell_manager(void)
{
    autofree char *text =
        xasprintf("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_ns() / NS_PER_US);

    notify_manager(text);
}

void siod_reload(struct siod *siod, siod_reloaded *done, void *arg)
{
    struct reload *reload;
    enum err err;

    if (siod->stopping || siod->reload != NULL) {
        done(arg, ERR_BUSY, siod->stopping ? "siod is stopping" : "a reload is under way", STR(""));
        return;
    }
    tell_manager();
    reload = xnew(struct reload);
    reload->siod = siod;
    reload->done = done;
    reload->arg = arg;
    siod->reload = reload;
    err = read_again(reload);
    if (err == OK) {
        compare(reload, add_change);
    }
    if (err != OK || !reload->businesses) {
        reload_end(reload, err);
        return;
    }
    reload->job.apply = enter_apply;
    reload->job.done = entered;
    if (!store_submit(siod->store, &reload->job)) {
        entered(&reload->job, ERR_BUSY);
    }
}

static void logged(void *arg, enum err err, const char *why, struct str changes)
{
    (void)arg;
    (void)err;
    (void)why;
    (void)changes;
}

void siod_reload_logged(struct siod *siod)
{
    if (siod->reload != NULL) {
        siod->reload_again = true;
    } else {
        siod_reload(siod, logged, NULL);
    }
}

void siod_reload_finish(struct siod *siod)
{
    reload_free(TAKE(siod->reload));
    fingerprints_free(TAKE(siod->prints));
    config_free(TAKE(siod->wanted));
}
