/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "framebus.h"

#define PORT_MOST 65535
#define KBIT_MOST 1000000

static const char usage[] = "Usage: framebus-rtsp [OPTION...] [BUS...]\n";

static const char help[] =
    "Offers the buses of this machine, or only those that are named, to RTSP clients as\n"
    "rtsp://ADDRESS:PORT/NAME. Pictures are encoded while somebody watches, once for all\n"
    "clients of a bus; JPEG, H.264, H.265, VP8 and VP9 are passed on as they are.\n"
    "\n"
    "There are no passwords: whoever reaches the address can watch. Therefore only this\n"
    "machine is served, unless --address says otherwise.\n"
    "\n"
    "Options:\n"
    "  -a, --address ADDRESS  listen there: 0.0.0.0 or :: for everybody who reaches this\n"
    "                         machine [127.0.0.1]\n"
    "  -p, --port PORT        listen on this port; 0 is any free one [8554]\n"
    "  -e, --encoder NAME     auto, or one of --list-encoders [auto: the first that works]\n"
    "  -b, --bitrate KBIT     kbit/s for each bus [what suits the size of its picture]\n"
    "      --list-encoders    try the encoders of this machine, and tell which work\n"
    "  -v, --verbose          tell of clients, and of encoders that start and stop\n"
    "  -h, --help             this text\n"
    "  -V, --version          the version\n"
    "\n"
    "Examples:\n"
    "  framebus-rtsp\n"
    "  framebus-rtsp --address 0.0.0.0 --bitrate 2000 cam0 /run/cameras/door\n"
    "\n"
    "The last one serves rtsp://HOST:8554/cam0 and rtsp://HOST:8554/door.\n"
    "Exit status: 0 ended by SIGINT or SIGTERM, 1 an error, 2 wrong arguments.\n";

enum {
    OPTION_LIST_ENCODERS = 256,
};

static const struct option long_options[] = {
    {"address", required_argument, NULL, 'a'},
    {"port", required_argument, NULL, 'p'},
    {"encoder", required_argument, NULL, 'e'},
    {"bitrate", required_argument, NULL, 'b'},
    {"list-encoders", no_argument, NULL, OPTION_LIST_ENCODERS},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

FRAMEBUS_PRINTF(1, 2) static bool wrong(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "framebus-rtsp: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry 'framebus-rtsp --help'.\n");
    return false;
}

static bool parse_number(const char *option, const char *text, unsigned least, unsigned most,
                         unsigned *number)
{
    unsigned long value;
    char *end;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < least || value > most)
        return wrong("--%s '%s' is not a whole number from %u to %u", option, text, least, most);
    *number = (unsigned)value;
    return true;
}

static bool parse_port(const char *text, char *port, size_t room)
{
    unsigned number;

    if (!parse_number("port", text, 0, PORT_MOST, &number))
        return false;
    snprintf(port, room, "%u", number);
    return true;
}

static bool parse_encoder(const char *text, const struct encoder **encoder)
{
    *encoder = encoder_find(text);
    return *encoder || strcmp(text, "auto") == 0 ||
           wrong("--encoder '%s' is not known; 'framebus-rtsp --list-encoders' tells those that are", text);
}

static bool parse_option(struct options *options, int option, const char *text)
{
    switch (option) {
    case 'a':
        options->address = text;
        return *text || wrong("--address needs an address, such as 0.0.0.0");
    case 'p':
        return parse_port(text, options->port, sizeof(options->port));
    case 'e':
        return parse_encoder(text, &options->encoder);
    case 'b':
        return parse_number("bitrate", text, 1, KBIT_MOST, &options->kbit);
    case OPTION_LIST_ENCODERS:
        return options->list_encoders = true;
    case 'v':
        return options->verbose = true;
    }
    return false;
}

bool is_bus_name(const char *name)
{
    size_t length = strlen(name);

    return length && length <= FRAMEBUS_NAME_MAX && g_ascii_isalnum(*name) &&
           strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static bool take_bus(struct options *options, const char *bus)
{
    const char *slash = strrchr(bus, '/'), *name = slash ? slash + 1 : bus;

    if (!is_bus_name(name))
        return wrong("'%s' is no name of a bus (A-Z a-z 0-9 . _ -, up to %d), nor a path that ends in one",
                     bus, FRAMEBUS_NAME_MAX);
    if (!options->buses)
        options->buses = g_hash_table_new(g_str_hash, g_str_equal);
    return g_hash_table_insert(options->buses, (gpointer)name, (gpointer)bus) ||
           wrong("two of the buses would be called '%s'", name);
}

bool options_parse(struct options *options, int argc, char **argv, int *status)
{
    int option;

    *options = (struct options){.address = "127.0.0.1", .port = "8554"};
    *status = STATUS_USAGE;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":a:p:e:b:vhV", long_options, NULL)) != -1) {
        const char *given = argv[optind - 1];

        if (option == 'h' || option == 'V') {
            *status = STATUS_DONE;
            if (option == 'h')
                printf("%s%s", usage, help);
            else
                printf("framebus-rtsp %s\n", framebus_version());
            return false;
        }
        if (option == ':')
            return wrong("%s needs a value", given);
        if (option == '?')
            return strncmp(given, "--", 2) ? wrong("there is no option -%c", optopt)
                                           : wrong("%s is no option, or takes no value", given);
        if (!parse_option(options, option, optarg))
            return false;
    }
    while (optind < argc)
        if (!take_bus(options, argv[optind++])) {
            options_finish(options);
            return false;
        }
    return true;
}

void options_finish(struct options *options)
{
    g_clear_pointer(&options->buses, g_hash_table_unref);
}
