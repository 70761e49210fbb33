/* SPDX-License-Identifier: MIT */
/* Readers against buffers that are not what they should be. */
#include "fake-writer.h"

#define SERIAL 7
#define PAGE   ((uint64_t)sysconf(_SC_PAGESIZE))

/* MEMORY with one entry, good until a test spoils it: a memfd for slot 0, in which the frame is. */
struct told {
    struct message_memory head;
    struct message_slot_memory entry[2];
    int seals;    /* of the memfd */
    unsigned fds; /* that go with it */
    size_t size;  /* of the message */
};

static struct told told;

static void *what_is_told(struct fake *f)
{
    (void)f;
    return &told;
}

static void prepare(struct fake *f)
{
    told = (struct told){.seals = F_SEAL_SHRINK, .fds = 1, .size = sizeof told.head + sizeof *told.entry};
    message_init(&told.head, MESSAGE_MEMORY, sizeof told.head);
    told.head.cookie = f->header->cookie;
    told.head.count = told.head.parts = 1;
    told.entry[0] = (struct message_slot_memory){.serial = SERIAL, .part[0].size = f->header->format.size};
}

static void in_a_buffer(struct fake *f)
{
    prepare(f);
    f->table[0].import = SERIAL;
}

static void tell(struct fake *f)
{
    int fds[4];
    for (unsigned i = 0; i < told.fds; i++) {
        fds[i] = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        check(fds[i] >= 0);
        check_equal(ftruncate(fds[i], 1 << 20), 0);
        check_equal(fcntl(fds[i], F_ADD_SEALS, told.seals), 0);
    }
    told.head.head.size = (uint32_t)told.size;
    fake_send(f, &told, told.size, fds, told.fds);
}

/* What makes the reader fail before there is a pool. */
static void stumble(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    tell(f);
}

static void attach(struct fake *f)
{
    stumble(f);
    fake_offer(f);
}

static void never_sent(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
}

static void around_the_corner(struct fake *f)
{
    told.entry[0].part[0].offset = UINT64_MAX - PAGE + 1;
    stumble(f);
}

static void no_parts(struct fake *f)
{
    told.head.parts = told.head.count = told.fds = 0;
    stumble(f);
}

static void two_in_the_room_of_one(struct fake *f)
{
    told.head.count = told.fds = 2;
    stumble(f);
}

static void for_another_pool_later(struct fake *f)
{
    attach(f);
    told.head.cookie++;
    tell(f);
}

static void for_a_slot_that_is_not(struct fake *f)
{
    never_sent(f);
    tell(f);
}

/* The reader has released the frame: then it may be. */
static void another_for_the_same_slot(struct fake *f)
{
    attach(f);
    tell(f);
}

#define PLAYED(how)      .before = in_a_buffer, .play = how
#define TOLD(field, bad) SPOIL(what_is_told, told, field, bad)

static void memory_that_makes_no_sense_is_refused(void)
{
    static const struct trick tricks[] = {
        {.name = "good", PLAYED(attach), .error = ETIMEDOUT, .word = ""},
        {.name = "again", PLAYED(another_for_the_same_slot), .error = ETIMEDOUT, .word = ""},
        {.name = "never sent", PLAYED(never_sent), .error = EBADMSG, .word = "not sent"},
        {TOLD(head.cookie, 1), PLAYED(attach), .error = EBADMSG, .word = "not sent"},
        {TOLD(entry[0].serial, SERIAL + 1), PLAYED(attach), .error = EBADMSG, .word = "not sent"},
        {TOLD(entry[0].part[0].size, 160 * 120 - 1), PLAYED(attach), .error = EBADMSG, .word = "too small"},
        {TOLD(seals, F_SEAL_GROW), PLAYED(stumble), .error = EBADMSG, .word = "F_SEAL_SHRINK"},
        {TOLD(entry[0].part[0].offset, 1 << 20), PLAYED(stumble), .error = EBADMSG, .word = "1048576"},
        {TOLD(entry[0].part[0].offset, 512), PLAYED(stumble), .error = EBADMSG, .word = "pages"},
        {TOLD(entry[0].slot, FRAMEBUS_SLOTS_MAX), PLAYED(stumble), .error = EBADMSG, .word = "slot 1024"},
        {TOLD(fds, 2), PLAYED(stumble), .error = EPROTO, .word = "descriptors"},
        {TOLD(head.parts, 5), PLAYED(stumble), .error = EPROTO, .word = "5 parts"},
        {TOLD(head.count, UINT32_MAX), PLAYED(stumble), .error = EPROTO, .word = "4294967295"},
        {.name = "corner", PLAYED(around_the_corner), .error = EBADMSG, .word = "bytes at"},
        {.name = "none", PLAYED(no_parts), .error = EPROTO, .word = "0 slots"},
        {.name = "two", PLAYED(two_in_the_room_of_one), .error = EPROTO, .word = "2 slots"},
        {.name = "before the welcome", PLAYED(tell), .error = EPROTO, .word = "memory of"},
        {.name = "other", PLAYED(for_another_pool_later), .error = EPROTO, .word = "another pool"},
        {TOLD(entry[0].slot, FAKE_SLOTS), .before = prepare, .play = for_a_slot_that_is_not, .error = EBADMSG,
         .word = "slot 8"},
    };
    allow_seconds(100);
    PLAY(tricks);
}

/* ---- while the frame is held ---- */

static void replace_what_is_read(struct fake *f)
{
    attach(f);
    while (!shared->go)
        sleep_ns(MS);
    tell(f);
    shared->done = 1;
}

static void memory_that_is_being_read_cannot_be_replaced(void)
{
    static const struct trick trick = {.before = in_a_buffer, .play = replace_what_is_read};
    struct framebus_reader *rd;
    struct framebus_frame *f, *more;
    pid_t fake = spawn(play_one, &trick);
    check_soon(shared->writer.ready || has_ended(fake));
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    shared->go = 1;
    check_soon(shared->done);
    check_fails(framebus_reader_next(rd, &more, 10 * S), EBADMSG, "being read");
    check_equal(((volatile char *)f->data)[0], 0); /* still there */
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(memory_that_makes_no_sense_is_refused),
        PROCESS_TEST(memory_that_is_being_read_cannot_be_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
