#include "tests/unit/receive_fixture.h"

#include <sqlite3.h>

#include "libshared/log.h"
#include "libshared/wire/signature.h"
#include "siod/net/http.h"
#include "tests/unit/vector_file.h"

const struct str receive_secrets[2] = { STR_INIT("old secret"), STR_INIT("new secret") };
const struct str receive_other_secrets[1] = { STR_INIT("another app's secret") };
static const struct webhook_app_config apps[] = {
    { "main", "/webhook", receive_secrets, ARRAY_SIZE(receive_secrets), STR_INIT("let me in") },
    { "other", "/other", receive_other_secrets, ARRAY_SIZE(receive_other_secrets), STR_INIT("") },
};

static void on_commit(void *arg, struct store_events *events)
{
    struct rig *rig = arg;

    rig->events += events->count;
    store_events_free(events);
}

static void on_health(void *arg, enum store_health health, const char *reason)
{
    (void)arg;
    (void)health;
    (void)reason;
}

/* ---- jobs of the tests' own */

struct put_job {
    struct store_job job;
    bool done;
};

static enum err put_apply(struct store_job *job, struct store_tx *tx)
{
    static const struct str number = STR_INIT(NUMBER);
    const struct store_business business = { .id = 1,
                                             .name = STR("test"),
                                             .source = STORE_SOURCE_CONTROL,
                                             .phone_number_ids = &number,
                                             .phone_number_count = 1 };

    (void)job;
    return store_business_put(tx, &business, NULL);
}

static void put_done(struct store_job *job, enum err err)
{
    assert_int_equal(err, OK);
    CONTAINER_OF(job, struct put_job, job)->done = true;
}

void gates_pass(struct rig *rig)
{
    gates_open();
    WAIT_FOR(rig->loop, NULL, gates_are_done());
}

/* ---- the rig */

static void open_store(struct rig *rig)
{
    autofree char *url = xasprintf("sqlite:%s", rig->path);
    const struct store_config config = {
        .url = url, .queue_limit = 100, .on_commit = on_commit, .on_health = on_health, .arg = rig
    };
    struct put_job put = { .job = { .apply = put_apply, .done = put_done } };
    struct errmsg msg;

    if (store_open(rig->loop, &config, &rig->store, &msg) != OK) {
        fail_msg("%s", msg.text);
    }
    assert_true(store_submit(rig->store, &put.job));
    WAIT_FOR(rig->loop, NULL, put.done);
}

static void open_http(struct rig *rig)
{
    const struct http_limits http_limits = { .header_bytes = 16384, .header_count = 50 };
    const struct transport_limits limits = { .connections = 100 };
    struct listen_options options = { .address = "127.0.0.1:0", .on_accept = http_server_accept };
    struct errmsg msg;

    rig->transport = transport_new(rig->loop, &limits);
    rig->http = http_server_new(rig->loop, &http_limits);
    options.arg = rig->http;
    webhook_routes(rig->receiver, rig->http);
    if (transport_listen(rig->transport, &options, &rig->listener, &msg) != OK) {
        fail_msg("%s", msg.text);
    }
}

int receive_setup(void **state)
{
    struct rig *rig = xnew(struct rig);
    struct webhook_config config = { .apps = apps,
                                     .app_count = ARRAY_SIZE(apps),
                                     .body_bytes = BODY_BYTES,
                                     .body_bytes_in_flight = IN_FLIGHT,
                                     .json_depth = 512 };

    log_set_level(LOG_LEVEL_ERROR);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/siod-receive-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    rig->path = xasprintf("%s/siod.db", rig->dir);
    rig->loop = loop_new();
    open_store(rig);
    config.loop = rig->loop;
    config.store = rig->store;
    rig->receiver = webhook_receiver_new(&config);
    open_http(rig);
    *state = rig;
    return 0;
}

static void remove_file(const struct rig *rig, const char *suffix)
{
    autofree char *path = xasprintf("%s%s", rig->path, suffix);

    unlink(path);
}

int receive_teardown(void **state)
{
    struct rig *rig = *state;

    gates_forget();
    webhook_receiver_free(rig->receiver);
    transport_free(rig->transport);
    http_server_free(rig->http);
    store_close(rig->store);
    loop_free(rig->loop);
    remove_file(rig, "");
    remove_file(rig, "-wal");
    remove_file(rig, "-shm");
    remove_file(rig, "-lock");
    rmdir(rig->dir);
    free(rig->path);
    free(rig);
    return 0;
}

