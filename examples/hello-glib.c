/* SPDX-License-Identifier: MIT */
/* Reads a bus in a GLib main loop, as a GTK program would: hello-glib [BUS]. Ctrl-C ends it. */
#include <framebus.h>

#include <errno.h>
#include <glib-unix.h>

static GMainLoop *loop;
static int status;

static gboolean on_signal(gpointer user)
{
    (void)user;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user)
{
    struct framebus_reader *reader = user;
    struct framebus_frame *frame;
    int r = framebus_reader_next(reader, &frame, 0); /* one for each wake-up is enough */

    (void)fd, (void)condition;
    if (r == 0) {
        g_print("frame %" G_GUINT64_FORMAT "\n", frame->sequence);
        framebus_reader_release(reader, frame);
    } else if (r != -ETIMEDOUT && r != -ENODATA) {
        g_printerr("hello-glib: %s\n", framebus_last_error());
        status = 1;
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    struct framebus_reader_options options = {.follow = true}; /* waits for writers that come and go */
    struct framebus_reader *reader;

    if (framebus_reader_open(&reader, argc > 1 ? argv[1] : "hello", &options) < 0) {
        g_printerr("hello-glib: %s\n", framebus_last_error());
        return 1;
    }
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGINT, on_signal, NULL);
    g_unix_signal_add(SIGTERM, on_signal, NULL);
    g_unix_fd_add(framebus_reader_fd(reader), G_IO_IN, on_readable, reader);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    framebus_reader_close(reader);
    return status;
}
