/* One POST after the other over one connection, as the platform delivers. */
#include <stdlib.h>

#include <curl/curl.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/wire/signature.h"
#include "sioctl/sioctl.h"

struct poster {
    CURL *curl;
};

static size_t discard(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

/* Ctrl-C ends a transfer that hangs. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)arg;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return interrupted;
}

struct poster *poster_new(const char *url, int64_t timeout_ms)
{
    struct poster *poster = xnew(struct poster);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    poster->curl = curl_easy_init();
    if (poster->curl == NULL) {
        abort();
    }
    curl_easy_setopt(poster->curl, CURLOPT_URL, url);
    curl_easy_setopt(poster->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(poster->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(poster->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(poster->curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(poster->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(poster->curl, CURLOPT_NOPROGRESS, 0L);
    return poster;
}

void poster_free(struct poster *poster)
{
    curl_easy_cleanup(poster->curl);
    curl_global_cleanup();
    free(poster);
}

static struct curl_slist *headers(const char *signature)
{
    autofree char *line = xasprintf("X-Hub-Signature-256: %s", signature);
    struct curl_slist *list = curl_slist_append(NULL, line);

    list = curl_slist_append(list, "Content-Type: application/json");
    return curl_slist_append(list, "Expect:");
}

void poster_send(struct poster *poster, struct str body, const char *signature,
                 unsigned *ret_status, const char **ret_why)
{
    struct curl_slist *list = headers(signature);
    CURLcode result;
    long status = 0;

    curl_easy_setopt(poster->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(poster->curl, CURLOPT_POSTFIELDS, body.len > 0 ? body.data : "");
    curl_easy_setopt(poster->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    result = curl_easy_perform(poster->curl);
    if (result == CURLE_OK) {
        curl_easy_getinfo(poster->curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(list);
    *ret_status = (unsigned)status;
    *ret_why = result == CURLE_OPERATION_TIMEDOUT ? NULL : curl_easy_strerror(result);
}
