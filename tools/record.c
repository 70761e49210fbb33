/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "clock.h"
#include "job.h"
#include "json.h"
#include "text.h"

#define NS_PER_S         INT64_C(1000000000)
#define QUEUE_DEFAULT    (UINT64_C(256) << 20)
#define LAST_DEFAULT     (UINT64_C(1) << 30)
#define PROGRESS_STEP_NS (NS_PER_S / 2)

/* Who stops a whole group of processes (timeout, a shell) may signal twice: that is one wish. */
#define SAME_SIGNAL_NS NS_PER_S

struct options {
    const char *name, *path;
    uint64_t frames, memory;
    int64_t for_ns, last_ns, wait_ns;
    bool convert, follow, force, json, lossless, quiet;
};

struct recorder {
    const struct options *options;
    struct framebus_reader *reader;
    struct store *store;
    struct job job;
    int interrupts;
    uint64_t taken, missed, dropped, lost;  /* lost: missed or dropped since the frame before */
    int64_t first_ns, shown_ns, stopped_ns; /* stopped: when a signal said so; 0: none did */
    bool started, shortened;                /* memory did not last for all of --last */
    int status;
};

static int start_job(struct recorder *recorder)
{
    const struct options *options = recorder->options;
    int r;

    recorder->job.store = recorder->store;
    r = recording_open(&recorder->job.recording, options->path, options->force, options->last_ns,
                       options->convert);
    return r < 0 ? r : job_start(&recorder->job);
}

/* ---- Telling ---- */

static char *time_text(int64_t ns)
{
    int64_t tenths = ns / (NS_PER_S / 10);

    return text_of("%" PRId64 ":%02" PRId64 ":%02" PRId64 ".%" PRId64, tenths / 36000, tenths / 600 % 60,
                   tenths / 10 % 60, tenths % 10);
}

static void show_progress(struct recorder *recorder)
{
    struct job *job = &recorder->job;
    int64_t now = now_ns(), oldest = 0, newest = 0;
    char *time, *bytes;

    if (recorder->options->quiet || !isatty(STDERR_FILENO) || now < recorder->shown_ns + PROGRESS_STEP_NS)
        return;
    recorder->shown_ns = now;
    pthread_mutex_lock(&job->lock);
    if (recorder->options->last_ns)
        store_span(recorder->store, &oldest, &newest);
    else
        newest = job->last_ns, oldest = job->first_ns;
    time = time_text(newest - oldest);
    bytes = byte_text(job->bytes);
    fprintf(stderr, "\r\033[K%s  %" PRIu64 " frames  %s  %" PRIu64 " missed%s", time, recorder->taken,
            recorder->options->last_ns ? "kept in memory" : bytes, recorder->missed + recorder->dropped,
            recorder->options->last_ns && job->running ? "  saving" : "");
    fflush(stderr);
    pthread_mutex_unlock(&job->lock);
    free(time);
    free(bytes);
}

static void print_summary(const struct recorder *recorder, const char *path)
{
    const struct job *job = &recorder->job;
    char *time = time_text(job->last_ns - job->first_ns), *bytes = byte_text(job->bytes);

    if (recorder->options->json) {
        struct json_object *object = json_object_new_object();
        double seconds = (double)(job->last_ns - job->first_ns) / 1e9;
        char *text = text_of("%.3f", seconds);

        json_object_object_add(object, "file", json_object_new_string(path));
        json_object_object_add(object, "frames", json_object_new_uint64(job->frames));
        json_object_object_add(object, "seconds", json_object_new_double_s(seconds, text));
        json_object_object_add(object, "bytes", json_object_new_uint64(job->bytes));
        json_object_object_add(object, "missed", json_object_new_uint64(recorder->missed));
        json_object_object_add(object, "dropped", json_object_new_uint64(recorder->dropped));
        json_object_object_add(object, "shortened", json_object_new_boolean(recorder->shortened));
        free(text);
        print_json(object);
        fflush(stdout);
    } else if (!recorder->options->quiet) {
        fprintf(stderr, "%s%s: %" PRIu64 " frames, %s, %s; missed %" PRIu64 ", dropped %" PRIu64 "\n",
                isatty(STDERR_FILENO) ? "\r\033[K" : "", path, job->frames, time, bytes, recorder->missed,
                recorder->dropped);
    }
    if (recorder->dropped && !recorder->options->quiet)
        fprintf(stderr, "dropped: %s could not be written as quickly as frames came\n", path);
    free(time);
    free(bytes);
}

/* Takes a signal. SIGUSR1, which it returns; or the end, for the second time perhaps: then at once, with what
 * is in the file. */
static int take_signal(struct recorder *recorder)
{
    int number = interrupts_take(recorder->interrupts);
    int64_t now = now_ns();

    if (!number || number == SIGUSR1)
        return number;
    if (recorder->stopped_ns && now > recorder->stopped_ns + SAME_SIGNAL_NS) {
        complain("the file is not complete");
        _exit(STATUS_FAILED);
    }
    if (!recorder->stopped_ns)
        recorder->stopped_ns = now;
    return number;
}

