/* SPDX-License-Identifier: MIT */
/* Frames in memory that is not the pool's: a writer publishes somebody's memfds. DMA-BUFs: see tests/vm. */
#include "harness.h"

#include "fake-reader.h"
#include "fake-writer.h"

#define PAGE    ((uint64_t)sysconf(_SC_PAGESIZE))
#define BUFFERS 4
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW)

/* ---- a device and its memory ---- */

struct buffer {
    struct framebus_import *handle;
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
    check_equal(framebus_import_create(&b->handle, w, &part, 1, come_home, b), 0);
}

static void free_buffer(struct buffer *b)
{
    framebus_import_destroy(b->handle);
    munmap(b->memory, b->size);
    close(b->fd);
}

/* As a device does: into its own memory, the moment that it is its own. */
static struct framebus_frame *begin_in(struct framebus_writer *w, struct buffer *b, uint64_t number)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_import(w, b->handle, &f), 0);
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

static void frames_in_imported_memory_arrive_whole_while_readers_come_and_go(void)
{
    const struct reading steady = {.tally = &shared->reader[0]};
    const struct reading slow = {.options = {.quota = 4}, .hold_ns = 5 * MS, .tally = &shared->reader[1]};
    const struct reading quick = {.frames = 50, .tally = &shared->reader[2]};
    const struct reading mortal = {.tally = &shared->reader[3]};
    pid_t writer = spawn(write_as_a_device, NULL);
    check_soon(shared->writer.ready == 1);
    pid_t readers[] = {start_reader(&steady), start_reader(&slow)};
    for (int i = 0; i < 10; i++) {
        kill_now(start_reader(&mortal));
        join(start_reader(&quick));
        check_equal(shared->reader[2].wrong, 0);
    }
    check_soon(shared->reader[0].frames > 1000 && shared->reader[1].frames > 100);
    finish(readers[0], &shared->reader[0]);
    finish(readers[1], &shared->reader[1]);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[1].wrong, 0);
    check(shared->value[0] > 1000);
    note("%lld frames in imported buffers, %lld copied", (long long)shared->value[0],
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
    check_equal(framebus_import_create(&told.handle, w, parts, 2, come_home, &told), 0);
    close(y);
    close(uv);
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_import(w, told.handle, &f), 0);
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
    step(w);
    framebus_writer_close(w);
    framebus_import_destroy(told.handle);
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
    check_fails(framebus_writer_begin_import(w, b[0].handle, &f), EBUSY, "in use");
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

/* ---- readers that go on to the next pool ---- */

#define HELD 3

static void serve_until_both_took(struct framebus_writer *w, uint64_t frames)
{
    while (shared->reader[0].frames < frames || shared->reader[1].frames < frames)
        serve(w, MS, NULL);
}

/* Two buffers in a pool that ends with its stream, one in a pool that is replaced, a frame in a slot. */
static void write_into_three_pools(struct framebus_writer *w, struct buffer *b)
{
    struct framebus_format format = small();
    for (uint64_t i = 0; i < HELD; i++) {
        make_buffer(&b[i], w, format.size);
        publish_in(w, &b[i], i);
        serve_until_both_took(w, i + 1);
        if (i == 1)
            check_equal(framebus_writer_end(w), 0);
    }
    format.rate_num = format.rate_den = 1;
    check_equal(framebus_writer_set_format(w, &format), 0);
    check_equal(publish_one(w, HELD), 0);
    serve_until_both_took(w, HELD + 1);
    serve(w, 20 * MS, NULL);
    for (int i = 0; i < HELD; i++)
        check(!b[i].home);
}

