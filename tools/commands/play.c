/* SPDX-License-Identifier: MIT */
/* framebus play: publishes a file. */
#include "cli/values.h"
#include "command.h"
#include "media/feed.h"
#include "media/file.h"

struct play {
    struct feed_options feed;
    bool payload;
};

static int play_run(int argc, char **argv)
{
    static struct input input;
    struct play play = {.feed = {.serve = &input.writer, .verb = "played"}};
    int status;
    if (!options_read(&command_play.usage, argc, argv, &play, &status))
        return status;
    const char *path = argv[optind];
    if (!file_kind(path))
        return report_usage("%s: the name of the file must end in .fbr, .y4m or .mkv", path);
    if (play.payload && file_kind(path) != FILE_MKV)
        return report_usage("--payload is for .mkv files; a .fbr file holds what it holds");
    if (play.feed.fast && play.feed.speed > 0)
        return report_usage("--fast and --rate exclude each other");
    play.feed.name = argv[optind + 1];
    play.feed.interrupts = input.interrupts = stream_interrupts(0);
    struct source *source = file_source_open(path, &input, play.payload);
    if (!source)
        return STATUS_FAILED;
    status = feed_run(source, &play.feed);
    source->kind->close(source);
    return status;
}

static const struct option_row play_options[] = {
    {"loop", 'L', NULL, NULL, offsetof(struct play, feed.loop),
     "begin again at the end, until a signal comes"},
    {"rate", 'r', "N", value_factor, offsetof(struct play, feed.speed),
     "N times as fast as recorded: 2, 0.5"},
    {"fast", 0, NULL, NULL, offsetof(struct play, feed.fast), "as quickly as the file can be read"},
    {"lossless", 'l', NULL, NULL, offsetof(struct play, feed.lossless),
     "wait, without a time limit, for readers that ask for every frame"},
    {"payload", 'p', NULL, NULL, offsetof(struct play, payload),
     "of .mkv files: publish JPEG, H.264 and the like as they are stored, not decoded"},
    {"readers", 0, "N", value_count, offsetof(struct play, feed.readers),
     "wait for N readers before the first frame"},
    {"quiet", 'q', NULL, NULL, offsetof(struct play, feed.quiet), "print nothing at the end"},
    {0},
};

static const struct usage_term play_statuses[] = {
    {"0", "it was played to its end, or a signal came"},
    {"1", "it failed: the file cannot be read or is damaged, or the bus has a writer"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_play = {
    .usage =
        {
            .name = "framebus play",
            .arguments = "[OPTION]... FILE NAME",
            .summary = "publish a .fbr, .y4m or .mkv file with its own timing",
            .text =
                "Publishes what FILE holds as bus NAME: formats, times between frames, metadata and all, as "
                "far "
                "as the kind of file has kept them. At the end readers are told that the stream has ended. A "
                ".fbr recording that was cut off is played as far as it goes.",
            .options = play_options,
            .statuses = play_statuses,
            .examples = "framebus play out.fbr cam0\n"
                        "framebus play --loop --rate 0.5 out.mkv cam0\n",
            .operand = {"the name of a file", "the name of a bus"},
        },
    .run = play_run,
};
