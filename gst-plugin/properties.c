/* SPDX-License-Identifier: MIT */
#include "properties.h"

#include "enums.h"

#include <framebus.h>

void sink_properties_install(GObjectClass *class, GParamSpec **props)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    const GParamFlags ready = flags | GST_PARAM_MUTABLE_READY;

    props[SINK_BUS] = g_param_spec_string(
        "bus", "Bus", "Name of the bus to serve ([A-Za-z0-9._-], up to 64), or the path of its socket", NULL,
        ready);
    props[SINK_MEMORY] = g_param_spec_enum("memory", "Memory", "Where the shared memory comes from",
                                           memory_type(), FRAMEBUS_MEMORY_MEMFD, ready);
    props[SINK_ACCESS_MODE] = g_param_spec_uint(
        "access-mode", "Access mode",
        "Who may read, as a file's mode: 0600 is the user alone, 0660 the group too", 0, 0777, 0600, ready);
    props[SINK_GROUP] = g_param_spec_string(
        "group", "Group", "Name or number of the group that the bus belongs to (NULL = the process's)", NULL,
        ready);
    props[SINK_HISTORY] = g_param_spec_uint(
        "history", "History", "Frames kept for readers that come late or lag behind", 1, 256, 4, ready);
    props[SINK_MAX_SLOTS] = g_param_spec_uint(
        "max-slots", "Maximum slots",
        "Room for so many frames at the most; what is never used takes no memory (32 unless "
        "set, with dmabuf=slots, where all do)",
        24, FRAMEBUS_SLOTS_MAX, 128, ready);
    props[SINK_DMABUF] = g_param_spec_enum("dmabuf", "DMA-BUF", "Which frames are in DMA-BUFs",
                                           dmabuf_use_type(), DMABUF_UPSTREAM, ready);
    props[SINK_DMABUF_FOR_ALL] = g_param_spec_boolean("dmabuf-for-all", "DMA-BUF for all",
                                                      "Give DMA-BUFs, and with them the means to write to "
                                                      "frames, to all who may read, and not to this user "
                                                      "and root only",
                                                      FALSE, ready);
    props[SINK_LOSSLESS] = g_param_spec_boolean(
        "lossless", "Lossless", "Wait for readers that asked for lossless delivery", FALSE, ready);
    props[SINK_LOSSLESS_TIMEOUT] = g_param_spec_int64(
        "lossless-timeout", "Lossless timeout",
        "How long to wait for a lossless reader before it is made a live one (ns, -1 = for ever)", -1,
        G_MAXINT64, GST_SECOND, ready);
    props[SINK_WAIT_FOR_CONNECTION] = g_param_spec_boolean("wait-for-connection", "Wait for a connection",
                                                           "Publish nothing until there is a reader", FALSE,
                                                           flags | GST_PARAM_MUTABLE_PLAYING);
    props[SINK_NUM_READERS] =
        g_param_spec_uint("num-readers", "Number of readers", "Readers that are attached to the bus", 0,
                          G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    props[SINK_STATS] =
        g_param_spec_boxed("stats", "Statistics",
                           "published = zero-copy (foreign: of these, in upstream's memory) + copied frames, "
                           "bytes, readers, evicted, "
                           "reader-list, and those of every sink",
                           GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_properties(class, SINK_PROPERTIES, props);
}

void src_properties_install(GObjectClass *class)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    const GParamFlags ready = flags | GST_PARAM_MUTABLE_READY;
    const GParamFlags playing = flags | GST_PARAM_MUTABLE_PLAYING;
    GParamSpec *props[SRC_PROPERTIES] = {NULL};

    props[SRC_BUS] =
        g_param_spec_string("bus", "Bus", "Name of the bus to read, or the path of its socket", NULL, ready);
    props[SRC_DELIVERY] = g_param_spec_enum("delivery", "Delivery",
                                            "How frames reach a pipeline that is slower than the writer",
                                            delivery_type(), FRAMEBUS_DELIVERY_LIVE, ready);
    props[SRC_HOLD] = g_param_spec_uint(
        "hold", "Hold",
        "Frames that may be held in place at once; further ones are copied (0 = what downstream asks for)", 0,
        255, 0, ready);
    props[SRC_ON_DISCONNECT] = g_param_spec_enum("on-disconnect", "On disconnect",
                                                 "What to do when the writer goes without ending its stream",
                                                 on_disconnect_type(), ON_DISCONNECT_WAIT, ready);
    props[SRC_FORWARD_EOS] = g_param_spec_boolean(
        "forward-eos", "Forward end of stream",
        "End the stream when the writer ends its; else wait for the next one", TRUE, playing);
    props[SRC_TIMEOUT] = g_param_spec_uint64(
        "timeout", "Timeout",
        "How long to wait for a writer, or its next frame, until on-timeout is done (ns, 0 = for ever)", 0,
        G_MAXUINT64, 0, playing);
    props[SRC_ON_TIMEOUT] = g_param_spec_enum("on-timeout", "On timeout", "What to do after the timeout",
                                              on_timeout_type(), ON_TIMEOUT_MESSAGE, playing);
    props[SRC_KEEP_LAST] = g_param_spec_boolean(
        "keep-last", "Keep the last frame", "Repeat the last frame while there is no writer", FALSE, playing);
    props[SRC_STATS] = g_param_spec_boxed("stats", "Statistics",
                                          "delivered, missed, copied, dmabuf (in DMA-BUFs) and skipped "
                                          "(undecodable) frames, held "
                                          "and quota, writers met and the pid of the present one",
                                          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_properties(class, SRC_PROPERTIES, props);
}
