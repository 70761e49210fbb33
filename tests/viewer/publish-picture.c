/* SPDX-License-Identifier: MIT */
/*
 * Publishes colour bars above a grey ramp, in any linear format of the table. The pixels are made
 * here, from the equations of the colour standards and a description of every format's bits, so
 * that what the viewer shows is compared with something that its libraries have no part in.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framebus.h"

/* Every plane as one word for each group of pixels, its fields from the lowest bit up: component and
 * number of bits. x is padding; the second Y belongs to the second pixel. */
static const struct bits {
    const char *name;
    const char *plane[3];
    bool big_endian;
} formats[] = {
    {"GRAY8", {"Y8"}, false},
    {"GRAY10_LE16", {"Y10x6"}, false},
    {"R12", {"Y12x4"}, false},
    {"GRAY16_LE", {"Y16"}, false},
    {"GRAY16_BE", {"Y16"}, true},
    {"RGB15", {"B5G5R5x1"}, false},
    {"BGR15", {"R5G5B5x1"}, false},
    {"RGB16", {"B5G6R5"}, false},
    {"BGR16", {"R5G6B5"}, false},
    {"BGR", {"B8G8R8"}, false},
    {"RGB", {"R8G8B8"}, false},
    {"BGRx", {"B8G8R8x8"}, false},
    {"RGBx", {"R8G8B8x8"}, false},
    {"xBGR", {"x8B8G8R8"}, false},
    {"xRGB", {"x8R8G8B8"}, false},
    {"BGRA", {"B8G8R8A8"}, false},
    {"RGBA", {"R8G8B8A8"}, false},
    {"ABGR", {"A8B8G8R8"}, false},
    {"ARGB", {"A8R8G8B8"}, false},
    {"BGR10x2_LE", {"B10G10R10x2"}, false},
    {"RGB10x2_LE", {"R10G10B10x2"}, false},
    {"BGR10A2_LE", {"B10G10R10A2"}, false},
    {"RGB10A2_LE", {"R10G10B10A2"}, false},
    {"r210", {"B10G10R10x2"}, true},
    {"XRGB16161616", {"B16G16R16x16"}, false},
    {"XBGR16161616", {"R16G16B16x16"}, false},
    {"BGRA64_LE", {"B16G16R16A16"}, false},
    {"RGBA64_LE", {"R16G16B16A16"}, false},
    {"ARGB64_BE", {"B16G16R16A16"}, true},
    {"ABGR64_BE", {"R16G16B16A16"}, true},
    {"YUY2", {"Y8U8Y8V8"}, false},
    {"YVYU", {"Y8V8Y8U8"}, false},
    {"UYVY", {"U8Y8V8Y8"}, false},
    {"VYUY", {"V8Y8U8Y8"}, false},
    {"Y210", {"x6Y10x6U10x6Y10x6V10"}, false},
    {"Y212_LE", {"x4Y12x4U12x4Y12x4V12"}, false},
    {"Y216_LE", {"Y16U16Y16V16"}, false},
    {"v308", {"Y8U8V8"}, false},
    {"AYUV", {"V8U8Y8A8"}, true},
    {"VUYA", {"V8U8Y8A8"}, false},
    {"XYUV8888", {"V8U8Y8x8"}, false},
    {"Y410", {"U10Y10V10A2"}, false},
    {"XVYU2101010", {"U10Y10V10x2"}, false},
    {"Y412_LE", {"x4U12x4Y12x4V12x4A12"}, false},
    {"Y416_LE", {"U16Y16V16A16"}, false},
    {"NV12", {"Y8", "U8V8"}, false},
    {"NV21", {"Y8", "V8U8"}, false},
    {"NV16", {"Y8", "U8V8"}, false},
    {"NV61", {"Y8", "V8U8"}, false},
    {"NV24", {"Y8", "U8V8"}, false},
    {"NV42", {"Y8", "V8U8"}, false},
    {"P010_10LE", {"x6Y10", "x6U10x6V10"}, false},
    {"P012_LE", {"x4Y12", "x4U12x4V12"}, false},
    {"P016_LE", {"Y16", "U16V16"}, false},
    {"P210", {"x6Y10", "x6U10x6V10"}, false},
    {"NV12_10LE40", {"Y10Y10Y10Y10", "U10V10U10V10"}, false},
    {"NV16_10LE40", {"Y10Y10Y10Y10", "U10V10U10V10"}, false},
    {"YUV9", {"Y8", "U8", "V8"}, false},
    {"YVU9", {"Y8", "V8", "U8"}, false},
    {"Y41B", {"Y8", "U8", "V8"}, false},
    {"I420", {"Y8", "U8", "V8"}, false},
    {"YV12", {"Y8", "V8", "U8"}, false},
    {"Y42B", {"Y8", "U8", "V8"}, false},
    {"YVU422", {"Y8", "V8", "U8"}, false},
    {"Y444", {"Y8", "U8", "V8"}, false},
    {"YVU444", {"Y8", "V8", "U8"}, false},
    {"I420_10LE", {"Y10x6", "U10x6", "V10x6"}, false},
    {"I422_10LE", {"Y10x6", "U10x6", "V10x6"}, false},
    {"Y444_10LE", {"Y10x6", "U10x6", "V10x6"}, false},
    {"I420_12LE", {"Y12x4", "U12x4", "V12x4"}, false},
    {"I422_12LE", {"Y12x4", "U12x4", "V12x4"}, false},
    {"Y444_12LE", {"Y12x4", "U12x4", "V12x4"}, false},
    {"Y444_16LE", {"Y16", "U16", "V16"}, false},
};

