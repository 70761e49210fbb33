/* SPDX-License-Identifier: MIT */
#include "fake-writer.h"

#include "base/bell.h"
#include "fake-reader.h"
#include "shared/pool_header.h"

#include <sys/socket.h>
#include <sys/un.h>

void fake_listen(struct fake *f, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(name));
    f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    check(f->listener >= 0);
    check(!bind(f->listener, (struct sockaddr *)&address, sizeof address));
    check(!listen(f->listener, 16));
}

static void make_region(struct fake *f, enum framebus_memory memory)
{
    struct framebus_format format = small();
    format.caps = "video/x-raw";
    struct layout_header plan;
    uint64_t page = region_page(0);
    check_equal(pool_header_plan(&plan, &format, format.size, FAKE_META, FAKE_SLOTS, 4, page, path_of("bus")),
                0);
    plan.region_size = (plan.region_size + page - 1) / page * page;
    plan.cookie = 0x1122334455667788;
    const struct region_wish wish = {.memory = memory,
                                     .size = plan.region_size,
                                     .mode = 0600,
                                     .group = (gid_t)-1,
                                     .identity = path_of("bus"),
                                     .number = 1};
    check_equal(region_create(&f->region, &wish), 0);
    uint8_t *base = f->region.base;
    f->header = f->region.base;
    *f->header = plan;
    strcpy((char *)base + plan.caps_offset, format.caps);
    f->index = (struct layout_index *)(base + plan.index_offset);
    f->table = (struct layout_slot *)(base + plan.table_offset);
    slots_init(&f->slots, f->index, f->table, f->notes, FAKE_SLOTS, 4, plan.ring_length);
}

static void publish(struct fake *f)
{
    int slot = slots_acquire(&f->slots);
    if (slot < 0) {
        slots_touch(&f->slots);
        slot = slots_acquire(&f->slots);
    }
    check(slot >= 0);
    slots_publish(&f->slots, (uint32_t)slot, &(struct layout_record){.size = f->header->format.size});
    slots_release(&f->slots, (uint32_t)slot);
}

/* Everything that a good writer has when a reader says hello, with one frame published. */
static void prepare(struct fake *f, enum framebus_memory memory)
{
    check_equal(bell_create(&f->event, &f->bell), 0);
    check_equal(reader_page_create(&f->page, &f->page_fd), 0);
    make_region(f, memory);
    publish(f);
    message_init(&f->welcome, MESSAGE_WELCOME, sizeof f->welcome);
    message_init(&f->pool, MESSAGE_POOL, sizeof f->pool);
    f->pool.memory = memory;
    f->pool.id = f->region.id;
    f->pool.region_size = f->header->region_size;
    f->pool.cookie = f->header->cookie;
    f->fds[0] = f->region.fd;
    f->fds[1] = f->page_fd;
    f->fd_count = 2;
}

void fake_meet(struct fake *f)
{
    union message *m = malloc(sizeof *m);
    struct pollfd wait = {.fd = f->listener, .events = POLLIN};
    check(poll(&wait, 1, 20000) == 1);
    f->peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
    check(f->peer >= 0);
    wait.fd = f->peer;
    check(poll(&wait, 1, 20000) == 1);
    check_equal(socket_receive(f->peer, m, NULL, NULL), MESSAGE_HELLO);
    free(m);
}

void fake_seal(struct fake *f)
{
    if (f->region.shared_fd < 0)
        check_equal(region_share(&f->region), 0);
    if (f->fds[0] == f->region.fd)
        f->fds[0] = f->region.shared_fd;
}

void fake_send(struct fake *f, const void *bytes, size_t size, const int *fds, unsigned fd_count)
{
    check(send_fds(f->peer, bytes, size, fds, fd_count) == (ssize_t)size);
}

void fake_welcome(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, &f->bell, 1);
}

void fake_offer(struct fake *f)
{
    fake_send(f, &f->pool, sizeof f->pool, f->fds, f->fd_count);
}

/* The last `size` bytes of a number, in this machine's byte order. */
static const uint8_t *low_end(const uint64_t *number, size_t size)
{
    return (const uint8_t *)number + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof *number - size : 0);
}

void play_one(const void *argument)
{
    const struct trick *trick = argument;
    static struct fake f;
    f = (struct fake){.peer = -1};
    fake_listen(&f, "bus");
    prepare(&f, FRAMEBUS_MEMORY_MEMFD);
    if (trick->before)
        trick->before(&f);
    if (trick->size)
        memcpy((char *)(trick->of ? trick->of(&f) : f.header) + trick->offset,
               low_end(&trick->value, trick->size), trick->size);
    shared->writer.ready = 1;
    fake_meet(&f);
    if (trick->play) {
        trick->play(&f);
    } else {
        fake_seal(&f);
        fake_welcome(&f);
        fake_offer(&f);
    }
    while (!shared->writer.stop) /* what the reader hears first is the message, not the hanging up */
        sleep_ns(MS);
}

/* What a reader makes of it. */
static int attach_and_read(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r = framebus_reader_open(&rd, "bus", NULL);
    if (r) {
        check(!rd);
        return r;
    }
    while (!(r = framebus_reader_next(rd, &f, 500 * MS))) {
        check(!framebus_frame_get_meta(f, 1, 0, NULL));
        framebus_reader_release(rd, f);
    }
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", framebus_last_error());
    if (r != -ETIMEDOUT)
        check_equal(framebus_reader_next(rd, &f, 500 * MS), r); /* it stays so */
    check(!strcmp(sentence, framebus_last_error()));
    framebus_reader_close(rd);
    return r;
}

void play_all(const struct trick *tricks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned fds = count_fds(), mappings = count_mappings();
        memset(shared, 0, sizeof *shared);
        pid_t fake = spawn(play_one, &tricks[i]);
        check_soon(shared->writer.ready || has_ended(fake));
        int r = attach_and_read();
        if (r != -tricks[i].error || (r && !strstr(framebus_last_error(), tricks[i].word)))
            check_failed(__FILE__, __LINE__, "%s: result %d in place of %d \"%s\"", tricks[i].name, r,
                         -tricks[i].error, tricks[i].word);
        check_equal(count_fds(), fds);
        check_equal(count_mappings(), mappings);
        finish(fake, &shared->writer);
        check(!unlink(path_of("bus")));
    }
}