/* Holds what is in buffers, and lets go of it when value[] says so. */
static void hold_over_pools(const void *argument)
{
    int self = *(const int *)argument;
    struct tally *tally = &shared->reader[self];
    struct framebus_reader *rd = open_reader(HELD + 1);
    struct framebus_frame *f[HELD + 1];
    tally->ready = 1;
    for (uint64_t i = 0; i <= HELD; i++) {
        int r = framebus_reader_next(rd, &f[i], 20 * S);
        if (r == -ENODATA)
            r = framebus_reader_next(rd, &f[i], 20 * S);
        check_equal(r, 0);
        tally->frames++;
    }
    framebus_reader_release(rd, f[HELD]);
    for (int i = 0; i < HELD; i++) {
        check_soon(shared->value[self] > i);
        check_equal(frame_number(f[i]), i);
        framebus_reader_release(rd, f[i]);
    }
    check_soon(tally->stop);
    framebus_reader_close(rd);
}

static void write_until_both_let_go(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[HELD];
    step(w); /* 1: both are there */
    unsigned mappings = count_mappings();
    write_into_three_pools(w, b);
    for (int i = 0; i < HELD; i++) {
        shared->value[0] = i + 1;
        serve(w, 20 * MS, NULL);
        check(!b[i].home);
        shared->value[1] = i + 1;
        wait_for_return(w, &b[i]);
        check_equal(b[i].returned, 1);
        free_buffer(&b[i]);
    }
    check(count_mappings() <= mappings); /* two that are neighbours may be told as one */
    step(w);
    framebus_writer_close(w);
}

static void a_reader_that_goes_on_to_the_next_pool_keeps_the_frames_it_holds(void)
{
    pid_t writer = start_script(write_until_both_let_go, NULL), reader[2];
    for (int i = 0; i < 2; i++) {
        reader[i] = spawn(hold_over_pools, &i);
        check_soon(shared->reader[i].ready);
    }
    go_on();
    for (int i = 0; i < 2; i++)
        finish(reader[i], &shared->reader[i]);
    end_script(writer);
}

static void write_until_both_are_dead(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b[HELD];
    step(w); /* 1: both are there */
    write_into_three_pools(w, b);
    step(w); /* 2: one is dead */
    for (int i = 0; i < HELD; i++)
        check(!b[i].home);
    step(w); /* 3: the other as well */
    for (int i = 0; i < HELD; i++) {
        wait_for_return(w, &b[i]);
        free_buffer(&b[i]);
    }
    framebus_writer_close(w);
}

static void a_reader_that_went_on_and_is_killed_gives_its_buffers_back(void)
{
    pid_t writer = start_script(write_until_both_are_dead, NULL), reader[2];
    for (int i = 0; i < 2; i++) {
        reader[i] = spawn(hold_over_pools, &i);
        check_soon(shared->reader[i].ready);
    }
    for (int i = 0; i < 2; i++) {
        go_on();
        kill_now(reader[i]);
    }
    end_script(writer);
}

static void write_until_killed(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b;
    make_buffer(&b, w, small().size);
    publish_in(w, &b, 0);
    step(w); /* 1: it is taken */
    check_equal(framebus_writer_end(w), 0);
    step(w); /* 2: the reader has heard so, and waits for the next stream */
    check(!b.home);
    step(w);
}

static void write_after_it(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b;
    make_buffer(&b, w, small().size);
    publish_in(w, &b, 1);
    step(w); /* 1: it is taken */
    check_equal(publish_one(w, 2), 0);
    step(w); /* 2: that as well */
    check(!b.home);
    shared->value[0] = 1; /* the reader lets go of both buffers */
    wait_for_return(w, &b);
    step(w);
    free_buffer(&b);
    framebus_writer_close(w);
}

static void a_frame_is_kept_over_the_end_of_its_stream_and_its_writers_death(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f[2];
    pid_t writer = start_script(write_until_killed, NULL);
    check_equal(
        framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 3, .follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f[0], 10 * S), 0);
    go_on();
    check_equal(framebus_reader_next(rd, &f[1], 10 * S), -ENODATA);
    go_on();
    kill_now(writer);
    writer = start_script(write_after_it, NULL);
    check_equal(framebus_reader_next(rd, &f[1], 10 * S), 0);
    go_on();
    expect_frame(rd, 2, 0);
    shared->go++;
    check_soon(shared->value[0]);
    for (int i = 0; i < 2; i++) {
        check_equal(frame_number(f[i]), i);
        framebus_reader_release(rd, f[i]);
    }
    check_soon(shared->done == 3);
    framebus_reader_close(rd);
    end_script(writer);
}

