#include "sioctl/replay/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/map.h"
#include "sioctl/replay/diff.h"
#include "sioctl/replay/events.h"
#include "sioctl/replay/report.h"
#include "sioctl/replay/result_file.h"

static const size_t golden_max = (size_t)1 << 30;

struct place {
    char *name;
    size_t at; /* in cases */
    UT_hash_handle hh;
};

struct verdict {
    struct replay *replay;
    const char *expect;
    bool update;
    struct result_file golden, junit, tap;
    json_t *mark;
    struct golden_lines expected, actual;
    uint64_t started_ns;
    struct replay_case *cases;
    size_t count, failed;
    struct place *places;
    size_t missing, surplus;
    const char *about; /* of the last line of the difference */
};

/* ---- the golden file */

static bool read_golden(struct verdict *verdict)
{
    autobuf struct buf text = BUF_INIT;
    struct errmsg msg = { "" };

    if (!read_input(verdict->expect, golden_max, &text)) {
        return false;
    }
    if (golden_parse(buf_str(&text), &verdict->expected, &msg) != OK) {
        say("%s: %s", verdict->expect, msg.text);
        return false;
    }
    return true;
}

/* What is read, and what is to be written. */
static bool open_files(struct verdict *verdict)
{
    const struct session *session = verdict->replay->session;

    if (verdict->expect != NULL && !verdict->update && !read_golden(verdict)) {
        return false;
    }
    return result_file_open(&verdict->golden, verdict->update ? verdict->expect : NULL) &&
           result_file_open(&verdict->junit, session_arg_text(session, "junit")) &&
           result_file_open(&verdict->tap, session_arg_text(session, "tap"));
}

enum exit_code verdict_begin(struct replay *replay, struct verdict **ret)
{
    const struct session *session = replay->session;
    struct verdict *verdict;
    enum exit_code code = EXIT_DONE;

    *ret = NULL;
    if (!replay->judged) {
        return EXIT_DONE;
    }
    verdict = xnew(struct verdict);
    verdict->replay = replay;
    verdict->expect = session_arg_text(session, "expect");
    verdict->update = session_arg(session, "update") != NULL;
    if (!open_files(verdict)) {
        code = EXIT_REFUSED;
    }
    if (verdict->expect != NULL && code == EXIT_DONE) {
        code = events_mark(replay->session, &verdict->mark);
    }
    verdict->started_ns = clock_monotonic_ns();
    *ret = verdict;
    return code;
}

void verdict_free(struct verdict *verdict)
{
    struct place *place, *next;

    if (verdict == NULL) {
        return;
    }
    HASH_ITER (hh, verdict->places, place, next) {
        HASH_DEL(verdict->places, place);
        free(place->name);
        free(place);
    }
    for (size_t i = 0; i < verdict->count; i++) {
        buf_finish(&verdict->cases[i].failure);
    }
    free(verdict->cases);
    result_file_finish(&verdict->golden);
    result_file_finish(&verdict->junit);
    result_file_finish(&verdict->tap);
    golden_lines_finish(&verdict->expected);
    golden_lines_finish(&verdict->actual);
    json_decref(verdict->mark);
    free(verdict);
}

/* ---- cases: one a delivery, and one for whatever else differs */

static struct replay_case *case_of(struct verdict *verdict, const char *name)
{
    struct place *place;

    HASH_FIND_STR(verdict->places, name, place);
    if (place == NULL) {
        place = xnew(struct place);
        place->name = xstrdup(name);
        place->at = verdict->count++;
        HASH_ADD_KEYPTR(hh, verdict->places, place->name, strlen(place->name), place);
        verdict->cases = xrealloc(verdict->cases, verdict->count * sizeof *verdict->cases);
        verdict->cases[place->at] = (struct replay_case) { .name = place->name };
    }
    return &verdict->cases[place->at];
}

static void fail_case(struct verdict *verdict, const char *name, const char *line, char sign)
{
    struct replay_case *one = case_of(verdict, name);

    verdict->failed += one->failure.len == 0;
    if (sign != '\0') {
        buf_add_char(&one->failure, sign);
    }
    buf_add_cstr(&one->failure, line);
    buf_add_char(&one->failure, '\n');
}

static void judge_answers(struct verdict *verdict)
{
    const struct replay *replay = verdict->replay;

    for (size_t i = 0; i < replay->records.count; i++) {
        (void)case_of(verdict, replay->records.list[i].label);
    }
    for (size_t i = 0; i < replay->plan.count && verdict->expect == NULL; i++) {
        const json_t *answer = replay->answers[i];
        struct str reason = json_str_at(answer, "reason");

        if (answer != NULL && !replay_accepted(answer)) {
            autofree char *line =
                xasprintf("answered %lld%s%.*s",
                          (long long)json_integer_value(json_object_get(answer, "status")),
                          reason.len > 0 ? ": " : "", STR_ARG(reason));

            fail_case(verdict, replay_record_of(replay, i)->label, line, '\0');
        }
    }
}

