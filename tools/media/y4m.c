/* SPDX-License-Identifier: MIT */
#include "media/y4m.h"
#include "cli/report.h"
#include "media/raw.h"
#include "pixels/convert.h"
#include "pixels/planar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC      "YUV4MPEG2"
#define HEADER_MAX 1024

/* C tags of a header. Of those that mean the same the first one is written. */
static const struct {
    const char *tag, *name; /* name of the format on a bus; NULL: it has none */
    struct planar planar;
} tags[] = {
    {"420jpeg", "I420", {3, 8, 2, 2}},      {"420mpeg2", "I420", {3, 8, 2, 2}},
    {"420paldv", "I420", {3, 8, 2, 2}},     {"420", "I420", {3, 8, 2, 2}},
    {"411", "Y41B", {3, 8, 4, 1}},          {"422", "Y42B", {3, 8, 2, 1}},
    {"444", "Y444", {3, 8, 1, 1}},          {"420p10", "I420_10LE", {3, 10, 2, 2}},
    {"422p10", "I422_10LE", {3, 10, 2, 1}}, {"444p10", "Y444_10LE", {3, 10, 1, 1}},
    {"420p12", "I420_12LE", {3, 12, 2, 2}}, {"422p12", "I422_12LE", {3, 12, 2, 1}},
    {"444p12", "Y444_12LE", {3, 12, 1, 1}}, {"444p16", "Y444_16LE", {3, 16, 1, 1}},
    {"420p16", NULL, {3, 16, 2, 2}},        {"422p16", NULL, {3, 16, 2, 1}},
    {"mono", "GRAY8", {1, 8, 1, 1}},        {"mono10", "GRAY10_LE16", {1, 10, 1, 1}},
    {"mono12", "R12", {1, 12, 1, 1}},       {"mono16", "GRAY16_LE", {1, 16, 1, 1}},
};

#define TAGS (sizeof tags / sizeof tags[0])

/* ---- The header ---- */

static bool header_ratio(const char *text, uint32_t *num, uint32_t *den)
{
    int end = -1;
    if (sscanf(text, "%9" SCNu32 ":%9" SCNu32 "%n", num, den, &end) < 2 || text[end])
        return false;
    if (!*num || !*den)
        *num = *den = 0; /* 0:0 stands for unknown */
    return true;
}

static bool header_side(const char *text, uint32_t *side)
{
    int end = -1;
    return sscanf(text, "%6" SCNu32 "%n", side, &end) == 1 && !text[end] && *side <= FRAMEBUS_SIDE_MAX;
}

static const char *header_interlace(const char *text, uint32_t *flags)
{
    switch (*text) {
    case 'p':
    case '?':
        return NULL;
    case 't':
        *flags = FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF;
        return NULL;
    case 'b':
        *flags = FRAMEBUS_FRAME_INTERLACED;
        return NULL;
    default: /* 'm': every frame has its own */
        return "mixed interlacing cannot be passed on; make it one kind first (ffmpeg -vf setfield=prog)";
    }
}

static const char *header_tag(const char *text, const char **name)
{
    for (size_t i = 0; i < TAGS; i++)
        if (tags[i].name && strcmp(tags[i].tag, text) == 0) {
            *name = tags[i].name;
            return NULL;
        }
    return "a bus has no format for these pictures; choose another (ffmpeg -pix_fmt yuv420p)";
}

/* Fills in the format of a header line, and the flags of all its frames. Returns NULL, or what is wrong with
 * it, in words that a value may follow. `line` is cut into pieces. */
static const char *header_parse(char *line, struct framebus_format *format, uint32_t *flags)
{
    struct framebus_format head = {0};
    const char *name = "I420", *wrong = NULL;
    char *rest, *word = strtok_r(line, " ", &rest);
    uint8_t range = 0;
    *flags = 0;
    if (!word || strcmp(word, MAGIC) != 0)
        return "it does not begin with " MAGIC;
    while ((word = strtok_r(NULL, " ", &rest)) && !wrong) {
        if (*word == 'W')
            wrong = header_side(word + 1, &head.width) ? NULL : "the width W is not a number up to 16384";
        else if (*word == 'H')
            wrong = header_side(word + 1, &head.height) ? NULL : "the height H is not a number up to 16384";
        else if (*word == 'F')
            wrong =
                header_ratio(word + 1, &head.rate_num, &head.rate_den) ? NULL : "the rate F is not a ratio";
        else if (*word == 'A')
            wrong = header_ratio(word + 1, &head.aspect_num, &head.aspect_den)
                        ? NULL
                        : "the aspect A is not a ratio";
        else if (*word == 'I')
            wrong = header_interlace(word + 1, flags);
        else if (*word == 'C')
            wrong = header_tag(word + 1, &name);
        else if (strcmp(word, "XCOLORRANGE=FULL") == 0)
            range = 2;
        else if (strcmp(word, "XCOLORRANGE=LIMITED") == 0)
            range = 1;
    }
    if (wrong)
        return wrong;
    if (framebus_format_init(format, framebus_format_by_name(name)->fourcc, head.width, head.height) < 0)
        return "the width W or the height H is missing or 0";
    format->rate_num = head.rate_num;
    format->rate_den = head.rate_den;
    format->aspect_num = head.aspect_num;
    format->aspect_den = head.aspect_den;
    format->color.range = range;
    return NULL;
}

