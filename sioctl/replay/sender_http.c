/* Over HTTP, as the platform does: signed POSTs over connections that are kept. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/ctl/argument.h"
#include "libshared/json.h"
#include "libshared/wire/signature.h"
#include "sioctl/replay/libcurl.h"
#include "sioctl/replay/sender.h"

struct transfer {
    struct transfer *next; /* of those that are free */
    CURL *easy;
    struct curl_slist *headers;
    size_t tag;
};

struct sender_http {
    struct sender sender;
    const struct libcurl *curl;
    const char *url;
    char *shown_url;
    struct str secret;
    CURLM *multi;
    struct transfer *free;
    struct transfer transfers[CONCURRENCY_MAX];
    size_t count;
};

static struct sender_http *http_of(struct sender *sender)
{
    return CONTAINER_OF(sender, struct sender_http, sender);
}

static size_t discard(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static bool is_header(const char *line, const char *name)
{
    size_t len = strlen(name);

    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* Those of the connection are made anew. */
static bool is_dropped(const char *line, bool sign)
{
    static const char *const own[] = { "Host",      "Connection",        "Content-Length",
                                       "Expect",    "Transfer-Encoding", "Accept-Encoding",
                                       "Keep-Alive" };

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (is_header(line, own[i])) {
            return true;
        }
    }
    return sign && (is_header(line, "X-Hub-Signature-256") || is_header(line, "X-Hub-Signature"));
}

static struct curl_slist *headers_of(const struct sender_http *http,
                                     const struct replay_record *record)
{
    struct curl_slist *list = http->curl->slist_append(NULL, "Expect:");
    bool typed = false;

    for (size_t i = 0; record->headers != NULL && record->headers[i] != NULL; i++) {
        if (!is_dropped(record->headers[i], record->sign)) {
            typed = typed || is_header(record->headers[i], "Content-Type");
            list = http->curl->slist_append(list, record->headers[i]);
        }
    }
    if (!typed) {
        list = http->curl->slist_append(list, "Content-Type: application/json");
    }
    if (record->sign) {
        char value[SIGNATURE_SIZE];
        autofree char *line = NULL;

        signature_header(http->secret, record->body, value);
        line = xasprintf("X-Hub-Signature-256: %s", value);
        list = http->curl->slist_append(list, line);
    }
    return list;
}

static void http_send(struct sender *sender, size_t tag, const struct replay_record *record)
{
    struct sender_http *http = http_of(sender);
    struct transfer *transfer = http->free;

    http->free = transfer->next;
    sender->under++;
    transfer->tag = tag;
    transfer->headers = headers_of(http, record);
    http->curl->easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    http->curl->easy_setopt(transfer->easy, CURLOPT_POSTFIELDS,
                            record->body.len > 0 ? record->body.data : "");
    http->curl->easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)record->body.len);
    http->curl->multi_add_handle(http->multi, transfer->easy);
}

static void take_back(struct sender_http *http, struct transfer *transfer)
{
    http->curl->multi_remove_handle(http->multi, transfer->easy);
    http->curl->slist_free_all(transfer->headers);
    transfer->headers = NULL;
    transfer->next = http->free;
    http->free = transfer;
    http->sender.under--;
}

static enum exit_code finish_transfer(struct sender_http *http, struct transfer *transfer,
                                      CURLcode result)
{
    autojson json_t *outcome = NULL;
    long status = 0;

    if (result != CURLE_OK) {
        say("%s: %s", http->shown_url,
            result == CURLE_OPERATION_TIMEDOUT ? "timed out" : http->curl->easy_strerror(result));
        take_back(http, transfer);
        return result == CURLE_OPERATION_TIMEDOUT ? EXIT_TIMED_OUT : EXIT_UNREACHABLE;
    }
    http->curl->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    outcome =
        json_pack("{s:i,s:n,s:n,s:n}", "status", (int)status, "webhookId", "counts", "reason");
    take_back(http, transfer);
    http->sender.answered(http->sender.arg, transfer->tag, outcome);
    return EXIT_DONE;
}

