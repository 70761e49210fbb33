/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "clock.h"
#include "command.h"
#include "json.h"
#include "spread.h"
#include "values.h"

struct measure {
    int64_t began_ns, last_publish_ns;
    uint64_t frames, bytes, missed;
    struct spread gaps, ages; /* between two frames in a row; from capture to here */
};

struct hz {
    const struct command *command;
    int64_t interval_ns, wait_ns;
    uint32_t count;
    bool json, follow;
};

static void count_frame(struct measure *measure, const struct framebus_frame *frame)
{
    if (measure->last_publish_ns && !frame->missed)
        spread_add(&measure->gaps, frame->publish_ns - measure->last_publish_ns);
    spread_add(&measure->ages, now_ns() - frame->capture_ns);
    measure->last_publish_ns = frame->publish_ns;
    measure->frames++;
    measure->missed += frame->missed;
    measure->bytes += frame->size;
}

static void print_measure(const struct hz *hz, struct measure *measure)
{
    double seconds = (double)(now_ns() - measure->began_ns) / 1e9,
           megabytes = (double)measure->bytes / 1e6 / seconds;
    double mean = spread_mean(&measure->gaps), fps = mean > 0 ? 1e9 / mean : 0;
    double min = (double)spread_at(&measure->gaps, 0) / 1e6, max = (double)spread_at(&measure->gaps, 1) / 1e6;
    double deviation = spread_deviation(&measure->gaps) / 1e6;
    double age = (double)spread_at(&measure->ages, 0.5) / 1e6,
           p99 = (double)spread_at(&measure->ages, 0.99) / 1e6;

    if (hz->json) {
        struct json_object *object = json_object_new_object();

        add_rate(object, "seconds", seconds);
        add_number(object, "frames", measure->frames);
        add_rate(object, "fps", fps);
        add_rate(object, "gap_min_ms", min);
        add_rate(object, "gap_max_ms", max);
        add_rate(object, "gap_deviation_ms", deviation);
        add_rate(object, "age_median_ms", age);
        add_rate(object, "age_p99_ms", p99);
        add_rate(object, "megabytes_per_second", megabytes);
        add_number(object, "missed", measure->missed);
        print_json_line(object);
    } else if (measure->frames) {
        printf("%.2f Hz  gap %.2f to %.2f ms, deviation %.3f ms  age %.2f ms, 99 %% %.2f ms  %.1f MB/s  %ju "
               "missed\n",
               fps, min, max, deviation, age, p99, megabytes, (uintmax_t)measure->missed);
    } else {
        puts("no frames");
    }
    fflush(stdout);
}

static void begin_anew(struct measure *measure)
{
    spread_clear(&measure->gaps);
    spread_clear(&measure->ages);
    *measure = (struct measure){
        .began_ns = now_ns(),
        .last_publish_ns = measure->last_publish_ns,
        .gaps = measure->gaps,
        .ages = measure->ages,
    };
}

static int watch(const struct hz *hz, struct framebus_reader *reader)
{
    struct measure measure = {0};
    struct framebus_frame *frame;
    uint32_t printed = 0;
    int r = 0;

    begin_anew(&measure);
    while (!hz->count || printed < hz->count) {
        int64_t left = measure.began_ns + hz->interval_ns - now_ns();

        if (left <= 0) {
            print_measure(hz, &measure);
            begin_anew(&measure);
            printed++;
            continue;
        }
        r = framebus_reader_next(reader, &frame, left);
        if (r == 0) {
            count_frame(&measure, frame);
            framebus_reader_release(reader, frame);
        } else if (r != -ETIMEDOUT && r != -ENODATA) {
            break;
        }
    }
    spread_finish(&measure.gaps);
    spread_finish(&measure.ages);
    return r == -ECANCELED || r == -ETIMEDOUT || r == -ENODATA || r == 0 ? STATUS_DONE
                                                                         : call_error(hz->command);
}

static bool parse_option(struct hz *hz, int option, int *status)
{
    switch (option) {
    case 'i':
        return (parse_time(optarg, &hz->interval_ns) && hz->interval_ns) ||
               wrong_value(hz->command, "interval", "a time such as 1s", status);
    case 'n':
        return parse_number(optarg, 1, UINT32_MAX, &hz->count) ||
               wrong_value(hz->command, "count", "a number", status);
    case 'W':
        return parse_time(optarg, &hz->wait_ns) ||
               wrong_value(hz->command, "wait", "a time such as 10s", status);
    case 'f':
        hz->follow = true;
        return true;
    default:
        hz->json = true;
        return true;
    }
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"interval", required_argument, NULL, 'i'},
        {"count", required_argument, NULL, 'n'},
        {"wait", required_argument, NULL, 'W'},
        {"follow", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct hz hz = {.command = command, .interval_ns = NS_PER_S};
    struct framebus_reader_options wishes = {.label = "framebus hz"};
    struct framebus_reader *reader;
    int option, status;

    while ((option = next_option(command, argc, argv, "i:n:fjh", options, &status)) > 0)
        if (!parse_option(&hz, option, &status))
            return status;
    if (option == 0 || !check_operands(command, argc, argv, 1, 1, &status))
        return status;
    wishes.wait_ns = hz.wait_ns;
    wishes.follow = hz.follow;
    wishes.cancel_fd = catch_interrupts(0);
    if (framebus_reader_open(&reader, argv[optind], &wishes) < 0)
        return call_error(command);
    status = watch(&hz, reader);
    framebus_reader_close(reader);
    return status;
}

const struct command command_hz = {
    .name = "hz",
    .arguments = "[OPTION]... NAME",
    .summary = "measure the rate of a bus, its jitter and age",
    .help = "Reads a bus and prints a line for each interval, until it is interrupted or the writer goes:\n"
            "\n"
            "  Hz         frames published a second, from the times when they were published\n"
            "  gap        from one frame to the next: the shortest, the longest, the standard deviation\n"
            "  age        from capture until the frame was taken here: the median, and what 99 of 100 stay "
            "below\n"
            "  MB/s       bytes of the frames taken, in millions a second\n"
            "  missed     frames that were not, because this reader was too slow\n"
            "\n"
            "Options:\n"
            "  -i, --interval TIME  between two lines [1s]\n"
            "  -n, --count N        end after so many lines\n"
            "      --wait TIME      wait so long for a writer [not at all]\n"
            "  -f, --follow         go on with the next writer when this one goes\n"
            "  -j, --json           print an object a line\n"
            "  -h, --help           show this text\n",
    .run = run,
};
