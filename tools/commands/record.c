/* SPDX-License-Identifier: MIT */
/* framebus record: records a bus into a file. */
#include "again.h"
#include "cli/clock.h"
#include "cli/units.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "json.h"
#include "media/file.h"
#include "media/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_DEFAULT    (UINT64_C(256) << 20)
#define LAST_DEFAULT     (UINT64_C(1) << 30)
#define PROGRESS_STEP_NS (NS_PER_S / 2)

/* Two signals within this time count as one: `timeout` and shells signal both a process and its group. */
#define SAME_SIGNAL_NS NS_PER_S

struct record_options {
    const char *name, *path;
    uint64_t frames, memory;
    int64_t for_ns, last_ns, wait_ns;
    bool convert, follow, force, json, lossless, quiet;
};

struct recorder {
    const struct record_options *options;
    struct framebus_reader *reader;
    struct store *store;
    struct recording recording;
    int interrupts;
    uint64_t taken, missed, dropped;
    uint64_t lost;      /* missed or dropped since the last frame in the store */
    int64_t first_ns;   /* arrival of the first frame */
    int64_t shown_ns;   /* time of the last line of progress */
    int64_t stopped_ns; /* time of the signal that asked to end; 0: none did */
    bool started;
    bool shortened; /* the memory did not last for all of --last */
    int status;
};

static int recorder_start(struct recorder *recorder)
{
    const struct record_options *options = recorder->options;
    recorder->recording.store = recorder->store;
    return recording_start(&recorder->recording, &(struct recording_options){
                                                     .path = options->path,
                                                     .force = options->force,
                                                     .number = options->last_ns,
                                                     .convert = options->convert,
                                                 });
}

/* ---- Printing ---- */

static void recorder_print_progress(struct recorder *recorder)
{
    const struct record_options *options = recorder->options;
    struct recording *recording = &recorder->recording;
    int64_t now = clock_now(), oldest = 0, newest = 0;
    char duration[UNITS_ROOM], bytes[UNITS_ROOM];
    if (options->quiet || !isatty(STDERR_FILENO) || now < recorder->shown_ns + PROGRESS_STEP_NS)
        return;
    recorder->shown_ns = now;
    pthread_mutex_lock(&recording->lock);
    if (options->last_ns)
        store_span(recorder->store, &oldest, &newest);
    else
        newest = recording->last_ns, oldest = recording->first_ns;
    fprintf(stderr, "\r\033[K%s  %" PRIu64 " frames  %s  %" PRIu64 " missed%s",
            units_duration(newest - oldest, duration), recorder->taken,
            options->last_ns ? "kept in memory" : units_bytes(recording->bytes, bytes),
            recorder->missed + recorder->dropped, options->last_ns && recording->running ? "  saving" : "");
    fflush(stderr);
    pthread_mutex_unlock(&recording->lock);
}

static void recorder_print_json(const struct recorder *recorder)
{
    const struct recording *recording = &recorder->recording;
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "file", json_object_new_string(recording->path));
    json_add_number(object, "frames", recording->frames);
    json_add_rate(object, "seconds", (double)(recording->last_ns - recording->first_ns) / 1e9);
    json_add_number(object, "bytes", recording->bytes);
    json_add_number(object, "missed", recorder->missed);
    json_add_number(object, "dropped", recorder->dropped);
    json_add_bool(object, "shortened", recorder->shortened);
    json_print(object);
    fflush(stdout);
}

static void recorder_print_summary(const struct recorder *recorder)
{
    const struct recording *recording = &recorder->recording;
    char duration[UNITS_ROOM], bytes[UNITS_ROOM];
    if (recorder->options->json)
        recorder_print_json(recorder);
    else if (!recorder->options->quiet)
        fprintf(stderr, "%s%s: %" PRIu64 " frames, %s, %s; missed %" PRIu64 ", dropped %" PRIu64 "\n",
                isatty(STDERR_FILENO) ? "\r\033[K" : "", recording->path, recording->frames,
                units_duration(recording->last_ns - recording->first_ns, duration),
                units_bytes(recording->bytes, bytes), recorder->missed, recorder->dropped);
    if (recorder->dropped && !recorder->options->quiet)
        fprintf(stderr, "dropped: %s could not be written as quickly as frames came\n", recording->path);
}

/* ---- The end ---- */

/* Reads a signal and returns its number. The second one that asks to end ends the program at once, with the
 * file as it is. */
static int recorder_read_signal(struct recorder *recorder)
{
    int number = interrupts_next(recorder->interrupts);
    int64_t now = clock_now();
    if (!number || number == SIGUSR1)
        return number;
    if (recorder->stopped_ns && now > recorder->stopped_ns + SAME_SIGNAL_NS) {
        report_error("the file is not complete");
        _exit(STATUS_FAILED);
    }
    if (!recorder->stopped_ns)
        recorder->stopped_ns = now;
    return number;
}

