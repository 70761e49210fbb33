/* SPDX-License-Identifier: MIT */
/* Prints which buses and readers come, change and go: hello-monitor [BUS]. Ctrl-C ends it. */
#include <framebus.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    static const char *const states[] = {"live", "silent", "stale", "denied"};
    struct framebus_monitor *monitor;
    struct framebus_event event;
    char format[128];
    int r = framebus_monitor_open(&monitor, argc > 1 ? argv[1] : NULL);

    while (r == 0 && (r = framebus_monitor_next(monitor, &event, -1)) == 0) {
        const struct framebus_bus_info *bus = event.bus;
        switch (event.type) {
        case FRAMEBUS_EVENT_BUS_ADDED:
        case FRAMEBUS_EVENT_BUS_CHANGED:
            printf("%s is %s: %s\n", bus->name, states[bus->state],
                   bus->has_format ? framebus_format_describe(&bus->format, format, sizeof format)
                                   : "no format");
            break;
        case FRAMEBUS_EVENT_BUS_REMOVED:
            printf("%s is gone\n", bus->name);
            break;
        case FRAMEBUS_EVENT_READER_ADDED:
            printf("%s is read by %s\n", bus->name, event.reader->label);
            break;
        case FRAMEBUS_EVENT_READER_REMOVED:
            printf("%s is no longer read by %s\n", bus->name, event.reader->label);
            break;
        }
        fflush(stdout);
    }
    fprintf(stderr, "hello-monitor: %s\n", framebus_last_error());
    framebus_monitor_close(monitor);
    return 1;
}
