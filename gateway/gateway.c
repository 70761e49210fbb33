/* SPDX-License-Identifier: MIT */
#include "gateway.h"
#include "cli/report.h"

#include <errno.h>
#include <gst/rtsp-server/rtsp-server.h>

#include "feed.h"
#include "plan.h"

/* Up to this number clients have a thread each, so that one that waits keeps no other waiting. */
#define THREADS_MOST 100

/* Sessions in all: those beyond are answered 503. */
#define SESSIONS_MOST 100

#define CLEANUP_SECONDS 5

/* Time for the last packets, and for the news that they are the last, to reach the clients. */
#define LEAVE_MS 1000

/* How long to wait for clients and pipelines at the end. */
#define CLOSE_US (3 * G_USEC_PER_SEC)

struct gateway {
    const struct options *options;
    GstRTSPServer *server;
    guint source, cleanup; /* ids in the main context */
    GMutex mounting;
    gint feeds; /* that there are; atomic */
};

/* What a factory of feeds is for; goes with it. */
struct mount {
    struct gateway *gateway;
    char *path, *bus;
};

static void mount_free(gpointer data)
{
    struct mount *mount = data;

    g_free(mount->path);
    g_free(mount->bus);
    g_free(mount);
}

static struct mount *mount_of(gpointer factory)
{
    return g_object_get_data(factory, "mount");
}

/* ---- Clients leave ------------------------------------------------------------------------- */

static bool watches(GstRTSPClient *client, GstRTSPMedia *media)
{
    GList *sessions = gst_rtsp_client_session_filter(client, NULL, NULL);
    bool found = false;

    for (GList *s = sessions; s; s = s->next) {
        GList *parts = gst_rtsp_session_filter(s->data, NULL, NULL);

        for (GList *p = parts; p; p = p->next)
            found |= gst_rtsp_session_media_get_media(p->data) == media;
        g_list_free_full(parts, g_object_unref);
    }
    g_list_free_full(sessions, g_object_unref);
    return found;
}

static GstRTSPFilterResult leave(GstRTSPServer *server G_GNUC_UNUSED, GstRTSPClient *client, gpointer feed)
{
    return !feed || watches(client, feed) ? GST_RTSP_FILTER_REMOVE : GST_RTSP_FILTER_KEEP;
}

/* The clients of one feed, or all. */
static void send_away(struct gateway *gateway, gpointer feed)
{
    g_list_free_full(gst_rtsp_server_client_filter(gateway->server, leave, feed), g_object_unref);
}

static gboolean disconnect_clients(gpointer feed)
{
    send_away(mount_of(g_object_get_data(feed, "factory"))->gateway, feed);
    return G_SOURCE_REMOVE;
}

/* ---- Feeds --------------------------------------------------------------------------------- */

/* Nobody gets this feed any more; a client that has it is sent away. That cannot be done here, in its own
 * thread. */
static void feed_ended(Feed *feed, gpointer factory)
{
    struct mount *mount = mount_of(factory);
    struct gateway *gateway = mount->gateway;
    g_autoptr(GstRTSPMountPoints) mounts = gst_rtsp_server_get_mount_points(gateway->server);
    g_autoptr(GstRTSPMediaFactory) current = NULL;

    g_mutex_lock(&gateway->mounting);
    current = gst_rtsp_mount_points_match(mounts, mount->path, NULL);
    if (current == factory)
        gst_rtsp_mount_points_remove_factory(mounts, mount->path);
    g_mutex_unlock(&gateway->mounting);
    g_timeout_add_full(G_PRIORITY_DEFAULT, LEAVE_MS, disconnect_clients, g_object_ref(feed), g_object_unref);
}

static void feed_gone(gpointer gateway, GObject *feed G_GNUC_UNUSED)
{
    g_atomic_int_add(&((struct gateway *)gateway)->feeds, -1);
}

