/* SPDX-License-Identifier: MIT */
/* DMA-BUFs out of a bus and into it, with real drivers: run in the guest, needs /dev/udmabuf and a camera
 * (vivid). */
#include "guest.h"

#include <linux/videodev2.h>

#define BUFFERS 4

static struct framebus_writer *open_writer(const struct framebus_format *format,
                                           const struct framebus_writer_options *options)
{
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", format, options), 0);
    return w;
}

/* ---- out ---- */

static void write_slots(const void *argument)
{
    struct framebus_format format = picture("NV12", 640, 360);
    struct framebus_writer *w = open_writer(&format, argument);
    for (uint64_t n = 0; n < 40; n++) {
        struct framebus_frame *f;
        struct framebus_dmabuf dmabuf;
        check_equal(framebus_writer_begin(w, &f), 0);
        check_equal(framebus_frame_dmabuf(f, &dmabuf), 0);
        check_equal(framebus_frame_begin_access(f, true), 0);
        fill_frame(f, n);
        check_equal(framebus_frame_end_access(f, true), 0);
        check_equal(framebus_writer_publish(w, f), 0);
        framebus_writer_release(w, f);
        if (n % 4 == 0)
            step(w);
    }
    step(w);
    framebus_writer_close(w);
}

static void a_slot_is_a_dmabuf_once_and_for_all(void)
{
    const struct framebus_writer_options options = {.dmabuf = true};
    pid_t writer = start_script(write_slots, &options);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.dmabuf = true});
    struct framebus_frame *f = NULL;
    int fd_of[64] = {0};
    unsigned fds = 0, slots = 0;
    for (int i = 0; i < 10; i++) {
        go_on();
        do {
            f = take(rd);
            struct framebus_dmabuf d;
            check_equal(framebus_frame_dmabuf(f, &d), 0);
            check_equal(d.parts, 1);
            check_equal(d.plane[1].fd, d.plane[0].fd);
            check_equal(d.plane[1].offset, 640 * 360);
            check_equal(d.plane[1].stride, 640);
            if (fd_of[f->slot])
                check_equal(fd_of[f->slot], d.part[0].fd);
            else
                slots++;
            fd_of[f->slot] = d.part[0].fd;
            uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size = (f->size + page - 1) / page * page;
            check_equal(d.part[0].size, size);
            void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, d.part[0].fd, (off_t)d.part[0].offset);
            check(bytes != MAP_FAILED);
            check_equal(framebus_frame_begin_access(f, false), 0);
            check(frame_number(f) >= 0);
            check(!memcmp(bytes, f->data, f->size));
            check_equal(framebus_frame_end_access(f, false), 0);
            munmap(bytes, size);
            uint64_t number = f->sequence;
            framebus_reader_release(rd, f);
            if (!fds)
                fds = count_fds();
            check_equal(count_fds(), fds);
            if (number % 4 == 0 || number == 39)
                break;
        } while (true);
    }
    check(slots > 1);
    framebus_reader_close(rd);
    end_script(writer);
}

static void a_reader_that_does_not_ask_is_given_none(void)
{
    const struct framebus_writer_options options = {.dmabuf = true};
    pid_t writer = start_script(write_slots, &options);
    unsigned fds = count_fds();
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){0});
    struct framebus_frame *f = take(rd);
    struct framebus_dmabuf d;
    check(count_fds() < fds + 4);
    check_fails(framebus_frame_dmabuf(f, &d), ENOTSUP, "asked for");
    check_equal(frame_number(f), f->sequence);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    kill_now(writer);
    check(!unlink(path_of("bus")));
}

/* As nobody. */
static void read_as_another(const void *for_all)
{
    check_equal(setgid(65534), 0);
    check_equal(setuid(65534), 0);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.dmabuf = true});
    struct framebus_frame *f = take(rd);
    struct framebus_dmabuf d;
    if (for_all)
        check_equal(framebus_frame_dmabuf(f, &d), 0);
    else
        check_fails(framebus_frame_dmabuf(f, &d), ENOTSUP, "this reader");
    check_equal(frame_number(f), f->sequence);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
}

