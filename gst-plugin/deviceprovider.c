/* SPDX-License-Identifier: MIT */
#include "deviceprovider.h"

#include "caps.h"

#include <framebus.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Comings and goings are seen in the runtime directory; a death or a change of format has to be asked for. */
#define ASK_MS 1000

struct _GstFramebusDevice {
    GstDevice parent;
    char *bus;
    int pid;
};

struct _GstFramebusDeviceProvider {
    GstDeviceProvider parent;
    GThread *thread;
    int wake_fd;
    GList *known; /* devices that were told of; the thread's while there is one */
};

GST_DEBUG_CATEGORY_STATIC(framebus_device_debug);
#define GST_CAT_DEFAULT framebus_device_debug

G_DEFINE_TYPE(GstFramebusDevice, gst_framebus_device, GST_TYPE_DEVICE)
G_DEFINE_TYPE_WITH_CODE(GstFramebusDeviceProvider, gst_framebus_device_provider, GST_TYPE_DEVICE_PROVIDER,
                        GST_DEBUG_CATEGORY_INIT(framebus_device_debug, "framebusdeviceprovider", 0,
                                                "framebus device provider"))
GST_DEVICE_PROVIDER_REGISTER_DEFINE(framebusdeviceprovider, "framebusdeviceprovider", GST_RANK_PRIMARY,
                                    GST_TYPE_FRAMEBUS_DEVICE_PROVIDER)

/* ---- Device -------------------------------------------------------------------------------- */

/* NULL if nothing can be read from the bus at present. */
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

static gboolean is_same(const GstFramebusDevice *a, const GstFramebusDevice *b)
{
    GstCaps *one = gst_device_get_caps(GST_DEVICE(a)), *other = gst_device_get_caps(GST_DEVICE(b));
    gboolean same = a->pid == b->pid && gst_caps_is_equal(one, other);

    gst_caps_unref(one);
    gst_caps_unref(other);
    return same;
}

static GstElement *create_element(GstDevice *device, const char *name)
{
    GstElement *element = gst_element_factory_make("framebussrc", name);

    if (element)
        g_object_set(element, "bus", GST_FRAMEBUS_DEVICE(device)->bus, NULL);
    return element;
}

static gboolean reconfigure_element(GstDevice *device, GstElement *element)
{
    GstElementFactory *factory = gst_element_get_factory(element);

    if (!factory || strcmp(GST_OBJECT_NAME(factory), "framebussrc") != 0)
        return FALSE;
    g_object_set(element, "bus", GST_FRAMEBUS_DEVICE(device)->bus, NULL);
    return TRUE;
}

static void finalize_device(GObject *object)
{
    g_free(GST_FRAMEBUS_DEVICE(object)->bus);
    G_OBJECT_CLASS(gst_framebus_device_parent_class)->finalize(object);
}

static void gst_framebus_device_class_init(GstFramebusDeviceClass *class)
{
    G_OBJECT_CLASS(class)->finalize = finalize_device;
    GST_DEVICE_CLASS(class)->create_element = create_element;
    GST_DEVICE_CLASS(class)->reconfigure_element = reconfigure_element;
}

static void gst_framebus_device_init(GstFramebusDevice *device G_GNUC_UNUSED)
{
}

/* ---- Provider ------------------------------------------------------------------------------ */

/* All devices there are, newly made, with floating references. */
static GList *probe(GstDeviceProvider *base G_GNUC_UNUSED)
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

static GstFramebusDevice *find(GList *devices, const char *bus)
{
    for (GList *item = devices; item; item = item->next) {
        if (strcmp(GST_FRAMEBUS_DEVICE(item->data)->bus, bus) == 0)
            return item->data;
    }
    return NULL;
}

