/* SPDX-License-Identifier: MIT */
/*
 * One role of the pair benchmark, which pair.py directs: a pipeline whose first or last element is the one
 * measured.
 *
 * Every producer is the same live source. It writes a row and the frame's number into buffers of whatever
 * pool the sink proposes, so that what is measured is the hand-over and not the painting. A probe behind
 * it, that is before the sink, and one behind each source note the time before they do anything else.
 */
#include "pair.h"

#include "pair-bare.h"

#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DRAIN "fakesink sync=false enable-last-sample=false"

/* %p: the place (a name or path), %i: the reader's number, %d: a file descriptor, %c: caps, %r: what
 * rawvideoparse has to know, %s: bytes for 32 frames */
static const struct {
    const char *name, *producer, *reader;
} contestants[] = {
    {"queue", NULL, NULL},
    {"bare", "baresink", "baresrc name=r0 ! " DRAIN},
    {"framebus", "framebussink bus=%p", "framebussrc name=r0 bus=%p ! " DRAIN},
    {"shm", "shmsink socket-path=%p shm-size=%s sync=false wait-for-connection=false",
     "shmsrc name=r0 socket-path=%p is-live=true do-timestamp=true ! %c ! " DRAIN},
    {"fd", "fdsink fd=%d sync=false",
     "fdsrc fd=%d blocksize=1048576 do-timestamp=true ! rawvideoparse name=r0 %r ! " DRAIN},
    {"pipewire",
     "pipewiresink mode=provide client-name=%p sync=false stream-properties=\"p,media.class=Video/Source\"",
     "pipewiresrc name=r0 client-name=reader-%i ! " DRAIN},
};

static struct {
    const char *contestant;
    int width, height, rate, readers;
    struct pair_shared *shared;
    GstVideoInfo info;
    int64_t asked_ns; /* when PLAYING was */
    int64_t made;     /* frames that the source has filled */
    gboolean pins;
} role;

/* ---- Noting ---- */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct pair_usage usage_at(int64_t frame)
{
    struct rusage usage;
    struct timespec cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    getrusage(RUSAGE_SELF, &usage);
    return (struct pair_usage){frame, cpu.tv_sec * INT64_C(1000000000) + cpu.tv_nsec,
                               usage.ru_minflt + usage.ru_majflt};
}

/* The streaming thread on either side has a processor of its own, where there are two. */
static void pin_once(int cpu)
{
    static __thread gboolean done;
    cpu_set_t set;

    if (done || !role.pins)
        return;
    done = TRUE;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void note(struct pair_side *side, int64_t frame, int64_t now)
{
    const int64_t first = atomic_load(&role.shared->window_first),
                  end = atomic_load(&role.shared->window_end);

    if (frame < 0)
        return;
    side->passed[frame % PAIR_FRAMES] = now;
    if (!atomic_load(&side->streams)) {
        side->start_ns = now - role.asked_ns;
        atomic_store(&side->streams, 1);
    }
    if (side->first.frame < 0 && frame >= first)
        side->first = usage_at(frame);
    if (side->last.frame < 0 && frame >= end)
        side->last = usage_at(frame);
    atomic_store(&side->newest, frame);
}

static GstPadProbeReturn before_sink(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info G_GNUC_UNUSED,
                                     gpointer user G_GNUC_UNUSED)
{
    pin_once(0);
    note(&role.shared->producer, role.made - 1, now_ns());
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn behind_source(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer side)
{
    const int64_t now = now_ns();
    int64_t frame = -1;

    pin_once(1);
    gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 0, &frame, sizeof frame);
    note(side, frame, now);
    return GST_PAD_PROBE_OK;
}

/* ---- The producer's source ---- */

typedef GstPushSrc PairSrc;
typedef GstPushSrcClass PairSrcClass;
GType pair_src_get_type(void);
G_DEFINE_TYPE(PairSrc, pair_src, GST_TYPE_PUSH_SRC)

static GstCaps *src_caps(GstBaseSrc *src G_GNUC_UNUSED, GstCaps *filter G_GNUC_UNUSED)
{
    return gst_video_info_to_caps(&role.info);
}

/* Whoever proposes no pool gets one of ordinary memory, or of the allocator proposed. */
static gboolean src_decide_allocation(GstBaseSrc *src, GstQuery *query)
{
    GstBufferPool *pool = NULL;
    guint size = 0, min = 0, max = 0;

    if (gst_query_get_n_allocation_pools(query) > 0) {
        gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, &max);
        gst_query_set_nth_allocation_pool(query, 0, pool, MAX(size, role.info.size), min, max);
        gst_clear_object(&pool);
    } else {
        gst_query_add_allocation_pool(query, NULL, role.info.size, min, max);
    }
    return GST_BASE_SRC_CLASS(pair_src_parent_class)->decide_allocation(src, query);
}

static void src_get_times(GstBaseSrc *src G_GNUC_UNUSED, GstBuffer *buffer, GstClockTime *start,
                          GstClockTime *end)
{
    *start = GST_BUFFER_PTS(buffer);
    *end = GST_CLOCK_TIME_NONE;
}

static GstFlowReturn src_fill(GstPushSrc *src G_GNUC_UNUSED, GstBuffer *buffer)
{
    const int64_t frame = role.made++;
    GstMapInfo map;

    if (frame > 0)
        role.shared->taken[(frame - 1) % PAIR_FRAMES] = now_ns();
    if (!gst_buffer_map(buffer, &map, GST_MAP_WRITE))
        return GST_FLOW_ERROR;
    memset(map.data, (int)(frame & 0xff), role.info.width);
    memcpy(map.data, &frame, sizeof frame);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_int(frame, GST_SECOND, role.rate);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / role.rate;
    return GST_FLOW_OK;
}