/* ---- a look into the file */

static sqlite3 *open_file(struct rig *rig)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(rig->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

int64_t sql_int(struct rig *rig, const char *sql)
{
    sqlite3 *db = open_file(rig);
    sqlite3_stmt *stmt;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

void sql_exec(struct rig *rig, const char *sql)
{
    sqlite3 *db = open_file(rig);

    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool see_webhook(void *arg, const struct store_webhook *webhook)
{
    struct webhook_query *q = arg;

    if (q->rows++ == 0) {
        buf_add_str(&q->body, webhook->body);
        buf_add_str(&q->counts, webhook->counts);
        buf_add_str(&q->reason, webhook->reason);
        q->state = webhook->state;
    }
    return true;
}

static enum err fetch_webhooks(struct store_query *query, struct store_reader *reader)
{
    const struct store_webhook_filter all = { .with_body = true, .limit = 100 };

    return store_webhooks(reader, &all, see_webhook, query);
}

static void webhooks_fetched(struct store_query *query, enum err err)
{
    assert_int_equal(err, OK);
    CONTAINER_OF(query, struct webhook_query, query)->done = true;
}

void read_webhooks(struct rig *rig, struct webhook_query *q)
{
    *q = (struct webhook_query) { .query = { .fetch = fetch_webhooks, .done = webhooks_fetched } };
    store_ask(rig->store, &q->query);
    WAIT_FOR(rig->loop, NULL, q->done);
}

void webhook_query_finish(struct webhook_query *q)
{
    buf_finish(&q->body);
    buf_finish(&q->counts);
    buf_finish(&q->reason);
}

/* ---- requests */

void add_signature(struct buf *head, struct str secret, struct str body)
{
    char value[SIGNATURE_SIZE];

    signature_header(secret, body, value);
    buf_printf(head, "X-Hub-Signature-256: %s\r\n", value);
}

void start_post(struct buf *request, const char *path)
{
    buf_clear(request);
    buf_printf(request, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", path);
}

void add_body(struct buf *request, struct str body)
{
    buf_printf(request, "Content-Length: %zu\r\n\r\n", body.len);
    buf_add_str(request, body);
}

void signed_post(struct buf *request, const char *path, struct str secret, struct str body)
{
    start_post(request, path);
    add_signature(request, secret, body);
    add_body(request, body);
}

unsigned status_of(struct rig *rig, struct str request, struct buf *ret_answer)
{
    struct client client = client_connect(listener_address(rig->listener));
    unsigned status = 0;

    client_send(rig->loop, &client, request.data, request.len);
    WAIT_FOR(rig->loop, &client, client_has(&client, "\r\n\r\n"));
    status = (unsigned)atoi(client.in.data + strlen("HTTP/1.1 "));
    if (ret_answer != NULL) {
        buf_clear(ret_answer);
        buf_add_str(ret_answer, buf_str(&client.in));
    }
    client_finish(&client);
    return status;
}

unsigned text_status(struct rig *rig, const char *request, struct buf *ret_answer)
{
    return status_of(rig, str_of(request), ret_answer);
}

unsigned post(struct rig *rig, const char *path, struct str secret, struct str body)
{
    autobuf struct buf request = BUF_INIT;

    signed_post(&request, path, secret, body);
    return status_of(rig, buf_str(&request), NULL);
}

unsigned post_vector(struct rig *rig, const char *name)
{
    autobuf struct buf body = BUF_INIT;
    char path[128];

    snprintf(path, sizeof path, "webhooks/%s", name);
    return post(rig, "/webhook", receive_secrets[1], vector_read(path, &body));
}

void text_body(struct buf *body, const char *wamid, const char *text)
{
    buf_clear(body);
    buf_printf(body,
               "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":"
               "[{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"" NUMBER
               "\"},\"messages\":[{\"from\":\"491\",\"id\":\"%s\",\"timestamp\":\"1772357401\","
               "\"type\":\"text\",\"text\":{\"body\":\"%s\"}}]}}]}]}",
               wamid, text);
}
