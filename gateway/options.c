/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/values.h"
#include "encoder.h"
#include "framebus.h"

#include <string.h>

static const char *parse_address(const char *text, void *field)
{
    return value_text(text, field) ? "is not an address such as 0.0.0.0" : NULL;
}

static const char *parse_port(const char *text, void *field)
{
    uint32_t port;
    if (!value_within(text, 0, 65535, &port))
        return "is not a whole number from 0 to 65535";
    g_snprintf(field, sizeof((struct options *)NULL)->port, "%u", port);
    return NULL;
}

static const char *parse_encoder(const char *text, void *field)
{
    const struct encoder *encoder = encoder_find(text);
    if (!encoder && strcmp(text, "auto") != 0)
        return "is not known; 'framebus-rtsp --list-encoders' lists those that are";
    *(const struct encoder **)field = encoder;
    return NULL;
}

static const char *parse_bitrate(const char *text, void *field)
{
    return value_within(text, 1, 1000000, field) ? NULL : "is not a whole number from 1 to 1000000";
}

static const struct option_row rtsp_options[] = {
    {"address", 'a', "ADDRESS", parse_address, offsetof(struct options, address),
     "listen there: 0.0.0.0 or :: for everybody who reaches this machine [127.0.0.1]"},
    {"port", 'p', "PORT", parse_port, offsetof(struct options, port),
     "listen on this port; 0 is any free one [8554]"},
    {"encoder", 'e', "NAME", parse_encoder, offsetof(struct options, encoder),
     "auto, or one of --list-encoders [auto: the first that works]"},
    {"bitrate", 'b', "KBIT", parse_bitrate, offsetof(struct options, kbit),
     "kbit/s for each bus [0.1 bit for each pixel, 300 to 20000 kbit/s]; the encoder jpeg ignores it"},
    {"list-encoders", 0, NULL, NULL, offsetof(struct options, list_encoders),
     "try the encoders that GStreamer may have, those of graphics cards and boards first, and print which "
     "work and "
     "what is wrong with the others"},
    {"verbose", 'v', NULL, NULL, offsetof(struct options, verbose),
     "report clients, and encoders that start and stop"},
    {0},
};

static const struct usage_term rtsp_statuses[] = {
    {"0", "ended by SIGINT or SIGTERM"},
    {"1", "an error: the port is taken, there is no such address, the encoder does not work"},
    {"2", "wrong command line"},
    {0},
};

static const struct usage rtsp_usage = {
    .name = "framebus-rtsp",
    .arguments = "[OPTION]... [BUS]...",
    .summary = "offer the buses of this machine to RTSP clients",
    .text = "Serves every bus of this machine, or only those that are named, as rtsp://ADDRESS:PORT/NAME. A "
            "bus that is "
            "given by the path of its socket is called by the last part of the path.\n"
            "\n"
            "Pictures are encoded from the first client on, once for all clients of a bus, until the last "
            "one leaves; "
            "JPEG, H.264, H.265, VP8, VP9 and Opus are passed on as they are, raw sound becomes Opus.\n"
            "\n"
            "There are no passwords, and nothing is encrypted: whoever reaches the address can watch, other "
            "users of "
            "this machine too. Therefore only this machine is served, unless --address says otherwise.",
    .options = rtsp_options,
    .statuses = rtsp_statuses,
    .examples = "framebus-rtsp\n"
                "framebus-rtsp --address 0.0.0.0 --bitrate 2000 cam0 /run/cameras/door\n"
                "ffplay -fflags nobuffer rtsp://127.0.0.1:8554/cam0\n",
    .more = true,
    .version = framebus_version,
};

bool is_bus_name(const char *name)
{
    size_t length = strlen(name);
    return length && length <= FRAMEBUS_NAME_MAX && g_ascii_isalnum(*name) &&
           strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static bool options_add_bus(struct options *options, const char *bus)
{
    const char *slash = strrchr(bus, '/'), *name = slash ? slash + 1 : bus;
    if (!options->buses)
        options->buses = g_hash_table_new(g_str_hash, g_str_equal);
    if (!is_bus_name(name))
        report_usage(
            "'%s' is not the name of a bus (A-Z a-z 0-9 . _ -, up to %d), nor a path that ends in one", bus,
            FRAMEBUS_NAME_MAX);
    else if (!g_hash_table_insert(options->buses, (gpointer)name, (gpointer)bus))
        report_usage("two of the buses would be called '%s'", name);
    else
        return true;
    return false;
}

bool options_parse(struct options *options, int argc, char **argv, int *status)
{
    *options = (struct options){.address = "127.0.0.1", .port = "8554"};
    if (!options_read(&rtsp_usage, argc, argv, options, status))
        return false;
    while (optind < argc)
        if (!options_add_bus(options, argv[optind++])) {
            options_finish(options);
            *status = STATUS_USAGE;
            return false;
        }
    return true;
}

void options_finish(struct options *options)
{
    g_clear_pointer(&options->buses, g_hash_table_unref);
}
