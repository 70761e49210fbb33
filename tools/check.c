/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "json.h"
#include "observer.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "values.h"

#define STATUS_NOTHING 3              /* there was nothing to judge */
#define FIRST_FRAME    (2 * NS_PER_S) /* is waited for so long at the least */

enum condition_name {
    COME,
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

/* What was asked, and what came of it. */
struct condition {
    bool asked;
    double limit; /* frames a second, seconds or frames */
    enum verdict verdict;
    double value;
    char text[160];
};

struct check {
    const struct command *command;
    const char *bus;
    bool json;
    int64_t duration_ns, wait_ns;
    enum framebus_delivery delivery;
    struct condition condition[CONDITIONS];
    struct observer seen;
    char format[128];
};

static const char *const names[CONDITIONS] = {
    [COME] = "frames",           [MIN_FPS] = "min-fps",
    [MAX_FPS] = "max-fps",       [MAX_AGE] = "max-age",
    [MAX_MISSED] = "max-missed", [NOT_FROZEN] = "not-frozen",
    [NOT_BLACK] = "not-black",   [TEST] = "test",
    [UNALTERED] = "unaltered",
};

/* ---- Judging ---- */

static void judge(struct condition *condition, bool met, double value, const char *text, ...)
    FRAMEBUS_PRINTF(4, 5);

static void judge(struct condition *condition, bool met, double value, const char *text, ...)
{
    va_list arguments;

    if (!condition->asked)
        return;
    condition->verdict = met ? MET : FAILED;
    condition->value = value;
    va_start(arguments, text);
    vsnprintf(condition->text, sizeof(condition->text), text, arguments);
    va_end(arguments);
}

static void judge_pace(struct check *check)
{
    struct observer *seen = &check->seen;
    double fps = observer_rate(seen), oldest = (double)spread_at(&seen->ages, 1) / 1e9;
    struct condition *min = &check->condition[MIN_FPS], *max = &check->condition[MAX_FPS];
    struct condition *age = &check->condition[MAX_AGE], *missed = &check->condition[MAX_MISSED];

    judge(&check->condition[COME], seen->frames > 0, (double)seen->frames, "%ju frames came",
          (uintmax_t)seen->frames);
    judge(min, fps >= min->limit, fps, "%.2f frames a second, at least %g wanted", fps, min->limit);
    judge(max, fps <= max->limit, fps, "%.2f frames a second, at most %g wanted", fps, max->limit);
    judge(age, seen->frames && oldest <= age->limit, oldest,
          "the oldest frame was %.1f ms old, at most %g ms wanted", oldest * 1e3, age->limit * 1e3);
    judge(missed, (double)seen->missed <= missed->limit, (double)seen->missed,
          "%ju frames missed, at most %.0f wanted", (uintmax_t)seen->missed, missed->limit);
}

static void judge_picture(struct check *check)
{
    struct observer *seen = &check->seen;
    struct condition *frozen = &check->condition[NOT_FROZEN], *black = &check->condition[NOT_BLACK];
    struct condition *test = &check->condition[TEST], *unaltered = &check->condition[UNALTERED];
    double still = (double)seen->still_ns / 1e9;

    judge(frozen, seen->looks && still < frozen->limit, still,
          "the picture stood still for %.2f s, less than %g s wanted", still, frozen->limit);
    if (!seen->can_see)
        judge(black, false, 0, "the brightness of %s cannot be told", check->format);
    else
        judge(black, seen->black < seen->looks, (double)seen->black, "%ju of %ju pictures were black",
              (uintmax_t)seen->black, (uintmax_t)seen->looks);
    if (!seen->is_test) {
        judge(test, false, 0, "these are not the pictures of 'framebus test'");
        judge(unaltered, false, 0, "these are not the pictures of 'framebus test'");
        return;
    }
    uint64_t bad = seen->torn + seen->doubled + seen->lost + seen->backward;
    judge(test, !bad, (double)bad, "%ju torn, %ju doubled, %ju lost, %ju out of order", (uintmax_t)seen->torn,
          (uintmax_t)seen->doubled, (uintmax_t)seen->lost, (uintmax_t)seen->backward);
    judge(unaltered, !seen->altered, (double)seen->altered, "%ju pictures altered", (uintmax_t)seen->altered);
}

/* ---- Looking ---- */

/* 0 if there is something to judge. */
static int look(struct check *check, struct framebus_reader *reader)
{
    struct observer *seen = &check->seen;
    int64_t end = now_ns() + (check->duration_ns > FIRST_FRAME ? check->duration_ns : FIRST_FRAME), now;
    struct framebus_frame *frame;
    int r = 0;

    while ((r == 0 || r == -ETIMEDOUT) && (now = now_ns()) < end) {
        r = framebus_reader_next(reader, &frame, end - now);
        if (r)
            continue;
        if (!seen->frames) { /* the time counts from the first frame on */
            framebus_format_describe(frame->format, check->format, sizeof(check->format));
            end = now_ns() + check->duration_ns;
        }
        observer_see(seen, frame);
        framebus_reader_release(reader, frame);
    }
    observer_end(seen);
    /* Interrupted, or the end of the stream: what has been seen is judged. */
    return r == -ETIMEDOUT || r == 0 || ((r == -ECANCELED || r == -ENODATA) && seen->frames) ? 0 : r;
}

static int look_at_bus(struct check *check)
{
    struct framebus_reader_options options = {
        .wait_ns = check->wait_ns,
        .delivery = check->delivery,
        .cancel_fd = catch_interrupts(0),
        .label = "framebus check",
    };
    struct framebus_reader *reader;
    int r = framebus_reader_open(&reader, check->bus, &options);

    if (!r)
        r = look(check, reader);
    if (r)
        call_error(check->command);
    framebus_reader_close(reader);
    return r;
}

/* ---- Telling ---- */

static struct json_object *json_of_test(const struct observer *seen)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "whole", seen->whole);
    add_number(object, "altered", seen->altered);
    add_number(object, "torn", seen->torn);
    add_number(object, "doubled", seen->doubled);
    add_number(object, "lost", seen->lost);
    add_number(object, "backward", seen->backward);
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
        add_text(object, "name", names[i]);
        add_bool(object, "met", condition->verdict == MET);
        add_rate(object, "value", condition->value);
        add_rate(object, "limit", condition->limit);
        add_text(object, "text", condition->text);
        json_object_array_add(array, object);
    }
    return array;
}

