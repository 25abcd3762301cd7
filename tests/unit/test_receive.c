/* The webhook endpoint over real HTTP and the real store, all on one loop: what is answered, and
 * what is on disk when it is. */
#include <pthread.h>

#include <sqlite3.h>

#include "libshared/json.h"
#include "libshared/log.h"
#include "libshared/wire/signature.h"
#include "net_fixture.h"
#include "siod/net/http.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"
#include "tests/unit/vector_file.h"

#define NUMBER "109876543210001"

enum { BODY_BYTES = 1024 * 1024, IN_FLIGHT = 1200 * 1024 };

static const struct str main_secrets[] = { STR_INIT("old secret"), STR_INIT("new secret") };
static const struct str other_secrets[] = { STR_INIT("another app's secret") };
static const struct webhook_app_config apps[] = {
    { "main", "/webhook", main_secrets, ARRAY_SIZE(main_secrets), STR_INIT("let me in") },
    { "other", "/other", other_secrets, ARRAY_SIZE(other_secrets), STR_INIT("") },
};

struct rig {
    char dir[64];
    char *path;
    struct loop *loop;
    struct transport *transport;
    struct http_server *http;
    struct listener *listener;
    struct store *store;
    struct webhook_receiver *receiver;
    size_t events; /* log rows committed */
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

/* Holds the writer thread until it is opened. */
struct gate {
    struct store_job job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open, done;
};

/* Of the test that runs; the teardown opens those that a failure left closed. */
static struct gate gates[200];
static size_t gate_count;

static enum err gate_apply(struct store_job *job, struct store_tx *tx)
{
    struct gate *gate = CONTAINER_OF(job, struct gate, job);

    (void)tx;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
    return OK;
}

static void gate_done(struct store_job *job, enum err err)
{
    (void)err;
    CONTAINER_OF(job, struct gate, job)->done = true;
}

static struct gate *gate_close(struct rig *rig)
{
    struct gate *gate = &gates[gate_count++];