static void pair_src_class_init(PairSrcClass *class)
{
    static GstStaticPadTemplate any =
        GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);

    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(class), "Numbered frames", "Source/Video",
                                          "Hands on numbered frames and times them", "framebus");
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &any);
    base->get_caps = src_caps;
    base->decide_allocation = src_decide_allocation;
    base->get_times = src_get_times;
    class->fill = src_fill;
}

static void pair_src_init(PairSrc *src)
{
    gst_base_src_set_live(GST_BASE_SRC(src), TRUE);
    gst_base_src_set_format(GST_BASE_SRC(src), GST_FORMAT_TIME);
}

/* ---- The pipeline ---- */

static void append_expanded(GString *text, const char *template, int reader, const char *place, int fd)
{
    g_autofree char *caps = gst_caps_to_string(gst_video_info_to_caps(&role.info));

    for (const char *c = template; *c; c++) {
        if (*c != '%') {
            g_string_append_c(text, *c);
            continue;
        }
        switch (*++c) {
        case 'p':
            g_string_append(text, place);
            break;
        case 'i':
            g_string_append_printf(text, "%d", reader);
            break;
        case 'd':
            g_string_append_printf(text, "%d", fd);
            break;
        case 'c':
            g_string_append(text, caps);
            break;
        case 's':
            g_string_append_printf(text, "%" G_GSIZE_FORMAT, 32 * role.info.size);
            break;
        default:
            g_string_append_printf(text, "format=nv12 width=%d height=%d framerate=%d/1", role.width,
                                   role.height, role.rate);
        }
    }
}

/* The limit: as many threads of the same process. */
static void append_queues(GString *text)
{
    if (role.readers == 1) {
        g_string_append(text, "queue name=r0 max-size-bytes=0 ! " DRAIN);
        return;
    }
    g_string_append(text, "tee name=t");
    for (int i = 0; i < role.readers; i++)
        g_string_append_printf(text, " t. ! queue name=r%d max-size-bytes=0 ! " DRAIN, i);
}

static GstElement *pipeline_new(int reader, const char *place, int fd)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline;
    size_t i = 0;

    while (strcmp(contestants[i].name, role.contestant) != 0)
        i++;
    if (reader < 0)
        g_string_append(text, "pairsrc name=producer ! ");
    if (!contestants[i].reader)
        append_queues(text);
    else if (reader < 0)
        append_expanded(text, contestants[i].producer, reader, place, fd);
    else
        append_expanded(text, contestants[i].reader, reader, place, fd);
    pipeline = gst_parse_launch_full(text->str, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (!pipeline)
        fprintf(stderr, "pair-role: %s: %s\n", text->str, error->message);
    return pipeline;
}

static void add_probe(GstElement *pipeline, const char *name, GstPadProbeCallback probe, gpointer side)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), name);
    GstPad *pad = gst_element_get_static_pad(element, "src");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, probe, side, NULL);
    gst_object_unref(pad);
    gst_object_unref(element);
}

/* The queues' readers are threads of the producer. */
static void add_probes(GstElement *pipeline, int reader)
{
    if (reader >= 0) {
        add_probe(pipeline, "r0", behind_source, &role.shared->reader[reader]);
        return;
    }
    add_probe(pipeline, "producer", before_sink, NULL);
    for (int i = 0; i < role.readers && strcmp(role.contestant, "queue") == 0; i++) {
        g_autofree char *name = g_strdup_printf("r%d", i);

        add_probe(pipeline, name, behind_source, &role.shared->reader[i]);
    }
}

static GstBusSyncReply on_message(GstBus *bus G_GNUC_UNUSED, GstMessage *message, gpointer user G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;

    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "pair-role: %s: %s\n", role.contestant, error->message);
        _exit(1);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

int main(int argc, char **argv)
{
    const int reader = argc > 7 ? atoi(argv[6]) : 0; /* -1: the producer */
    GstElement *pipeline;
    sigset_t term;
    int got;

    if (argc != 9) {
        fprintf(stderr, "usage: pair-role CONTESTANT WIDTH HEIGHT RATE READERS ROLE PLACE PIPE-FD; "
                        "file descriptor 3 is struct pair_shared\n");
        return 2;
    }
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* in every thread to come */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    gst_init(NULL, NULL);
    gst_element_register(NULL, "pairsrc", GST_RANK_NONE, pair_src_get_type());

    role.contestant = argv[1];
    role.width = atoi(argv[2]);
    role.height = atoi(argv[3]);
    role.rate = atoi(argv[4]);
    role.readers = atoi(argv[5]);
    role.pins = role.readers == 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1;
    /* Populated: the first touch of a page of ours is not to count as a page fault. */
    role.shared = mmap(NULL, sizeof *role.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, 3, 0);
    if (role.shared == MAP_FAILED)
        return 2;
    gst_video_info_set_format(&role.info, GST_VIDEO_FORMAT_NV12, role.width, role.height);
    GST_VIDEO_INFO_FPS_N(&role.info) = role.rate;

    pair_bare_register(atoi(argv[8]), &role.shared->producer.newest);
    pipeline = pipeline_new(reader, argv[7], atoi(argv[8]));
    if (!pipeline)
        return 1;
    gst_bus_set_sync_handler(GST_ELEMENT_BUS(pipeline), on_message, NULL, NULL);
    add_probes(pipeline, reader);
    role.asked_ns = now_ns();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    sigwait(&term, &got);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return 0;
}
