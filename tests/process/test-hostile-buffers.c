/* SPDX-License-Identifier: MIT */
/* Readers against buffers that are not what they should be. */
#include "fake-writer.h"

#define SERIAL 7
#define PAGE   ((uint64_t)sysconf(_SC_PAGESIZE))

/* BUFFERS with one entry, good until a test spoils it: a memfd for slot 0, in which the frame is. */
struct told {
    struct message_buffers head;
    struct message_buffer entry[2];
    int seals;
    unsigned fds;
    size_t size;
};

static void in_a_buffer(struct fake *f)
{
    f->table[0].buffer = SERIAL;
}

static struct told good(const struct fake *f)
{
    struct told t = {.seals = F_SEAL_SHRINK, .fds = 1, .size = sizeof t.head + sizeof *t.entry};
    message_init(&t.head, MESSAGE_BUFFERS, sizeof t.head);
    t.head.cookie = f->header->cookie;
    t.head.count = t.head.parts = 1;
    t.entry[0] = (struct message_buffer){.slot = 0, .serial = SERIAL, .part[0].size = f->header->format.size};
    return t;
}

static void tell(struct fake *f, struct told *t)
{
    int fds[4];
    for (unsigned i = 0; i < t->fds; i++) {
        fds[i] = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        check(fds[i] >= 0);
        check_equal(ftruncate(fds[i], 1 << 20), 0);
        check_equal(fcntl(fds[i], F_ADD_SEALS, t->seals), 0);
    }
    t->head.head.size = (uint32_t)t->size;
    fake_send(f, t, t->size, fds, t->fds);
}

static void attach(struct fake *f, struct told *t)
{
    fake_seal(f);
    fake_welcome(f);
    tell(f, t);
    fake_offer(f);
}

/* What the reader stumbles over before there is a pool. */
static void stumble(struct fake *f, struct told *t)
{
    fake_seal(f);
    fake_welcome(f);
    tell(f, t);
}

static void all_is_well(struct fake *f)
{
    struct told t = good(f);
    attach(f, &t);
}

static void never_sent(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
}

static void of_another_pool(struct fake *f)
{
    struct told t = good(f);
    t.head.cookie++;
    attach(f, &t);
}

static void of_another_serial(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].serial++;
    attach(f, &t);
}

static void free_to_shrink(struct fake *f)
{
    struct told t = good(f);
    t.seals = F_SEAL_GROW;
    stumble(f, &t);
}

static void too_small(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].part[0].size--;
    attach(f, &t);
}

static void beyond_its_end(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].part[0].offset = 1 << 20;
    stumble(f, &t);
}

static void around_the_corner(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].part[0].offset = UINT64_MAX - PAGE + 1;
    stumble(f, &t);
}

static void in_the_middle_of_a_page(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].part[0].offset = 512;
    stumble(f, &t);
}

static void beyond_the_table(struct fake *f)
{
    struct told t = good(f);
    t.entry[0].slot = FRAMEBUS_SLOTS_MAX;
    stumble(f, &t);
}

static void more_fds_than_parts(struct fake *f)
{
    struct told t = good(f);
    t.fds = 2;
    stumble(f, &t);
}

static void no_parts(struct fake *f)
{
    struct told t = good(f);
    t.head.parts = t.head.count = 0;
    t.fds = 0;
    stumble(f, &t);
}

static void five_parts(struct fake *f)
{
    struct told t = good(f);
    t.head.parts = 5;
    stumble(f, &t);
}

static void many_that_are_not_there(struct fake *f)
{
    struct told t = good(f);
    t.head.count = UINT32_MAX;
    stumble(f, &t);
}

static void two_in_the_room_of_one(struct fake *f)
{
    struct told t = good(f);
    t.head.count = t.fds = 2;
    stumble(f, &t);
}

static void before_the_welcome(struct fake *f)
{
    struct told t = good(f);
    tell(f, &t);
}

static void for_another_pool_later(struct fake *f)
{
    all_is_well(f);
    struct told t = good(f);
    t.head.cookie++;
    tell(f, &t);
}

static void for_a_slot_that_is_not(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    struct told t = good(f);
    t.entry[0].slot = FAKE_SLOTS;
    tell(f, &t);
}

/* The reader has released the frame: then it may be. */
static void another_for_the_same_slot(struct fake *f)
{
    all_is_well(f);
    struct told t = good(f);
    tell(f, &t);
}

static void buffers_that_make_no_sense_are_refused(void)
{
    static const struct trick tricks[] = {
        {.name = "good", .before = in_a_buffer, .play = all_is_well, .error = ETIMEDOUT, .word = ""},
        {.name = "again",
         .before = in_a_buffer,
         .play = another_for_the_same_slot,
         .error = ETIMEDOUT,
         .word = ""},
        {.name = "never sent",
         .before = in_a_buffer,
         .play = never_sent,
         .error = EBADMSG,
         .word = "not sent"},
        {.name = "pool",
         .before = in_a_buffer,
         .play = of_another_pool,
         .error = EBADMSG,
         .word = "not sent"},
        {.name = "serial",
         .before = in_a_buffer,
         .play = of_another_serial,
         .error = EBADMSG,
         .word = "not sent"},
        {.name = "shrinks",
         .before = in_a_buffer,
         .play = free_to_shrink,
         .error = EBADMSG,
         .word = "F_SEAL_SHRINK"},
        {.name = "small", .before = in_a_buffer, .play = too_small, .error = EBADMSG, .word = "too small"},
        {.name = "end", .before = in_a_buffer, .play = beyond_its_end, .error = EBADMSG, .word = "1048576"},
        {.name = "corner",
         .before = in_a_buffer,
         .play = around_the_corner,
         .error = EBADMSG,
         .word = "bytes at"},
        {.name = "page",
         .before = in_a_buffer,
         .play = in_the_middle_of_a_page,
         .error = EBADMSG,
         .word = "pages"},
        {.name = "table",
         .before = in_a_buffer,
         .play = beyond_the_table,
         .error = EBADMSG,
         .word = "slot 1024"},
        {.name = "fds",
         .before = in_a_buffer,
         .play = more_fds_than_parts,
         .error = EPROTO,
         .word = "descriptors"},
        {.name = "none", .before = in_a_buffer, .play = no_parts, .error = EPROTO, .word = "0 buffers"},
        {.name = "five", .before = in_a_buffer, .play = five_parts, .error = EPROTO, .word = "5 parts"},
        {.name = "many",
         .before = in_a_buffer,
         .play = many_that_are_not_there,
         .error = EPROTO,
         .word = "4294967295"},
        {.name = "two",
         .before = in_a_buffer,
         .play = two_in_the_room_of_one,
         .error = EPROTO,
         .word = "2 buffers"},
        {.name = "early",
         .before = in_a_buffer,
         .play = before_the_welcome,
         .error = EPROTO,
         .word = "buffers of"},
        {.name = "other",
         .before = in_a_buffer,
         .play = for_another_pool_later,
         .error = EPROTO,
         .word = "another pool"},
        {.name = "slot", .play = for_a_slot_that_is_not, .error = EBADMSG, .word = "slot 8"},
    };
    allow_seconds(100);
    PLAY(tricks);
}

/* ---- while the frame is held ---- */

static void replace_what_is_read(struct fake *f)
{
    all_is_well(f);
    while (!shared->go)
        sleep_ns(MS);
    struct told t = good(f);
    tell(f, &t);
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
        PROCESS_TEST(buffers_that_make_no_sense_are_refused),
        PROCESS_TEST(memory_that_is_being_read_cannot_be_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