    assert_true(gate_count < ARRAY_SIZE(gates));
    *gate = (struct gate) { .job = { .apply = gate_apply, .done = gate_done },
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER };
    assert_true(store_submit(rig->store, &gate->job));
    return gate;
}

/* Until the writer is in it: what is submitted later waits. */
static void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
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

static int setup(void **state)
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

static int teardown(void **state)
{
    struct rig *rig = *state;

    while (gate_count > 0) {
        gate_open(&gates[--gate_count]);
    }
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

static int64_t sql_int(struct rig *rig, const char *sql)
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

static void sql_exec(struct rig *rig, const char *sql)
{
    sqlite3 *db = open_file(rig);

    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The stored bodies, as `webhook list` reads them. */
struct webhook_query {
    struct store_query query;
    struct buf body, counts, reason; /* of the newest */
    enum store_webhook_state state;
    size_t rows;
    bool done;
};

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

static void read_webhooks(struct rig *rig, struct webhook_query *q)
{
    *q = (struct webhook_query) { .query = { .fetch = fetch_webhooks, .done = webhooks_fetched } };
    store_ask(rig->store, &q->query);
    WAIT_FOR(rig->loop, NULL, q->done);
}

static void webhook_query_finish(struct webhook_query *q)
{
    buf_finish(&q->body);
    buf_finish(&q->counts);
    buf_finish(&q->reason);
}

/* ---- requests */

static void add_signature(struct buf *head, struct str secret, struct str body)
{
    char value[SIGNATURE_SIZE];

    signature_header(secret, body, value);
    buf_printf(head, "X-Hub-Signature-256: %s\r\n", value);
}

static void start_post(struct buf *request, const char *path)
{
    buf_clear(request);
    buf_printf(request, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", path);
}

static void add_body(struct buf *request, struct str body)
{
    buf_printf(request, "Content-Length: %zu\r\n\r\n", body.len);
    buf_add_str(request, body);
}

static void signed_post(struct buf *request, const char *path, struct str secret, struct str body)
{
    start_post(request, path);
    add_signature(request, secret, body);
    add_body(request, body);
}

/* Sends it on a connection of its own and waits for the answer: its status. */
static unsigned status_of(struct rig *rig, struct str request, struct buf *ret_answer)
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

static unsigned text_status(struct rig *rig, const char *request, struct buf *ret_answer)
{
    return status_of(rig, str_of(request), ret_answer);
}

static unsigned post(struct rig *rig, const char *path, struct str secret, struct str body)
{
    autobuf struct buf request = BUF_INIT;

    signed_post(&request, path, secret, body);
    return status_of(rig, buf_str(&request), NULL);
}

static unsigned post_vector(struct rig *rig, const char *name)
{
    autobuf struct buf body = BUF_INIT;
    char path[128];

    snprintf(path, sizeof path, "webhooks/%s", name);
    return post(rig, "/webhook", main_secrets[1], vector_read(path, &body));
}

static void text_body(struct buf *body, const char *wamid, const char *text)
{
    buf_clear(body);
    buf_printf(body,
               "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":"
               "[{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"" NUMBER
               "\"},\"messages\":[{\"from\":\"491\",\"id\":\"%s\",\"timestamp\":\"1772357401\","
               "\"type\":\"text\",\"text\":{\"body\":\"%s\"}}]}}]}]}",
               wamid, text);
}

/* ---- verification */

static void the_challenge_comes_back_as_it_was_sent(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf answer = BUF_INIT;

    assert_int_equal(text_status(rig,
                                 "GET /webhook?hub.mode=subscribe&hub.challenge=a%2Bb%20%3Cc%3E+1"
                                 "&hub.verify_token=let+me%20in HTTP/1.1\r\nHost: x\r\n\r\n",
                                 &answer),
                     200);
    assert_non_null(strstr(answer.data, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(answer.data, "\r\n\r\na+b <c> 1"));
}

static void a_wrong_verification_is_refused(void **state)
{
    static const struct {
        const char *target;
        unsigned status;
    } cases[] = {
        { "/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=let%20me", 403 },
        { "/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=let%20me%20iN", 403 },
        { "/webhook?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=let%20me%20in", 403 },
        { "/webhook?hub.mode=subscribe&hub.verify_token=let%20me%20in", 400 },
        { "/webhook?hub.mode=subscribe&hub.challenge=1", 400 },
        { "/webhook?hub.challenge=1&hub.verify_token=let%20me%20in", 400 },
        { "/webhook", 400 },
        { "/other?hub.mode=subscribe&hub.challenge=1&hub.verify_token=", 403 },
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf request = BUF_INIT;

        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
        if (status_of(rig, buf_str(&request), NULL) != cases[i].status) {
            fail_msg("%s", cases[i].target);
        }
    }
}

static void a_long_challenge_is_refused(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf request = BUF_INIT;

    buf_add_cstr(&request, "GET /webhook?hub.mode=subscribe&hub.verify_token=let%20me%20in"
                           "&hub.challenge=");
    for (size_t i = 0; i < 257; i++) {
        buf_add_char(&request, '7');
    }
    buf_add_cstr(&request, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 400);
}

/* ---- what the head tells */

static void other_methods_types_and_sizes_are_refused(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf answer = BUF_INIT;

    assert_int_equal(text_status(rig, "PUT /webhook HTTP/1.1\r\nHost: x\r\n\r\n", &answer), 405);
    assert_non_null(strstr(answer.data, "Allow: GET, POST\r\n"));
    assert_int_equal(text_status(rig,
                                 "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                                 "Content-Length: 2\r\n\r\n{}",
                                 NULL),
                     415);
    assert_int_equal(
        text_status(rig, "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
                    NULL),
        413);
}

static void json_with_parameters_is_json(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    buf_add_cstr(&request, "POST /webhook HTTP/1.1\r\nHost: x\r\n"
                           "Content-Type: Application/JSON ; charset=utf-8\r\n");
    add_signature(&request, main_secrets[0], buf_str(&body));
    add_body(&request, buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 200);
}

/* ---- signatures */

static void an_unsigned_body_is_refused_and_not_stored(void **state)
{
    static const char *const headers[] = {
        "",
        "X-Hub-Signature-256: \r\n",
        "X-Hub-Signature-256: sha256=00\r\n",
        "X-Hub-Signature: sha1=0000000000000000000000000000000000000000\r\n",
        "X-Hub-Signature-256: "
        "sha256=0000000000000000000000000000000000000000000000000000000000000000\r\n",
        "X-Hub-Signature-256: "
        "sha256=zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n",
    };
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        start_post(&request, "/webhook");
        buf_add_cstr(&request, headers[i]);
        add_body(&request, buf_str(&body));
        if (status_of(rig, buf_str(&request), NULL) != 401) {
            fail_msg("accepted: %s", headers[i]);
        }
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 0);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

static void the_signature_is_over_the_bytes_and_not_their_meaning(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, again = BUF_INIT, request = BUF_INIT;
    const struct json_limits limits = { .depth = 512, .keys = 0 };
    autojson json_t *root = NULL;

    vector_read("webhooks/text_unicode_wire.json", &body);
    root = json_read(buf_str(&body), &limits, NULL);
    json_add_tree(&again, root);
    start_post(&request, "/webhook");
    add_signature(&request, main_secrets[0], buf_str(&again));
    add_body(&request, buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 401);
    assert_int_equal(post(rig, "/webhook", main_secrets[0], buf_str(&body)), 200);
}

static void each_secret_of_an_app_is_good_for_that_app_only(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;

    text_body(&body, "w1", "hello");
    assert_int_equal(post(rig, "/webhook", main_secrets[0], buf_str(&body)), 200);
    text_body(&body, "w2", "hello");
    assert_int_equal(post(rig, "/webhook", main_secrets[1], buf_str(&body)), 200);
    text_body(&body, "w3", "hello");
    assert_int_equal(post(rig, "/webhook", other_secrets[0], buf_str(&body)), 401);
    assert_int_equal(post(rig, "/other", main_secrets[0], buf_str(&body)), 401);
    assert_int_equal(post(rig, "/other", other_secrets[0], buf_str(&body)), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 3);
}

/* ---- what is stored */

static void an_answer_of_200_means_on_disk(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, answer = BUF_INIT;
    struct webhook_query q;

    vector_read("webhooks/text_unicode_wire.json", &body);
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), &answer), 200);
    assert_non_null(strstr(answer.data, "\r\n\r\n{}"));
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    read_webhooks(rig, &q);
    assert_int_equal(q.rows, 1);
    assert_int_equal(q.state, STORE_WEBHOOK_DONE);
    assert_true(str_eq(buf_str(&q.body), buf_str(&body)));
    assert_non_null(strstr(q.counts.data, "{\"inbound\":1,"));
    assert_int_equal(rig->events, 2);
    webhook_query_finish(&q);
}

static void a_body_may_come_in_chunks_of_one_byte(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    start_post(&request, "/webhook");
    add_signature(&request, main_secrets[0], buf_str(&body));
    buf_add_cstr(&request, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < body.len; i++) {
        buf_printf(&request, "1\r\n%c\r\n", body.data[i]);
    }
    buf_add_cstr(&request, "0\r\n\r\n");
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

static void two_posts_in_one_segment_are_both_answered(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, both = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));

    for (size_t i = 0; i < 2; i++) {
        text_body(&body, i == 0 ? "w1" : "w2", "hello");
        signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
        buf_add_str(&both, buf_str(&request));
    }
    client_send(rig->loop, &client, both.data, both.len);
    WAIT_FOR(rig->loop, &client, client_count(&client, "HTTP/1.1 200") == 2);
    client_finish(&client);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 2);
}

