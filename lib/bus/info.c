/* SPDX-License-Identifier: MIT */
#include "bus/info.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/region.h"
#include "base/socket.h"
#include "bus/name.h"
#include "shared/pool_header.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK_TIME (250 * NS_PER_MS)

void label_fill(char *label, const char *wanted)
{
    if (!wanted || !*wanted)
        wanted = program_invocation_short_name;
    char cut[FRAMEBUS_LABEL_MAX + 1] = "";
    strncpy(cut, wanted, FRAMEBUS_LABEL_MAX);
    message_text(label, cut, sizeof cut);
}

int options_check(const uint64_t *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (reserved[i])
            return fail(-ENOTSUP, "reserved[%zu] is not zero: version %s of the library has no such option",
                        i, framebus_version());
    return 0;
}

/* ---- the message, both halves ---- */

void info_store(struct message_info_reply *m, const struct framebus_bus_info *info)
{
    message_init(m, MESSAGE_INFO_REPLY, sizeof *m);
    m->lossless = info->lossless;
    memcpy(m->label, info->label, sizeof m->label);
    m->memory = info->memory;
    m->history = info->history;
    m->max_slots = info->max_slots;
    m->max_lends = info->max_lends;
    m->lent = info->lent;
    m->slots_used = info->slots_used;
    m->memory_bytes = info->memory_bytes;
    m->published = info->published;
    m->evicted = info->evicted;
    m->last_publish_ns = info->last_publish_ns;
    m->rate_millihertz = info->rate_millihertz;
    m->has_format = info->has_format;
    if (!info->has_format)
        return;
    format_store(&m->format, &info->format);
    if (m->format.caps_size)
        memcpy(m + 1, info->format.caps, m->format.caps_size);
    m->head.size += m->format.caps_size;
}

void info_store_reader(struct message_info_reply *m, const struct framebus_peer_info *reader)
{
    m->readers++;
    if (m->readers_told == INFO_PEERS_MAX)
        return;
    struct message_peer told = {
        .id = reader->id,
        .pid = reader->pid,
        .uid = reader->uid,
        .delivery = reader->delivery,
        .quota = reader->quota,
        .held = reader->held,
        .taken = reader->taken,
        .missed = reader->missed,
    };
    memcpy(told.label, reader->label, sizeof told.label);
    memcpy((char *)m + m->head.size, &told, sizeof told); /* after caps text of any length */
    m->head.size += (uint32_t)sizeof told;
    m->readers_told++;
}

int info_load(struct framebus_bus_info *info, const struct message_info_reply *m)
{
    uint64_t size =
        sizeof *m + (uint64_t)m->format.caps_size + (uint64_t)m->readers_told * sizeof(struct message_peer);
    if (m->readers_told > INFO_PEERS_MAX || m->format.caps_size > FRAMEBUS_CAPS_MAX || size != m->head.size)
        return fail(-EBADMSG, "an answer of %u bytes that claims %llu", m->head.size,
                    (unsigned long long)size);

    const char *caps = (const char *)(m + 1);
    struct framebus_peer_info *readers = calloc(m->readers_told + 1, sizeof *readers);
    char *own_caps = calloc(1, m->format.caps_size + 1);
    if (!readers || !own_caps) {
        free(readers);
        free(own_caps);
        return fail(-ENOMEM, "no memory for the answer of a writer");
    }
    memcpy(own_caps, caps, m->format.caps_size);
    int r = m->has_format ? format_load(&info->format, &m->format, own_caps) : 0;
    if (r) {
        free(readers);
        free(own_caps);
        return r;
    }
    if (!info->format.caps)
        free(own_caps);

    info->has_format = m->has_format;
    info->lossless = m->lossless;
    message_text(info->label, m->label, sizeof info->label);
    info->memory = (enum framebus_memory)m->memory;
    info->history = m->history;
    info->max_slots = m->max_slots;
    info->max_lends = m->max_lends;
    info->lent = m->lent;
    info->slots_used = m->slots_used;
    info->memory_bytes = m->memory_bytes;
    info->published = m->published;
    info->evicted = m->evicted;
    info->last_publish_ns = m->last_publish_ns;
    info->rate_millihertz = m->rate_millihertz;
    info->readers = m->readers_told;
    info->reader = readers;
    const char *tail = caps + m->format.caps_size;
    for (uint32_t i = 0; i < m->readers_told; i++, tail += sizeof(struct message_peer)) {
        struct message_peer p;
        memcpy(&p, tail, sizeof p);
        readers[i] = (struct framebus_peer_info){
            .id = p.id,
            .pid = p.pid,
            .uid = p.uid,
            .delivery = (enum framebus_delivery)p.delivery,
            .quota = p.quota,
            .held = p.held,
            .taken = p.taken,
            .missed = p.missed,
        };
        message_text(readers[i].label, p.label, sizeof readers[i].label);
    }
    return 0;
}

/* ---- asking ---- */

