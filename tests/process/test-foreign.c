/* SPDX-License-Identifier: MIT */
/* Frames in memory that is not the pool's: a writer publishes somebody's memfds. DMA-BUFs: see tests/vm. */
#include "harness.h"

#include "fake-writer.h"
#include "villain.h"

#define PAGE    ((uint64_t)sysconf(_SC_PAGESIZE))
#define BUFFERS 4
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW)

/* ---- a device and its memory ---- */

struct buffer {
    struct framebus_buffer *handle;
    int fd;
    uint8_t *memory;
    uint64_t size;
    bool home;
    int returned; /* times */
};

static int make_memfd(uint64_t size, int seals)
{
    int fd = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(fd >= 0);
    check_equal(ftruncate(fd, (off_t)size), 0);
    check_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static uint64_t whole_pages(uint64_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static void come_home(void *user)
{
    struct buffer *b = user;
    check(!b->home);
    b->home = true;
    b->returned++;
}

/* The frame begins one page into the memfd. */
static void make_buffer(struct buffer *b, struct framebus_writer *w, uint64_t size)
{
    *b = (struct buffer){.size = PAGE + whole_pages(size), .home = true};
    b->fd = make_memfd(b->size, SEALS);
    b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    check(b->memory != MAP_FAILED);
    const struct framebus_part part = {.fd = b->fd, .offset = PAGE, .size = size};
    check_equal(framebus_buffer_create(&b->handle, w, &part, 1, come_home, b), 0);
}

static void free_buffer(struct buffer *b)
{
    framebus_buffer_destroy(b->handle);
    munmap(b->memory, b->size);
    close(b->fd);
}

/* As a device does: into its own memory, the moment that it is its own. */
static struct framebus_frame *begin_in(struct framebus_writer *w, struct buffer *b, uint64_t number)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_buffer(w, b->handle, &f), 0);
    check(!f->data && !f->plane[0].data);
    b->home = false;
    f->data = b->memory + PAGE;
    fill_frame(f, number);
    return f;
}

static void publish_in(struct framebus_writer *w, struct buffer *b, uint64_t number)
{
    struct framebus_frame *f = begin_in(w, b, number);
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
}

static const struct framebus_writer_options brief = {.history = 1};

static struct framebus_writer *open_writer(const struct framebus_writer_options *options)
{
    struct framebus_writer *w;
    struct framebus_format format = small();
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    return w;
}

static struct framebus_reader *open_reader(uint32_t quota)
{
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus",
                                     &(struct framebus_reader_options){.wait_ns = 20 * S, .quota = quota}),
                0);
    return rd;
}

/* ---- frames arrive ---- */

/* As fast as it can: from a buffer if one is home, else by a copy. value[0] and [1] count. */
static void write_as_a_device(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[BUFFERS];
    for (int i = 0; i < BUFFERS; i++)
        make_buffer(&b[i], w, small().size);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) {
        struct buffer *home = NULL;
        for (int i = 0; i < BUFFERS && !home; i++)
            if (b[i].home)
                home = &b[i];
        if (home)
            publish_in(w, home, n);
        else
            check_equal(publish_one(w, n), 0);
        shared->value[home ? 0 : 1]++;
        shared->writer.frames = n;
    }
    for (int i = 0; i < BUFFERS; i++)
        free_buffer(&b[i]);
    framebus_writer_close(w);
}

static void frames_in_foreign_memory_arrive_whole_while_readers_come_and_go(void)
{
    const struct reading steady = {.tally = &shared->reader[0]};
    const struct reading slow = {.options = {.quota = 4}, .hold_ns = 5 * MS, .tally = &shared->reader[1]};
    const struct reading brisk = {.frames = 50, .tally = &shared->reader[2]};
    const struct reading mortal = {.tally = &shared->reader[3]};
    pid_t writer = spawn(write_as_a_device, NULL);
    check_soon(shared->writer.ready == 1);
    pid_t readers[] = {start_reader(&steady), start_reader(&slow)};
    for (int i = 0; i < 10; i++) {
        kill_now(start_reader(&mortal));
        join(start_reader(&brisk));
        check_equal(shared->reader[2].wrong, 0);
    }
    check_soon(shared->reader[0].frames > 1000 && shared->reader[1].frames > 100);
    finish(readers[0], &shared->reader[0]);
    finish(readers[1], &shared->reader[1]);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[1].wrong, 0);
    check(shared->value[0] > 1000);
    note("%lld frames in foreign buffers, %lld copied", (long long)shared->value[0],
         (long long)shared->value[1]);
    shared->writer.stop = 1;
    join(writer);
}