static void the_same_webhook_twice_has_one_effect(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "batch.json"), 200);
    assert_int_equal(rig->events, 8);
    assert_int_equal(post_vector(rig, "batch.json"), 200);
    assert_int_equal(rig->events, 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 4);
    read_webhooks(rig, &q);
    assert_string_equal(q.counts.data,
                        "{\"inbound\":0,\"system\":0,\"reactions\":0,\"edits\":0,\"revokes\":0,"
                        "\"statuses\":0,\"echoes\":0,\"history\":0,\"calls\":0,"
                        "\"call_statuses\":0,\"admin\":0,\"dups\":7,\"ignored\":0}");
    webhook_query_finish(&q);
}

static void the_same_webhook_eight_times_at_once_has_one_effect(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client clients[8];

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = client_connect(listener_address(rig->listener));
        client_send(rig->loop, &clients[i], request.data, request.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        WAIT_FOR(rig->loop, &clients[i], client_has(&clients[i], "HTTP/1.1 200"));
        client_finish(&clients[i]);
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM chat"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(rig->events, 2);
}

static void every_vector_is_answered_200(void **state)
{
    static const char *const names[] = {
        "text.json",
        "image.json",
        "contacts.json",
        "order.json",
        "reaction.json",
        "edit.json",
        "revoke.json",
        "system_number_changed.json",
        "text_bsuid_only.json",
        "text_bsuid_and_number.json",
        "text_group.json",
        "text_lone_surrogate.json",
        "text_numeric_ids.json",
        "status_sent.json",
        "echo.json",
        "status_read.json",
        "status_failed.json",
        "status_group.json",
        "history.json",
        "calls_connect.json",
        "template_status.json",
        "unknown_field.json",
        "odd_side_fields.json",
        "empty.json",
        "foreign_object.json",
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (post_vector(rig, names[i]) != 200) {
            fail_msg("%s", names[i]);
        }
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state <> 0"), 0);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), ARRAY_SIZE(names) - 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message WHERE direction = 1"), 1);
}