/* ---- what cannot be ---- */

static int create(struct framebus_writer *w, int fd, uint64_t offset, uint64_t size)
{
    struct framebus_import *b;
    const struct framebus_part part = {.fd = fd, .offset = offset, .size = size};
    int r = framebus_import_create(&b, w, &part, 1, come_home, NULL);
    check(!r == !!b);
    framebus_import_destroy(b);
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
    struct framebus_import *none;
    const struct framebus_part part = {.fd = good, .size = size};
    check_fails(framebus_import_create(&none, w, &part, 1, NULL, NULL), EINVAL, "needs a function");
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
    struct framebus_import *b;
    const struct framebus_part parts[5] = {{.fd = good, .size = 100}, {.fd = good, .size = size}};
    check_fails(framebus_import_create(&b, w, parts, 2, come_home, NULL), EINVAL, "whole pages");
    check_fails(framebus_import_create(&b, w, parts, 0, come_home, NULL), EINVAL, "0 parts");
    check_fails(framebus_import_create(&b, w, parts, 5, come_home, NULL), EINVAL, "5 parts");
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
        framebus_writer_release(w, f[i]);
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
    framebus_writer_release(w, f);
    check_equal(b[0].returned, 1);

    f = begin_in(w, &b[0], 0); /* destroyed while it is lent */
    framebus_import_destroy(b[0].handle);
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
    check_fails(framebus_writer_begin_import(w, b[0].handle, &f), ESTALE, "again");
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
        framebus_import_destroy(b.handle);
        framebus_writer_close(w);
        _exit(0);
    }
    join(child);
    publish_in(w, &b, 0); /* here it lives on */
    free_buffer(&b);
    framebus_writer_close(w);
}

/* ---- peers of other kinds ---- */

static void write_into_two_pools(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&(struct framebus_writer_options){.history = 1, .max_slots = 14});
    struct framebus_format format = small();
    struct buffer b[2];
    for (int i = 0; i < 2; i++) {
        make_buffer(&b[i], w, format.size);
        step(w); /* 1, 3: the reader is in this pool */
        publish_in(w, &b[i], 0);
        step(w); /* 2, 4: it claims the frame */
        format.rate_num = (uint32_t)i + 1;
        format.rate_den = 1;
        check_equal(framebus_writer_set_format(w, &format), 0);
    }
    check(!b[0].home && !b[1].home);
    step(w); /* 5: it goes on once more, and is thrown out */
    for (int i = 0; i < 2; i++) {
        wait_for_return(w, &b[i]);
        free_buffer(&b[i]);
    }
    framebus_writer_close(w);
}

/* Hears what comes before the next pool, and returns the page there. */
static struct layout_reader *hear_pool(int socket)
{
    union message *m = calloc(1, sizeof *m);
    int fds[MESSAGE_FDS_MAX], type;
    unsigned count;
    void *page = NULL;
    do {
        type = fake_reader_hear(socket, m, fds, &count);
        check(type > 0);
        if (type == MESSAGE_POOL)
            check_equal(reader_page_attach(&page, fds[--count]), 0);
        while (count)
            close(fds[--count]);
    } while (!page);
    free(m);
    return page;
}