/* It ended early: what has no answer, or was not compared, is neither good nor bad. */
static void skip_rest(struct verdict *verdict)
{
    const struct replay *replay = verdict->replay;
    const char *answered = verdict->expect != NULL ? "not compared" : NULL;

    for (size_t i = 0; i < replay->records.count; i++) {
        case_of(verdict, replay->records.list[i].label)->skipped = "not answered";
    }
    for (size_t i = 0; i < replay->plan.count; i++) {
        if (replay->answers[i] != NULL) {
            case_of(verdict, replay_record_of(replay, i)->label)->skipped = answered;
        }
    }
}

/* ---- the difference */

static void on_difference(void *arg, char sign, size_t index)
{
    struct verdict *verdict = arg;
    const struct golden_lines *lines = sign == '-' ? &verdict->expected : &verdict->actual;
    const struct golden_line *line = &lines->list[index];

    if (verdict->missing + verdict->surplus == 0) {
        tell("--- %s", verdict->expect);
        tell("+++ this replay");
    }
    if (verdict->about == NULL || strcmp(verdict->about, line->about) != 0) {
        tell("@@ %s @@", line->about);
        verdict->about = line->about;
    }
    tell("%c%s", sign, line->text);
    *(sign == '-' ? &verdict->missing : &verdict->surplus) += 1;
    fail_case(verdict, line->about, line->text, sign);
}

static const char **texts_of(const struct golden_lines *lines)
{
    const char **texts = (const char **)xcalloc(lines->count + 1, sizeof(char *));

    for (size_t i = 0; i < lines->count; i++) {
        texts[i] = lines->list[i].text;
    }
    return texts;
}

static void compare(struct verdict *verdict)
{
    const char **expected, **actual;

    if (verdict->expected.counted != verdict->actual.counted) {
        golden_uncount(&verdict->expected);
        golden_uncount(&verdict->actual);
    }
    expected = texts_of(&verdict->expected);
    actual = texts_of(&verdict->actual);
    replay_diff(expected, verdict->expected.count, actual, verdict->actual.count, on_difference,
                verdict);
    free((void *)expected);
    free((void *)actual);
    if (verdict->missing + verdict->surplus > 0) {
        say("%s: %zu lines are missing, %zu are too many", verdict->expect, verdict->missing,
            verdict->surplus);
    }
}

/* ---- the end */

static enum exit_code take_actual(struct verdict *verdict)
{
    struct replay *replay = verdict->replay;
    struct golden *golden = golden_new(replay->ids, session_arg(replay->session, "url") == NULL);
    enum exit_code code;

    for (size_t i = 0; i < replay->records.count; i++) {
        golden_add_record(golden, replay->records.list[i].label, replay->records.list[i].body);
    }
    for (size_t i = 0; i < replay->plan.count; i++) {
        golden_add_answer(golden, replay->plan.steps[i].record, replay->answers[i]);
    }
    code = events_collect(replay->session, verdict->mark, golden);
    if (code == EXIT_DONE) {
        golden_take_lines(golden, &verdict->actual);
    }
    golden_free(golden);
    return code;
}

static enum exit_code judge_events(struct verdict *verdict)
{
    autobuf struct buf text = BUF_INIT;
    enum exit_code code = take_actual(verdict);

    if (code != EXIT_DONE) {
        return code;
    }
    if (!verdict->update) {
        compare(verdict);
        return EXIT_DONE;
    }
    golden_render(&text, &verdict->actual);
    return result_file_write(&verdict->golden, &text) ? EXIT_DONE : EXIT_REFUSED;
}

static bool write_reports(struct verdict *verdict)
{
    autobuf struct buf junit = BUF_INIT;
    autobuf struct buf tap = BUF_INIT;
    double seconds = (double)(clock_monotonic_ns() - verdict->started_ns) / 1e9;

    replay_report_junit(&junit, verdict->cases, verdict->count, seconds);
    replay_report_tap(&tap, verdict->cases, verdict->count);
    return (verdict->junit.path == NULL || result_file_write(&verdict->junit, &junit)) &&
           (verdict->tap.path == NULL || result_file_write(&verdict->tap, &tap));
}

enum exit_code verdict_end(struct verdict *verdict, enum exit_code code)
{
    judge_answers(verdict);
    if (verdict->expect != NULL && code == EXIT_DONE) {
        code = judge_events(verdict);
    }
    if (code != EXIT_DONE) {
        skip_rest(verdict);
    }
    if (!write_reports(verdict) && code == EXIT_DONE) {
        code = EXIT_REFUSED;
    }
    return code == EXIT_DONE && verdict->failed > 0 ? EXIT_REFUSED : code;
}