static enum exit_code take_answers(struct sender_http *http, bool *ret_some)
{
    const CURLMsg *message;
    int left;

    while ((message = http->curl->multi_info_read(http->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        enum exit_code code;

        http->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        code = finish_transfer(http, transfer, message->data.result);
        *ret_some = true;
        if (code != EXIT_DONE) {
            return code;
        }
    }
    return EXIT_DONE;
}

static int wait_ms(uint64_t until_ns, uint64_t now_ns)
{
    uint64_t left_ms = until_ns > now_ns ? (until_ns - now_ns + 999999) / 1000000 : 0;

    return (int)MIN(left_ms, (uint64_t)1000);
}

static enum exit_code http_wait(struct sender *sender, uint64_t until_ns)
{
    struct sender_http *http = http_of(sender);
    enum exit_code code = EXIT_DONE;
    bool some = false;

    while (code == EXIT_DONE && !some) {
        int running;

        http->curl->multi_perform(http->multi, &running);
        code = take_answers(http, &some);
        if (code == EXIT_DONE && !some) {
            uint64_t now_ns = clock_monotonic_ns();

            if (now_ns >= until_ns) {
                break;
            }
            http->curl->multi_poll(http->multi, NULL, 0, wait_ms(until_ns, now_ns), NULL);
        }
        if (interrupted) {
            return EXIT_INTERRUPTED;
        }
    }
    return code;
}

static void http_free(struct sender *sender)
{
    struct sender_http *http = http_of(sender);

    for (size_t i = 0; i < http->count; i++) {
        if (http->transfers[i].headers != NULL) {
            take_back(http, &http->transfers[i]);
        }
        http->curl->easy_cleanup(http->transfers[i].easy);
    }
    http->curl->multi_cleanup(http->multi);
    http->curl->global_cleanup();
    free(http->shown_url);
    free(http);
}

static const struct sender_ops http_ops = { http_send, http_wait, http_free };

/* For libcurl 0 is no timeout, and what an int does not hold an error. */
static long curl_timeout_ms(int64_t timeout_ms)
{
    return timeout_ms < 0 ? 0 : (long)MIN(MAX(timeout_ms, (int64_t)1), (int64_t)INT_MAX);
}

static void transfer_init(struct sender_http *http, struct transfer *transfer, int64_t timeout_ms)
{
    transfer->easy = http->curl->easy_init();
    if (transfer->easy == NULL) {
        abort();
    }
    http->curl->easy_setopt(transfer->easy, CURLOPT_URL, http->url);
    http->curl->easy_setopt(transfer->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    http->curl->easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, curl_timeout_ms(timeout_ms));
    http->curl->easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
    http->curl->easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, discard);
    http->curl->easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    transfer->next = http->free;
    http->free = transfer;
}

struct sender *sender_http_new(const struct sender_config *config, const char *url,
                               struct str secret, enum exit_code *ret_code)
{
    const struct libcurl *curl = libcurl_load();
    struct sender_http *http;

    if (curl == NULL) {
        *ret_code = EXIT_REFUSED;
        return NULL;
    }
    http = xnew(struct sender_http);
    http->curl = curl;
    http->curl->global_init(CURL_GLOBAL_DEFAULT);
    http->sender = (struct sender) { .ops = &http_ops,
                                     .answered = config->answered,
                                     .arg = config->arg,
                                     .room = config->concurrency > 0 ? config->concurrency : 1,
                                     .keeps_order = config->concurrency <= 1 };
    http->url = url;
    http->shown_url = ctl_url_shown(str_of(url));
    http->secret = secret;
    http->multi = http->curl->multi_init();
    if (http->multi == NULL) {
        abort();
    }
    for (; http->count < http->sender.room; http->count++) {
        transfer_init(http, &http->transfers[http->count], config->session->config.timeout_ms);
    }
    return &http->sender;
}