struct rgb {
    double r, g, b;
};

static const struct matrix {
    const char *name;
    int h273;
    double kr, kb;
} matrices[] = {
    {"bt601", 6, 0.299, 0.114},
    {"bt709", 1, 0.2126, 0.0722},
    {"bt2020", 9, 0.2627, 0.0593},
    {"unknown", 0, 0.299, 0.114},
};

static struct {
    const char *bus, *caps, *file;
    const struct bits *bits;
    const struct framebus_format_info *info;
    const struct matrix *matrix;
    uint32_t orientation;
    uint64_t modifier;
    int range; /* 0 unknown, 1 limited, 2 full */
    unsigned width, height, aspect_num, aspect_den, pad, frames;
    double rate;
    struct framebus_rect crop;
    bool end, flat;
    struct rgb color;
} arguments = {.width = 320, .height = 240, .rate = 30, .matrix = &matrices[3]};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static struct rgb pixel(unsigned x, unsigned y)
{
    static const struct rgb bars[] = {{1, 1, 1}, {1, 1, 0}, {0, 1, 1}, {0, 1, 0},
                                      {1, 0, 1}, {1, 0, 0}, {0, 0, 1}, {0, 0, 0}};
    unsigned width = arguments.width;

    if (arguments.flat)
        return arguments.color;
    if (y < arguments.height * 3 / 4)
        return bars[x * 8 / width];
    double ramp = width > 1 ? (double)x / (width - 1) : 0;
    return (struct rgb){ramp, ramp, ramp};
}

static uint64_t quantise(double value, int bits, bool full, bool chroma)
{
    double unit = (double)(1ull << bits) / 256;
    double low = full ? 0 : 16 * unit, high = full ? (1ull << bits) - 1 : (chroma ? 240 : 235) * unit;
    double level = chroma ? 128 * unit + value * (high - low) : low + value * (high - low);
    double most = (1ull << bits) - 1;

    return level < 0 ? 0 : level > most ? (uint64_t)most : (uint64_t)(level + 0.5);
}

static uint64_t component(char which, int bits, struct rgb c)
{
    const struct framebus_format_info *info = arguments.info;
    double kr = arguments.matrix->kr, kb = arguments.matrix->kb;
    double y = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
    bool full = arguments.range == 2 || (arguments.range == 0 && !info->yuv);

    switch (which) {
    case 'Y':
        return quantise(y, bits, full, false);
    case 'U':
        return quantise((c.b - y) / 2 / (1 - kb), bits, full, true);
    case 'V':
        return quantise((c.r - y) / 2 / (1 - kr), bits, full, true);
    case 'R':
        return quantise(c.r, bits, full, false);
    case 'G':
        return quantise(c.g, bits, full, false);
    case 'B':
        return quantise(c.b, bits, full, false);
    }
    return which == 'A' ? (1ull << bits) - 1 : 0; /* padding is zero, and so is what may look like alpha */
}