static int info_receive(int fd, union message *m)
{
    int64_t deadline = deadline_in(ASK_TIME);
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct timespec left = deadline_left(deadline);
        int n = ppoll(&wait, 1, &left, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -ETIMEDOUT;
        int type = socket_receive(fd, m, NULL, NULL);
        if (type != -EAGAIN)
            return type ? type : -ECONNRESET;
    }
}

/* Asks the bus at `path`; always fills in *info with what is known. */
static int info_ask(struct framebus_bus_info *info, const struct bus_path *path)
{
    *info = (struct framebus_bus_info){0};
    strcpy(info->name, path->name);
    strcpy(info->path, path->socket);
    int fd = socket_create();
    if (fd < 0)
        return fail(fd, "cannot ask bus \"%s\": %s", path->name, strerror(-fd));
    int64_t deadline = deadline_in(ASK_TIME);
    int r;
    do
        r = bus_path_connect(path, fd, deadline);
    while (r == -EINTR);
    if (r) {
        close(fd);
        info->state = r == -ECONNREFUSED            ? FRAMEBUS_BUS_STALE
                      : r == -EACCES || r == -EPERM ? FRAMEBUS_BUS_DENIED
                                                    : FRAMEBUS_BUS_SILENT;
        info->has_writer = info->state == FRAMEBUS_BUS_SILENT; /* a full backlog is somebody's */
        return r == -ENOENT || r == -ENOTDIR || r == -EPROTOTYPE ? -ENOENT : 0;
    }
    struct socket_peer peer = {0};
    socket_get_peer(fd, &peer);
    info->has_writer = true;
    info->pid = peer.pid;
    info->uid = peer.uid;

    info->state = FRAMEBUS_BUS_SILENT;
    struct message_plain question;
    union message *answer = malloc(sizeof *answer);
    r = answer ? 0 : fail(-ENOMEM, "no memory for the answer of bus \"%s\"", path->name);
    message_init(&question, MESSAGE_INFO, sizeof question);
    if (answer && !socket_send(fd, &question, NULL, 0)) {
        int type = info_receive(fd, answer);
        if (type == MESSAGE_INFO_REPLY && !(r = info_load(info, &answer->info)))
            info->state = FRAMEBUS_BUS_LIVE;
        else if (type == MESSAGE_REFUSED && answer->refused.error != EAGAIN) /* else it is too busy */
            info->state = FRAMEBUS_BUS_DENIED;
        else if (type == -EPROTONOSUPPORT)
            info->state = FRAMEBUS_BUS_INCOMPATIBLE;
    }
    free(answer);
    close(fd);
    return r == -ENOMEM ? r : 0;
}

int framebus_query(const char *name, struct framebus_bus_info **info)
{
    *info = NULL;
    struct bus_path path;
    int r = bus_path_find(&path, name);
    if (r)
        return r;
    struct framebus_bus_info *one = calloc(1, sizeof *one);
    if (!one)
        return fail(-ENOMEM, "no memory for what is known of bus \"%s\"", name);
    char identity[BUS_IDENTITY_MAX];
    bus_path_identity(&path, identity);
    r = info_ask(one, &path);
    if (r == -ENOENT && region_leftovers(identity, false, NULL, NULL)) {
        one->state = FRAMEBUS_BUS_STALE;
        r = 0;
    }
    if (r) {
        framebus_info_free(one, 1);
        if (r != -ENOENT)
            return r;
        return fail(r, "there is no bus \"%s\" (no socket %s)", name, path.socket);
    }
    *info = one;
    return 0;
}

static int info_by_name(const void *a, const void *b)
{
    return strcmp(((const struct framebus_bus_info *)a)->name, ((const struct framebus_bus_info *)b)->name);
}

int framebus_list(struct framebus_bus_info **infos, size_t *count)
{
    *infos = NULL;
    *count = 0;
    char where[FRAMEBUS_PATH_MAX + 1];
    int r = framebus_directory(where, sizeof where);
    if (r < 0)
        return r;
    DIR *directory = opendir(where);
    if (!directory && errno == ENOENT)
        return 0;
    if (!directory)
        return fail(-errno, "cannot list the runtime directory %s: %s", where, strerror(errno));

    struct framebus_bus_info *list = NULL;
    size_t n = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat st;
        struct bus_path path;
        if (!bus_name_is_valid(entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(st.st_mode) ||
            bus_path_find(&path, entry->d_name))
            continue;
        if (n == room) {
            room = room ? 2 * room : 8;
            struct framebus_bus_info *more = realloc(list, room * sizeof *more);
            if (!more) {
                framebus_info_free(list, n);
                closedir(directory);
                return fail(-ENOMEM, "no memory for a list of %zu buses", room);
            }
            list = more;
        }
        if (info_ask(&list[n], &path) == 0)
            n++;
    }
    closedir(directory);
    if (n)
        qsort(list, n, sizeof *list, info_by_name);
    *infos = list;
    *count = n;
    return 0;
}

void framebus_info_free(struct framebus_bus_info *infos, size_t count)
{
    for (size_t i = 0; infos && i < count; i++) {
        free((char *)infos[i].format.caps);
        free(infos[i].reader);
    }
    free(infos);
}