/* ---- planes in memory of their own ---- */

static void write_planes_apart(const void *argument)
{
    (void)argument;
    struct framebus_format format = picture("NV12", 320, 240);
    uint64_t luma = whole_pages(320 * 240), chroma = 320 * 120;
    format.offset[1] = luma;
    format.size = luma + chroma;
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &brief), 0);
    int y = make_memfd(luma, SEALS), uv = make_memfd(3 * PAGE + whole_pages(chroma), SEALS);
    check_equal(pwrite(y, "luma", 4, 0), 4);
    check_equal(pwrite(uv, "chroma", 6, (off_t)(3 * PAGE)), 6);
    const struct framebus_part parts[] = {{.fd = y, .size = luma},
                                          {.fd = uv, .offset = 3 * PAGE, .size = chroma}};
    struct buffer told = {.fd = -1};
    step(w); /* the reader is there before the buffer */
    check_equal(framebus_buffer_create(&told.handle, w, parts, 2, come_home, &told), 0);
    close(y);
    close(uv);
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_buffer(w, told.handle, &f), 0);
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
    step(w);
    framebus_writer_close(w);
    framebus_buffer_destroy(told.handle);
}

static void planes_in_descriptors_of_their_own_are_one_frame(void)
{
    pid_t writer = start_script(write_planes_apart, NULL);
    struct framebus_reader *rd = open_reader(2);
    struct framebus_frame *f;
    go_on();
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check(!memcmp(f->plane[0].data, "luma", 4));
    check(!memcmp(f->plane[1].data, "chroma", 6));
    check_equal(f->plane[1].stride, 320);
    check(f->capacity >= f->format->size);
    struct framebus_dmabuf dmabuf;
    check_fails(framebus_frame_dmabuf(f, &dmabuf), ENOTSUP, "memfd");
    check_equal(framebus_frame_begin_access(f, false), 0);
    check_equal(framebus_frame_end_access(f, false), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    end_script(writer);
}

/* ---- who has the buffer ---- */

/* Nothing but its own fd tells the writer. */
static void wait_for_return(struct framebus_writer *w, const struct buffer *b)
{
    for (int64_t until = now_ns() + 20 * S; !b->home;) {
        check(now_ns() < until);
        struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
        check(poll(&wait, 1, 20000) == 1);
        check_equal(framebus_writer_dispatch(w), 0);
    }
}

static void write_two(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[2];
    make_buffer(&b[0], w, small().size);
    make_buffer(&b[1], w, small().size);
    struct framebus_frame *lent = begin_in(w, &b[0], 0);
    check_equal(framebus_writer_publish(w, lent), 0);
    step(w); /* 1: the reader takes it */
    publish_in(w, &b[1], 1);
    step(w); /* 2: the reader holds it, and so do we */
    check_equal(b[0].returned, 0);
    framebus_writer_release(w, lent);
    step(w); /* 3: the reader holds it */
    check_equal(b[0].returned, 0);
    struct framebus_frame *f;
    check_fails(framebus_writer_begin_buffer(w, b[0].handle, &f), EBUSY, "in use");
    shared->value[2] = 1; /* the reader lets go; nothing but our own fd says so */
    wait_for_return(w, &b[0]);
    check_equal(b[0].returned, 1);
    check_equal(b[1].returned, 0); /* the newest frame stays for those who come */
    step(w);
    publish_in(w, &b[0], 2);
    check_equal(b[1].returned, 1); /* at once: nobody has it */
    step(w);
    framebus_writer_close(w);
    check_equal(b[0].returned, 2);
    free_buffer(&b[0]);
    free_buffer(&b[1]);
}

static void a_buffer_returns_when_the_last_claim_and_lend_is_gone(void)
{
    pid_t writer = start_script(write_two, NULL);
    struct framebus_reader *rd = open_reader(2);
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(frame_number(f), 0);
    go_on();
    go_on();
    shared->go++;
    check_soon(shared->value[2]);
    check_equal(frame_number(f), 0);
    framebus_reader_release(rd, f);
    check_soon(shared->done == 4);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(frame_number(f), 1);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    go_on();
    end_script(writer);
}

static void write_three(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[3];
    for (int i = 0; i < 3; i++)
        make_buffer(&b[i], w, small().size);
    step(w); /* 1: the reader is there */
    for (uint64_t i = 0; i < 3; i++) {
        publish_in(w, &b[i], i);
        while (shared->value[0] <= (int64_t)i) /* it has taken it */
            serve(w, MS, NULL);
    }
    for (int i = 0; i < 2; i++) {
        check(!b[i].home);
        shared->value[1] = i + 1; /* the reader lets go of this one */
        wait_for_return(w, &b[i]);
    }
    step(w);
    for (int i = 0; i < 3; i++)
        free_buffer(&b[i]);
    framebus_writer_close(w);
}

static void the_writer_wakes_for_each_buffer_that_a_reader_lets_go_of(void)
{
    pid_t writer = start_script(write_three, NULL);
    struct framebus_reader *rd = open_reader(3);
    struct framebus_frame *f[3];
    shared->go++;
    for (int i = 0; i < 3; i++) {
        check_equal(framebus_reader_next(rd, &f[i], 10 * S), 0);
        shared->value[0] = i + 1;
    }
    for (int i = 0; i < 2; i++) {
        check_soon(shared->value[1] == i + 1);
        check_equal(frame_number(f[i]), i);
        framebus_reader_release(rd, f[i]);
    }
    check_soon(shared->done == 2);
    framebus_reader_release(rd, f[2]);
    framebus_reader_close(rd);
    end_script(writer);
}

static void hold_all(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd = open_reader(BUFFERS);
    struct framebus_frame *f;
    shared->reader[0].ready = 1;
    for (uint64_t i = 0; i < BUFFERS; i++) {
        check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
        check_equal(frame_number(f), i);
        shared->reader[0].frames++;
    }
    pause();
}

static void write_for_a_mortal(const void *argument)
{
    bool ends = argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[BUFFERS];
    for (int i = 0; i < BUFFERS; i++)
        make_buffer(&b[i], w, small().size);
    step(w); /* 1: the reader is there */
    for (uint64_t i = 0; i < BUFFERS; i++) {
        publish_in(w, &b[i], i);
        while (shared->reader[0].frames <= i)
            serve(w, MS, NULL);
    }
    if (ends)
        check_equal(framebus_writer_end(w), 0); /* the pool ends; the frames in it do not */
    for (int i = 0; i < BUFFERS; i++)
        check(!b[i].home);
    step(w); /* 2: the reader is dead */
    int home = 0;
    for (int64_t until = now_ns() + 20 * S; home < (ends ? BUFFERS : BUFFERS - 1);) {
        check(now_ns() < until);
        serve(w, MS, NULL);
        home = 0;
        for (int i = 0; i < BUFFERS; i++)
            home += b[i].home;
    }
    if (!ends)
        check(!b[BUFFERS - 1].home); /* the newest one is kept */
    step(w);
    for (int i = 0; i < BUFFERS; i++)
        free_buffer(&b[i]);
    framebus_writer_close(w);
}

static void kill_a_holder(const void *ends)
{
    pid_t writer = start_script(write_for_a_mortal, ends);
    pid_t reader = spawn(hold_all, NULL);
    check_soon(shared->reader[0].ready);
    shared->go++;
    check_soon(shared->reader[0].frames == BUFFERS && shared->done == 2);
    kill_now(reader);
    go_on();
    end_script(writer);
}

static void a_killed_reader_gives_its_buffers_back(void)
{
    kill_a_holder(NULL);
}

static void a_killed_reader_in_a_pool_that_has_ended_gives_its_buffers_back(void)
{
    kill_a_holder("ends");
}

/* ---- what cannot be ---- */

static int create(struct framebus_writer *w, int fd, uint64_t offset, uint64_t size)
{
    struct framebus_buffer *b;
    const struct framebus_part part = {.fd = fd, .offset = offset, .size = size};
    int r = framebus_buffer_create(&b, w, &part, 1, come_home, NULL);
    check(!r == !!b);
    framebus_buffer_destroy(b);
    return r;
}

static void what_is_no_buffer_is_refused_with_a_sentence(void)
{
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", NULL, &brief), 0);
    int good = make_memfd(1 << 20, SEALS), loose = make_memfd(1 << 20, F_SEAL_GROW);
    uint64_t size = small().size;
    check_fails(create(w, good, 0, size), ENODATA, "no format");
    struct framebus_format format = small();
    check_equal(framebus_writer_set_format(w, &format), 0);
    check_equal(create(w, good, 0, size), 0);
    struct framebus_buffer *none;
    const struct framebus_part part = {.fd = good, .size = size};
    check_fails(framebus_buffer_create(&none, w, &part, 1, NULL, NULL), EINVAL, "needs a function");
    check_fails(create(w, loose, 0, size), EINVAL, "F_SEAL_SHRINK");
    check_fails(create(w, 999, 0, size), EINVAL, "999");
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC), pipes[2];
    check_equal(pipe2(pipes, O_CLOEXEC), 0);
    check_fails(create(w, file, 0, size), EINVAL, "neither a DMA-BUF");
    check_fails(create(w, pipes[0], 0, size), EINVAL, "neither a DMA-BUF");
    check_fails(create(w, good, 0, size - 1), EINVAL, "19199");
    check_fails(create(w, good, 100, size), EINVAL, "whole pages");
    check_fails(create(w, good, 1 << 20, size), EINVAL, "1048576");
    check_fails(create(w, good, PAGE, 1 << 20), EINVAL, "1048576");
    check_fails(create(w, good, UINT64_MAX - PAGE + 1, size), EINVAL, "bytes at");
    check_fails(create(w, good, 0, 0), EINVAL, "0 bytes");
    struct framebus_buffer *b;
    const struct framebus_part parts[5] = {{.fd = good, .size = 100}, {.fd = good, .size = size}};
    check_fails(framebus_buffer_create(&b, w, parts, 2, come_home, NULL), EINVAL, "whole pages");
    check_fails(framebus_buffer_create(&b, w, parts, 0, come_home, NULL), EINVAL, "0 parts");
    check_fails(framebus_buffer_create(&b, w, parts, 5, come_home, NULL), EINVAL, "5 parts");
    framebus_writer_close(w);
    close(good);
    close(loose);
    close(file);
    close(pipes[0]);
    close(pipes[1]);
}

