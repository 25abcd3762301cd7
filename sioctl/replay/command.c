/* The command's options, and what it says at the end. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "sioctl/replay/replay.h"
#include "sioctl/replay/result_file.h"
#include "sioctl/replay/verdict.h"

enum { FAILURES_SAID = 10 };

static enum replay_order order_of(const char *word)
{
    static const char *const words[] = {
        [REPLAY_RECORDED] = "recorded",
        [REPLAY_TIME] = "time",
        [REPLAY_SHUFFLE] = "shuffle",
    };

    for (size_t i = 0; word != NULL && i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum replay_order)i;
        }
    }
    return REPLAY_RECORDED;
}

static double number_arg(const struct session *session, const char *key)
{
    return json_number_value(session_arg(session, key));
}

static uint64_t count_arg(const struct session *session, const char *key, uint64_t otherwise)
{
    const json_t *value = session_arg(session, key);

    return value != NULL ? (uint64_t)json_integer_value(value) : otherwise;
}

static bool is_stdout(const struct session *session, const char *key)
{
    const char *path = session_arg_text(session, key);

    return path != NULL && result_file_is_stdout(path);
}

/* NULL: not wanted, or read from the standard input. */
static const char *file_arg(const struct session *session, const char *key)
{
    const char *path = session_arg_text(session, key);
    bool is_read = strcmp(key, "expect") == 0;

    return path != NULL && is_read && strcmp(path, "-") == 0 ? NULL : path;
}

/* Whatever is written has a place of its own. */
static bool check_files(const struct session *session)
{
    static const char *const pairs[][2] = {
        { "junit", "tap" },
        { "expect", "junit" },
        { "expect", "tap" },
    };

    if (session_arg(session, "update") != NULL && is_stdout(session, "expect")) {
        say("--update needs a file: the standard output has the answers");
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const char *a = file_arg(session, pairs[i][0]), *b = file_arg(session, pairs[i][1]);

        if (a != NULL && b != NULL && result_file_same(a, b)) {
            say("--%s and --%s need different files", pairs[i][0], pairs[i][1]);
            return false;
        }
    }
    return true;
}

/* What the grammar cannot say. */
static bool check_options(const struct session *session)
{
    bool url = session_arg(session, "url") != NULL;
    bool secret = session_arg(session, "secretFile") != NULL;

    if (url != secret) {
        say("%s", url ? "--url needs --secret-file" : "--secret-file needs --url");
        return false;
    }
    if (session_arg(session, "speed") != NULL && session_arg(session, "rate") != NULL) {
        say("--speed and --rate exclude one another");
        return false;
    }
    if (session_arg(session, "update") != NULL && session_arg(session, "expect") == NULL) {
        say("--update needs --expect");
        return false;
    }
    if (count_arg(session, "concurrency", 0) > CONCURRENCY_MAX) {
        say("--concurrency: at most %d", CONCURRENCY_MAX);
        return false;
    }
    return check_files(session);
}

static void take_options(struct replay *replay)
{
    const struct session *session = replay->session;

    replay->options = (struct replay_options) {
        .order = order_of(session_arg_text(session, "order")),
        .speed = number_arg(session, "speed"),
        .rate = number_arg(session, "rate"),
        .dup = number_arg(session, "dup"),
        .reorder = count_arg(session, "reorder", 0),
        .seed = count_arg(session, "seed", 1),
    };
    replay->concurrency = (size_t)count_arg(session, "concurrency", 0);
    replay->silent = is_stdout(session, "junit") || is_stdout(session, "tap");
    replay->session->out.closed = replay->silent;
    replay->judged = session_arg(session, "expect") != NULL ||
                     session_arg(session, "junit") != NULL || session_arg(session, "tap") != NULL;
}

static bool wants_fresh_ids(const struct session *session)
{
    const char *word = session_arg_text(session, "ids");

    return word != NULL && strcmp(word, "fresh") == 0;
}

/* All are learnt before one is exchanged: a status may come before its message. */
static void make_ids_fresh(struct replay *replay)
{
    unsigned char salt[REPLAY_SALT_SIZE];

    if (RAND_bytes(salt, sizeof salt) != 1) {
        abort();
    }
    replay->ids = replay_ids_new(salt);
    for (size_t i = 0; i < replay->records.count; i++) {
        replay_ids_learn(replay->ids, replay->records.list[i].body);
    }
    for (size_t i = 0; i < replay->records.count; i++) {
        struct buf body = BUF_INIT;

        replay_ids_exchange(replay->ids, replay->records.list[i].body, &body);
        replay_record_set_body(&replay->records.list[i], &body);
    }
}