/* Waits for the file to be complete. */
static void finish_job(struct recorder *recorder)
{
    struct job *job = &recorder->job;
    char *path;

    if (!job->running)
        return;
    while (!job_done(job)) {
        show_progress(recorder);
        if (serve_until(NULL, recorder->interrupts, -1, now_ns() + 20000000) == -EINTR)
            take_signal(recorder);
    }
    path = text_of("%s", job->recording.path);
    if (job_finish(job) < 0)
        recorder->status = STATUS_FAILED;
    if (!job->frames && !job->error)
        complain("no frame came: nothing is recorded");
    else if (job->frames)
        print_summary(recorder, path);
    free(path);
}

/* ---- The flight recorder ---- */

static void make_room(struct recorder *recorder, const struct framebus_frame *frame)
{
    int64_t oldest, newest;

    while (store_span(recorder->store, &oldest, &newest) &&
           frame->publish_ns - oldest > recorder->options->last_ns)
        store_drop(recorder->store, true);
}

static void save_last(struct recorder *recorder)
{
    int64_t oldest, newest;

    if (recorder->job.running) {
        if (!job_done(&recorder->job)) {
            complain("the last file is still being written; ask again when it is");
            return;
        }
        finish_job(recorder);
    }
    if (!store_span(recorder->store, &oldest, &newest)) {
        complain("no frame came: there is nothing to save");
        return;
    }
    if (recorder->shortened)
        complain("the memory lasts for %.1f s only, not %.1f s; --memory allows more",
                 (double)(newest - oldest) / 1e9, (double)recorder->options->last_ns / 1e9);
    recorder->job.shared = store_share(recorder->store, &recorder->job.count);
    if (!recorder->job.shared || start_job(recorder) < 0) {
        for (size_t i = 0; recorder->job.shared && i < recorder->job.count; i++)
            store_release(recorder->store, recorder->job.shared[i]);
        free(recorder->job.shared);
        recorder->job.shared = NULL;
        recorder->status = STATUS_FAILED;
    }
}

/* ---- Reading ---- */

static void keep(struct recorder *recorder, const struct framebus_frame *frame)
{
    bool last = recorder->options->last_ns > 0;
    int r;

    recorder->missed += frame->missed;
    recorder->lost += frame->missed;
    if (!recorder->started) {
        recorder->started = true;
        recorder->first_ns = now_ns();
    }
    if (last)
        make_room(recorder, frame);
    while ((r = store_put(recorder->store, frame, recorder->lost, recorder->options->lossless)) == -ENOSPC &&
           last && store_drop(recorder->store, false))
        recorder->shortened = true;
    if (r < 0) {
        recorder->dropped++;
        recorder->lost++;
        return;
    }
    recorder->taken++;
    recorder->lost = 0;
}

/* How long to wait for the next frame: for ever, unless there is something else to do in between. */
static int64_t next_timeout(const struct recorder *recorder)
{
    int64_t timeout = PROGRESS_STEP_NS, left;

    if (recorder->options->for_ns && recorder->started) {
        left = recorder->first_ns + recorder->options->for_ns - now_ns();
        if (left < timeout)
            timeout = left > 0 ? left : 0;
    }
    return timeout;
}

static bool is_over(struct recorder *recorder)
{
    const struct options *options = recorder->options;

    if (options->frames && recorder->taken >= options->frames)
        return true;
    if (options->for_ns && recorder->started && now_ns() >= recorder->first_ns + options->for_ns)
        return true;
    return job_failed(&recorder->job);
}

/* What another result than a frame means. False: that was the end. */
static bool go_on(struct recorder *recorder, int r)
{
    const struct options *options = recorder->options;
    int number;

    if (r == -ETIMEDOUT)
        return true;
    if (r == -ECANCELED) {
        number = take_signal(recorder);
        if (number == SIGUSR1 && options->last_ns)
            save_last(recorder);
        return number == SIGUSR1 || !number;
    }
    if (r == -ENODATA)
        return options->follow;
    complain("%s", framebus_last_error());
    if (r != -EPIPE || !options->last_ns)
        recorder->status = STATUS_FAILED;
    return false;
}

static void record_all(struct recorder *recorder)
{
    uint64_t writers = 0;
    bool more = true;

    while (more && !is_over(recorder)) {
        struct framebus_reader_stats stats;
        struct framebus_frame *frame;
        int r = framebus_reader_next(recorder->reader, &frame, next_timeout(recorder));

        if (r == 0) {
            keep(recorder, frame);
            framebus_reader_release(recorder->reader, frame);
        } else {
            more = go_on(recorder, r);
        }
        /* With --follow a writer's death is not told: but it is what a flight recorder is for. */
        if (recorder->options->last_ns && recorder->options->follow) {
            framebus_reader_get_stats(recorder->reader, &stats);
            if (writers && (!stats.connected || stats.writers != writers))
                save_last(recorder);
            writers = stats.connected ? stats.writers : 0;
        }
        if (recorder->options->last_ns && recorder->job.running && job_done(&recorder->job))
            finish_job(recorder);
        show_progress(recorder);
    }
}

