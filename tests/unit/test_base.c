/* The small modules everything stands on: str, buf, id, clock, utf8, error, log, map, process,
 * thread. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "libshared/alloc.h"
#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/clock.h"
#include "libshared/error.h"
#include "libshared/id.h"
#include "libshared/log.h"
#include "libshared/map.h"
#include "libshared/process.h"
#include "libshared/str.h"
#include "libshared/thread.h"
#include "libshared/utf8.h"

static void texts_compare_by_length_and_bytes(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq_nocase(STR("Content-Length"), STR("content-length")));
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_true(str_starts_with(STR("abc"), STR_NONE));
    assert_false(str_starts_with(STR("ab"), STR("abc")));
    assert_true(str_eq(str_skip(STR("abc"), 2), STR("c")));
    assert_int_equal(str_of(NULL).len, 0);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    static const char *const vectors[][2] = {
        { "", "" },
        { "plain \xc3\xa4\xf0\x9f\x98\x80", "plain \xc3\xa4\xf0\x9f\x98\x80" },
        { "a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f" },
        { "\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0" },
        { "\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa9|\xe2\x80\xa7",
          "\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa9|\xe2\x80\xa7" },
        { "\xe2\x80", "\xe2\x80" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autobuf struct buf buf = BUF_INIT;

        buf_add_cstr(&buf, "");
        buf_add_printable(&buf, vectors[i][0]);
        assert_string_equal(buf.data, vectors[i][1]);
    }
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
    autobuf struct buf buf = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        buf_add_char(&buf, (char)('a' + i % 26));
        assert_int_equal(buf.len, i + 1);
        assert_int_equal(buf.data[buf.len], '\0');
    }
    buf_add(&buf, NULL, 0);
    assert_int_equal(buf.len, 1000);
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, "");
}

static void numbers_are_appended_in_full(void **state)
{
    autobuf struct buf buf = BUF_INIT;

    (void)state;
    buf_add_u64(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, INT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, -1);
    assert_string_equal(buf.data,
                        "0 18446744073709551615 -9223372036854775808 9223372036854775807 -1");
}

static void formatted_text_of_any_length_is_appended(void **state)
{
    autobuf struct buf buf = BUF_INIT;
    autofree char *filler = xmalloc(5001);

    (void)state;
    memset(filler, 'x', 5000);
    filler[5000] = '\0';
    buf_printf(&buf, "%d:", 5);
    buf_printf(&buf, "%s", filler);
    buf_printf(&buf, "%s", "");
    assert_int_equal(buf.len, 5002);
    assert_true(str_starts_with(buf_str(&buf), STR("5:xxx")));
    assert_int_equal(strlen(buf.data), 5002);
}

static void bytes_are_consumed_from_the_front(void **state)
{
    autobuf struct buf buf = BUF_INIT;

    (void)state;
    buf_consume(&buf, 0);
    buf_add_cstr(&buf, "hello");
    buf_consume(&buf, 2);
    assert_string_equal(buf.data, "llo");
    buf_consume(&buf, 3);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, "");
}

static void a_taken_buffer_is_the_callers(void **state)
{
    struct buf buf = BUF_INIT;
    char *empty = buf_take(&buf), *text;

    (void)state;
    assert_string_equal(empty, "");
    buf_add_cstr(&buf, "x");
    text = buf_take(&buf);
    assert_string_equal(text, "x");
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    free(empty);
    free(text);
    buf_finish(&buf);
}

static void ids_are_digits_below_two_to_the_53rd(void **state)
{
    static const struct {
        struct str text;
        int64_t id; /* 0: refused */
    } vectors[] = {
        { STR_INIT("1"), 1 },
        { STR_INIT("0042"), 42 },
        { STR_INIT("9007199254740991"), 9007199254740991 },
        { STR_INIT("9007199254740992"), 0 },
        { STR_INIT("9999999999999999"), 0 },
        { STR_INIT("10000000000000000"), 0 },
        { STR_INIT("18446744073709551617"), 0 },
        { STR_INIT("0"), 0 },
        { STR_INIT(""), 0 },
        { STR_INIT("+1"), 0 },
        { STR_INIT("-1"), 0 },
        { STR_INIT(" 1"), 0 },
        { STR_INIT("1 "), 0 },
        { STR_INIT("1\0"), 0 },
        { STR_INIT("1.0"), 0 },
        { STR_INIT("0x1"), 0 },
        { STR_INIT("\xd9\xa1"), 0 }, /* ARABIC-INDIC DIGIT ONE */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        int64_t id = 0;

        if (id_parse(vectors[i].text, &id) != (vectors[i].id != 0) || id != vectors[i].id) {
            fail_msg("\"%.*s\" gave %lld", STR_ARG(vectors[i].text), (long long)id);
        }
    }
}