static const char *tag_of(const struct planar *planar)
{
    for (size_t i = 0; i < TAGS; i++)
        if (memcmp(&tags[i].planar, planar, sizeof *planar) == 0)
            return tags[i].tag;
    return NULL;
}

static int header_print(const struct framebus_format *format, const char *tag, uint8_t range, uint32_t flags,
                        char *line, size_t room)
{
    static const char *const ranges[] = {"", " XCOLORRANGE=LIMITED", " XCOLORRANGE=FULL"};
    char interlace = 'p';
    if (flags & FRAMEBUS_FRAME_INTERLACED)
        interlace = flags & FRAMEBUS_FRAME_TFF ? 't' : 'b';
    return snprintf(line, room, MAGIC " W%u H%u F%u:%u I%c A%u:%u C%s%s\n", format->width, format->height,
                    format->rate_num, format->rate_num ? format->rate_den : 0, interlace, format->aspect_num,
                    format->aspect_den, tag, ranges[range <= 2 ? range : 0]);
}

/* ---- Reading ---- */

struct y4m_source {
    struct source source;
    struct input *input;
    struct framebus_format format;
    uint32_t flags;
    uint64_t frame; /* number of the next frame */
};

static int y4m_read_header(struct y4m_source *y4m, char *line)
{
    char kept[HEADER_MAX];
    snprintf(kept, sizeof kept, "%s", line);
    for (char *c = kept; *c; c++) /* it goes to the terminal */
        if (*c < ' ' || *c > '~')
            *c = '?';
    const char *wrong = header_parse(line, &y4m->format, &y4m->flags);
    if (!wrong)
        return 0;
    report_error("the stream cannot be used: %s: %.200s", wrong, kept);
    return -EBADMSG;
}

/* 1: a line; 0: the end; or a negative errno, once the reason is reported. */
static int y4m_read_head(struct y4m_source *y4m, char *line)
{
    ssize_t got = input_line(y4m->input, line, HEADER_MAX);
    if (got == -ENODATA)
        return 0;
    if (got == -EBADMSG)
        report_error("the stream is damaged: no head of frame %" PRIu64 " at byte %" PRIu64, y4m->frame,
                     y4m->input->total);
    return got < 0 ? (int)got : 1;
}

static int y4m_next(struct source *source, struct saved_frame *saved)
{
    struct y4m_source *y4m = (struct y4m_source *)source;
    char line[HEADER_MAX];
    int r = y4m_read_head(y4m, line);
    /* A stream may follow another: `cat one.y4m two.y4m`. */
    if (r > 0 && strncmp(line, MAGIC " ", sizeof MAGIC) == 0) {
        r = y4m_read_header(y4m, line);
        if (r == 0)
            r = y4m_read_head(y4m, line);
    }
    if (r <= 0)
        return r;
    if (strncmp(line, "FRAME", 5) != 0 || (line[5] && line[5] != ' ')) {
        report_error("the stream is damaged: frame %" PRIu64 " does not begin with FRAME at byte %" PRIu64,
                     y4m->frame, y4m->input->total);
        return -EBADMSG;
    }
    *saved = (struct saved_frame){
        .frame = {.format = &y4m->format, .size = y4m->format.size, .flags = y4m->flags}};
    return 1;
}

static int y4m_read(struct source *source, const struct framebus_frame *frame)
{
    struct y4m_source *y4m = (struct y4m_source *)source;
    return input_picture(y4m->input, &y4m->format, frame, y4m->frame++);
}

/* Works for files; a pipe cannot be rewound. */
static int y4m_rewind(struct source *source)
{
    struct y4m_source *y4m = (struct y4m_source *)source;
    if (lseek(y4m->input->fd, 0, SEEK_SET) < 0) {
        report_error("the file cannot be read again: %s", strerror(errno));
        return -EIO;
    }
    y4m->input->from = y4m->input->filled = 0;
    y4m->frame = y4m->input->total = 0;
    return 0;
}

static void y4m_source_close(struct source *source)
{
    free(source);
}

static const struct source_kind y4m_source_kind = {
    .next = y4m_next, .read = y4m_read, .rewind = y4m_rewind, .close = y4m_source_close};

struct source *y4m_source_open(struct input *input)
{
    struct y4m_source *y4m = calloc(1, sizeof *y4m);
    if (!y4m)
        report_out_of_memory();
    *y4m = (struct y4m_source){.source = {.kind = &y4m_source_kind}, .input = input};