static void a_large_batch_is_parsed_beside_the_loop(void **state)
{
    enum { MESSAGES = 1000 };
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;

    buf_add_cstr(&body, "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":"
                        "[{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":"
                        "\"" NUMBER "\"},\"messages\":[");
    for (unsigned i = 0; i < MESSAGES; i++) {
        buf_printf(&body,
                   "%s{\"from\":\"49%u\",\"id\":\"w%u\",\"timestamp\":\"1772357401\","
                   "\"type\":\"text\",\"text\":{\"body\":\"message %u\"}}",
                   i > 0 ? "," : "", i % 10, i, i);
    }
    buf_add_cstr(&body, "]}}]}]}");
    assert_true(body.len > 64 * 1024);
    assert_int_equal(post(rig, "/webhook", main_secrets[0], buf_str(&body)), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), MESSAGES);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM chat"), 10);
    assert_int_equal(rig->events, 2 * MESSAGES);
}

/* ---- quarantine */

static void what_is_no_json_is_kept_and_answered_400(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    struct webhook_query q;

    vector_read("webhooks/not_json.txt", &body);
    assert_int_equal(post(rig, "/webhook", main_secrets[0], buf_str(&body)), 400);
    read_webhooks(rig, &q);
    assert_int_equal(q.rows, 1);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_true(str_eq(buf_str(&q.body), buf_str(&body)));
    assert_true(str_starts_with(buf_str(&q.reason), STR("not JSON: ")));
    webhook_query_finish(&q);
}

static void good_elements_are_handled_beside_bad_ones(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "bad_elements.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM status"), 1);
    read_webhooks(rig, &q);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_non_null(strstr(q.reason.data, "messages[0]: no id"));
    webhook_query_finish(&q);
}

static void an_unknown_number_goes_to_quarantine(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "unknown_number.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 0);
    assert_int_equal(rig->events, 0);
    read_webhooks(rig, &q);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_string_equal(q.reason.data, "phone_number_id 999999999999999 belongs to no business");
    webhook_query_finish(&q);
}

static void a_poisonous_webhook_fails_alone_and_is_kept(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client clients[8];

    sql_exec(rig, "CREATE TRIGGER poison BEFORE INSERT ON message"
                  " WHEN new.text = CAST('poison' AS BLOB)"
                  " BEGIN SELECT RAISE(ABORT, 'poison'); END");
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        char wamid[8];

        snprintf(wamid, sizeof wamid, "w%zu", i);
        text_body(&body, wamid, i == 3 ? "poison" : "hello");
        signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
        clients[i] = client_connect(listener_address(rig->listener));
        client_send(rig->loop, &clients[i], request.data, request.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        WAIT_FOR(rig->loop, &clients[i], client_has(&clients[i], "HTTP/1.1 200"));
        client_finish(&clients[i]);
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 7);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state = 1"), 1);
    assert_int_equal(rig->events, 14);
}

/* ---- back-pressure and departures */

static void when_too_much_is_in_flight_new_bodies_are_not_read(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, answer = BUF_INIT;
    struct client slow = client_connect(listener_address(rig->listener));
    size_t half = BODY_BYTES / 2;

    text_body(&body, "w1", "hello");
    memset(buf_reserve(&body, BODY_BYTES - body.len), ' ', BODY_BYTES - body.len);
    body.len = BODY_BYTES;
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    client_send(rig->loop, &slow, request.data, request.len - half);
    WAIT_FOR(rig->loop, &slow, webhook_bytes_in_flight(rig->receiver) == BODY_BYTES - half);

    start_post(&answer, "/webhook");
    add_signature(&answer, main_secrets[0], STR(""));
    buf_printf(&answer, "Content-Length: %d\r\n\r\n", BODY_BYTES);
    assert_int_equal(status_of(rig, buf_str(&answer), &answer), 503);
    assert_non_null(strstr(answer.data, "Retry-After: "));

    client_send(rig->loop, &slow, request.data + request.len - half, half);
    WAIT_FOR(rig->loop, &slow, client_has(&slow, "HTTP/1.1 200"));
    client_finish(&slow);
    WAIT_FOR(rig->loop, NULL, webhook_bytes_in_flight(rig->receiver) == 0);
    assert_int_equal(post_vector(rig, "text.json"), 200);
}

