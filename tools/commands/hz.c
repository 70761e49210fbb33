/* SPDX-License-Identifier: MIT */
/* framebus hz: measures the rate of a bus, its jitter and age. */
#include "again.h"
#include "cli/clock.h"
#include "cli/values.h"
#include "command.h"
#include "elsewhere.h"
#include "framebus.h"
#include "interrupts.h"
#include "json.h"
#include "spread.h"

#include <errno.h>
#include <json-c/json.h>

struct measure {
    int64_t began_ns, last_publish_ns;
    uint64_t frames, bytes, missed;
    uint32_t flags;           /* that any of them had */
    struct spread gaps, ages; /* between two frames in a row; from capture to here */
    struct spread delays;     /* from publication to here */
};

struct hz {
    int64_t interval_ns, wait_ns;
    uint64_t count;      /* lines; 0: no end */
    uint64_t anticipate; /* percent of a processor */
    bool json, follow;
};

static void measure_add(struct measure *measure, const struct framebus_frame *frame)
{
    if (measure->last_publish_ns && !frame->missed)
        spread_add(&measure->gaps, frame->publish_ns - measure->last_publish_ns);
    spread_add(&measure->ages, clock_now() - frame->capture_ns);
    spread_add(&measure->delays, clock_now() - frame->publish_ns);
    measure->last_publish_ns = frame->publish_ns;
    measure->frames++;
    measure->missed += frame->missed;
    measure->bytes += frame->size;
    measure->flags |= frame->flags;
}

static void measure_print(const struct hz *hz, struct measure *measure)
{
    double seconds = (double)(clock_now() - measure->began_ns) / 1e9,
           megabytes = (double)measure->bytes / 1e6 / seconds;
    double mean = spread_mean(&measure->gaps), fps = mean > 0 ? 1e9 / mean : 0;
    double min = (double)spread_at(&measure->gaps, 0) / 1e6, max = (double)spread_at(&measure->gaps, 1) / 1e6;
    double deviation = spread_deviation(&measure->gaps) / 1e6;
    double age = (double)spread_at(&measure->ages, 0.5) / 1e6,
           p99 = (double)spread_at(&measure->ages, 0.99) / 1e6,
           delay = (double)spread_at(&measure->delays, 0.5) / 1e3;
    char flags[128];
    framebus_flags_describe(measure->flags, flags, sizeof flags);
    if (hz->json) {
        struct json_object *object = json_object_new_object();
        json_add_rate(object, "seconds", seconds);
        json_add_number(object, "frames", measure->frames);
        json_add_rate(object, "fps", fps);
        json_add_rate(object, "gap_min_ms", min);
        json_add_rate(object, "gap_max_ms", max);
        json_add_rate(object, "gap_deviation_ms", deviation);
        json_add_rate(object, "age_median_ms", age);
        json_add_rate(object, "age_p99_ms", p99);
        json_add_rate(object, "delay_median_us", delay);
        json_add_rate(object, "megabytes_per_second", megabytes);
        json_add_number(object, "missed", measure->missed);
        json_add_text(object, "flags", flags);
        json_print_line(object);
    } else if (measure->frames) {
        printf("%.2f Hz  gap %.2f to %.2f ms, deviation %.3f ms  age %.2f ms, 99 %% %.2f ms  delay %.1f us  "
               "%.1f MB/s  %ju missed%s%s\n",
               fps, min, max, deviation, age, p99, delay, megabytes, (uintmax_t)measure->missed,
               *flags ? "  " : "", flags);
    } else {
        puts("no frames");
    }
    fflush(stdout);
}

static void measure_restart(struct measure *measure)
{
    spread_clear(&measure->gaps);
    spread_clear(&measure->ages);
    spread_clear(&measure->delays);
    *measure = (struct measure){
        .began_ns = clock_now(),
        .last_publish_ns = measure->last_publish_ns,
        .gaps = measure->gaps,
        .ages = measure->ages,
        .delays = measure->delays,
    };
}

