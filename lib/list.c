/* SPDX-License-Identifier: MIT */
#include "list.h"

#include "clock.h"
#include "connection.h"
#include "directory.h"
#include "header.h"
#include "log.h"
#include "region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_TIME (250 * NS_PER_MS)

void label_fill(char *label, const char *wanted)
{
    if (!wanted || !*wanted)
        wanted = program_invocation_short_name;
    char cut[FRAMEBUS_LABEL_MAX + 1] = "";
    strncpy(cut, wanted, FRAMEBUS_LABEL_MAX);
    message_text(label, cut, sizeof cut);
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
    info->rate_mhz = m->rate_mhz;
    info->readers = m->readers_told;
    info->reader = readers;
    const char *tail = caps + m->format.caps_size;
    for (uint32_t i = 0; i < m->readers_told; i++, tail += sizeof(struct message_peer)) {
        struct message_peer p;
        memcpy(&p, tail, sizeof p);
        readers[i] = (struct framebus_peer_info){
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

static int receive_answer(int fd, union message *m)
{
    int64_t deadline = deadline_in(ANSWER_TIME);
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct timespec left = deadline_left(deadline);
        int n = ppoll(&wait, 1, &left, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -ETIMEDOUT;
        int type = connection_receive(fd, m, NULL, NULL);
        if (type != -EAGAIN)
            return type ? type : -ECONNRESET;
    }
}

/* Asks the bus in `place`; always fills in *info with what can be known. */
static int ask(struct framebus_bus_info *info, const struct bus_place *place)
{
    *info = (struct framebus_bus_info){0};
    strcpy(info->name, place->name);
    strcpy(info->path, place->path);
    int fd = connection_socket();
    if (fd < 0)
        return fail(fd, "cannot ask bus \"%s\": %s", place->name, strerror(-fd));
    int r = place_connect(place, fd, deadline_in(ANSWER_TIME));
    if (r) {
        close(fd);
        info->state = r == -ECONNREFUSED            ? FRAMEBUS_BUS_STALE
                      : r == -EACCES || r == -EPERM ? FRAMEBUS_BUS_DENIED
                                                    : FRAMEBUS_BUS_SILENT;
        return r == -ENOENT || r == -ENOTDIR || r == -EPROTOTYPE ? -ENOENT : 0;
    }
    struct connection_peer peer = {0};
    connection_get_peer(fd, &peer);
    info->pid = peer.pid;
    info->uid = peer.uid;

    info->state = FRAMEBUS_BUS_SILENT;
    struct message_plain question;
    union message *answer = malloc(sizeof *answer);
    r = answer ? 0 : fail(-ENOMEM, "no memory for the answer of bus \"%s\"", place->name);
    message_init(&question, MESSAGE_INFO, sizeof question);
    if (answer && !connection_send(fd, &question, NULL, 0)) {
        int type = receive_answer(fd, answer);
        if (type == MESSAGE_INFO_REPLY && !(r = info_load(info, &answer->info)))
            info->state = FRAMEBUS_BUS_LIVE;
        else if (type == MESSAGE_REFUSED && answer->refused.error != EAGAIN) /* else it has no time */
            info->state = FRAMEBUS_BUS_DENIED;
    }
    free(answer);
    close(fd);
    return r == -ENOMEM ? r : 0;
}

int framebus_query(const char *name, struct framebus_bus_info **info)
{
    *info = NULL;
    struct bus_place place;
    int r = place_find(&place, name);
    if (r)
        return r;
    struct framebus_bus_info *one = calloc(1, sizeof *one);
    if (!one)
        return fail(-ENOMEM, "no memory for a look at bus \"%s\"", name);
    char identity[PLACE_IDENTITY_MAX];
    place_identity(&place, identity);
    r = ask(one, &place);
    if (r == -ENOENT && region_leftovers(identity, false, NULL, NULL)) {
        one->state = FRAMEBUS_BUS_STALE;
        r = 0;
    }
    if (r) {
        framebus_info_free(one, 1);
        if (r != -ENOENT)
            return r;
        return fail(r, "there is no bus \"%s\" (no socket %s)", name, place.path);
    }
    *info = one;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct framebus_bus_info *)a)->name, ((const struct framebus_bus_info *)b)->name);
}

int framebus_list(struct framebus_bus_info **infos, size_t *count)
{
    *infos = NULL;
    *count = 0;
    char path[FRAMEBUS_PATH_MAX + 1];
    int r = framebus_directory(path, sizeof path);
    if (r < 0)
        return r;
    DIR *directory = opendir(path);
    if (!directory && errno == ENOENT)
        return 0;
    if (!directory)
        return fail(-errno, "cannot list the runtime directory %s: %s", path, strerror(errno));

    struct framebus_bus_info *list = NULL;
    size_t n = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat st;
        struct bus_place place;
        if (!place_name_is_valid(entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(st.st_mode) ||
            place_find(&place, entry->d_name))
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
        if (ask(&list[n], &place) == 0)
            n++;
    }
    closedir(directory);
    if (n)
        qsort(list, n, sizeof *list, by_name);
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

int framebus_remove(const char *name, void (*removed)(const char *what, void *user), void *user)
{
    struct bus_place place;
    int r = place_find(&place, name);
    if (r)
        return r;
    struct stat st;
    char identity[PLACE_IDENTITY_MAX];
    place_identity(&place, identity);
    bool socket = !lstat(place.path, &st) && S_ISSOCK(st.st_mode);
    if (!socket && !region_leftovers(identity, false, NULL, NULL))
        return fail(-ENOENT, "nothing of bus \"%s\" is left (no socket %s, no shared memory)", name,
                    place.path);

    struct bus_claim claim;
    r = claim_lock(&claim, &place);
    if (r)
        return r == -EADDRINUSE ? -EBUSY : r;
    int count = region_leftovers(identity, true, removed, user);
    if (socket && unlinkat(claim.directory, place.base, 0)) {
        r = fail(-errno, "cannot remove %s: %s", place.path, strerror(errno));
    } else if (socket) {
        char what[FRAMEBUS_PATH_MAX + 16];
        snprintf(what, sizeof what, "socket %s", place.path);
        if (removed)
            removed(what, user);
        count++;
    }
    claim_forget(&claim);
    return r ? r : count;
}