static void readers_of_other_users_need_the_writers_word(void)
{
    check_equal(chmod(directory, 0755), 0);
    for (int for_all = 0; for_all < 2; for_all++) {
        const struct framebus_writer_options options = {
            .dmabuf = true, .access_mode = 0666, .dmabuf_for_all = for_all};
        shared->go = shared->done = 0;
        pid_t writer = start_script(write_slots, &options);
        join(spawn(read_as_another, for_all ? "" : NULL));
        kill_now(writer);
        check(!unlink(path_of("bus")));
    }
    check_equal(chmod(directory, 0700), 0);
}

static void other_memory_has_none(void)
{
    struct framebus_writer *w;
    struct framebus_format format = small();
    check_fails(framebus_writer_open(
                    &w, "bus", &format,
                    &(struct framebus_writer_options){.dmabuf = true, .memory = FRAMEBUS_MEMORY_POSIX}),
                ENOTSUP, "posix");
}

/* ---- in: a camera's own buffers ---- */

struct camera {
    int fd, dmabuf[BUFFERS];
    struct framebus_import *buffer[BUFFERS];
    struct v4l2_format format;
    void *map[BUFFERS];
};

static void open_camera(struct camera *c, uint32_t pixels)
{
    uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    *c = (struct camera){.fd = open("/dev/video1", O_RDWR | O_CLOEXEC | O_NONBLOCK), .format.type = type};
    check(c->fd >= 0);
    c->format.fmt.pix_mp.width = 640;
    c->format.fmt.pix_mp.height = 360;
    c->format.fmt.pix_mp.pixelformat = pixels;
    c->format.fmt.pix_mp.field = V4L2_FIELD_NONE;
    check_equal(control(c->fd, VIDIOC_S_FMT, &c->format), 0);
}

static uint64_t whole_pages(uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* Planes one after the other, as the camera has them. */
static struct framebus_format describe(const struct camera *c)
{
    const struct v4l2_pix_format_mplane *pix = &c->format.fmt.pix_mp;
    struct framebus_format format = picture("NV12", pix->width, pix->height);
    if (pix->num_planes == 1)
        return format;
    format.size = 0;
    for (unsigned i = 0; i < pix->num_planes; i++) {
        format.stride[i] = pix->plane_fmt[i].bytesperline;
        format.offset[i] = format.size;
        format.size += whole_pages(pix->plane_fmt[i].sizeimage);
    }
    return format;
}

static void request(const struct camera *c, uint32_t memory)
{
    struct v4l2_requestbuffers r = {.count = BUFFERS, .type = c->format.type, .memory = memory};
    check_equal(control(c->fd, VIDIOC_REQBUFS, &r), 0);
    check_equal(r.count, BUFFERS);
}

static void queue(const struct camera *c, uint32_t index, uint32_t memory, int fd, uint64_t size)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {{.m.fd = fd, .length = (uint32_t)size}};
    struct v4l2_buffer b = {.index = index,
                            .type = c->format.type,
                            .memory = memory,
                            .m.planes = planes,
                            .length = c->format.fmt.pix_mp.num_planes};
    check_equal(control(c->fd, VIDIOC_QBUF, &b), 0);
}

static void stream(const struct camera *c)
{
    uint32_t type = c->format.type;
    check_equal(control(c->fd, VIDIOC_STREAMON, &type), 0);
}

/* The index of the buffer that was filled, serving readers meanwhile; -1 when the test says stop. */
static int dequeue(const struct camera *c, struct framebus_writer *w, uint32_t memory)
{
    while (!shared->writer.stop) {
        struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
        struct v4l2_buffer b = {
            .type = c->format.type, .memory = memory, .m.planes = planes, .length = VIDEO_MAX_PLANES};
        if (!control(c->fd, VIDIOC_DQBUF, &b))
            return (int)b.index;
        check_equal(errno, EAGAIN);
        serve(w, 5 * MS, NULL);
    }
    return -1;
}

#define SUM_TAG 0x314d5553u

static uint64_t sum_of(const uint8_t *bytes, uint64_t size)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        sum = (sum << 1 | sum >> 63) ^ word;
    }
    return sum;
}

/* Tells what is in the luma plane, as the writer sees it. */
static void tell_sum(struct framebus_frame *f, const uint8_t *luma)
{
    uint64_t sum = sum_of(luma, 640 * 360);
    check_equal(framebus_frame_add_meta(f, SUM_TAG, &sum, sizeof sum), 0);
}