static void buffers_take_slots_from_the_reckoning(void)
{
    /* 1 of history, 8 lends, one to turn in: room for two buffers and a quota of two, or four buffers. */
    struct framebus_writer *w = open_writer(&(struct framebus_writer_options){.history = 1, .max_slots = 14});
    struct framebus_format format = small();
    struct buffer b[5];
    for (int i = 0; i < 4; i++)
        make_buffer(&b[i], w, format.size);
    b[4].fd = make_memfd(1 << 20, SEALS);
    check_fails(create(w, b[4].fd, 0, format.size), EBUSY, "max-slots");
    free_buffer(&b[3]); /* its slot is another's */
    check_equal(create(w, b[4].fd, 0, format.size), 0);
    check_equal(create(w, b[4].fd, 0, format.size), 0);
    close(b[4].fd);
    /* And the rest are ordinary. */
    struct framebus_frame *f[9];
    for (int i = 0; i < 8; i++)
        check_equal(framebus_writer_begin(w, &f[i]), 0);
    check_fails(framebus_writer_begin(w, &f[8]), EBUSY, "8 frames");
    for (int i = 0; i < 8; i++)
        check_equal(framebus_writer_cancel(w, f[i]), 0);
    for (int i = 0; i < 3; i++)
        free_buffer(&b[i]);
    framebus_writer_close(w);
}