    char line[HEADER_MAX];
    ssize_t got = input_line(input, line, sizeof line);
    if (got == -ENODATA)
        report_error("the stream is empty: nothing came");
    else if (got == -EBADMSG)
        report_error("this is not a YUV4MPEG2 stream: it has no first line; --raw reads bare pictures");
    if (got >= 0 && y4m_read_header(y4m, line) == 0)
        return &y4m->source;
    free(y4m);
    return NULL;
}

/* ---- Writing ---- */

struct y4m_sink {
    struct sink sink;
    int fd, interrupts;
    bool may_convert;
    struct framebus_format *format; /* of the first frame; NULL: there was none yet */
    struct planar planar;
    struct convert *convert; /* makes 4:4:4 of pictures that have no tag; NULL: they have one */
    uint8_t *pixels;         /* of a frame */
    size_t size;
};

/* Decides how frames of this format are written. -EINVAL, once it is reported why they cannot be. */
static int y4m_plan(struct y4m_sink *y4m, const struct framebus_frame *frame, uint8_t *range)
{
    bool alpha = false;
    *range = frame->format->color.range;
    if (frame_is_picture(frame) && planar_of(frame->format->fourcc, &y4m->planar, &alpha) &&
        tag_of(&y4m->planar) && (!alpha || y4m->may_convert))
        return 0;

    char text[128];
    framebus_format_describe(frame->format, text, sizeof text);
    if (!y4m->may_convert) {
        report_error(
            "YUV4MPEG2 has no %s%s; --convert makes 8-bit 4:4:4 YUV of it, --raw (or a .fbr file) keeps it",
            text, alpha ? ", whose alpha channel would be lost" : "");
        return -EINVAL;
    }
    y4m->planar = (struct planar){3, 8, 1, 1};
    *range = 1;
    y4m->convert = convert_create();
    if (!y4m->convert || !frame_is_picture(frame) || convert_prepare(y4m->convert, frame->format) < 0) {
        report_error("%s cannot be converted to YUV here", text);
        return -EINVAL;
    }
    return 0;
}

static int y4m_write_header(struct y4m_sink *y4m, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    char line[HEADER_MAX];
    uint8_t range;
    int r = y4m_plan(y4m, frame, &range);
    if (r < 0)
        return r;
    y4m->format = format_copy(format);
    y4m->size = planar_size(&y4m->planar, format->width, format->height);
    y4m->pixels = malloc(y4m->size);
    if (!y4m->format || !y4m->pixels)
        report_out_of_memory();
    int length = header_print(format, tag_of(&y4m->planar), range, frame->flags, line, sizeof line);
    y4m->sink.bytes += (size_t)length;
    return output_write(y4m->fd, y4m->interrupts, line, (size_t)length);
}

/* Colours and strides may have changed since the last frame. */
static int y4m_convert(struct y4m_sink *y4m, const struct framebus_frame *frame)
{
    int r = convert_prepare(y4m->convert, frame->format);
    if (r == 0)
        r = convert_to_444(y4m->convert, frame, y4m->pixels);
    if (r < 0)
        report_error("a frame cannot be converted");
    return r;
}

static int y4m_write(struct sink *sink, const struct saved_frame *saved)
{
    static const char head[] = "FRAME\n";
    struct y4m_sink *y4m = (struct y4m_sink *)sink;
    const struct framebus_frame *frame = &saved->frame;
    int r = 0;
    if (!y4m->format)
        r = y4m_write_header(y4m, frame);
    else if (!format_is_alike(y4m->format, frame->format) || !frame_is_picture(frame))
        r = format_refuse_change(y4m->format, frame->format, "which a YUV4MPEG2 stream cannot; it ends here");
    if (r < 0)
        return r;
    if (y4m->convert)
        r = y4m_convert(y4m, frame);
    else
        planar_pack(frame->format, frame->data, y4m->pixels);
    if (r == 0)
        r = output_write(y4m->fd, y4m->interrupts, head, sizeof head - 1);
    if (r == 0)
        r = output_write(y4m->fd, y4m->interrupts, y4m->pixels, y4m->size);
    if (r == 0)
        sink->bytes += sizeof head - 1 + y4m->size;
    return r;
}

static void y4m_sink_close(struct sink *sink)
{
    struct y4m_sink *y4m = (struct y4m_sink *)sink;
    convert_destroy(y4m->convert);
    free(y4m->format);
    free(y4m->pixels);
    free(y4m);
}

static const struct sink_kind y4m_sink_kind = {.write = y4m_write, .close = y4m_sink_close};

struct sink *y4m_sink_open(int fd, int interrupts, bool convert)
{
    struct y4m_sink *y4m = calloc(1, sizeof *y4m);
    if (!y4m)
        report_out_of_memory();
    *y4m = (struct y4m_sink){
        .sink = {.kind = &y4m_sink_kind}, .fd = fd, .interrupts = interrupts, .may_convert = convert};
    return &y4m->sink;
}