/* Waits for the file to be complete. */
static void recorder_finish(struct recorder *recorder)
{
    struct recording *recording = &recorder->recording;
    if (!recording->running)
        return;
    while (!recording_done(recording)) {
        recorder_print_progress(recorder);
        if (stream_serve(NULL, recorder->interrupts, -1, clock_now() + 20 * NS_PER_MS) == -EINTR)
            recorder_read_signal(recorder);
    }
    if (recording_finish(recording) < 0)
        recorder->status = STATUS_FAILED;
    if (!recording->frames && !recording->error)
        report_error("no frame came: nothing is recorded");
    else if (recording->frames)
        recorder_print_summary(recorder);
    free(recording->path);
    recording->path = NULL;
}

/* ---- The flight recorder ---- */

static void recorder_make_room(struct recorder *recorder, const struct framebus_frame *frame)
{
    int64_t oldest, newest;
    while (store_span(recorder->store, &oldest, &newest) &&
           frame->publish_ns - oldest > recorder->options->last_ns)
        store_drop(recorder->store, true);
}

static void recorder_save_last(struct recorder *recorder)
{
    int64_t oldest, newest;
    if (recorder->recording.running) {
        if (!recording_done(&recorder->recording)) {
            report_error("the last file is still being written; ask again when it is");
            return;
        }
        recorder_finish(recorder);
    }
    if (!store_span(recorder->store, &oldest, &newest)) {
        report_error("no frame came: there is nothing to save");
        return;
    }
    if (recorder->shortened)
        report_error("the memory lasts for only %.1f s, not %.1f s; --memory allows more",
                     (double)(newest - oldest) / 1e9, (double)recorder->options->last_ns / 1e9);
    recorder->recording.shared = store_share(recorder->store, &recorder->recording.count);
    if (!recorder->recording.shared || recorder_start(recorder) < 0) {
        for (size_t i = 0; recorder->recording.shared && i < recorder->recording.count; i++)
            store_return(recorder->store, recorder->recording.shared[i]);
        free(recorder->recording.shared);
        recorder->recording.shared = NULL;
        recorder->status = STATUS_FAILED;
    }
}

/* ---- Reading ---- */

