/* SPDX-License-Identifier: MIT */
/* What a stranger or a reader says to a writer: any messages, in any order, between frames and changes
 * of format. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/socket.h"
#include "writer/writer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct framebus_writer *writer;

static void open_writer(void)
{
    struct framebus_format format;
    const struct framebus_writer_options options = {.history = 4, .max_slots = 32, .max_lends = 2};
    fuzz_prepare();
    must(!framebus_format_init(&format, framebus_format_by_name("GRAY8")->fourcc, 16, 16));
    must(!framebus_writer_open(&writer, "bus", &format, &options));
}

static void publish(void)
{
    struct framebus_frame *f;
    must(!framebus_writer_begin(writer, &f));
    must(!framebus_writer_publish(writer, f));
    framebus_writer_release(writer, f);
}

static void change_format(uint8_t width)
{
    struct framebus_format format;
    must(!framebus_format_init(&format, framebus_format_by_name("GRAY8")->fourcc, 16 + width % 4, 16));
    must(!framebus_writer_set_format(writer, &format));
}

/* Hears all that the writer answered, as socket_receive() does. The page, if one came, is written to. */
static void hear(int fd, struct layout_reader **page)
{
    static union message m;
    int type;
    do {
        int fds[MESSAGE_FDS_MAX];
        unsigned count = 0;
        type = socket_receive(fd, &m, fds, &count);
        must(type >= 0 || type == -EAGAIN || type == -ECONNRESET);
        if (type == MESSAGE_POOL && count == 2) {
            reader_page_finish(*page);
            must(!reader_page_attach((void **)page, fds[1]));
            count = 1;
        }
        for (unsigned i = 0; i < count; i++)
            close(fds[i]);
    } while (type > 0);
}

static void say(int fd, enum message_type type, struct input *in)
{
    static const size_t sizes[MESSAGE_TYPES] = {
        [MESSAGE_HELLO] = sizeof(struct message_hello),
        [MESSAGE_QUOTA] = sizeof(struct message_quota),
    };
    union message m = {0};
    size_t size = sizes[type] ? sizes[type] : sizeof(struct message_plain);
    take_bytes(in, m.bytes, size);
    message_init(&m, type, sizeof m.head);
    m.head.size = (uint32_t)size;
    send(fd, &m, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_anything(int fd, struct input *in)
{
    uint8_t bytes[1024];
    size_t size = (size_t)take_byte(in) * 4;
    uint8_t keep = take_byte(in); /* how much of a good head */
    take_bytes(in, bytes, size);
    struct message_head head = {
        .magic = PROTOCOL_MAGIC, .abi = LAYOUT_ABI, .type = keep >> 4, .size = (uint32_t)size};
    size_t good = (keep & 3) * sizeof head / 3;
    memcpy(bytes, &head, good < size ? good : size);
    send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct layout_reader *page = NULL;
    if (!writer)
        open_writer();
    memset(writer->door.users, 0, sizeof writer->door.users); /* a new second */
    int fd = socket_open(writer->config.path.socket, NEVER);
    must(fd >= 0);
    for (int step = 0; in.left && step < 64; step++) {
        uint8_t what = take_byte(&in);
        switch (what & 15) {
        case 0:
        case 1:
            say_anything(fd, &in);
            break;
        case 2:
            publish();
            break;
        case 3:
            change_format(what >> 4);
            break;
        case 4:
            must(!framebus_writer_end(writer));
            break;
        case 5:
            if (page)
                take_bytes(&in, (uint8_t *)page + take_byte(&in) % 64, 1 + (what >> 4));
            break;
        default:
            say(fd, (enum message_type)(what % MESSAGE_TYPES), &in);
            break;
        }
        must(!framebus_writer_dispatch(writer));
        hear(fd, &page);
    }
    close(fd);
    reader_page_finish(page);
    struct framebus_bus_info *info;
    must(!framebus_writer_dispatch(writer));
    must(!framebus_writer_dispatch(writer)); /* one more look: a hang-up comes behind what was said */
    must(!framebus_writer_get_info(writer, &info));
    must(info->readers == 0 && info->lent == 0 && writer->server.peer_count == 0 &&
         writer->server.quotas == 0);
    framebus_info_free(info, 1);
    fuzz_look_for_fds();
    return 0;
}
