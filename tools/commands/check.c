/* SPDX-License-Identifier: MIT */
/* framebus check: judges a bus by conditions. */
#include "again.h"
#include "cli/clock.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "json.h"
#include "observer.h"
#include "terminal.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

#define STATUS_NOTHING 3              /* there was nothing to judge */
#define FIRST_FRAME_NS (2 * NS_PER_S) /* the first frame may take at least this long */

enum condition_name {
    FRAMES_COME,
    MIN_FPS,
    MAX_FPS,
    MAX_AGE,
    MAX_MISSED,
    NOT_FROZEN,
    NOT_BLACK,
    TEST,
    UNALTERED,
    CONDITIONS,
};

enum verdict {
    UNASKED,
    MET,
    FAILED,
};

/* A condition, and the verdict. */
struct condition {
    bool asked;
    double limit; /* frames a second, seconds or frames */
    enum verdict verdict;
    double value;
    char text[160];
};

struct check {
    const char *bus;
    bool json, lossless;
    int64_t duration_ns, wait_ns;
    struct condition condition[CONDITIONS];
    struct observer seen;
    char format[128];
};

static const char *const condition_names[CONDITIONS] = {
    [FRAMES_COME] = "frames",    [MIN_FPS] = "min-fps",
    [MAX_FPS] = "max-fps",       [MAX_AGE] = "max-age",
    [MAX_MISSED] = "max-missed", [NOT_FROZEN] = "not-frozen",
    [NOT_BLACK] = "not-black",   [TEST] = "test",
    [UNALTERED] = "unaltered",
};

/* ---- Judging ---- */

static void condition_judge(struct condition *condition, bool met, double value, const char *text, ...)
    FRAMEBUS_PRINTF(4, 5);

static void condition_judge(struct condition *condition, bool met, double value, const char *text, ...)
{
    va_list arguments;
    if (!condition->asked)
        return;
    condition->verdict = met ? MET : FAILED;
    condition->value = value;
    va_start(arguments, text);
    vsnprintf(condition->text, sizeof condition->text, text, arguments);
    va_end(arguments);
}

static void check_judge_pace(struct check *check)
{
    struct observer *seen = &check->seen;
    double fps = observer_rate(seen), oldest = (double)spread_at(&seen->ages, 1) / 1e9;
    struct condition *min = &check->condition[MIN_FPS], *max = &check->condition[MAX_FPS];
    struct condition *age = &check->condition[MAX_AGE], *missed = &check->condition[MAX_MISSED];
    condition_judge(&check->condition[FRAMES_COME], seen->frames > 0, (double)seen->frames, "%ju frames came",
                    (uintmax_t)seen->frames);
    condition_judge(min, fps >= min->limit, fps, "%.2f frames a second, at least %g wanted", fps, min->limit);
    condition_judge(max, fps <= max->limit, fps, "%.2f frames a second, at most %g wanted", fps, max->limit);
    condition_judge(age, seen->frames && oldest <= age->limit, oldest,
                    "the oldest frame was %.1f ms old, at most %g ms wanted", oldest * 1e3, age->limit * 1e3);
    condition_judge(missed, (double)seen->missed <= missed->limit, (double)seen->missed,
                    "%ju frames missed, at most %.0f wanted", (uintmax_t)seen->missed, missed->limit);
}

static void check_judge_picture(struct check *check)
{
    struct observer *seen = &check->seen;
    struct condition *frozen = &check->condition[NOT_FROZEN], *black = &check->condition[NOT_BLACK];
    struct condition *test = &check->condition[TEST], *unaltered = &check->condition[UNALTERED];
    double still = (double)seen->still_ns / 1e9;
    condition_judge(frozen, seen->samples && still < frozen->limit, still,
                    "the picture stood still for %.2f s, less than %g s wanted", still, frozen->limit);
    if (!seen->can_see)
        condition_judge(black, false, 0, "the brightness of %s cannot be measured", check->format);
    else
        condition_judge(black, seen->black < seen->samples, (double)seen->black,
                        "%ju of %ju pictures were black", (uintmax_t)seen->black, (uintmax_t)seen->samples);
    if (!seen->is_test) {
        condition_judge(test, false, 0, "these are not the pictures of 'framebus test'");
        condition_judge(unaltered, false, 0, "these are not the pictures of 'framebus test'");
        return;
    }
    uint64_t bad = seen->torn + seen->doubled + seen->lost + seen->backward;
    condition_judge(test, !bad, (double)bad, "%ju torn, %ju doubled, %ju lost, %ju out of order",
                    (uintmax_t)seen->torn, (uintmax_t)seen->doubled, (uintmax_t)seen->lost,
                    (uintmax_t)seen->backward);
    condition_judge(unaltered, !seen->altered, (double)seen->altered, "%ju pictures altered",
                    (uintmax_t)seen->altered);
}

/* ---- Reading ---- */