static void recorder_keep(struct recorder *recorder, const struct framebus_frame *frame)
{
    bool last = recorder->options->last_ns > 0;
    int r;
    recorder->missed += frame->missed;
    recorder->lost += frame->missed;
    if (!recorder->started) {
        recorder->started = true;
        recorder->first_ns = clock_now();
    }
    if (last)
        recorder_make_room(recorder, frame);
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

/* The longest wait for the next frame: until --for ends, or until progress is printed again. */
static int64_t recorder_timeout(const struct recorder *recorder)
{
    int64_t timeout = PROGRESS_STEP_NS, left;
    if (recorder->options->for_ns && recorder->started) {
        left = recorder->first_ns + recorder->options->for_ns - clock_now();
        if (left < timeout)
            timeout = left > 0 ? left : 0;
    }
    return timeout;
}

static bool recorder_is_over(struct recorder *recorder)
{
    const struct record_options *options = recorder->options;
    if (options->frames && recorder->taken >= options->frames)
        return true;
    if (options->for_ns && recorder->started && clock_now() >= recorder->first_ns + options->for_ns)
        return true;
    return recording_failed(&recorder->recording);
}

/* Decides about a result that is not a frame. False: the recording ends. */
static bool recorder_goes_on(struct recorder *recorder, int r)
{
    const struct record_options *options = recorder->options;
    int number;
    if (r == -ETIMEDOUT)
        return true;
    if (r == -ECANCELED) {
        number = recorder_read_signal(recorder);
        if (number == SIGUSR1 && options->last_ns)
            recorder_save_last(recorder);
        return number == SIGUSR1 || !number;
    }
    if (r == -ENODATA)
        return options->follow;
    report_error("%s", framebus_last_error());
    if (r != -EPIPE || !options->last_ns)
        recorder->status = STATUS_FAILED;
    return false;
}

static void recorder_run(struct recorder *recorder)
{
    uint64_t writers = 0;
    bool more = true;
    while (more && !recorder_is_over(recorder)) {
        struct framebus_reader_stats stats;
        struct framebus_frame *frame;
        int r = reader_next_again(recorder->reader, &frame, recorder_timeout(recorder));
        if (r == 0) {
            recorder_keep(recorder, frame);
            framebus_reader_release(recorder->reader, frame);
        } else {
            more = recorder_goes_on(recorder, r);
        }
        /* With --follow the death of a writer is not reported, but a flight recorder is made for it. */
        if (recorder->options->last_ns && recorder->options->follow) {
            framebus_reader_get_stats(recorder->reader, &stats);
            if (writers && (!stats.connected || stats.writers != writers))
                recorder_save_last(recorder);
            writers = stats.connected ? stats.writers : 0;
        }
        if (recorder->options->last_ns && recorder->recording.running && recording_done(&recorder->recording))
            recorder_finish(recorder);
        recorder_print_progress(recorder);
    }
}

static int record_bus(const struct record_options *options)
{
    struct recorder recorder = {.options = options, .recording = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    struct framebus_reader_options wanted = {
        .delivery = options->lossless ? FRAMEBUS_DELIVERY_LOSSLESS : FRAMEBUS_DELIVERY_LIVE,
        .wait_ns = options->wait_ns,
        .follow = options->follow,
    };
    wanted.cancel_fd = recorder.interrupts = stream_interrupts(SIGUSR1);
    int r = reader_open_again(&recorder.reader, options->name, wanted);
    if (r < 0)
        return r == -ECANCELED ? STATUS_DONE : report_error("%s", framebus_last_error());
    recorder.store = store_create(options->memory);
    if (!options->last_ns && recorder_start(&recorder) < 0)
        recorder.status = STATUS_FAILED;
    else
        recorder_run(&recorder);
    framebus_reader_close(recorder.reader);
    store_close(recorder.store);
    recorder_finish(&recorder);
    if (options->last_ns) {
        recorder_save_last(&recorder);
        recorder_finish(&recorder);
    }
    store_destroy(recorder.store);
    return recorder.status;
}

static int record_run(int argc, char **argv)
{
    struct record_options options = {0};
    int status;
    if (!options_read(&command_record.usage, argc, argv, &options, &status))
        return status;
    options.name = argv[optind];
    options.path = argv[optind + 1];
    if (!file_kind(options.path))
        return report_usage("%s: the name of the file must end in .fbr, .y4m or .mkv", options.path);
    if (options.convert && file_kind(options.path) != FILE_Y4M)
        return report_usage("--convert is for .y4m files; the others hold every format");
    if (options.last_ns && options.lossless)
        return report_usage("--last and --lossless exclude each other");
    if (!options.memory)
        options.memory = options.last_ns ? LAST_DEFAULT : QUEUE_DEFAULT;
    return record_bus(&options);
}

static const struct usage_term record_terms[] = {
    {NULL, "The end of the name of FILE says how"},
    {".fbr", "as it is, byte for byte, with times and metadata, any format; the quickest by far"},
    {".mkv", "compressed without loss; JPEG and H.264 are stored as they come"},
    {".y4m", "YUV4MPEG2 for other tools; YUV only"},
    {0},
};

#define RECORD_FIELD(name) offsetof(struct record_options, name)

static const struct option_row record_options[] = {
    {"frames", 'n', "N", value_count, RECORD_FIELD(frames), "end after N frames"},
    {"for", 't', "TIME", value_duration, RECORD_FIELD(for_ns), "end after a time: 10s, 500ms, 2m"},
    {"last", 0, "TIME", value_duration, RECORD_FIELD(last_ns),
     "keep only the frames of the last TIME, in memory"},
    {"memory", 'm', "SIZE", value_bytes, RECORD_FIELD(memory),
     "memory that frames may take until they are written [256M; 1G with --last]"},
    {"wait", 'w', "TIME", value_duration, RECORD_FIELD(wait_ns),
     "wait at most TIME for a writer [do not wait]"},
    {"follow", 'F', NULL, NULL, RECORD_FIELD(follow),
     "do not end with the stream: wait for the next writer of that name"},
    {"lossless", 'l', NULL, NULL, RECORD_FIELD(lossless),
     "every frame: the writer waits, if it is a lossless one"},
    {"convert", 0, NULL, NULL, RECORD_FIELD(convert), "in .y4m files: make 8-bit 4:4:4 YUV of RGB"},
    {"force", 'f', NULL, NULL, RECORD_FIELD(force), "replace a file that exists"},
    {"json", 'j', NULL, NULL, RECORD_FIELD(json),
     "print the summary as an object: file, frames, seconds, bytes, missed, dropped, shortened"},
    {"quiet", 'q', NULL, NULL, RECORD_FIELD(quiet), "print neither progress nor summary"},
    {0},
};

static const struct usage_term record_statuses[] = {
    {"0", "the file is complete"},
    {"1", "it failed, or the writer died (the file is complete up to there; with --last this is 0)"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_record = {
    .usage =
        {
            .name = "framebus record",
            .arguments = "[OPTION]... NAME FILE",
            .summary = "record a bus into a .fbr, .y4m or .mkv file; also its last seconds",
            .text =
                "Records bus NAME into FILE, until the stream ends or a signal comes (Ctrl-C).\n"
                "\n"
                "A disk that is too slow never holds the bus up: frames wait in memory, and those for which "
                "there is no room are dropped and counted. Frames that were gone before they could be read "
                "are counted as missed.\n"
                "\n"
                "With --last nothing is written until the writer dies, the stream ends, or SIGUSR1, INT, "
                "TERM "
                "or HUP comes; then the seconds before are saved. After SIGUSR1 it goes on, as it does with "
                "--follow after a writer's end; further files are FILE-2, FILE-3, ... INT, TERM or HUP once "
                "more, a second later, ends it at once.",
            .terms = record_terms,
            .options = record_options,
            .statuses = record_statuses,
            .examples = "framebus record --for 10s cam0 out.fbr\n"
                        "framebus record --last 10s --memory 2G cam0 crash.mkv\n",
            .operand = {"the name of a bus", "the name of a file"},
        },
    .run = record_run,
};
