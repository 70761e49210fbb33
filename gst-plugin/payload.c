/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <errno.h>
#include <string.h>

#define GST_TYPE_FRAMEBUS_PAYLOAD gst_framebus_payload_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusPayload, gst_framebus_payload, GST, FRAMEBUS_PAYLOAD, GstAllocator)

struct _GstFramebusPayload {
    GstAllocator parent;
    GstFramebusAllocator *bus; /* whose slots are given out */
    char *text;
    gint announced; /* the bus was given the format of these payloads, once; atomic */
};

GST_DEBUG_CATEGORY_STATIC(framebus_payload_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_payload_debug

G_DEFINE_TYPE_WITH_CODE(GstFramebusPayload, gst_framebus_payload, GST_TYPE_ALLOCATOR,
                        GST_DEBUG_CATEGORY_INIT(framebus_payload_debug, "framebuspayload", 0,
                                                "slots of a framebus bus for payloads"))

int payload_format(struct framebus_format *format, const char *text, guint64 size)
{
    return framebus_format_init_opaque(format, text, MAX(2 * size, PAYLOAD_MIN));
}

/* Returns a slot, or NULL and an error: 0 if the bus carries something else. */
static GstMemory *payload_lend(GstFramebusPayload *payload, guint64 size, int *error)
{
    GstMemory *memory;
    const struct framebus_format *format;

    *error = 0;
    memory = allocator_lend(payload->bus, ALLOCATOR_FOR_UPSTREAM, MAX(size, 1), NULL, error);
    if (!memory)
        return NULL;
    format = allocator_frame(payload->bus, memory)->format;
    if (format->fourcc || strcmp(format->caps, payload->text) != 0)
        g_clear_pointer(&memory, gst_memory_unref);
    return memory;
}

/* Gives the bus the format of these payloads, which come next: but only once. When the bus has another one
 * later, something else comes, too. */
static gboolean payload_announce(GstFramebusPayload *payload, guint64 size)
{
    struct framebus_format format;

    return g_atomic_int_compare_and_exchange(&payload->announced, FALSE, TRUE) &&
           payload_format(&format, payload->text, size) == 0 &&
           allocator_set_format(payload->bus, ALLOCATOR_FOR_UPSTREAM, &format) == 0;
}

static GstMemory *payload_alloc(GstAllocator *base, gsize size, GstAllocationParams *params)
{
    GstFramebusPayload *payload = GST_FRAMEBUS_PAYLOAD(base);
    GstMemory *memory = NULL;
    int error = -EINVAL;

    if (allocation_suits_slots(params) && size <= G_MAXSIZE / 4 && params->padding <= G_MAXSIZE / 4) {
        memory = payload_lend(payload, size + params->padding, &error);
        if (!memory && (error == 0 || error == -ENODATA || error == -EMSGSIZE) &&
            payload_announce(payload, size + params->padding))
            memory = payload_lend(payload, size + params->padding, &error);
    }
    if (!memory) {
        GST_DEBUG_OBJECT(payload, "ordinary memory instead of a slot of %" G_GSIZE_FORMAT " bytes: %s", size,
                         error ? g_strerror(-error) : "the bus has another format by now");
        return gst_allocator_alloc(NULL, size, params);
    }
    gst_memory_resize(memory, 0, size);
    memory->align = params->align;
    return memory;
}

/* Never called: what is given out belongs to other allocators. */
static void payload_free(GstAllocator *base, GstMemory *memory)
{
    GST_ERROR_OBJECT(base, "memory %p is not of this allocator", (gpointer)memory);
}

GstAllocator *payload_allocator_new(GstFramebusAllocator *bus, const char *text)
{
    GstFramebusPayload *payload = g_object_new(GST_TYPE_FRAMEBUS_PAYLOAD, NULL);

    gst_object_ref_sink(payload);
    payload->bus = gst_object_ref(bus);
    payload->text = g_strdup(text);
    return GST_ALLOCATOR_CAST(payload);
}

static void payload_finalize(GObject *object)
{
    GstFramebusPayload *payload = GST_FRAMEBUS_PAYLOAD(object);

    g_free(payload->text);
    gst_clear_object(&payload->bus);
    G_OBJECT_CLASS(gst_framebus_payload_parent_class)->finalize(object);
}

static void gst_framebus_payload_class_init(GstFramebusPayloadClass *class)
{
    G_OBJECT_CLASS(class)->finalize = payload_finalize;
    GST_ALLOCATOR_CLASS(class)->alloc = payload_alloc;
    GST_ALLOCATOR_CLASS(class)->free = payload_free;
}

static void gst_framebus_payload_init(GstFramebusPayload *payload)
{
    GST_ALLOCATOR_CAST(payload)->mem_type = "FramebusSlot";
}
