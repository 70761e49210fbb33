/* SPDX-License-Identifier: MIT */
/* Prints the buses that GStreamer's device monitor finds, as an application with a list of cameras has them,
 * until one has gone again, and gives back all that it has, so that tracers can count: watch-devices. */
#include <gst/gst.h>
#include <stdio.h>

static void device_try(GstDevice *device)
{
    g_autofree char *name = gst_device_get_display_name(device);
    GstCaps *caps = gst_device_get_caps(device);
    GstElement *element = gst_device_create_element(device, NULL);

    g_print("found %s: %s\n", name,
            gst_device_reconfigure_element(device, element) ? "usable" : "not usable");
    gst_object_unref(element);
    gst_caps_unref(caps);
}

/* Returns FALSE when a device has gone. */
static gboolean devices_follow(GstBus *bus)
{
    GstMessage *message = gst_bus_timed_pop(bus, 60 * GST_SECOND);
    const gboolean has_gone = !message || GST_MESSAGE_TYPE(message) == GST_MESSAGE_DEVICE_REMOVED;

    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_DEVICE_ADDED) {
        GstDevice *device;

        gst_message_parse_device_added(message, &device);
        device_try(device);
        gst_object_unref(device);
    }
    g_clear_pointer(&message, gst_message_unref);
    return !has_gone;
}

int main(int argc, char **argv)
{
    GstDeviceMonitor *monitor;
    GstBus *bus;

    gst_init(&argc, &argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    monitor = gst_device_monitor_new();
    gst_device_monitor_add_filter(monitor, "Source", NULL);
    bus = gst_device_monitor_get_bus(monitor);
    if (!gst_device_monitor_start(monitor))
        return 1;
    while (devices_follow(bus)) {}
    gst_device_monitor_stop(monitor);
    g_list_free_full(gst_device_monitor_get_devices(monitor), gst_object_unref);
    gst_object_unref(bus);
    gst_object_unref(monitor);
    gst_deinit();
    return 0;
}