/* 0 if there is something to judge. */
static int check_read(struct check *check, struct framebus_reader *reader)
{
    struct observer *seen = &check->seen;
    int64_t wait_ns = check->duration_ns > FIRST_FRAME_NS ? check->duration_ns : FIRST_FRAME_NS;
    int64_t now, end = clock_now() + wait_ns;
    struct framebus_frame *frame;
    int r = 0;
    while ((r == 0 || r == -ETIMEDOUT) && (now = clock_now()) < end) {
        r = reader_next_again(reader, &frame, end - now);
        if (r)
            continue;
        if (!seen->frames) { /* the time counts from the first frame on */
            framebus_format_describe(frame->format, check->format, sizeof check->format);
            end = clock_now() + check->duration_ns;
        }
        observer_see(seen, frame);
        framebus_reader_release(reader, frame);
    }
    observer_end(seen);
    /* Interrupted, or the end of the stream: the frames so far are judged. */
    return r == -ETIMEDOUT || r == 0 || ((r == -ECANCELED || r == -ENODATA) && seen->frames) ? 0 : r;
}

static int check_read_bus(struct check *check)
{
    struct framebus_reader_options options = {
        .wait_ns = check->wait_ns,
        .delivery = check->lossless ? FRAMEBUS_DELIVERY_LOSSLESS : FRAMEBUS_DELIVERY_LIVE,
        .cancel_fd = interrupts_open(0, STATUS_NOTHING),
        .label = "framebus check",
    };
    struct framebus_reader *reader;
    int r = reader_open_again(&reader, check->bus, options);
    if (!r)
        r = check_read(check, reader);
    if (r)
        report_error("%s", framebus_last_error());
    framebus_reader_close(reader);
    return r;
}

/* ---- Printing ---- */

static struct json_object *json_of_test(const struct observer *seen)
{
    struct json_object *object = json_object_new_object();
    json_add_number(object, "whole", seen->whole);
    json_add_number(object, "altered", seen->altered);
    json_add_number(object, "torn", seen->torn);
    json_add_number(object, "doubled", seen->doubled);
    json_add_number(object, "lost", seen->lost);
    json_add_number(object, "backward", seen->backward);
    return object;
}

static struct json_object *json_of_conditions(const struct check *check)
{
    struct json_object *array = json_object_new_array();
    for (unsigned i = 0; i < CONDITIONS; i++) {
        const struct condition *condition = &check->condition[i];
        struct json_object *object;
        if (!condition->asked)
            continue;
        object = json_object_new_object();
        json_add_text(object, "name", condition_names[i]);
        json_add_bool(object, "met", condition->verdict == MET);
        json_add_rate(object, "value", condition->value);
        json_add_rate(object, "limit", condition->limit);
        json_add_text(object, "text", condition->text);
        json_object_array_add(array, object);
    }
    return array;
}

static void check_print_json(struct check *check, bool met)
{
    struct json_object *object = json_object_new_object();
    struct observer *seen = &check->seen;
    json_add_text(object, "bus", check->bus);
    json_add_bool(object, "ok", met);
    json_add_text(object, "format", check->format);
    json_add_number(object, "frames", seen->frames);
    json_add_number(object, "missed", seen->missed);
    json_add_rate(object, "fps", observer_rate(seen));
    json_add_rate(object, "age_median_ms", (double)spread_at(&seen->ages, 0.5) / 1e6);
    json_add_rate(object, "age_p99_ms", (double)spread_at(&seen->ages, 0.99) / 1e6);
    json_add_rate(object, "age_max_ms", (double)spread_at(&seen->ages, 1) / 1e6);
    json_add_rate(object, "still_s", (double)seen->still_ns / 1e9);
    json_object_object_add(object, "black",
                           seen->can_see ? json_object_new_boolean(seen->black == seen->samples) : NULL);
    json_object_object_add(object, "test", seen->is_test ? json_of_test(seen) : NULL);
    json_object_object_add(object, "conditions", json_of_conditions(check));
    json_print(object);
}

static void check_print(struct check *check)
{
    struct observer *seen = &check->seen;
    printf("%s: %s, %.2f frames a second, age %.1f ms (99 %%: %.1f ms), %ju missed\n", check->bus,
           check->format, observer_rate(seen), (double)spread_at(&seen->ages, 0.5) / 1e6,
           (double)spread_at(&seen->ages, 0.99) / 1e6, (uintmax_t)seen->missed);
    if (seen->is_test && !check->condition[TEST].asked)
        printf("test picture: %ju torn, %ju doubled, %ju lost, %ju out of order, %ju altered\n",
               (uintmax_t)seen->torn, (uintmax_t)seen->doubled, (uintmax_t)seen->lost,
               (uintmax_t)seen->backward, (uintmax_t)seen->altered);
    for (unsigned i = 0; i < CONDITIONS; i++) {
        const struct condition *condition = &check->condition[i];
        if (!condition->asked)
            continue;
        print_styled(condition->verdict == MET ? "  ok      " : "  FAILED  ",
                     condition->verdict == MET ? STYLE_GREEN : STYLE_RED);
        printf("%-12s%s\n", condition_names[i], condition->text);
    }
}

