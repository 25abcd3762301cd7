/* Deliveries are begun in the order of the plan, each when it is due and there is room. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "sioctl/replay/replay.h"

/* Bodies above this are parsed on another thread of siod's: what comes behind could overtake. */
enum { LARGE_BODY = 64 * 1024 };

const struct replay_record *replay_record_of(const struct replay *replay, size_t step)
{
    return &replay->records.list[replay->plan.steps[step].record];
}

bool replay_accepted(const json_t *answer)
{
    return json_integer_value(json_object_get(answer, "status")) == 200;
}

static json_t *row_of(const struct replay *replay, size_t step)
{
    json_t *row = json_object();

    json_object_set_new(row, "file", json_text(str_of(replay_record_of(replay, step)->name)));
    json_object_update(row, replay->answers[step]);
    if (replay->plan.steps[step].copy > 0) {
        json_object_set_new(row, "copy", json_integer(replay->plan.steps[step].copy));
    }
    return row;
}

/* In the order of the plan. */
static void print_answers(struct replay *replay)
{
    while (replay->printed < replay->plan.count && replay->answers[replay->printed] != NULL) {
        if (!replay->silent && !replay->unread) {
            autojson json_t *row = row_of(replay, replay->printed);

            replay->unread = !output_record(&replay->session->out, row);
        }
        replay->printed++;
    }
}

static void forget_under(struct replay *replay, size_t step)
{
    for (size_t i = 0; i < replay->sender->room; i++) {
        if (replay->under[i] == step + 1) {
            replay->under[i] = 0;
        }
    }
}

static void remember_under(struct replay *replay, size_t step)
{
    for (size_t i = 0; i < replay->sender->room; i++) {
        if (replay->under[i] == 0) {
            replay->under[i] = step + 1;
            return;
        }
    }
}

static void on_answer(void *arg, size_t step, json_t *answer)
{
    struct replay *replay = arg;

    replay->large = false;
    replay->answers[step] = json_incref(answer);
    replay->answered++;
    replay->accepted += replay_accepted(answer);
    if (replay->parted) {
        forget_under(replay, step);
    }
}

/* Is something under way that concerns the same chat? A copy may meet what it copies: that is what
 * it is for. */
static bool shares_chat(const struct replay *replay)
{
    size_t set = replay_record_of(replay, replay->started)->set;

    for (size_t i = 0; i < replay->sender->room; i++) {
        if (replay->under[i] > 0 && replay_record_of(replay, replay->under[i] - 1)->set == set) {
            return replay->plan.steps[replay->started].copy == 0;
        }
    }
    return false;
}

/* Is there anything that it would overtake, or be overtaken by? */
static bool must_wait(const struct replay *replay)
{
    bool large = replay_record_of(replay, replay->started)->body.len > LARGE_BODY;

    if (replay->sender->under == 0) {
        return false;
    }
    return replay->sender->keeps_order ? large || replay->large
                                       : replay->parted && shares_chat(replay);
}

static bool has_room(const struct replay *replay)
{
    return replay->started < replay->plan.count && replay->sender->under < replay->sender->room &&
           !must_wait(replay);
}

static void start_due(struct replay *replay, uint64_t start_ns)
{
    while (has_room(replay)) {
        const struct replay_step *step = &replay->plan.steps[replay->started];
        const struct replay_record *record = replay_record_of(replay, replay->started);

        if (step->due_us > 0 && start_ns + step->due_us * 1000 > clock_monotonic_ns()) {
            return;
        }
        replay->large = record->body.len > LARGE_BODY;
        if (replay->parted) {
            remember_under(replay, replay->started);
        }
        replay->sender->ops->send(replay->sender, replay->started++, record);
    }
}

/* Rows may be all that is wanted. */
static bool is_left(const struct replay *replay)
{
    return replay->unread && !replay->judged;
}

enum exit_code replay_run(struct replay *replay)
{
    uint64_t start_ns = clock_monotonic_ns();
    enum exit_code code = EXIT_DONE;

    replay->sender->answered = on_answer;
    replay->sender->arg = replay;
    while (replay->answered < replay->plan.count && code == EXIT_DONE && !is_left(replay)) {
        uint64_t until_ns = UINT64_MAX;

        start_due(replay, start_ns);
        if (has_room(replay)) {
            until_ns = start_ns + replay->plan.steps[replay->started].due_us * 1000;
        }
        if (replay->answered < replay->plan.count) {
            code = replay->sender->ops->wait(replay->sender, until_ns);
        }
        print_answers(replay);
    }
    return code;
}