static void configure_feed(GstRTSPMediaFactory *factory, GstRTSPMedia *feed, gpointer user)
{
    struct gateway *gateway = user;
    struct mount *mount = mount_of(factory);

    g_atomic_int_inc(&gateway->feeds);
    g_object_weak_ref(G_OBJECT(feed), feed_gone, gateway);
    feed_set_bus(GATEWAY_FEED(feed), mount->path + 1, mount->bus);
    g_object_set_data_full(G_OBJECT(feed), "factory", g_object_ref(factory), g_object_unref);
    g_signal_connect(feed, "ended", G_CALLBACK(feed_ended), factory);
}

static GstRTSPMediaFactory *make_factory(struct gateway *gateway, const char *path, const char *bus)
{
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    struct mount *mount = g_new(struct mount, 1);

    *mount = (struct mount){gateway, g_strdup(path), g_strdup(bus)};
    g_object_set_data_full(G_OBJECT(factory), "mount", mount, mount_free);
    gst_rtsp_media_factory_set_media_gtype(factory, FEED_TYPE);
    gst_rtsp_media_factory_set_shared(factory, TRUE);
    gst_rtsp_media_factory_set_protocols(factory, GST_RTSP_LOWER_TRANS_UDP | GST_RTSP_LOWER_TRANS_TCP);
    g_signal_connect(factory, "media-configure", G_CALLBACK(configure_feed), gateway);
    return factory;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* The bus that a client means, NULL if there can be none. Nobody reaches other sockets by a path. */
static const char *find_bus(const struct gateway *gateway, const char *path)
{
    const char *name = *path == '/' ? path + 1 : path;

    if (gateway->options->buses)
        return g_hash_table_lookup(gateway->options->buses, name);
    return is_bus_name(name) ? name : NULL;
}

static GstRTSPStatusCode look_at_bus(struct gateway *gateway, const char *bus, char **launch)
{
    struct framebus_bus_info *info;
    GstRTSPStatusCode status;
    int r = bus ? framebus_query(bus, &info) : -ENOENT;

    *launch = NULL;
    if (r == -ENOENT)
        return GST_RTSP_STS_NOT_FOUND;
    if (r < 0) {
        report_error("%s: %s", bus, framebus_last_error());
        return GST_RTSP_STS_SERVICE_UNAVAILABLE;
    }
    status = plan_launch(info, gateway->options, launch);
    framebus_info_free(info, 1);
    return status;
}

/* What the bus carries now is what its next feed is made for; one that runs stays as it is. */
static void mount_bus(struct gateway *gateway, const char *path, const char *bus, const char *launch)
{
    g_autoptr(GstRTSPMountPoints) mounts = gst_rtsp_server_get_mount_points(gateway->server);
    g_autoptr(GstRTSPMediaFactory) factory = NULL;
    g_autofree char *before = NULL;

    g_mutex_lock(&gateway->mounting);
    factory = gst_rtsp_mount_points_match(mounts, path, NULL);
    if (!factory) {
        factory = make_factory(gateway, path, bus);
        gst_rtsp_mount_points_add_factory(mounts, path, g_object_ref(factory));
    }
    before = gst_rtsp_media_factory_get_launch(factory);
    if (g_strcmp0(before, launch) != 0) {
        report_detail("%s: %s", path + 1, launch);
        gst_rtsp_media_factory_set_launch(factory, launch);
    }
    g_mutex_unlock(&gateway->mounting);
}

/* A client wants to know what there is. That is when buses are looked for. */
static GstRTSPStatusCode describe(GstRTSPClient *client, GstRTSPContext *context, gpointer user)
{
    struct gateway *gateway = user;
    const char *path = context->uri->abspath, *bus = find_bus(gateway, path);
    g_autofree char *launch = NULL, *printable = g_strescape(path, NULL);
    GstRTSPStatusCode status = look_at_bus(gateway, bus, &launch);

    if (status == GST_RTSP_STS_OK)
        mount_bus(gateway, path, bus, launch);
    report_detail("%s asks for %s: %s", gst_rtsp_connection_get_ip(gst_rtsp_client_get_connection(client)),
                  printable, status == GST_RTSP_STS_OK ? launch : gst_rtsp_status_as_text(status));
    return status;
}

static void play(GstRTSPClient *client G_GNUC_UNUSED, GstRTSPContext *context, gpointer user G_GNUC_UNUSED)
{
    feed_ask_for_key_frame(GATEWAY_FEED(context->media));
}

static void greet(GstRTSPServer *server G_GNUC_UNUSED, GstRTSPClient *client, gpointer gateway)
{
    g_signal_connect(client, "pre-describe-request", G_CALLBACK(describe), gateway);
    g_signal_connect(client, "play-request", G_CALLBACK(play), gateway);
}

/* ---- Open and close ------------------------------------------------------------------------ */

static gboolean clean_up(gpointer user)
{
    struct gateway *gateway = user;
    g_autoptr(GstRTSPSessionPool) sessions = gst_rtsp_server_get_session_pool(gateway->server);

    gst_rtsp_session_pool_cleanup(sessions);
    return G_SOURCE_CONTINUE;
}

static void set_limits(GstRTSPServer *server)
{
    g_autoptr(GstRTSPThreadPool) threads = gst_rtsp_server_get_thread_pool(server);
    g_autoptr(GstRTSPSessionPool) sessions = gst_rtsp_server_get_session_pool(server);

    gst_rtsp_thread_pool_set_max_threads(threads, THREADS_MOST);
    gst_rtsp_session_pool_set_max_sessions(sessions, SESSIONS_MOST);
}

struct gateway *gateway_open(const struct options *options)
{
    struct gateway *gateway = g_new0(struct gateway, 1);
    g_autoptr(GError) error = NULL;
    GSource *source;

    gateway->options = options;
    g_mutex_init(&gateway->mounting);
    gateway->server = gst_rtsp_server_new();
    set_limits(gateway->server);
    g_signal_connect(gateway->server, "client-connected", G_CALLBACK(greet), gateway);
    gst_rtsp_server_set_address(gateway->server, options->address);
    gst_rtsp_server_set_service(gateway->server, options->port);
    source = gst_rtsp_server_create_source(gateway->server, NULL, &error);
    if (!source) {
        report_error("cannot listen on %s, port %s: %s", options->address, options->port, error->message);
        gateway_close(gateway);
        return NULL;
    }
    gateway->source = g_source_attach(source, NULL);
    g_source_unref(source);
    gateway->cleanup = g_timeout_add_seconds(CLEANUP_SECONDS, clean_up, gateway);
    return gateway;
}

int gateway_port(const struct gateway *gateway)
{
    return gst_rtsp_server_get_bound_port(gateway->server);
}

static bool is_empty(struct gateway *gateway)
{
    GList *clients = gst_rtsp_server_client_filter(gateway->server, NULL, NULL);
    bool none = !clients && !g_atomic_int_get(&gateway->feeds);

    g_list_free_full(clients, g_object_unref);
    return none;
}

static gboolean look_again(gpointer user G_GNUC_UNUSED)
{
    return G_SOURCE_CONTINUE; /* it is enough that the main context turns */
}

/* False if some do not go. */
static bool empty(struct gateway *gateway)
{
    gint64 end = g_get_monotonic_time() + CLOSE_US;
    guint ticks = g_timeout_add(10, look_again, NULL);

    send_away(gateway, NULL);
    while (!is_empty(gateway) && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(ticks);
    return is_empty(gateway);
}

void gateway_close(struct gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->source) {
        g_source_remove(gateway->source);
        g_source_remove(gateway->cleanup);
    }
    if (!empty(gateway))
        return; /* threads of theirs may still look at it; the process ends anyway */
    g_object_unref(gateway->server);
    gst_rtsp_thread_pool_cleanup();
    g_mutex_clear(&gateway->mounting);
    g_free(gateway);
}