/* Tells of what differs between the devices known and those there are. */
static void update(GstFramebusDeviceProvider *provider)
{
    GstDeviceProvider *base = GST_DEVICE_PROVIDER(provider);
    GList *now = probe(base);

    for (GList *item = now; item; item = item->next)
        gst_object_ref_sink(item->data);
    for (GList *item = provider->known; item; item = item->next) {
        if (!find(now, GST_FRAMEBUS_DEVICE(item->data)->bus))
            gst_device_provider_device_remove(base, item->data);
    }
    for (GList *item = now; item; item = item->next) {
        GstFramebusDevice *device = item->data, *old = find(provider->known, device->bus);

        if (!old) {
            gst_device_provider_device_add(base, GST_DEVICE(device));
        } else if (is_same(old, device)) {
            item->data = gst_object_ref(old);
            gst_object_unref(device);
        } else {
            gst_device_provider_device_changed(base, GST_DEVICE(device), GST_DEVICE(old));
        }
    }
    g_list_free_full(provider->known, gst_object_unref);
    provider->known = now;
}

/* A file descriptor that tells of changes in the runtime directory, -1 if there is none yet. */
static int watch_directory(int watch_fd)
{
    char path[PATH_MAX];

    if (watch_fd >= 0 || framebus_directory(path, sizeof(path)) < 0)
        return watch_fd;
    watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch_fd >= 0 &&
        inotify_add_watch(watch_fd, path, IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
        close(watch_fd);
        watch_fd = -1;
    }
    return watch_fd;
}

/* False if the directory itself is gone. */
static gboolean drain(int watch_fd)
{
    _Alignas(struct inotify_event) char events[4096];
    gboolean there = TRUE;
    ssize_t size;

    while ((size = read(watch_fd, events, sizeof(events))) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);

            there = there && !(event->mask & IN_IGNORED);
            at += sizeof(*event) + event->len;
        }
    }
    return there;
}

static gpointer follow(gpointer data)
{
    GstFramebusDeviceProvider *provider = data;
    struct pollfd fds[2] = {{.fd = provider->wake_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

    while (!(fds[0].revents & POLLIN)) {
        fds[1].fd = watch_directory(fds[1].fd);
        update(provider);
        poll(fds, G_N_ELEMENTS(fds), ASK_MS);
        if (fds[1].fd >= 0 && !drain(fds[1].fd)) {
            close(fds[1].fd);
            fds[1].fd = -1;
        }
    }
    if (fds[1].fd >= 0)
        close(fds[1].fd);
    return NULL;
}

static void stop(GstDeviceProvider *base)
{
    GstFramebusDeviceProvider *provider = GST_FRAMEBUS_DEVICE_PROVIDER(base);

    if (provider->thread) {
        eventfd_write(provider->wake_fd, 1);
        g_thread_join(g_steal_pointer(&provider->thread));
    }
    if (provider->wake_fd >= 0)
        close(provider->wake_fd);
    provider->wake_fd = -1;
    g_list_free_full(g_steal_pointer(&provider->known), gst_object_unref);
}

static gboolean start(GstDeviceProvider *base)
{
    GstFramebusDeviceProvider *provider = GST_FRAMEBUS_DEVICE_PROVIDER(base);

    update(provider); /* who starts a monitor asks for its devices at once */
    provider->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (provider->wake_fd >= 0)
        provider->thread = g_thread_try_new("framebus-watch", follow, provider, NULL);
    if (!provider->thread)
        stop(base);
    return provider->thread != NULL;
}

static void gst_framebus_device_provider_class_init(GstFramebusDeviceProviderClass *class)
{
    GstDeviceProviderClass *provider = GST_DEVICE_PROVIDER_CLASS(class);

    provider->probe = probe;
    provider->start = start;
    provider->stop = stop;
    gst_device_provider_class_set_static_metadata(provider, "Framebus device provider", "Source/Video/Audio",
                                                  "Lists the framebus buses that are served", "framebus");
}

static void gst_framebus_device_provider_init(GstFramebusDeviceProvider *provider)
{
    provider->wake_fd = -1;
}