static int check_judge(struct check *check)
{
    bool met = true;
    if (check_read_bus(check))
        return STATUS_NOTHING;
    check->condition[FRAMES_COME].asked = true;
    check_judge_pace(check);
    check_judge_picture(check);
    for (unsigned i = 0; i < CONDITIONS; i++)
        met = met && check->condition[i].verdict != FAILED;
    if (check->json)
        check_print_json(check, met);
    else
        check_print(check);
    return met ? STATUS_DONE : STATUS_FAILED;
}

/* ---- Options ---- */

static const char *condition_amount(const char *text, void *field)
{
    struct condition *condition = field;
    condition->asked = true;
    return value_amount(text, &condition->limit);
}

/* `text` may be NULL: the limit stays 0. */
static const char *condition_time(const char *text, void *field)
{
    struct condition *condition = field;
    int64_t ns = 0;
    const char *wrong = text ? value_duration(text, &ns) : NULL;
    condition->asked = true;
    condition->limit = (double)ns / 1e9;
    return wrong;
}

static int check_run(int argc, char **argv)
{
    struct check check = {.duration_ns = 2 * NS_PER_S};
    struct condition *frozen = &check.condition[NOT_FROZEN];
    int status;
    if (!options_read(&command_check.usage, argc, argv, &check, &status))
        return status;
    if (frozen->limit <= 0) /* a second, or nearly all of a shorter time */
        frozen->limit = check.duration_ns < NS_PER_S * 10 / 9 ? (double)check.duration_ns * 0.9e-9 : 1;
    check.seen.sample_every_ns = frozen->limit < 1 ? (int64_t)(frozen->limit / 4 * 1e9) : NS_PER_S / 4;
    check.bus = argv[optind];
    status = check_judge(&check);
    observer_finish(&check.seen);
    return status;
}

#define CONDITION(name) offsetof(struct check, condition[name])
#define ASKED(name)     offsetof(struct check, condition[name].asked)

static const struct option_row check_options[] = {
    {.help = "Conditions"},
    {"min-fps", 0, "N", condition_amount, CONDITION(MIN_FPS), "at least N frames a second arrive here"},
    {"max-fps", 0, "N", condition_amount, CONDITION(MAX_FPS), "at most N frames a second arrive here"},
    {"max-age", 0, "TIME", condition_time, CONDITION(MAX_AGE),
     "no frame is older than TIME when it arrives, from its capture on"},
    {"max-missed", 0, "N", condition_amount, CONDITION(MAX_MISSED), "this reader misses at most N frames"},
    {"not-frozen", 0, "[=TIME]", condition_time, CONDITION(NOT_FROZEN),
     "the picture never stands still for TIME [1s, or all the time]"},
    {"not-black", 0, NULL, NULL, ASKED(NOT_BLACK), "not every picture is black"},
    {"test", 0, NULL, NULL, ASKED(TEST),
     "the pictures are those of 'framebus test', and none is torn, doubled, lost or out of order; frames "
     "that "
     "this reader misses count for --max-missed only"},
    {"unaltered", 0, NULL, NULL, ASKED(UNALTERED),
     "the pictures are those of 'framebus test', as they were made"},
    {.help = "Options"},
    {"for", 0, "TIME", value_duration, offsetof(struct check, duration_ns),
     "measure for TIME after the first frame [2s]; wait for that frame as long, but at least 2s"},
    {"wait", 0, "TIME", value_duration, offsetof(struct check, wait_ns),
     "wait at most TIME for a writer [do not wait]"},
    {"lossless", 'l', NULL, NULL, offsetof(struct check, lossless), "read losslessly: the writer waits"},
    {"json", 'j', NULL, NULL, offsetof(struct check, json),
     "print an object: ok, frames, fps, ages, test, conditions"},
    {0},
};

static const struct usage_term check_statuses[] = {
    {"0", "all conditions are met"},
    {"1", "one of them is not; the output says which"},
    {"2", "wrong command line"},
    {"3", "there was nothing to judge: no bus, no access, or the writer has gone"},
    {0},
};

const struct command command_check = {
    .usage =
        {
            .name = "framebus check",
            .arguments = "[OPTION]... NAME",
            .summary = "judge a bus: rate, age, missed, frozen, black",
            .text = "Reads a bus for a while and says whether all conditions are met: for health probes and "
                    "tests. One condition is always there: that frames come at all.",
            .options = check_options,
            .notes = "A TIME is a number with ms, s, m or h.",
            .statuses = check_statuses,
            .examples = "framebus check --min-fps 55 --max-age 50ms --max-missed 0 --not-frozen --not-black "
                        "--for 10s cam0\n",
            .operand = {"the name of a bus"},
        },
    .run = check_run,
};