static void a_full_store_queue_answers_503(void **state)
{
    struct rig *rig = *state;

    gate_await(gate_close(rig));
    while (store_accepting(rig->store)) {
        gate_close(rig);
    }
    assert_int_equal(post_vector(rig, "text.json"), 503);
    for (size_t i = 0; i < gate_count; i++) {
        gate_open(&gates[i]);
    }
    for (size_t i = 0; i < gate_count; i++) {
        WAIT_FOR(rig->loop, NULL, gates[i].done);
    }
    assert_int_equal(post_vector(rig, "text.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

static void a_client_that_leaves_early_loses_nothing(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));
    struct http_stats stats;
    struct gate *gate = gate_close(rig);

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len);
    WAIT_FOR(rig->loop, &client, webhook_in_flight(rig->receiver) == 1);
    client_finish(&client);
    gate_open(gate);
    WAIT_FOR(rig->loop, NULL, webhook_in_flight(rig->receiver) == 0 && gate->done);
    WAIT_FOR(rig->loop, NULL, (http_server_stats(rig->http, &stats), stats.open == 0));
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

static void a_body_cut_short_leaves_nothing_behind(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len - 1);
    WAIT_FOR(rig->loop, &client, webhook_bytes_in_flight(rig->receiver) == body.len - 1);
    client_finish(&client);
    WAIT_FOR(rig->loop, NULL, webhook_bytes_in_flight(rig->receiver) == 0);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 0);
}

static void stopping_with_a_delivery_under_way_still_stores_it(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));
    struct gate *gate = gate_close(rig);

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", main_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len);
    WAIT_FOR(rig->loop, &client, webhook_in_flight(rig->receiver) == 1);
    webhook_receiver_free(TAKE(rig->receiver));
    gate_open(gate);
    WAIT_FOR(rig->loop, &client, gate->done && client_has(&client, "HTTP/1.1 200"));
    client_finish(&client);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

/* ---- trusted deliveries */

struct outcome {
    bool done;
    enum err err;
    int64_t webhook_id;
    struct wa_counts counts;
};

static void outcome_set(void *arg, enum err err, const struct webhook_result *result)
{
    *(struct outcome *)arg = (struct outcome) { true, err, result->webhook_id, result->counts };
}

static struct outcome deliver(struct rig *rig, struct str body)
{
    struct outcome outcome = { .done = false };

    webhook_deliver(rig->receiver, "control", body, outcome_set, &outcome);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    return outcome;
}

static void a_replayed_body_takes_the_same_way(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    struct outcome outcome;

    outcome = deliver(rig, vector_read("webhooks/batch.json", &body));
    assert_int_equal(outcome.err, OK);
    assert_true(outcome.webhook_id > 0);
    assert_int_equal(outcome.counts.of[WA_INBOUND], 4);
    assert_int_equal(outcome.counts.of[WA_STATUS], 3);
    outcome = deliver(rig, vector_read("webhooks/batch.json", &body));
    assert_int_equal(outcome.counts.of[WA_DUPLICATE], 7);
    assert_int_equal(deliver(rig, STR("{")).err, ERR_SYNTAX);
    outcome = deliver(rig, vector_read("webhooks/foreign_object.json", &body));
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.webhook_id, 0);
    assert_int_equal(outcome.counts.of[WA_IGNORED], 1);
    buf_clear(&body);
    memset(buf_reserve(&body, BODY_BYTES + 1), ' ', BODY_BYTES + 1);
    body.len = BODY_BYTES + 1;
    assert_int_equal(deliver(rig, buf_str(&body)).err, ERR_TOO_LARGE);
}

/* ---- out of quarantine */

static struct outcome retry(struct rig *rig, int64_t webhook_id)
{
    struct outcome outcome = { .done = false };

    webhook_retry(rig->receiver, webhook_id, outcome_set, &outcome);
    assert_false(outcome.done);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    return outcome;
}

