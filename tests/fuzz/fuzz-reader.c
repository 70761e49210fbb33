/* SPDX-License-Identifier: MIT */
/*
 * A reader and a hostile writer. In fuzz-answer the writer may say anything, with any fds and any
 * header; in fuzz-index (FUZZ_INDEX) it has been accepted as honest and then changes whatever it likes
 * in the memory that both see.
 */
#include "fuzz.h"

#include "base/bell.h"
#include "base/socket.h"
#include "reader/reader.h"
#include "shared/pool_header.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef FUZZ_INDEX
enum { HONEST_AT_FIRST = 1 };
#else
enum { HONEST_AT_FIRST = 0 };
#endif

#define SLOTS    8
#define HELD_MAX 4

static struct {
    int listener, peer;
    int event, bell, nothing;
    struct region region;
    struct layout_header plan;
    void *page;
    int page_fd;
    struct slots slots;
    struct slot_note notes[SLOTS];
    struct framebus_reader *reader;
    struct framebus_frame *held[HELD_MAX];
} fake;

static void open_door(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/bus", getenv("FRAMEBUS_DIR"));
    fake.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(!bind(fake.listener, (struct sockaddr *)&address, sizeof address) && !listen(fake.listener, 8));
}

static void make_parts(void)
{
    struct framebus_format format;
    const struct framebus_reader_options options = {.quota = HELD_MAX, .follow = true};
    fuzz_prepare();
    /* While there is no writer: open returns at once, and nothing that follows waits. */
    must(!framebus_reader_open(&fake.reader, "bus", &options));
    open_door();
    fake.nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    must(!bell_create(&fake.event, &fake.bell) && !reader_page_create(&fake.page, &fake.page_fd));
    must(!framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 64, 32));
    format.caps = "video/x-raw";
    uint64_t page = region_page(0);
    must(!pool_header_plan(&fake.plan, &format, format.size, FRAMEBUS_META_DEFAULT, SLOTS, 4, page, "/bus"));
    fake.plan.region_size = (fake.plan.region_size + page - 1) / page * page;
    fake.plan.cookie = 1;
    const struct region_wish wish = {.size = fake.plan.region_size, .group = (gid_t)-1, .identity = "/bus"};
    must(!region_create(&fake.region, &wish) && !region_share(&fake.region));
}

/* As an honest writer would have it, with one frame in it. */
static void reset_pool(void)
{
    uint8_t *base = fake.region.base;
    memset(base, 0, fake.plan.data_offset);
    memset(fake.page, 0, READER_PAGE_SIZE);
    memset(fake.notes, 0, sizeof fake.notes);
    memcpy(base, &fake.plan, sizeof fake.plan);
    strcpy((char *)base + fake.plan.caps_offset, "video/x-raw");
    slots_init(&fake.slots, (struct layout_index *)(base + fake.plan.index_offset),
               (struct layout_slot *)(base + fake.plan.table_offset), fake.notes, SLOTS, 4,
               fake.plan.ring_length);
    fake.slots.touched = SLOTS;
}

static void publish(const struct layout_record *record)
{
    int slot = slots_acquire(&fake.slots);
    must(slot >= 0);
    slots_publish(&fake.slots, (uint32_t)slot, record);
    slots_release(&fake.slots, (uint32_t)slot);
}