static int hz_watch(const struct hz *hz, struct framebus_reader *reader)
{
    struct measure measure = {0};
    struct framebus_frame *frame;
    uint64_t printed = 0;
    int r = 0;
    measure_restart(&measure);
    while (!hz->count || printed < hz->count) {
        int64_t left = measure.began_ns + hz->interval_ns - clock_now();
        if (left <= 0) {
            measure_print(hz, &measure);
            measure_restart(&measure);
            printed++;
            continue;
        }
        r = reader_next_again(reader, &frame, left);
        if (r == 0) {
            measure_add(&measure, frame);
            framebus_reader_release(reader, frame);
        } else if (r != -ETIMEDOUT && r != -ENODATA) {
            break;
        }
    }
    spread_finish(&measure.gaps);
    spread_finish(&measure.ages);
    spread_finish(&measure.delays);
    return r == -ECANCELED || r == -ETIMEDOUT || r == -ENODATA || r == 0
               ? STATUS_DONE
               : report_error("%s", framebus_last_error());
}

static int hz_run(int argc, char **argv)
{
    struct hz hz = {.interval_ns = NS_PER_S};
    int status;
    if (!options_read(&command_hz.usage, argc, argv, &hz, &status))
        return status;
    struct framebus_reader_options options = {
        .wait_ns = hz.wait_ns,
        .follow = hz.follow,
        .cancel_fd = interrupts_open(0, STATUS_FAILED),
        .anticipate = hz.anticipate > 100 ? 101 : (uint32_t)hz.anticipate,
        .label = "framebus hz",
    };
    struct framebus_reader *reader;
    int r = reader_open_again(&reader, argv[optind], options);
    if (r < 0) {
        report_error("%s", framebus_last_error());
        if (r == -ENOENT)
            elsewhere_report(argv[optind]);
        return STATUS_FAILED;
    }
    status = hz_watch(&hz, reader);
    framebus_reader_close(reader);
    return status;
}

static const struct usage_term hz_terms[] = {
    {"Hz", "frames published a second, from the times when they were published"},
    {"gap", "time from one frame to the next: the shortest, the longest, the standard deviation"},
    {"age", "time from capture to arrival here: the median, and what 99 of 100 stay below"},
    {"delay", "time from publication to arrival here: the median"},
    {"MB/s", "bytes of the frames that arrived, in millions a second"},
    {"missed", "frames that did not arrive because this reader was too slow"},
    {"flags", "what some of the frames are marked with, such as interlaced, tff; nothing if none was"},
    {0},
};

static const struct option_row hz_options[] = {
    {"interval", 'i', "TIME", value_duration, offsetof(struct hz, interval_ns),
     "time between two lines [1s]"},
    {"count", 'n', "N", value_count, offsetof(struct hz, count), "end after N lines"},
    {"wait", 0, "TIME", value_duration, offsetof(struct hz, wait_ns),
     "wait at most TIME for a writer [do not wait]"},
    {"follow", 'f', NULL, NULL, offsetof(struct hz, follow), "go on with the next writer when this one goes"},
    {"anticipate", 'a', "PERCENT", value_count, offsetof(struct hz, anticipate),
     "be awake when a frame is due, for so much of one processor at the most: see the delay"},
    {"json", 'j', NULL, NULL, offsetof(struct hz, json), "print an object a line"},
    {0},
};

const struct command command_hz = {
    .usage =
        {
            .name = "framebus hz",
            .arguments = "[OPTION]... NAME",
            .summary = "measure the rate of a bus, its jitter and age",
            .text = "Reads a bus and prints a line for each interval, until it is interrupted or the writer "
                    "goes:",
            .terms = hz_terms,
            .options = hz_options,
            .examples = "framebus hz cam0\n"
                        "framebus hz --interval 10s --count 1 --json cam0\n",
            .operand = {"the name of a bus"},
        },
    .run = hz_run,
};