static int compare_sids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void session_ids_are_twenty_url_safe_characters_and_differ(void **state)
{
    enum { COUNT = 2000 };
    static char sids[COUNT][SID_SIZE];
    bool seen[256] = { false };
    unsigned distinct = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        id_sid(sids[i]);
        assert_int_not_equal(sids[i][0], '-');
        assert_int_equal(strlen(sids[i]), SID_LEN);
        assert_int_equal(strspn(sids[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-_"),
                         SID_LEN);
        for (size_t j = 0; j < SID_LEN; j++) {
            distinct += !seen[(unsigned char)sids[i][j]];
            seen[(unsigned char)sids[i][j]] = true;
        }
    }
    assert_int_equal(distinct, 64);
    qsort(sids, COUNT, SID_SIZE, compare_sids);
    for (size_t i = 1; i < COUNT; i++) {
        assert_string_not_equal(sids[i - 1], sids[i]);
    }
}

static void times_are_written_as_json_writes_a_date(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } vectors[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { 1772357400123, "2026-03-01T09:30:00.123Z" },
        { 1772357400999, "2026-03-01T09:30:00.999Z" },
        { 1772357401000, "2026-03-01T09:30:01.000Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "9999-12-31T23:59:59.999Z" },
        { -1, "1970-01-01T00:00:00.000Z" },
        { INT64_MIN, "1970-01-01T00:00:00.000Z" },
    };
    char text[CLOCK_ISO_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        clock_iso(vectors[i].wall_ms, text);
        assert_string_equal(text, vectors[i].text);
    }
}

static void times_are_read_back(void **state)
{
    static const struct {
        const char *text;
        int64_t wall_ms; /* -1 = refused */
    } vectors[] = {
        { "1970-01-01T00:00:00.000Z", 0 },
        { "2026-03-01T09:30:00.123Z", 1772357400123 },
        { "2026-03-01T09:30:00.1239Z", 1772357400123 },
        { "2026-03-01T09:30:00.5Z", 1772357400500 },
        { "2026-03-01T09:30:00Z", 1772357400000 },
        { "2026-03-01T09:30Z", 1772357400000 },
        { "2026-03-01T10:30+01:00", 1772357400000 },
        { "2026-03-01T04:00:00-05:30", 1772357400000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
        { "", -1 },
        { "2026-03-01", -1 },
        { "2026-03-01T09:30:00", -1 },
        { "2026-03-01T09:30:00Z ", -1 },
        { "2026-03-01T09:30:00.Z", -1 },
        { "2026-03-01 09:30:00Z", -1 },
        { "2026-02-29T00:00:00Z", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-03-01T24:00:00Z", -1 },
        { "2026-03-01T09:60:00Z", -1 },
        { "2026-03-01T09:30:00+24:00", -1 },
        { "1969-12-31T23:59:59Z", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        int64_t wall_ms = -1;

        if (clock_iso_parse(str_of(vectors[i].text), &wall_ms) != (vectors[i].wall_ms >= 0) ||
            wall_ms != vectors[i].wall_ms) {
            fail_msg("%s: %lld", vectors[i].text, (long long)wall_ms);
        }
    }
}

static void clocks_advance(void **state)
{
    uint64_t ns = clock_monotonic_ns(), ms = clock_monotonic_ms();

    (void)state;
    assert_true(clock_monotonic_ns() >= ns);
    assert_true(ms >= ns / 1000000);
    assert_true(clock_wall_ms() > 1700000000000);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const struct {
        struct str text;
        size_t len; /* of the first sequence; 0: malformed */
    } vectors[] = {
        { STR_INIT("a\xff"), 1 },
        { STR_INIT("\0"), 1 },
        { STR_INIT("\xc2\x80"), 2 },
        { STR_INIT("\xdf\xbf"), 2 },
        { STR_INIT("\xe0\xa0\x80"), 3 },
        { STR_INIT("\xed\x9f\xbf"), 3 },
        { STR_INIT("\xee\x80\x80"), 3 },
        { STR_INIT("\xef\xbf\xbf"), 3 },
        { STR_INIT("\xf0\x90\x80\x80"), 4 },
        { STR_INIT("\xf4\x8f\xbf\xbf"), 4 },
        { STR_INIT("\x80"), 0 },
        { STR_INIT("\xc0\x80"), 0 },
        { STR_INIT("\xc1\xbf"), 0 },
        { STR_INIT("\xc2"), 0 },
        { STR_INIT("\xc2\x41"), 0 },
        { STR_INIT("\xc2\xc2"), 0 },
        { STR_INIT("\xe0\x9f\xbf"), 0 },
        { STR_INIT("\xe2\x82"), 0 },
        { STR_INIT("\xe2\x82\x41"), 0 },
        { STR_INIT("\xed\xa0\x80"), 0 },
        { STR_INIT("\xf0\x8f\xbf\xbf"), 0 },
        { STR_INIT("\xf0\x9f\x98"), 0 },
        { STR_INIT("\xf4\x90\x80\x80"), 0 },
        { STR_INIT("\xf5\x80\x80\x80"), 0 },
        { STR_INIT("\xff"), 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        assert_int_equal(utf8_sequence(vectors[i].text), vectors[i].len);
    }
    assert_true(utf8_valid(STR_NONE));
    assert_true(utf8_valid(STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")));
    assert_false(utf8_valid(STR("gr\xc3\xbc\xc3")));
}

static void every_failure_has_a_code_a_status_and_a_text(void **state)
{
    (void)state;
    for (int err = OK; err <= ERR_INTERNAL; err++) {
        assert_true(strlen(err_code((enum err)err)) > 0);
        assert_true(strlen(err_text((enum err)err)) > 0);
        assert_in_range(err_http_status((enum err)err), 200, 599);
    }
    assert_string_equal(err_code(ERR_TOKEN_EXPIRED), "token_expired");
    assert_int_equal(err_http_status(ERR_TOKEN_EXPIRED), 401);
    assert_int_equal(err_http_status(OK), 200);
}

static void a_long_sentence_is_cut_and_none_is_needed(void **state)
{
    struct errmsg msg;

    (void)state;
    assert_int_equal(err_set(&msg, ERR_IO, "%0500d", 1), ERR_IO);
    assert_int_equal(strlen(msg.text), sizeof msg.text - 1);
    assert_int_equal(err_set(NULL, ERR_SYNTAX, "%s", "x"), ERR_SYNTAX);
}

static void a_gate_passes_once_a_second_and_counts_the_rest(void **state)
{
    struct log_gate gate = { 0 };
    unsigned suppressed = 99;

    (void)state;
    assert_true(log_gate_pass(&gate, &suppressed));
    assert_int_equal(suppressed, 0);
    gate.next_ms = UINT64_MAX; /* the second never ends */
    for (unsigned i = 0; i < 3; i++) {
        assert_false(log_gate_pass(&gate, &suppressed));
    }
    assert_int_equal(suppressed, 0);
    gate.next_ms = 0; /* it is over */
    assert_true(log_gate_pass(&gate, &suppressed));
    assert_int_equal(suppressed, 3);
    assert_int_equal(gate.suppressed, 0);
    assert_true(gate.next_ms > clock_monotonic_ms());
}

static void phone_numbers_are_masked_but_for_four_digits(void **state)
{
    (void)state;
    assert_string_equal(log_phone("4915112345678", 13).text, "***5678");
    assert_string_equal(log_phone("12345678", 8).text, "***5678");
    assert_string_equal(log_phone("1234567", 7).text, "***");
    assert_string_equal(log_phone("", 0).text, "***");
}

static void log_words_convert_both_ways(void **state)
{
    enum log_level level;
    enum log_format format;

    (void)state;
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        assert_true(log_level_parse(log_level_name((enum log_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_false(log_level_parse("loud", &level));
    assert_true(log_format_parse("json", &format));
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_false(log_format_parse("xml", &format));
}

/* What one record looks like on stderr; `ret` holds 512 bytes. */
static void capture(char *ret, enum log_level level, const char *value)
{
    int ends[2], kept = dup(STDERR_FILENO);
    ssize_t len;

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_write(level, LOG_NET, "some phrase", "key=%s", value);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    close(ends[1]);
    len = read(ends[0], ret, 511);
    close(ends[0]);
    assert_true(len >= 0);
    ret[len] = '\0';
}

static void a_record_is_one_line_whatever_a_peer_put_into_it(void **state)
{
    char line[512];

    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_set_format(LOG_FORMAT_TEXT);
    capture(line, LOG_LEVEL_WARN, "a\n<3>forged\x1b[0m");
    assert_string_equal(line + CLOCK_ISO_SIZE - 1,
                        " warn  net: some phrase key=a\\x0a<3>forged\\x1b[0m\n");
    setenv("JOURNAL_STREAM", "1:2", 1);
    capture(line, LOG_LEVEL_ERROR, "x");
    assert_string_equal(line, "<3>net: some phrase key=x\n");
    unsetenv("JOURNAL_STREAM");
}

static void json_records_parse(void **state)
{
    char line[512];
    json_t *record;

    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    capture(line, LOG_LEVEL_INFO, "\"a\\b\"\n");
    log_set_format(LOG_FORMAT_TEXT);
    record = json_loads(line, 0, NULL);
    assert_non_null(record);
    assert_string_equal(json_string_value(json_object_get(record, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(record, "area")), "net");
    assert_string_equal(json_string_value(json_object_get(record, "message")), "some phrase");
    assert_string_equal(json_string_value(json_object_get(record, "fields")), "key=\"a\\b\"\n");
    json_decref(record);
}

static void records_below_the_level_are_not_written(void **state)
{
    char line[512];

    (void)state;
    log_set_level(LOG_LEVEL_WARN);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    capture(line, LOG_LEVEL_INFO, "x");
    assert_string_equal(line, "");
    log_set_level(LOG_LEVEL_INFO);
}

struct entry {
    char key[16];
    unsigned value;
    UT_hash_handle hh;
};

static void a_map_finds_what_was_put_into_it(void **state)
{
    enum { COUNT = 5000 };
    static struct entry entries[COUNT];
    struct entry *map = NULL, *found;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(entries[i].key, sizeof entries[i].key, "key %u", i);
        entries[i].value = i;
        HASH_ADD_STR(map, key, &entries[i]);
    }
    assert_int_equal(HASH_COUNT(map), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        HASH_FIND_STR(map, entries[i].key, found);
        assert_ptr_equal(found, &entries[i]);
    }
    HASH_FIND_STR(map, "key 5000", found);
    assert_null(found);
    HASH_CLEAR(hh, map);
}

static void the_hash_depends_on_every_byte_and_on_the_length(void **state)
{
    char key[24] = { 0 };
    uint32_t first = map_hash(key, 20);
    unsigned equal = 0;

    (void)state;
    assert_int_equal(map_hash(key, 20), first);
    for (size_t len = 0; len < sizeof key; len++) {
        equal += len != 20 && map_hash(key, len) == first;
    }
    for (size_t i = 0; i < 20; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            key[i] = (char)(1u << bit);
            equal += map_hash(key, 20) == first;
            key[i] = 0;
        }
    }
    assert_in_range(equal, 0, 1); /* 183 keys of 32 bits: one chance collision is one in 10^7 */
}

/* The access mode of each of the descriptors 0 to 2 after all of them but the second were closed.
 */
static void reserve_two(bool usable, int modes[3])
{
    int saved[] = { dup(0), -1, dup(2) };

    close(0);
    close(2);
    process_reserve_streams(usable);
    for (int fd = 0; fd < 3; fd++) {
        modes[fd] = fcntl(fd, F_GETFL) & O_ACCMODE;
        if (saved[fd] >= 0) {
            dup2(saved[fd], fd);
            close(saved[fd]);
        }
    }
}

static void closed_streams_are_taken_and_open_ones_left(void **state)
{
    int before = fcntl(1, F_GETFL) & O_ACCMODE, modes[3];

    (void)state;
    reserve_two(true, modes);
    assert_int_equal(modes[0], O_RDWR);
    assert_int_equal(modes[1], before);
    assert_int_equal(modes[2], O_RDWR);
    reserve_two(false, modes);
    assert_int_equal(modes[0], O_WRONLY);
    assert_int_equal(modes[2], O_RDONLY);
}

struct seen {
    int released; /* the end of a pipe that is closed when the thread may go */
    bool takes_signals;
};

static void *look_around(void *arg)
{
    struct seen *seen = arg;
    sigset_t blocked;
    char byte;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    seen->takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1);
    (void)!read(seen->released, &byte, 1);
    return NULL;
}

static void a_thread_takes_no_signals_and_pushes_nobody_away(void **state)
{
    struct sched_param priority;
    struct seen seen = { 0 };
    sigset_t blocked;
    char name[16];
    pthread_t thread;
    int pipe_ends[2], policy;

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    seen.released = pipe_ends[0];
    thread_start(&thread, "looks around", look_around, &seen);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
    assert_int_equal(pthread_getname_np(thread, name, sizeof name), 0);
    assert_string_equal(name, "looks around");
    assert_int_equal(pthread_getschedparam(thread, &policy, &priority), 0);
    assert_int_equal(policy, sched_getscheduler(0) == SCHED_OTHER ? SCHED_BATCH : policy);
    close(pipe_ends[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(pipe_ends[0]);
    assert_false(seen.takes_signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_compare_by_length_and_bytes),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
        cmocka_unit_test(numbers_are_appended_in_full),
        cmocka_unit_test(formatted_text_of_any_length_is_appended),
        cmocka_unit_test(bytes_are_consumed_from_the_front),
        cmocka_unit_test(a_taken_buffer_is_the_callers),
        cmocka_unit_test(ids_are_digits_below_two_to_the_53rd),
        cmocka_unit_test(session_ids_are_twenty_url_safe_characters_and_differ),
        cmocka_unit_test(times_are_written_as_json_writes_a_date),
        cmocka_unit_test(times_are_read_back),
        cmocka_unit_test(clocks_advance),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(every_failure_has_a_code_a_status_and_a_text),
        cmocka_unit_test(a_long_sentence_is_cut_and_none_is_needed),
        cmocka_unit_test(a_gate_passes_once_a_second_and_counts_the_rest),
        cmocka_unit_test(phone_numbers_are_masked_but_for_four_digits),
        cmocka_unit_test(log_words_convert_both_ways),
        cmocka_unit_test(a_record_is_one_line_whatever_a_peer_put_into_it),
        cmocka_unit_test(json_records_parse),
        cmocka_unit_test(records_below_the_level_are_not_written),
        cmocka_unit_test(a_map_finds_what_was_put_into_it),
        cmocka_unit_test(the_hash_depends_on_every_byte_and_on_the_length),
        cmocka_unit_test(closed_streams_are_taken_and_open_ones_left),
        cmocka_unit_test(a_thread_takes_no_signals_and_pushes_nobody_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