static void tell_json(struct check *check, bool met)
{
    struct json_object *object = json_object_new_object();
    struct observer *seen = &check->seen;

    add_text(object, "bus", check->bus);
    add_bool(object, "ok", met);
    add_text(object, "format", check->format);
    add_number(object, "frames", seen->frames);
    add_number(object, "missed", seen->missed);
    add_rate(object, "fps", observer_rate(seen));
    add_rate(object, "age_median_ms", (double)spread_at(&seen->ages, 0.5) / 1e6);
    add_rate(object, "age_p99_ms", (double)spread_at(&seen->ages, 0.99) / 1e6);
    add_rate(object, "age_max_ms", (double)spread_at(&seen->ages, 1) / 1e6);
    add_rate(object, "still_s", (double)seen->still_ns / 1e9);
    json_object_object_add(object, "black",
                           seen->can_see ? json_object_new_boolean(seen->black == seen->looks) : NULL);
    json_object_object_add(object, "test", seen->is_test ? json_of_test(seen) : NULL);
    json_object_object_add(object, "conditions", json_of_conditions(check));
    print_json(object);
}

static void tell(struct check *check)
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
        printf("%-12s%s\n", names[i], condition->text);
    }
}

static int run_check(struct check *check)
{
    bool met = true;

    if (look_at_bus(check))
        return STATUS_NOTHING;
    check->condition[COME].asked = true;
    judge_pace(check);
    judge_picture(check);
    for (unsigned i = 0; i < CONDITIONS; i++)
        met = met && check->condition[i].verdict != FAILED;
    if (check->json)
        tell_json(check, met);
    else
        tell(check);
    return met ? STATUS_DONE : STATUS_FAILED;
}

/* ---- Asking ---- */

static bool parse_limit_time(const char *text, double *seconds)
{
    int64_t ns;

    if (!parse_time(text, &ns))
        return false;
    *seconds = (double)ns / 1e9;
    return true;
}