static void make_plan(struct replay *replay)
{
    struct replay_time *times = xcalloc(replay->records.count + 1, sizeof *times);

    for (size_t i = 0; i < replay->records.count; i++) {
        times[i] = replay->records.list[i].time;
    }
    replay_plan_make(&replay->options, times, replay->records.count, &replay->plan);
    replay->answers = (json_t **)xcalloc(replay->plan.count + 1, sizeof(json_t *));
    free(times);
}

static void say_failures(const struct replay *replay)
{
    size_t left = replay->answered - replay->accepted, said = 0;

    for (size_t i = 0; i < replay->plan.count && said < FAILURES_SAID && left > 0; i++) {
        const json_t *answer = replay->answers[i];
        struct str reason = json_str_at(answer, "reason");

        if (answer != NULL && !replay_accepted(answer)) {
            say("%s: answered %lld%s%.*s", replay->records.list[replay->plan.steps[i].record].name,
                (long long)json_integer_value(json_object_get(answer, "status")),
                reason.len > 0 ? ": " : "", STR_ARG(reason));
            said++;
            left--;
        }
    }
    if (left > 0) {
        say("and %zu more", left);
    }
}

static void say_end(const struct replay *replay)
{
    say_failures(replay);
    if (replay->answered < replay->plan.count) {
        say("%zu of %zu replayed, %zu accepted", replay->answered, replay->plan.count,
            replay->accepted);
    } else {
        say("%zu replayed, %zu accepted", replay->answered, replay->accepted);
    }
}

static struct sender *make_sender(struct replay *replay, struct str secret,
                                  enum exit_code *ret_code)
{
    const struct sender_config config = { .session = replay->session,
                                          .concurrency = replay->concurrency };
    const char *url = session_arg_text(replay->session, "url");

    return url != NULL ? sender_http_new(&config, url, secret, ret_code)
                       : sender_socket_new(&config, ret_code);
}

/* Whoever wants disorder gets it within a chat too. */
static void part_chats(struct replay *replay)
{
    replay->parted = replay->concurrency > 1 && replay->options.order != REPLAY_SHUFFLE &&
                     replay->options.reorder == 0;
    if (replay->parted) {
        replay_records_find_sets(&replay->records);
    }
}

static enum exit_code deliver_all(struct replay *replay)
{
    autobuf struct buf secret = BUF_INIT;
    enum exit_code code = EXIT_REFUSED;

    if (session_arg(replay->session, "url") != NULL && !read_secret(replay->session, &secret)) {
        return EXIT_REFUSED;
    }
    replay->sender = make_sender(replay, buf_str(&secret), &code);
    if (replay->sender == NULL) {
        return code;
    }
    part_chats(replay);
    code = replay_run(replay);
    replay->sender->ops->free(replay->sender);
    output_close(&replay->session->out);
    say_end(replay);
    return code;
}

/* With a golden file it says what is right: also that a delivery is refused. What began and ended
 * early is reported. Where the rows' reader has gone, what was delivered until then counts. */
static enum exit_code judge(const struct replay *replay, struct verdict *verdict,
                            enum exit_code code)
{
    if (verdict != NULL && (code == EXIT_DONE || replay->started > 0)) {
        return verdict_end(verdict, code);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    return replay->accepted == (replay->unread ? replay->answered : replay->plan.count)
               ? EXIT_DONE
               : EXIT_REFUSED;
}

static enum exit_code replay_all(struct replay *replay)
{
    struct verdict *verdict;
    enum exit_code code = verdict_begin(replay, &verdict);

    if (code == EXIT_DONE) {
        code = judge(replay, verdict, deliver_all(replay));
    }
    verdict_free(verdict);
    return code;
}

static void replay_finish(struct replay *replay)
{
    for (size_t i = 0; i < replay->plan.count; i++) {
        json_decref(replay->answers[i]);
    }
    free((void *)replay->answers);
    replay_plan_finish(&replay->plan);
    replay_ids_free(replay->ids);
    replay_records_finish(&replay->records);
}

enum exit_code run_webhook_replay(struct session *session)
{
    struct replay replay = { .session = session };
    enum exit_code code = EXIT_REFUSED;

    if (!check_options(session)) {
        return EXIT_USAGE;
    }
    take_options(&replay);
    if (replay_records_load(session_arg(session, "path"), &replay.records)) {
        if (wants_fresh_ids(session)) {
            make_ids_fresh(&replay);
        }
        make_plan(&replay);
        code = replay_all(&replay);
    }
    replay_finish(&replay);
    return code;
}