static void check_sum(const struct framebus_frame *f)
{
    size_t size;
    const void *sum = framebus_frame_get_meta(f, SUM_TAG, 0, &size);
    check(sum && size == 8);
    uint64_t seen = sum_of(f->plane[0].data, 640 * 360);
    check(seen);
    check(!memcmp(&seen, sum, 8));
}

/* ---- its own buffers ---- */

static struct camera camera;

static void queue_again(void *user)
{
    int index = (int)((struct framebus_import **)user - camera.buffer);
    queue(&camera, (uint32_t)index, V4L2_MEMORY_MMAP, 0, 0);
    shared->value[index]++;
}

static void export(struct camera *c, struct framebus_writer *w, uint32_t index)
{
    struct framebus_part parts[2];
    const struct v4l2_pix_format_mplane *pix = &c->format.fmt.pix_mp;
    for (uint32_t plane = 0; plane < pix->num_planes; plane++) {
        struct v4l2_exportbuffer e = {
            .type = c->format.type, .index = index, .plane = plane, .flags = O_RDWR | O_CLOEXEC};
        check_equal(control(c->fd, VIDIOC_EXPBUF, &e), 0);
        parts[plane] =
            (struct framebus_part){.fd = e.fd, .size = whole_pages(pix->plane_fmt[plane].sizeimage)};
    }
    c->map[index] = mmap(NULL, parts[0].size, PROT_READ, MAP_SHARED, parts[0].fd, 0);
    check(c->map[index] != MAP_FAILED);
    check_equal(
        framebus_import_create(&c->buffer[index], w, parts, pix->num_planes, queue_again, &c->buffer[index]),
        0);
    for (uint32_t plane = 0; plane < pix->num_planes; plane++)
        close(parts[plane].fd);
}

static void capture_into_own_buffers(const void *argument)
{
    (void)argument;
    open_camera(&camera, V4L2_PIX_FMT_NV12M); /* a DMA-BUF for each plane */
    struct framebus_format format = describe(&camera);
    struct framebus_writer *w = open_writer(&format, &(struct framebus_writer_options){.history = 1});
    request(&camera, V4L2_MEMORY_MMAP);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        export(&camera, w, i);
        queue(&camera, i, V4L2_MEMORY_MMAP, 0, 0);
    }
    stream(&camera);
    shared->writer.ready = 1;
    for (int i; (i = dequeue(&camera, w, V4L2_MEMORY_MMAP)) >= 0;) {
        struct framebus_frame *f;
        check_equal(framebus_writer_begin_import(w, camera.buffer[i], &f), 0);
        check_equal(framebus_frame_begin_access(f, false), 0);
        tell_sum(f, camera.map[i]);
        check_equal(framebus_frame_end_access(f, false), 0);
        check_equal(framebus_writer_publish(w, f), 0);
        framebus_writer_release(w, f);
        shared->writer.frames++;
    }
    for (uint32_t i = 0; i < BUFFERS; i++)
        framebus_import_destroy(camera.buffer[i]);
    framebus_writer_close(w);
}

static void hold_two(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.quota = 2});
    check_sum(take(rd));
    check_sum(take(rd));
    shared->reader[0].ready = 1;
    pause();
}

static void a_cameras_own_buffers_are_read_in_place_and_come_back(void)
{
    allow_seconds(200);
    pid_t writer = spawn(capture_into_own_buffers, NULL);
    check_soon(shared->writer.ready == 1);

    struct framebus_reader *plain = open_reader(&(struct framebus_reader_options){0});
    struct framebus_reader *device = open_reader(&(struct framebus_reader_options){.dmabuf = true});
    for (int i = 0; i < 8; i++) {
        struct framebus_frame *f = take(plain);
        check_sum(f); /* pixels for who knows nothing of DMA-BUFs */
        framebus_reader_release(plain, f);
        f = take(device);
        struct framebus_dmabuf d;
        check_equal(framebus_frame_dmabuf(f, &d), 0);
        check_equal(d.parts, 2);
        check(d.plane[0].fd == d.part[0].fd && d.plane[1].fd == d.part[1].fd);
        check_equal(d.plane[1].offset, 0);
        check_equal(framebus_frame_begin_access(f, false), 0);
        check_sum(f);
        check_equal(framebus_frame_end_access(f, false), 0);
        framebus_reader_release(device, f);
    }

    pid_t holder = spawn(hold_two, NULL);
    check_soon(shared->reader[0].ready);
    uint64_t frames = shared->writer.frames;
    check_soon(shared->writer.frames > frames + 4); /* the camera has what is left */
    kill_now(holder);
    int64_t before[BUFFERS];
    for (int i = 0; i < BUFFERS; i++)
        before[i] = shared->value[i];
    for (int i = 0; i < BUFFERS; i++)
        check_soon(shared->value[i] > before[i] + 1);

    framebus_reader_close(plain);
    framebus_reader_close(device);
    finish(writer, &shared->writer);
}