static void a_reader_that_keeps_more_than_its_quota_over_pools_is_thrown_out(void)
{
    pid_t writer = start_script(write_into_two_pools, NULL);
    int socket = fake_reader_connect();
    struct message_hello hello = fake_reader_hello(1, FRAMEBUS_DELIVERY_LIVE);
    struct message_plain next;
    message_init(&next, MESSAGE_NEXT, sizeof next);
    check_equal(socket_send(socket, &hello, NULL, 0), 0);
    for (int i = 0; i < 2; i++) {
        struct layout_reader *page = hear_pool(socket);
        go_on();
        set_bits_ordered(&page->claims[0], 1u << 13);
        go_on();
        check_equal(socket_send(socket, &next, NULL, 0), 0);
        reader_page_finish(page);
    }
    fake_reader_expect_refusal(socket, EDQUOT, "more than the 1 frames");
    end_script(writer);
}

/* ---- what a user keeps with a buffer ---- */

/* A lock of the writer, if it was held, would be waited for. */
static void count_end(void *count)
{
    ++*(int *)count;
    pid_t child = fork_child();
    if (!child)
        _exit(0);
    check_equal(status_of(child), 0);
}

/* Publishes in one buffer twice, then in another, which gets the slot of the first. */
static void write_one_after_the_other(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = open_writer(&brief);
    struct buffer b;
    int ends = 0;
    step(w);
    for (uint64_t n = 0; n < 4; n++) {
        if (n % 2 == 0)
            make_buffer(&b, w, small().size);
        struct framebus_frame *f = begin_in(w, &b, 2 * n);
        check(!framebus_frame_get_user(f) == (n % 2 == 0));
        check_equal(framebus_frame_set_user(f, &ends, count_end), 0);
        check_equal(framebus_writer_publish(w, f), 0);
        framebus_writer_release(w, f);
        step(w);
        check_equal(publish_one(w, 2 * n + 1), 0);
        wait_for_return(w, &b);
        check_equal(ends, n / 2);
        if (n % 2)
            free_buffer(&b);
        check_equal(ends, (n + 1) / 2);
    }
    framebus_writer_close(w);
    check_equal(ends, 2);
}

static void what_a_user_keeps_with_a_buffer_goes_with_it(void)
{
    pid_t writer = start_script(write_one_after_the_other, NULL);
    struct framebus_reader *rd = open_reader(2);
    struct framebus_frame *f;
    int ends = 0;
    uint32_t slot = 0;
    for (uint64_t n = 0; n < 4; n++) {
        go_on();
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), 2 * n);
        check(!n || f->slot == slot);
        slot = f->slot;
        check(!framebus_frame_get_user(f) == (n % 2 == 0));
        check_equal(ends, n / 2); /* the second buffer has come */
        check_equal(framebus_frame_set_user(f, &ends, count_end), 0);
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    check_equal(ends, 2);
    end_script(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(frames_in_imported_memory_arrive_whole_while_readers_come_and_go),
        PROCESS_TEST(planes_in_descriptors_of_their_own_are_one_frame),
        PROCESS_TEST(a_buffer_returns_when_the_last_claim_and_lend_is_gone),
        PROCESS_TEST(the_writer_wakes_for_each_buffer_that_a_reader_lets_go_of),
        PROCESS_TEST(a_killed_reader_gives_its_buffers_back),
        PROCESS_TEST(a_killed_reader_in_a_pool_that_has_ended_gives_its_buffers_back),
        PROCESS_TEST(a_reader_that_goes_on_to_the_next_pool_keeps_the_frames_it_holds),
        PROCESS_TEST(a_reader_that_went_on_and_is_killed_gives_its_buffers_back),
        PROCESS_TEST(a_frame_is_kept_over_the_end_of_its_stream_and_its_writers_death),
        PROCESS_TEST(what_is_no_buffer_is_refused_with_a_sentence),
        PROCESS_TEST(buffers_take_slots_from_the_reckoning),
        PROCESS_TEST(a_buffer_ends_with_its_pool_and_can_be_destroyed_at_any_time),
        PROCESS_TEST(a_forked_child_keeps_no_buffer),
        PROCESS_TEST(a_reader_that_keeps_more_than_its_quota_over_pools_is_thrown_out),
        PROCESS_TEST(what_a_user_keeps_with_a_buffer_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
