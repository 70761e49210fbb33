/* SPDX-License-Identifier: MIT */
#include "y4m.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "planar.h"
#include "raw.h"
#include "rgb.h"

#define MAGIC      "YUV4MPEG2"
#define HEADER_MAX 1024

/* The C tag, what the bus calls it (NULL: nothing), and the arrangement. Of tags that mean the same the first
 * one is written. */
static const struct {
    const char *tag, *name;
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

#define TAGS (sizeof(tags) / sizeof(tags[0]))

/* ---- The header ---- */

static bool parse_ratio(const char *text, uint32_t *num, uint32_t *den)
{
    int end = -1;

    if (sscanf(text, "%9" SCNu32 ":%9" SCNu32 "%n", num, den, &end) < 2 || text[end])
        return false;
    if (!*num || !*den)
        *num = *den = 0; /* 0:0 is how one says that it is not known */
    return true;
}

static bool parse_side(const char *text, uint32_t *side)
{
    int end = -1;

    return sscanf(text, "%6" SCNu32 "%n", side, &end) == 1 && !text[end] && *side <= FRAMEBUS_SIDE_MAX;
}

static const char *parse_interlace(const char *text, uint32_t *flags)
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
    default: /* 'm': the frames tell, each its own */
        return "mixed interlacing cannot be passed on; make it one kind first (ffmpeg -vf setfield=prog)";
    }
}

static const char *parse_tag(const char *text, const char **name)
{
    for (size_t i = 0; i < TAGS; i++)
        if (tags[i].name && strcmp(tags[i].tag, text) == 0) {
            *name = tags[i].name;
            return NULL;
        }
    return "a bus has no format for these pictures; choose another one (ffmpeg -pix_fmt yuv420p)";
}

const char *y4m_parse_header(char *line, struct framebus_format *format, uint32_t *flags)
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
            wrong = parse_side(word + 1, &head.width) ? NULL : "the width W is no number up to 16384";
        else if (*word == 'H')
            wrong = parse_side(word + 1, &head.height) ? NULL : "the height H is no number up to 16384";
        else if (*word == 'F')
            wrong = parse_ratio(word + 1, &head.rate_num, &head.rate_den) ? NULL : "the rate F is no ratio";
        else if (*word == 'A')
            wrong =
                parse_ratio(word + 1, &head.aspect_num, &head.aspect_den) ? NULL : "the aspect A is no ratio";
        else if (*word == 'I')
            wrong = parse_interlace(word + 1, flags);
        else if (*word == 'C')
            wrong = parse_tag(word + 1, &name);
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

static const char *find_tag(const struct planar *planar)
{
    for (size_t i = 0; i < TAGS; i++)
        if (memcmp(&tags[i].planar, planar, sizeof(*planar)) == 0)
            return tags[i].tag;
    return NULL;
}

static int print_header(const struct framebus_format *format, const char *tag, uint8_t range, uint32_t flags,
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

struct reader {
    struct source source;
    struct input *input;
    struct framebus_format format;
    uint32_t flags;
    uint64_t frame; /* number of the next one */
};

static int bad_header(const char *wrong, const char *line)
{
    complain("the stream cannot be used: %s: %.200s", wrong, line);
    return -EBADMSG;
}

static int take_header(struct reader *reader, char *line)
{
    char kept[HEADER_MAX];
    const char *wrong;

    snprintf(kept, sizeof(kept), "%s", line);
    for (char *c = kept; *c; c++) /* it goes to the terminal */
        if (*c < ' ' || *c > '~')
            *c = '?';
    wrong = y4m_parse_header(line, &reader->format, &reader->flags);
    return wrong ? bad_header(wrong, kept) : 0;
}

/* 1: a line; 0: the end; or it is said. */
static int next_line(struct reader *reader, char *line)
{
    ssize_t got = input_line(reader->input, line, HEADER_MAX);

    if (got == -ENODATA)
        return 0;
    if (got == -EBADMSG)
        complain("the stream is damaged: no head of frame %" PRIu64 " at byte %" PRIu64, reader->frame,
                 reader->input->total);
    return got < 0 ? (int)got : 1;
}

static int y4m_next(struct source *source, struct shot *shot)
{
    struct reader *reader = (struct reader *)source;
    char line[HEADER_MAX];
    int r = next_line(reader, line);

    /* A stream may follow another: `cat one.y4m two.y4m`. */
    if (r > 0 && strncmp(line, MAGIC " ", sizeof(MAGIC)) == 0) {
        r = take_header(reader, line);
        if (r == 0)
            r = next_line(reader, line);
    }
    if (r <= 0)
        return r;
    if (strncmp(line, "FRAME", 5) != 0 || (line[5] && line[5] != ' ')) {
        complain("the stream is damaged: frame %" PRIu64 " does not begin with FRAME at byte %" PRIu64,
                 reader->frame, reader->input->total);
        return -EBADMSG;
    }
    *shot = (struct shot){.format = &reader->format, .size = reader->format.size, .flags = reader->flags};
    return 1;
}

static int y4m_read(struct source *source, const struct framebus_frame *frame)
{
    struct reader *reader = (struct reader *)source;

    return input_picture(reader->input, &reader->format, frame, reader->frame++);
}

/* Only what is a file can: a pipe is not rewound by anybody. */
static int y4m_rewind(struct source *source)
{
    struct reader *reader = (struct reader *)source;

    if (lseek(reader->input->fd, 0, SEEK_SET) < 0) {
        complain("the file cannot be read again: %s", strerror(errno));
        return -EIO;
    }
    reader->input->from = reader->input->filled = 0;
    reader->frame = reader->input->total = 0;
    return 0;
}

static void y4m_close(struct source *source)
{
    free(source);
}

static const struct source_kind y4m_source_kind = {
    .next = y4m_next, .read = y4m_read, .rewind = y4m_rewind, .close = y4m_close};

struct source *y4m_source(struct input *input)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    char line[HEADER_MAX];
    ssize_t got;

    if (!reader) {
        complain("out of memory");
        return NULL;
    }
    *reader = (struct reader){.source = {.kind = &y4m_source_kind}, .input = input};
    got = input_line(input, line, sizeof(line));
    if (got == -ENODATA)
        complain("the stream is empty: nothing came");
    else if (got == -EBADMSG)
        complain("this is no YUV4MPEG2 stream: it has no first line; for bare pictures there is --raw");
    if (got < 0 || take_header(reader, line) < 0) {
        free(reader);
        return NULL;
    }
    return &reader->source;
}

