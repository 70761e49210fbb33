/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "arguments.h"
#include "feed.h"
#include "file.h"

static int run(const struct command *command, int argc, char **argv)
{
    static const char *const operands[] = {"the name of a file", "the name of a bus"};
    static struct input input;
    bool payload = false;
    struct feed_options options = {.serve = &input.writer, .verb = "played"};
    const struct argument arguments[] = {
        {"loop", 'L', NULL, &options.loop},         {"rate", 'r', parse_factor, &options.speed},
        {"payload", 'p', NULL, &payload},           {"fast", 0, NULL, &options.fast},
        {"lossless", 'l', NULL, &options.lossless}, {"readers", 0, parse_count, &options.readers},
        {"quiet", 'q', NULL, &options.quiet},       {0},
    };
    struct source *source;
    int status;

    if (!read_arguments(command, argc, argv, arguments, operands, 2, &status))
        return status;
    if (!file_kind(argv[optind]))
        return usage_error(command, "%s: the name of the file must end in .fbr, .y4m or .mkv", argv[optind]);
    if (payload && file_kind(argv[optind]) != FILE_MKV)
        return usage_error(command, "--payload is for .mkv files; a .fbr file holds what it holds");
    if (options.fast && options.speed > 0)
        return usage_error(command, "--fast and --rate exclude each other");
    options.name = argv[optind + 1];
    options.interrupts = input.interrupts = interrupts_open(0);
    source = file_source(argv[optind], &input, payload);
    if (!source)
        return STATUS_FAILED;
    status = feed(source, &options);
    source->kind->close(source);
    return status;
}

const struct command command_play = {
    .name = "play",
    .arguments = "[OPTION]... FILE NAME",
    .summary = "publish a .fbr, .y4m or .mkv file with its own timing",
    .help =
        "Publishes what FILE holds as bus NAME: formats, times between frames, metadata and all, as far as\n"
        "the kind of file (.fbr, .y4m, .mkv) has kept them. At the end readers are told that the stream has\n"
        "ended. A .fbr recording that was cut off is played as far as it goes.\n"
        "\n"
        "  framebus play out.fbr cam0\n"
        "  framebus play --loop --rate 0.5 out.mkv cam0\n"
        "\n"
        "Options:\n"
        "  -L, --loop       begin again at the end, until a signal comes\n"
        "  -r, --rate N     N times as fast as recorded: 2, 0.5\n"
        "      --fast       as quickly as it can be read\n"
        "  -l, --lossless   wait for readers that ask for every frame\n"
        "  -p, --payload    .mkv: publish JPEG, H.264 and the like as they are stored, not decoded\n"
        "      --readers N  wait until there are N readers before the first frame\n"
        "  -q, --quiet      say nothing at the end\n"
        "  -h, --help       show this text\n",
    .run = run,
};