static unsigned clamp(unsigned value, unsigned most)
{
    return value < most ? value : most - 1;
}

/* The word of a group whose first pixel is (x, y), and its bytes in memory. */
static void put_group(uint8_t *to, const char *fields, const struct framebus_plane_layout *layout, unsigned x,
                      unsigned y)
{
    uint64_t word = 0;
    unsigned at = 0, seen[128] = {0};

    while (*fields) {
        char *end, which = *fields;
        int bits = (int)strtol(fields + 1, &end, 10);
        unsigned nth = seen[(unsigned char)which]++;
        struct rgb c = pixel(clamp(x + nth * layout->sub_x, arguments.width), clamp(y, arguments.height));
        word |= component(which, bits, c) << at;
        at += bits;
        fields = end;
    }
    for (unsigned i = 0; i < layout->bytes; i++)
        to[i] = word >> 8 * (arguments.bits->big_endian ? layout->bytes - 1 - i : i);
}

static uint8_t *draw(const struct framebus_format *format)
{
    uint8_t *picture = malloc(format->size);

    memset(picture, 0xaa, format->size);
    for (unsigned p = 0; p < format->planes; p++) {
        const struct framebus_plane_layout *layout = &arguments.info->plane[p];
        unsigned step = layout->pixels * layout->sub_x, rows = framebus_format_rows(format, p);
        for (unsigned row = 0; row < rows; row++) {
            uint8_t *to = picture + format->offset[p] + (size_t)row * format->stride[p];
            for (unsigned x = 0; x < arguments.width; x += step, to += layout->bytes)
                put_group(to, arguments.bits->plane[p], layout, x, row * layout->sub_y);
        }
    }
    return picture;
}

static void *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *data = malloc(1 << 24);

    *size = file && data ? fread(data, 1, 1 << 24, file) : 0;
    if (file)
        fclose(file);
    return data;
}

static int describe(struct framebus_format *format, size_t payload)
{
    int r;

    if (arguments.caps)
        return framebus_format_init_opaque(format, arguments.caps, payload);
    r = framebus_format_init(format, arguments.info->fourcc, arguments.width, arguments.height);
    if (r)
        return r;
    format->size = 0;
    for (unsigned p = 0; p < format->planes; p++) {
        format->stride[p] += arguments.pad;
        format->offset[p] = format->size;
        format->size += (uint64_t)format->stride[p] * framebus_format_rows(format, p);
    }
    format->rate_num = (uint32_t)arguments.rate;
    format->rate_den = arguments.rate >= 1 ? 1 : 0;
    format->orientation = arguments.orientation;
    format->modifier = arguments.modifier;
    format->aspect_num = arguments.aspect_num;
    format->aspect_den = arguments.aspect_den;
    format->color.matrix = (uint8_t)arguments.matrix->h273;
    format->color.range = (uint8_t)arguments.range;
    return 0;
}

/* Sleeps until `due`, or for ever if it is below zero, serving readers. */
static void serve(struct framebus_writer *writer, int64_t due)
{
    struct pollfd wait = {.fd = framebus_writer_fd(writer), .events = POLLIN};
    struct timespec t;

    while (!stopped) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t left = due - (t.tv_sec * 1000000000ll + t.tv_nsec);
        if (due >= 0 && left <= 0)
            return;
        poll(&wait, 1, due < 0 ? -1 : (int)(left / 1000000 + 1));
        framebus_writer_dispatch(writer);
    }
}

static int publish(struct framebus_writer *writer, const void *data, size_t size)
{
    struct framebus_frame *frame;
    int r = framebus_writer_begin_size(writer, size, &frame);

    if (r)
        return r;
    memcpy(frame->data, data, size);
    frame->size = size;
    frame->crop = arguments.crop;
    r = framebus_writer_publish(writer, frame);
    framebus_writer_release(writer, frame);
    return r;
}