/* ---- Writing ---- */

struct writer {
    struct sink sink;
    int fd, interrupts;
    bool convert;
    struct framebus_format *format; /* that the header told; NULL: none yet */
    struct planar planar;
    struct rgb *rgb; /* makes 4:4:4 of what is no YUV */
    uint8_t *pixels; /* of a frame */
    size_t size;
};

/* What becomes of frames of this format; -EINVAL if it is said why nothing does. */
static int plan(struct writer *writer, const struct shot *shot, uint8_t *range)
{
    char text[128];
    bool alpha = false;

    framebus_format_describe(shot->format, text, sizeof(text));
    *range = shot->format->color.range;
    if (shot_is_picture(shot) && planar_of(shot->format->fourcc, &writer->planar, &alpha) &&
        find_tag(&writer->planar) && (!alpha || writer->convert))
        return 0;
    if (!writer->convert) {
        complain(
            "YUV4MPEG2 has no %s%s; --convert makes 8-bit 4:4:4 YUV of it, --raw (or a .fbr file) keeps it",
            text, alpha ? ", whose alpha channel would be lost" : "");
        return -EINVAL;
    }
    writer->planar = (struct planar){3, 8, 1, 1};
    *range = 1;
    writer->rgb = rgb_create();
    if (!writer->rgb || !rgb_knows(shot)) {
        complain("%s cannot be converted to YUV here", text);
        return -EINVAL;
    }
    return 0;
}

static int begin_stream(struct writer *writer, const struct shot *shot)
{
    char line[HEADER_MAX];
    uint8_t range;
    int length, r = plan(writer, shot, &range);

    if (r < 0)
        return r;
    writer->format = format_copy(shot->format);
    writer->size = planar_size(&writer->planar, shot->format->width, shot->format->height);
    writer->pixels = malloc(writer->size);
    if (!writer->format || !writer->pixels) {
        complain("out of memory");
        return -ENOMEM;
    }
    length = print_header(shot->format, find_tag(&writer->planar), range, shot->flags, line, sizeof(line));
    writer->sink.bytes += (size_t)length;
    return output_write(writer->fd, writer->interrupts, line, (size_t)length);
}

static int refuse_change(const struct writer *writer, const struct shot *shot)
{
    char before[128], now[128];

    complain("the format changes from %s to %s, which YUV4MPEG2 cannot tell; the stream ends here",
             framebus_format_describe(writer->format, before, sizeof(before)),
             framebus_format_describe(shot->format, now, sizeof(now)));
    return -EINVAL;
}

static bool same_picture(const struct framebus_format *a, const struct framebus_format *b)
{
    return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height &&
           a->modifier == b->modifier;
}

static int y4m_write(struct sink *sink, const struct shot *shot)
{
    static const char head[] = "FRAME\n";
    struct writer *writer = (struct writer *)sink;
    int r = 0;

    if (!writer->format)
        r = begin_stream(writer, shot);
    else if (!same_picture(writer->format, shot->format) || !shot_is_picture(shot))
        r = refuse_change(writer, shot);
    if (r < 0)
        return r;
    if (writer->rgb)
        r = rgb_to_444(writer->rgb, shot, writer->pixels);
    else
        planar_pack(shot->format, shot->data, writer->pixels);
    if (r == 0)
        r = output_write(writer->fd, writer->interrupts, head, sizeof(head) - 1);
    if (r == 0)
        r = output_write(writer->fd, writer->interrupts, writer->pixels, writer->size);
    if (r == 0)
        sink->bytes += sizeof(head) - 1 + writer->size;
    return r;
}

static int y4m_finish(struct sink *sink)
{
    (void)sink;
    return 0;
}

static void y4m_sink_close(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;

    rgb_destroy(writer->rgb);
    free(writer->format);
    free(writer->pixels);
    free(writer);
}

static const struct sink_kind y4m_sink_kind = {
    .write = y4m_write, .finish = y4m_finish, .close = y4m_sink_close};

struct sink *y4m_sink(int fd, int interrupts, bool convert)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        complain("out of memory");
        return NULL;
    }
    *writer = (struct writer){
        .sink = {.kind = &y4m_sink_kind}, .fd = fd, .interrupts = interrupts, .convert = convert};
    return &writer->sink;
}