static void a_buffer_ends_with_its_pool_and_can_be_destroyed_at_any_time(void)
{
    struct framebus_writer *w = open_writer(&brief);
    struct framebus_format format = small();
    struct framebus_frame *f;
    struct buffer b[2];
    make_buffer(&b[0], w, format.size);
    make_buffer(&b[1], w, format.size);

    f = begin_in(w, &b[0], 0); /* cancelled: back at once */
    check_equal(framebus_writer_cancel(w, f), 0);
    check_equal(b[0].returned, 1);

    f = begin_in(w, &b[0], 0); /* destroyed while it is lent */
    framebus_buffer_destroy(b[0].handle);
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
    check_equal(b[0].returned, 1);
    publish_in(w, &b[1], 1);
    check_equal(b[0].returned, 2);
    b[0].handle = NULL;
    free_buffer(&b[0]);

    make_buffer(&b[0], w, format.size);
    format.rate_num = format.rate_den = 1;
    check_equal(framebus_writer_set_format(w, &format), 0);
    check_equal(b[1].returned, 1); /* nobody reads the pool that ended */
    check_fails(framebus_writer_begin_buffer(w, b[0].handle, &f), ESTALE, "again");
    framebus_writer_close(w);
    free_buffer(&b[0]);
    free_buffer(&b[1]);
}