static void what_is_tried_again_leaves_quarantine_when_it_can(void **state)
{
    struct rig *rig = *state;
    struct outcome outcome = deliver(rig, STR("{"));
    int64_t id = outcome.webhook_id;

    assert_int_equal(outcome.err, ERR_SYNTAX);
    outcome = retry(rig, id);
    assert_int_equal(outcome.err, ERR_SYNTAX);
    assert_int_equal(outcome.webhook_id, id);
    sql_exec(rig, "UPDATE webhook SET body = CAST('{\"object\":\"whatsapp_business_account\","
                  "\"entry\":[]}' AS BLOB)");
    outcome = retry(rig, id);
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.webhook_id, id);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state = 0"), 1);
    assert_int_equal(retry(rig, id).err, ERR_CONFLICT);
    assert_int_equal(retry(rig, id + 1).err, ERR_NOT_FOUND);
    sql_exec(rig, "UPDATE webhook SET state = 1, body = x''");
    assert_int_equal(retry(rig, id).err, ERR_NOT_FOUND);
}

struct drop_job {
    struct store_job job;
    int64_t webhook_id;
};

static enum err drop_apply(struct store_job *job, struct store_tx *tx)
{
    return store_webhook_drop(tx, CONTAINER_OF(job, struct drop_job, job)->webhook_id);
}

static void drop_done(struct store_job *job, enum err err)
{
    (void)job;
    assert_int_equal(err, OK);
}

/* The read still sees it in quarantine: the drop waits in front of it for the writer. */
static void one_that_was_dropped_meanwhile_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    autofree char *sql = NULL;
    struct outcome outcome = { .done = false };
    struct drop_job drop = { .job = { .apply = drop_apply, .done = drop_done },
                             .webhook_id = deliver(rig, STR("{")).webhook_id };
    struct gate *gate;

    text_body(&body, "w1", "hello");
    sql = xasprintf("UPDATE webhook SET body = CAST('%s' AS BLOB)", body.data);
    sql_exec(rig, sql);
    gate = gate_close(rig);
    gate_await(gate);
    assert_true(store_submit(rig->store, &drop.job));
    webhook_retry(rig->receiver, drop.webhook_id, outcome_set, &outcome);
    WAIT_FOR(rig->loop, NULL, webhook_in_flight(rig->receiver) == 1);
    gate_open(gate);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    assert_int_equal(outcome.err, ERR_CONFLICT);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 0);
    assert_int_equal(sql_int(rig, "SELECT state FROM webhook"), STORE_WEBHOOK_DROPPED);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

static void those_that_wait_end_with_the_receiver(void **state)
{
    struct rig *rig = *state;
    struct outcome outcomes[5] = { { .done = false } };
    int64_t id = deliver(rig, STR("{")).webhook_id;

    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        webhook_retry(rig->receiver, id, outcome_set, &outcomes[i]);
    }
    webhook_receiver_free(TAKE(rig->receiver));
    store_stop(rig->store);
    loop_flush(rig->loop);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        assert_false(outcomes[i].done);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_challenge_comes_back_as_it_was_sent),
        TEST(a_wrong_verification_is_refused),
        TEST(a_long_challenge_is_refused),
        TEST(other_methods_types_and_sizes_are_refused),
        TEST(json_with_parameters_is_json),
        TEST(an_unsigned_body_is_refused_and_not_stored),
        TEST(the_signature_is_over_the_bytes_and_not_their_meaning),
        TEST(each_secret_of_an_app_is_good_for_that_app_only),
        TEST(an_answer_of_200_means_on_disk),
        TEST(a_body_may_come_in_chunks_of_one_byte),
        TEST(two_posts_in_one_segment_are_both_answered),
        TEST(the_same_webhook_twice_has_one_effect),
        TEST(the_same_webhook_eight_times_at_once_has_one_effect),
        TEST(every_vector_is_answered_200),
        TEST(a_large_batch_is_parsed_beside_the_loop),
        TEST(what_is_no_json_is_kept_and_answered_400),
        TEST(good_elements_are_handled_beside_bad_ones),
        TEST(an_unknown_number_goes_to_quarantine),
        TEST(a_poisonous_webhook_fails_alone_and_is_kept),
        TEST(when_too_much_is_in_flight_new_bodies_are_not_read),
        TEST(a_full_store_queue_answers_503),
        TEST(a_client_that_leaves_early_loses_nothing),
        TEST(a_body_cut_short_leaves_nothing_behind),
        TEST(stopping_with_a_delivery_under_way_still_stores_it),
        TEST(a_replayed_body_takes_the_same_way),
        TEST(what_is_tried_again_leaves_quarantine_when_it_can),
        TEST(one_that_was_dropped_meanwhile_leaves_nothing),
        TEST(those_that_wait_end_with_the_receiver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