static const struct bits *find_bits(const char *name)
{
    for (size_t i = 0; name && i < sizeof(formats) / sizeof(*formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static int list(void)
{
    const struct framebus_format_info *info;

    for (size_t i = 0; (info = framebus_format_at(i)); i++)
        printf("%s %d %d %d %d\n", info->name, find_bits(info->name) != NULL, info->depth, info->yuv,
               info->alpha);
    return 0;
}

static bool parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"format", 1, NULL, 'f'},   {"size", 1, NULL, 's'},  {"rate", 1, NULL, 'r'},
        {"matrix", 1, NULL, 'm'},   {"range", 1, NULL, 'R'}, {"crop", 1, NULL, 'c'},
        {"aspect", 1, NULL, 'a'},   {"pad", 1, NULL, 'p'},   {"frames", 1, NULL, 'n'},
        {"end", 0, NULL, 'e'},      {"caps", 1, NULL, 'C'},  {"file", 1, NULL, 'F'},
        {"flat", 1, NULL, 'l'},     {"list", 0, NULL, 'L'},  {"orientation", 1, NULL, 'o'},
        {"modifier", 1, NULL, 'M'}, {NULL, 0, NULL, 0},
    };
    const char *format = "BGRx";
    struct framebus_rect *crop = &arguments.crop;
    int option;
    bool ok = true;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            format = optarg;
            break;
        case 's':
            ok = ok && sscanf(optarg, "%ux%u", &arguments.width, &arguments.height) == 2;
            break;
        case 'r':
            arguments.rate = atof(optarg);
            break;
        case 'm':
            arguments.matrix = NULL;
            for (size_t i = 0; i < sizeof(matrices) / sizeof(*matrices); i++)
                if (strcmp(matrices[i].name, optarg) == 0)
                    arguments.matrix = &matrices[i];
            break;
        case 'R':
            arguments.range = strcmp(optarg, "full") == 0 ? 2 : strcmp(optarg, "limited") == 0 ? 1 : 0;
            break;
        case 'c':
            ok = ok && sscanf(optarg, "%u,%u,%u,%u", &crop->x, &crop->y, &crop->width, &crop->height) == 4;
            break;
        case 'a':
            ok = ok && sscanf(optarg, "%u/%u", &arguments.aspect_num, &arguments.aspect_den) == 2;
            break;
        case 'o':
            arguments.orientation = (uint32_t)atoi(optarg);
            break;
        case 'M':
            arguments.modifier = strtoull(optarg, NULL, 0);
            break;
        case 'p':
            arguments.pad = (unsigned)atoi(optarg);
            break;
        case 'n':
            arguments.frames = (unsigned)atoi(optarg);
            break;
        case 'e':
            arguments.end = true;
            break;
        case 'C':
            arguments.caps = optarg;
            break;
        case 'F':
            arguments.file = optarg;
            break;
        case 'l':
            arguments.flat = true;
            ok = ok && sscanf(optarg, "%lf,%lf,%lf", &arguments.color.r, &arguments.color.g,
                              &arguments.color.b) == 3;
            break;
        case 'L':
            exit(list());
        default:
            ok = false;
        }
    }
    arguments.bits = find_bits(format);
    arguments.info = framebus_format_by_name(format);
    arguments.bus = argv[optind];
    return ok && arguments.bus && arguments.matrix && arguments.bits && arguments.info;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = stop};
    struct framebus_writer *writer = NULL;
    struct framebus_format format;
    struct timespec t;
    void *data = NULL;
    size_t size = 0;

    if (!parse(argc, argv)) {
        fprintf(stderr, "publish-picture: wrong arguments\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (arguments.file)
        data = load(arguments.file, &size);

    int r = describe(&format, size);
    if (!r && !data) {
        data = draw(&format);
        size = format.size;
    }
    if (!r)
        r = framebus_writer_open(&writer, arguments.bus, &format, NULL);
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t due = t.tv_sec * 1000000000ll + t.tv_nsec;
    for (unsigned n = 0; !r && !stopped && (!arguments.frames || n < arguments.frames); n++) {
        r = publish(writer, data, size);
        if (!r && n == 0) {
            printf("published\n");
            fflush(stdout);
        }
        due += arguments.rate > 0 ? (int64_t)(1e9 / arguments.rate) : 1000000000;
        serve(writer, due);
    }
    if (!r && arguments.end)
        r = framebus_writer_end(writer);
    if (!r && !stopped)
        serve(writer, -1);
    if (r)
        fprintf(stderr, "publish-picture: %s\n", framebus_last_error());
    framebus_writer_close(writer);
    free(data);
    return r ? 1 : 0;
}