static bool parse_option(struct check *check, int option, int *status)
{
    struct condition *condition = check->condition;

    switch (option) {
    case 'j':
        check->json = true;
        return true;
    case 'l':
        check->delivery = FRAMEBUS_DELIVERY_LOSSLESS;
        return true;
    case 'F':
        return (parse_time(optarg, &check->duration_ns) && check->duration_ns) ||
               wrong_value(check->command, "for", "a time such as 10s or 500ms", status);
    case 'W':
        return parse_time(optarg, &check->wait_ns) ||
               wrong_value(check->command, "wait", "a time such as 10s", status);
    }
    option -= 256;
    condition[option].asked = true;
    if (!optarg)
        return true;
    if (option == MAX_AGE || option == NOT_FROZEN)
        return parse_limit_time(optarg, &condition[option].limit) ||
               wrong_value(check->command, names[option], "a time such as 50ms", status);
    return parse_real(optarg, &condition[option].limit) ||
           wrong_value(check->command, names[option], "a number", status);
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"min-fps", required_argument, NULL, 256 + MIN_FPS},
        {"max-fps", required_argument, NULL, 256 + MAX_FPS},
        {"max-age", required_argument, NULL, 256 + MAX_AGE},
        {"max-missed", required_argument, NULL, 256 + MAX_MISSED},
        {"not-frozen", optional_argument, NULL, 256 + NOT_FROZEN},
        {"not-black", no_argument, NULL, 256 + NOT_BLACK},
        {"test", no_argument, NULL, 256 + TEST},
        {"unaltered", no_argument, NULL, 256 + UNALTERED},
        {"for", required_argument, NULL, 'F'},
        {"wait", required_argument, NULL, 'W'},
        {"lossless", no_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct check check = {.command = command, .duration_ns = 2 * NS_PER_S};
    struct condition *frozen = &check.condition[NOT_FROZEN];
    int option, status;

    while ((option = next_option(command, argc, argv, "jlh", options, &status)) > 0)
        if (!parse_option(&check, option, &status))
            return status;
    if (option == 0 || !check_operands(command, argc, argv, 1, 1, &status))
        return status;
    if (frozen->limit <= 0) /* a second, or for as long as one looks */
        frozen->limit = check.duration_ns < NS_PER_S * 10 / 9 ? (double)check.duration_ns * 0.9e-9 : 1;
    check.seen.look_every_ns = frozen->limit < 1 ? (int64_t)(frozen->limit / 4 * 1e9) : NS_PER_S / 4;
    check.bus = argv[optind];
    status = run_check(&check);
    observer_finish(&check.seen);
    return status;
}

const struct command command_check = {
    .name = "check",
    .arguments = "[OPTION]... NAME",
    .summary = "judge a bus: rate, age, missed, frozen, black",
    .help =
        "Reads a bus for a while and says whether all conditions are met: for health probes and tests.\n"
        "That frames come at all is always one of them.\n"
        "\n"
        "Conditions:\n"
        "      --min-fps N        at least so many frames a second arrive here\n"
        "      --max-fps N        at most so many do\n"
        "      --max-age TIME     no frame is older when it arrives, counted from its capture\n"
        "      --max-missed N     this reader misses at most so many frames\n"
        "      --not-frozen[=TIME]\n"
        "                         the picture does not stand still so long [1s, or all the time]\n"
        "      --not-black        not every picture is black\n"
        "      --test             the pictures are those of 'framebus test', and none is torn, doubled, lost "
        "or\n"
        "                         out of order; frames that this reader misses are --max-missed's affair\n"
        "      --unaltered        the pictures are those of 'framebus test', as they were made\n"
        "\n"
        "Options:\n"
        "      --for TIME         look so long, from the first frame on [2s]; wait as long for that,\n"
        "                         but 2s at the least\n"
        "      --wait TIME        wait so long for a writer [not at all]\n"
        "  -l, --lossless         as a lossless reader, for which the writer waits\n"
        "  -j, --json             print an object: ok, frames, fps, ages, test, conditions\n"
        "  -h, --help             show this text\n"
        "\n"
        "A TIME is a number with ms, s, m or h. Exit status: 0 all conditions are met, 1 one is not, 2 "
        "wrong\n"
        "command line, 3 nothing to judge: no bus, no access, or the writer has gone.\n"
        "\n"
        "Example:\n"
        "  framebus check --min-fps 55 --max-age 50ms --max-missed 0 --not-frozen --not-black --for 10s "
        "cam0\n",
    .run = run,
};
