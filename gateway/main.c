/* SPDX-License-Identifier: MIT */
/* framebus-rtsp: offers the buses of this machine to RTSP clients. */
#include "cli/report.h"
#include "encoder.h"
#include "gateway.h"
#include "meta.h"
#include "options.h"
#include "plugin.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define HOST_ROOM 256

/* The source is built in: it is there whether the plugin is installed or not. */
static bool gateway_start_gstreamer(void)
{
    g_autoptr(GError) error = NULL;
    g_set_prgname("framebus-rtsp");
    if (gst_init_check(NULL, NULL, &error) && GST_ELEMENT_REGISTER(framebussrc, NULL)) {
        meta_register();
        return true;
    }
    report_error("GStreamer does not start: %s", error ? error->message : "it does not accept framebussrc");
    return false;
}

static bool gateway_choose_encoder(struct options *options)
{
    g_autofree char *why = NULL;
    if (options->encoder && !encoder_works(options->encoder, &why)) {
        report_error("encoder %s does not work here: %s", encoder_name(options->encoder), why);
        return false;
    }
    if (!options->encoder)
        options->encoder = encoder_choose();
    if (!options->encoder)
        report_error("no encoder works here, only frames that are encoded already can be sent; "
                     "gstreamer1.0-plugins-ugly brings x264enc");
    return true;
}

/* Prints where clients find it, and which they may be. */
static void gateway_print_address(const struct options *options, int port)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(options->address);
    bool local = address && g_inet_address_get_is_loopback(address);
    bool any = address && g_inet_address_get_is_any(address);
    bool colons = address && !any && g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
    char host[HOST_ROOM] = "localhost";
    if (any)
        gethostname(host, sizeof host - 1);
    printf("rtsp://%s%s%s:%d/NAME, %s\n", colons ? "[" : "", any ? host : options->address, colons ? "]" : "",
           port,
           local ? "from this machine only (--address 0.0.0.0: from everywhere)"
                 : "for everybody who reaches this address: there is no password");
    printf("pictures are encoded by: %s\n", options->encoder ? encoder_name(options->encoder) : "-");
    fflush(stdout);
}

static gboolean gateway_quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE; /* the next signal ends it at once */
}

static int gateway_serve(struct options *options)
{
    struct gateway *gateway;
    GMainLoop *loop;
    if (!gateway_choose_encoder(options))
        return STATUS_FAILED;
    gateway = gateway_open(options);
    if (!gateway)
        return STATUS_FAILED;
    gateway_print_address(options, gateway_port(gateway));

    loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGINT, gateway_quit, loop);
    g_unix_signal_add(SIGTERM, gateway_quit, loop);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    gateway_close(gateway);
    return STATUS_DONE;
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    report_init("framebus-rtsp");
    if (!options_parse(&options, argc, argv, &status))
        return status;
    if (options.verbose)
        report_set_verbose();
    if (!gateway_start_gstreamer())
        status = STATUS_FAILED;
    else if (options.list_encoders)
        status = encoder_list() ? STATUS_DONE : STATUS_FAILED;
    else
        status = gateway_serve(&options);
    options_finish(&options);
    return status;
}