static void say(const void *bytes, size_t size, const int *fds, unsigned count)
{
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec part = {(void *)bytes, size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    if (fake.peer >= 0)
        sendmsg(fake.peer, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_welcome(void)
{
    struct message_welcome m;
    message_init(&m, MESSAGE_WELCOME, sizeof m);
    say(&m, sizeof m, &fake.bell, 1);
}

static void say_pool(struct input *in, bool good)
{
    struct message_pool m;
    message_init(&m, MESSAGE_POOL, sizeof m);
    m.region_size = fake.plan.region_size;
    m.cookie = fake.plan.cookie;
    if (!good) {
        uint8_t what = take_byte(in);
        if (what & 1)
            take_bytes(in, &m.memory, sizeof m.memory);
        if (what & 2)
            take_bytes(in, &m.id, sizeof m.id);
        if (what & 4)
            take_bytes(in, &m.region_size, sizeof m.region_size);
        if (what & 8)
            take_bytes(in, &m.cookie, sizeof m.cookie);
        if (what & 16)
            take_bytes(in, &m.start, sizeof m.start);
        m.memory = m.memory == FRAMEBUS_MEMORY_SYSV ? 7 : m.memory; /* other people's segments */
    }
    const int fds[] = {fake.region.shared_fd, fake.page_fd};
    say(&m, sizeof m, fds, 2);
}

static void say_anything(struct input *in)
{
    const int choice[] = {fake.bell,    fake.event,    fake.region.shared_fd, fake.page_fd,
                          fake.nothing, fake.listener, fake.region.fd,        fake.bell};
    union message m;
    uint8_t how = take_byte(in), which = take_byte(in), type = take_byte(in);
    size_t size = take_byte(in) + (how & 64 ? sizeof m.info : 0);
    static const size_t sizes[16] = {
        [MESSAGE_WELCOME] = sizeof m.welcome, [MESSAGE_POOL] = sizeof m.pool,
        [MESSAGE_QUOTA] = sizeof m.quota,     [MESSAGE_DELIVERY] = sizeof m.delivery,
        [MESSAGE_REFUSED] = sizeof m.refused, [MESSAGE_INFO_REPLY] = sizeof m.info};
    if (how & 32 && sizes[type % 16])
        size = sizes[type % 16];
    take_bytes(in, m.bytes, size > sizeof m.head ? size : sizeof m.head);
    if (how & 16)
        message_init(&m, (enum message_type)(type % 16), sizeof m.head);
    if (how & 16)
        m.head.size = (uint32_t)size;
    int fds[4] = {choice[which & 7], choice[which >> 3 & 7], choice[which >> 6], fake.nothing};
    say(&m, size, fds, how & 3);
}

/* Anything anywhere in what comes before the frames, and in the first frame's metadata. */
static void scribble(struct input *in)
{
    uint16_t where;
    uint8_t bytes[16], size = 1 + take_byte(in) % (uint8_t)sizeof bytes;
    take_bytes(in, &where, sizeof where);
    take_bytes(in, bytes, size);
    uint64_t start = 0, room = fake.plan.data_offset;
    switch (where >> 14) {
    case 1:
        start = fake.plan.index_offset;
        room = sizeof(struct layout_index) + fake.plan.ring_length * 4;
        break;
    case 2:
        start = fake.plan.table_offset;
        room = SLOTS * sizeof(struct layout_slot);
        break;
    case 3:
        start = fake.plan.data_offset + fake.plan.slot_capacity;
        room = 64;
        break;
    default:
        break;
    }
    if (HONEST_AT_FIRST && where >> 14 == 0) { /* head, state, waits */
        start = fake.plan.index_offset;
        room = 16;
    }
    if (size > room)
        size = (uint8_t)room;
    memcpy((uint8_t *)fake.region.base + start + (where & 0x3fff) % (room - size + 1), bytes, size);
}

static void inside(const void *at, uint64_t size)
{
    const struct region *region = &fake.reader->pool->region;
    const uint8_t *from = region->base, *p = at;
    must(p >= from && p <= from + region->size && size <= (uint64_t)(from + region->size - p));
    for (uint64_t i = 0; i < size; i += 512)
        (void)((const volatile uint8_t *)p)[i];
    if (size)
        (void)((const volatile uint8_t *)p)[size - 1];
}

static void look_at(struct framebus_frame *f)
{
    inside(f->data, f->size);
    for (uint32_t i = 0; i < f->format->planes; i++) {
        uint32_t rows = framebus_format_rows(f->format, i);
        for (uint32_t row = 0; row < rows && row < 4096; row++)
            if (!f->format->modifier)
                inside((uint8_t *)f->plane[i].data + (uint64_t)row * f->plane[i].stride,
                       framebus_format_row_bytes(f->format, i));
    }
    must(f->crop.width <= f->format->width && f->crop.height <= f->format->height);
    const void *block;
    uint32_t tag;
    size_t size, at = 0;
    while ((block = framebus_frame_next_meta(f, &at, &tag, &size)))
        inside(block, size);
}

static void release(unsigned i)
{
    if (fake.held[i])
        framebus_reader_release(fake.reader, fake.held[i]);
    fake.held[i] = NULL;
}

/* One look of the reader, which never waits. */
static void read_once(uint8_t which)
{
    struct framebus_frame *f;
    unsigned i = which % HELD_MAX;
    release(i);
    int r = framebus_reader_next(fake.reader, &f, 0);
    must((r == 0) == (f != NULL));
    if (f) {
        look_at(f);
        fake.held[i] = f;
    }
    while (fake.peer < 0 || r) {
        int peer = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer < 0)
            break;
        if (fake.peer >= 0)
            close(fake.peer);
        fake.peer = peer;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    if (!fake.region.base)
        make_parts();
    fake.peer = -1;
    reset_pool();
    publish(&(struct layout_record){.size = fake.plan.format.size});
    fake.reader->delivery = fake.reader->wanted =
        size & 1 ? FRAMEBUS_DELIVERY_LATEST : FRAMEBUS_DELIVERY_LIVE;
    read_once(0);
    if (HONEST_AT_FIRST) {
        say_welcome();
        say_pool(&in, true);
        read_once(0);
    }
    for (int step = 0; in.left && step < 64; step++) {
        uint8_t what = take_byte(&in);
        switch (HONEST_AT_FIRST ? 3 + what % 4 : what & 7) {
        case 0:
            say_welcome();
            break;
        case 1:
            say_pool(&in, what & 8);
            break;
        case 2:
            say_anything(&in);
            break;
        case 3:
        case 4:
            scribble(&in);
            break;
        case 5: {
            struct layout_record record;
            take_bytes(&in, &record, what & 8 ? sizeof record : 0);
            if (!(what & 8))
                record = (struct layout_record){.size = fake.plan.format.size};
            publish(&record);
            break;
        }
        default:
            read_once(what >> 3);
            break;
        }
    }
    read_once(0);
    for (unsigned i = 0; i < HELD_MAX; i++)
        release(i);
    /* As if it were another one; to close it would take 10 ms, inotify's. */
    attach_detach(fake.reader);
    fake.reader->final_error = 0;
    if (fake.peer >= 0)
        close(fake.peer);
    for (int peer; (peer = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
        close(peer);
    fuzz_look_for_fds();
    return 0;
}