static int record(const struct options *options)
{
    struct recorder recorder = {.options = options, .job = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    struct framebus_reader_options how = {
        .delivery = options->lossless ? FRAMEBUS_DELIVERY_LOSSLESS : FRAMEBUS_DELIVERY_LIVE,
        .wait_ns = options->wait_ns,
        .follow = options->follow,
    };
    int r;

    how.cancel_fd = recorder.interrupts = interrupts_open(SIGUSR1);
    r = framebus_reader_open(&recorder.reader, options->name, &how);
    if (r < 0)
        return r == -ECANCELED ? STATUS_DONE : complain("%s", framebus_last_error());
    recorder.store = store_create(options->memory);
    if (!options->last_ns && start_job(&recorder) < 0)
        recorder.status = STATUS_FAILED;
    else
        record_all(&recorder);
    framebus_reader_close(recorder.reader);
    store_close(recorder.store);
    finish_job(&recorder);
    if (options->last_ns) {
        save_last(&recorder);
        finish_job(&recorder);
    }
    store_destroy(recorder.store);
    return recorder.status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const char *const operands[] = {"the name of a bus", "the name of the file"};
    struct options options = {0};
    const struct argument arguments[] = {
        {"frames", 'n', parse_count, &options.frames},
        {"for", 't', parse_duration, &options.for_ns},
        {"last", 0, parse_duration, &options.last_ns},
        {"memory", 'm', parse_bytes, &options.memory},
        {"wait", 'w', parse_duration, &options.wait_ns},
        {"follow", 'F', NULL, &options.follow},
        {"lossless", 'l', NULL, &options.lossless},
        {"convert", 0, NULL, &options.convert},
        {"force", 'f', NULL, &options.force},
        {"json", 'j', NULL, &options.json},
        {"quiet", 'q', NULL, &options.quiet},
        {0},
    };
    int status;

    if (!read_arguments(command, argc, argv, arguments, operands, 2, &status))
        return status;
    options.name = argv[optind];
    options.path = argv[optind + 1];
    if (!file_kind(options.path))
        return usage_error(command, "%s: the name of the file must end in .fbr, .y4m or .mkv", options.path);
    if (options.convert && file_kind(options.path) != FILE_Y4M)
        return usage_error(command, "--convert is for .y4m files; the others hold every format");
    if (options.last_ns && options.lossless)
        return usage_error(command, "--last and --lossless exclude each other");
    if (!options.memory)
        options.memory = options.last_ns ? LAST_DEFAULT : QUEUE_DEFAULT;
    return record(&options);
}

const struct command command_record = {
    .name = "record",
    .arguments = "[OPTION]... NAME FILE",
    .summary = "record a bus into a .fbr, .y4m or .mkv file; also the last seconds only",
    .help =
        "Records bus NAME into FILE, until the stream ends or a signal comes (Ctrl-C). The end of the "
        "file's\n"
        "name says how:\n"
        "\n"
        "  .fbr   as it is, byte for byte, with times and metadata, any format; the quickest by far\n"
        "  .mkv   compressed without loss; JPEG and H.264 are stored as they come\n"
        "  .y4m   YUV4MPEG2 for other tools; YUV only\n"
        "\n"
        "A disk that is too slow never holds the bus up: frames wait in memory, and those for which there\n"
        "is no room are dropped and counted. 'missed' are those that were gone before they could be read.\n"
        "\n"
        "  framebus record --for 10s cam0 out.fbr\n"
        "  framebus record --last 10s --memory 2G cam0 crash.mkv\n"
        "\n"
        "With --last nothing is written until the writer dies, the stream ends, or SIGUSR1, INT or TERM\n"
        "comes; then the seconds before are saved. After SIGUSR1 it goes on, as it does with --follow after\n"
        "a writer's end; further files are FILE-2, FILE-3, ... INT or TERM once more, a second later, ends "
        "it.\n"
        "\n"
        "Options:\n"
        "  -n, --frames N     end after N frames\n"
        "  -t, --for TIME     end after a time: 10s, 500ms, 2m\n"
        "      --last TIME    keep only the frames of the last TIME, in memory\n"
        "  -m, --memory SIZE  that frames may take until they are written [256M; 1G with --last]\n"
        "  -w, --wait TIME    wait so long for a writer to appear\n"
        "  -F, --follow       do not end with the stream: wait for the next writer of that name\n"
        "  -l, --lossless     every frame; the writer waits, if it is a lossless one\n"
        "      --convert      .y4m: RGB becomes 8-bit 4:4:4 YUV\n"
        "  -f, --force        replace a file that exists\n"
        "  -j, --json         print the summary as an object\n"
        "  -q, --quiet        neither progress nor summary\n"
        "  -h, --help         show this text\n",
    .run = run,
};