static unsigned count_copies(void)
{
    unsigned count = 0;
    char path[32], target[64];
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        count += n > 0 && !strncmp(target, "/memfd:device", 13);
    }
    return count;
}

static void a_forked_child_keeps_no_buffer(void)
{
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b;
    make_buffer(&b, w, small().size);
    check_equal(count_copies(), 2);
    pid_t child = fork_child();
    if (!child) {
        if (count_copies() != 1) /* the test's own */
            _exit(1);
        framebus_buffer_destroy(b.handle);
        framebus_writer_close(w);
        _exit(0);
    }
    join(child);
    publish_in(w, &b, 0); /* here it lives on */
    free_buffer(&b);
    framebus_writer_close(w);
}

/* ---- peers of other kinds ---- */

static void write_for_the_old(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b;
    step(w); /* 1: an old reader is there */
    make_buffer(&b, w, small().size);
    step(w); /* 2: it is gone; another comes */
    free_buffer(&b);
    step(w);
    framebus_writer_close(w);
}

static void a_reader_that_cannot_know_is_told_so(void)
{
    pid_t writer = start_script(write_for_the_old, NULL);
    struct villain old = villain_attach(1, FRAMEBUS_DELIVERY_LIVE); /* says nothing of buffers */
    go_on();
    villain_expect_refusal(old.socket, EPROTONOSUPPORT, "update");
    page_finish(old.page);
    close(old.bell);
    int socket = villain_connect();
    struct message_hello hello = villain_hello(1, FRAMEBUS_DELIVERY_LIVE);
    check_equal(connection_send(socket, &hello, NULL, 0), 0);
    villain_expect_refusal(socket, EPROTONOSUPPORT, "update");
    go_on();
    end_script(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(frames_in_foreign_memory_arrive_whole_while_readers_come_and_go),
        PROCESS_TEST(planes_in_descriptors_of_their_own_are_one_frame),
        PROCESS_TEST(a_buffer_returns_when_the_last_claim_and_lend_is_gone),
        PROCESS_TEST(the_writer_wakes_for_each_buffer_that_a_reader_lets_go_of),
        PROCESS_TEST(a_killed_reader_gives_its_buffers_back),
        PROCESS_TEST(a_killed_reader_in_a_pool_that_has_ended_gives_its_buffers_back),
        PROCESS_TEST(what_is_no_buffer_is_refused_with_a_sentence),
        PROCESS_TEST(buffers_take_slots_from_the_reckoning),
        PROCESS_TEST(a_buffer_ends_with_its_pool_and_can_be_destroyed_at_any_time),
        PROCESS_TEST(a_forked_child_keeps_no_buffer),
        PROCESS_TEST(a_reader_that_cannot_know_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