/* ---- into slots ---- */

static void capture_into_slots(const void *argument)
{
    (void)argument;
    struct framebus_frame *frame[BUFFERS];
    open_camera(&camera, V4L2_PIX_FMT_NV12);
    struct framebus_format format = describe(&camera);
    struct framebus_writer *w = open_writer(&format, &(struct framebus_writer_options){.dmabuf = true});
    request(&camera, V4L2_MEMORY_DMABUF);
    bool streams = false;
    for (int i = 0; i >= 0; i = streams ? dequeue(&camera, w, V4L2_MEMORY_DMABUF) : i) {
        if (streams) {
            tell_sum(frame[i], frame[i]->plane[0].data);
            check_equal(framebus_writer_publish(w, frame[i]), 0);
            framebus_writer_release(w, frame[i]);
            shared->writer.frames++;
        }
        struct framebus_dmabuf d;
        check_equal(framebus_writer_begin(w, &frame[i]), 0);
        check_equal(framebus_frame_dmabuf(frame[i], &d), 0);
        queue(&camera, (uint32_t)i, V4L2_MEMORY_DMABUF, d.part[0].fd, d.part[0].size);
        if (!streams && ++i == BUFFERS) {
            stream(&camera);
            shared->writer.ready = 1;
            streams = true;
        }
    }
    close(camera.fd); /* the driver lets go of the slots */
    for (int i = 0; i < BUFFERS; i++)
        framebus_writer_release(w, frame[i]);
    framebus_writer_close(w);
}

static void a_camera_writes_into_slots(void)
{
    pid_t writer = spawn(capture_into_slots, NULL);
    check_soon(shared->writer.ready == 1);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){0});
    for (int i = 0; i < 10; i++) {
        struct framebus_frame *f = take(rd);
        check_sum(f);
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- who may ---- */

static void a_bus_that_others_read_takes_no_dmabufs_unless_told_to(void)
{
    open_camera(&camera, V4L2_PIX_FMT_NV12);
    struct framebus_format format = describe(&camera);
    request(&camera, V4L2_MEMORY_MMAP);
    struct v4l2_exportbuffer e = {.type = camera.format.type, .flags = O_RDWR | O_CLOEXEC};
    check_equal(control(camera.fd, VIDIOC_EXPBUF, &e), 0);
    const struct framebus_part part = {.fd = e.fd, .size = format.size};
    for (int for_all = 0; for_all < 2; for_all++) {
        struct framebus_import *buffer;
        struct framebus_writer *w = open_writer(
            &format, &(struct framebus_writer_options){.access_mode = 0660, .dmabuf_for_all = for_all});
        if (for_all)
            check_equal(framebus_import_create(&buffer, w, &part, 1, queue_again, NULL), 0);
        else
            check_fails(framebus_import_create(&buffer, w, &part, 1, queue_again, NULL), EPERM, "0660");
        framebus_import_destroy(buffer);
        framebus_writer_close(w);
    }
    close(e.fd);
    close(camera.fd);
}

/* With a pattern: only the cases that it fits. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_slot_is_a_dmabuf_once_and_for_all),
        PROCESS_TEST(a_reader_that_does_not_ask_is_given_none),
        PROCESS_TEST(readers_of_other_users_need_the_writers_word),
        PROCESS_TEST(other_memory_has_none),
        PROCESS_TEST(a_cameras_own_buffers_are_read_in_place_and_come_back),
        PROCESS_TEST(a_camera_writes_into_slots),
        PROCESS_TEST(a_bus_that_others_read_takes_no_dmabufs_unless_told_to),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
