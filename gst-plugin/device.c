/* SPDX-License-Identifier: MIT */
/* The device provider: lists the buses that are served as devices, and follows their coming and going. */
#include "caps.h"
#include "plugin.h"

#include <errno.h>
#include <framebus.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* By then the monitor has told of every bus that was there at the beginning. */
#define DEVICE_SWEEP_MS 1000

#define GST_TYPE_FRAMEBUS_DEVICE gst_framebus_device_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusDevice, gst_framebus_device, GST, FRAMEBUS_DEVICE, GstDevice)

#define GST_TYPE_FRAMEBUS_DEVICE_PROVIDER gst_framebus_device_provider_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusDeviceProvider, gst_framebus_device_provider, GST, FRAMEBUS_DEVICE_PROVIDER,
                     GstDeviceProvider)

struct _GstFramebusDevice {
    GstDevice parent;
    char *bus;
    int pid;
};

struct _GstFramebusDeviceProvider {
    GstDeviceProvider parent;
    GThread *thread;
    int wake_fd;
    struct framebus_monitor *monitor; /* the thread's while there is one */
    GList *known;                     /* devices that were reported; the thread's while there is one */
};

GST_DEBUG_CATEGORY_STATIC(framebus_device_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_device_debug

G_DEFINE_TYPE(GstFramebusDevice, gst_framebus_device, GST_TYPE_DEVICE)
G_DEFINE_TYPE_WITH_CODE(GstFramebusDeviceProvider, gst_framebus_device_provider, GST_TYPE_DEVICE_PROVIDER,
                        GST_DEBUG_CATEGORY_INIT(framebus_device_debug, "framebusdeviceprovider", 0,
                                                "framebus device provider"))
GST_DEVICE_PROVIDER_REGISTER_DEFINE(framebusdeviceprovider, "framebusdeviceprovider", GST_RANK_PRIMARY,
                                    GST_TYPE_FRAMEBUS_DEVICE_PROVIDER)

/* ---- Device -------------------------------------------------------------------------------- */

/* Returns NULL if nothing can be read from the bus at present. */
static GstFramebusDevice *device_new(const struct framebus_bus_info *info)
{
    g_autofree char *why = NULL, *name = NULL;
    GstFramebusDevice *device;
    GstStructure *properties;
    GstVideoInfo video;
    GstCaps *caps;

    if (info->state != FRAMEBUS_BUS_LIVE || !info->has_format)
        return NULL;
    caps = caps_from_format(&info->format, &video, &why);
    if (!caps) {
        GST_INFO("%s is left out: %s", info->name, why);
        return NULL;
    }
    name = g_strdup_printf("%s (framebus, by %s)", info->name, info->label);
    properties = gst_structure_new("framebus-proplist", "device.api", G_TYPE_STRING, "framebus",
                                   "framebus.bus", G_TYPE_STRING, info->name, "framebus.path", G_TYPE_STRING,
                                   info->path, "framebus.writer", G_TYPE_STRING, info->label,
                                   "framebus.writer-pid", G_TYPE_INT, info->pid, NULL);
    device = g_object_new(GST_TYPE_FRAMEBUS_DEVICE, "display-name", name, "caps", caps, "device-class",
                          g_str_has_prefix(gst_structure_get_name(gst_caps_get_structure(caps, 0)), "audio/")
                              ? "Audio/Source"
                              : "Video/Source",
                          "properties", properties, NULL);
    device->bus = g_strdup(info->name);
    device->pid = info->pid;
    gst_structure_free(properties);
    gst_caps_unref(caps);
    return device;
}

static gboolean device_is_same(const GstFramebusDevice *a, const GstFramebusDevice *b)
{
    GstCaps *one = gst_device_get_caps(GST_DEVICE(a)), *other = gst_device_get_caps(GST_DEVICE(b));
    gboolean same = a->pid == b->pid && gst_caps_is_equal(one, other);

    gst_caps_unref(one);
    gst_caps_unref(other);
    return same;
}

static GstElement *device_create_element(GstDevice *device, const char *name)
{
    GstElement *element = gst_element_factory_make("framebussrc", name);

    if (element)
        g_object_set(element, "bus", GST_FRAMEBUS_DEVICE(device)->bus, NULL);
    return element;
}

static gboolean device_reconfigure_element(GstDevice *device, GstElement *element)
{
    GstElementFactory *factory = gst_element_get_factory(element);

    if (!factory || strcmp(GST_OBJECT_NAME(factory), "framebussrc") != 0)
        return FALSE;
    g_object_set(element, "bus", GST_FRAMEBUS_DEVICE(device)->bus, NULL);
    return TRUE;
}

static void device_finalize(GObject *object)
{
    g_free(GST_FRAMEBUS_DEVICE(object)->bus);
    G_OBJECT_CLASS(gst_framebus_device_parent_class)->finalize(object);
}

static void gst_framebus_device_class_init(GstFramebusDeviceClass *class)
{
    G_OBJECT_CLASS(class)->finalize = device_finalize;
    GST_DEVICE_CLASS(class)->create_element = GST_DEBUG_FUNCPTR(device_create_element);
    GST_DEVICE_CLASS(class)->reconfigure_element = GST_DEBUG_FUNCPTR(device_reconfigure_element);
}

static void gst_framebus_device_init(GstFramebusDevice *device G_GNUC_UNUSED)
{
}

/* ---- Provider ------------------------------------------------------------------------------ */

/* Returns a new device for each bus, with floating references. */
static GList *provider_probe(GstDeviceProvider *base G_GNUC_UNUSED)
{
    struct framebus_bus_info *infos = NULL;
    GList *devices = NULL;
    size_t count = 0;

    if (framebus_list(&infos, &count) < 0) {
        GST_WARNING("%s", framebus_last_error());
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        GstFramebusDevice *device = device_new(&infos[i]);

        if (device)
            devices = g_list_prepend(devices, device);
    }
    framebus_info_free(infos, count);
    return g_list_reverse(devices);
}

static GstFramebusDevice *devices_find(GList *devices, const char *bus)
{
    for (GList *item = devices; item; item = item->next) {
        if (strcmp(GST_FRAMEBUS_DEVICE(item->data)->bus, bus) == 0)
            return item->data;
    }
    return NULL;
}

/* Reports a bus as it is now; `device` is NULL if nothing can be read from it. Takes a floating reference. */
static void provider_update(GstFramebusDeviceProvider *provider, const char *bus, GstFramebusDevice *device)
{
    GstDeviceProvider *base = GST_DEVICE_PROVIDER(provider);
    GstFramebusDevice *old = devices_find(provider->known, bus);

    if (device)
        gst_object_ref_sink(device);
    if (old && device && device_is_same(old, device)) {
        gst_object_unref(device);
        return;
    }
    provider->known = g_list_remove(provider->known, old);
    if (device)
        provider->known = g_list_append(provider->known, device);
    if (old && device)
        gst_device_provider_device_changed(base, GST_DEVICE(device), GST_DEVICE(old));
    else if (old)
        gst_device_provider_device_remove(base, GST_DEVICE(old));
    else if (device)
        gst_device_provider_device_add(base, GST_DEVICE(device));
    if (old)
        gst_object_unref(old);
}

/* Handles the events there are. Notes in `seen` of which buses the monitor has told. */
static void provider_follow(GstFramebusDeviceProvider *provider, GHashTable *seen)
{
    struct framebus_event event;
    int r;

    while ((r = framebus_monitor_next(provider->monitor, &event, 0)) == 0) {
        if (event.reader)
            continue;
        if (seen)
            g_hash_table_add(seen, g_strdup(event.bus->name));
        provider_update(provider, event.bus->name,
                        event.type == FRAMEBUS_EVENT_BUS_REMOVED ? NULL : device_new(event.bus));
    }
    if (r != -ETIMEDOUT)
        GST_WARNING("%s", framebus_last_error());
}

/* Drops what went between the first probe and the monitor's first look. */
static void provider_sweep(GstFramebusDeviceProvider *provider, GHashTable *seen)
{
    GList *next;

    for (GList *item = provider->known; item; item = next) {
        const char *bus = GST_FRAMEBUS_DEVICE(item->data)->bus;

        next = item->next;
        if (!g_hash_table_contains(seen, bus))
            provider_update(provider, bus, NULL);
    }
}

static gpointer provider_run(gpointer data)
{
    GstFramebusDeviceProvider *provider = data;
    struct pollfd fds[2] = {{.fd = provider->wake_fd, .events = POLLIN},
                            {.fd = framebus_monitor_fd(provider->monitor), .events = POLLIN}};
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gint64 sweep_at = g_get_monotonic_time() + DEVICE_SWEEP_MS * 1000;

    while (!(fds[0].revents & POLLIN)) {
        provider_follow(provider, seen);
        if (seen && g_get_monotonic_time() >= sweep_at) {
            provider_sweep(provider, seen);
            g_clear_pointer(&seen, g_hash_table_unref);
        }
        poll(fds, G_N_ELEMENTS(fds), seen ? DEVICE_SWEEP_MS : -1);
    }
    g_clear_pointer(&seen, g_hash_table_unref);
    return NULL;
}

static void provider_stop(GstDeviceProvider *base)
{
    GstFramebusDeviceProvider *provider = GST_FRAMEBUS_DEVICE_PROVIDER(base);

    if (provider->thread) {
        eventfd_write(provider->wake_fd, 1);
        g_thread_join(g_steal_pointer(&provider->thread));
    }
    if (provider->wake_fd >= 0)
        close(provider->wake_fd);
    provider->wake_fd = -1;
    framebus_monitor_close(g_steal_pointer(&provider->monitor));
    g_list_free_full(g_steal_pointer(&provider->known), gst_object_unref);
}

static gboolean provider_start(GstDeviceProvider *base)
{
    GstFramebusDeviceProvider *provider = GST_FRAMEBUS_DEVICE_PROVIDER(base);
    GList *first = provider_probe(base); /* a program that starts a monitor asks for its devices at once */

    for (GList *item = first; item; item = item->next)
        provider_update(provider, GST_FRAMEBUS_DEVICE(item->data)->bus, item->data);
    g_list_free(first);
    provider->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (framebus_monitor_open(&provider->monitor, NULL) < 0)
        GST_WARNING("%s", framebus_last_error());
    else if (provider->wake_fd >= 0)
        provider->thread = g_thread_try_new("framebus-watch", provider_run, provider, NULL);
    if (!provider->thread)
        provider_stop(base);
    return provider->thread != NULL;
}

static void gst_framebus_device_provider_class_init(GstFramebusDeviceProviderClass *class)
{
    GstDeviceProviderClass *provider = GST_DEVICE_PROVIDER_CLASS(class);

    provider->probe = GST_DEBUG_FUNCPTR(provider_probe);
    provider->start = GST_DEBUG_FUNCPTR(provider_start);
    provider->stop = GST_DEBUG_FUNCPTR(provider_stop);
    gst_device_provider_class_set_static_metadata(provider, "Framebus device provider", "Source/Video/Audio",
                                                  "Lists the framebus buses that are served", PLUGIN_AUTHORS);
}

static void gst_framebus_device_provider_init(GstFramebusDeviceProvider *provider)
{
    provider->wake_fd = -1;
}
