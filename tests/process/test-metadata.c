/* SPDX-License-Identifier: MIT */
/* Metadata of the size that a writer asks for: where it is, what it costs, and when there is no memory. */
#include "harness.h"

#include <dirent.h>

#define TAG   0x61746144u
#define WHOLE (FRAMEBUS_META_MAX - 8) /* bytes of the only block of a frame */

static struct framebus_writer *open_writer(enum framebus_memory memory, uint32_t meta_size)
{
    const struct framebus_writer_options options = {.memory = memory, .meta_size = meta_size};
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    return w;
}

static struct framebus_frame *begin(struct framebus_writer *w)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin(w, &f), 0);
    return f;
}

static void publish(struct framebus_writer *w, struct framebus_frame *f)
{
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
}

static uint8_t byte_of(size_t i, uint64_t number)
{
    return (uint8_t)(i * 7 + (i >> 12) + number);
}

static void append_pattern(struct framebus_frame *f, size_t size, uint64_t number)
{
    void *data;
    check_equal(framebus_frame_append_meta(f, TAG, size, &data), 0);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = byte_of(i, number);
}

static void expect_pattern(const struct framebus_frame *f, unsigned index, size_t size, uint64_t number)
{
    size_t found;
    const uint8_t *data = framebus_frame_get_meta(f, TAG, index, &found);
    check(data);
    check_equal(found, size);
    check((uintptr_t)data % 8 == 0);
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_of(i, number))
            check_failed(__FILE__, __LINE__, "byte %zu of block %u is wrong", i, index);
}

/* ---- one megabyte ---- */

static void write_megabytes(const void *argument)
{
    struct framebus_writer *w = open_writer(*(const enum framebus_memory *)argument, FRAMEBUS_META_MAX);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) {
        struct framebus_frame *f = begin(w);
        append_pattern(f, n % 2 ? WHOLE : 12, n);
        f->duration_ns = (int64_t)n;
        publish(w, f);
        serve(w, MS, NULL);
    }
    framebus_writer_close(w);
}

static void a_megabyte_of_metadata_is_written_and_read_in_place(void)
{
    static const enum framebus_memory kinds[] = {FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX,
                                                 FRAMEBUS_MEMORY_SYSV};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct framebus_reader *rd;
        struct framebus_frame *f;
        shared->writer.ready = 0;
        shared->writer.stop = 0;
        pid_t writer = spawn(write_megabytes, &kinds[i]);
        check_soon(shared->writer.ready);
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        for (int n = 0; n < 10; n++) {
            check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
            uint64_t number = (uint64_t)f->duration_ns;
            expect_pattern(f, 0, number % 2 ? WHOLE : 12, number);
            check(!framebus_frame_get_meta(f, TAG, 1, NULL));
            framebus_reader_release(rd, f);
        }
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
}

static void packed_blocks_go_from_one_frame_to_another(void)
{
    static _Alignas(8) uint8_t packed[65536];
    struct framebus_writer *w = open_writer(FRAMEBUS_MEMORY_MEMFD, sizeof packed);
    struct framebus_frame *from = begin(w), *to = begin(w);
    uint32_t tag;
    size_t size, at = 0;
    check_equal(framebus_frame_copy_meta(from, NULL, 0), 0);
    check_equal(framebus_frame_restore_meta(to, NULL, 0), 0);
    append_pattern(from, 5, 1);
    append_pattern(from, 40000, 2);
    append_pattern(from, 0, 3);
    check_equal(framebus_frame_copy_meta(from, NULL, 0), 16 + 40008 + 8);
    check_equal(framebus_frame_copy_meta(from, packed, 40000), 16); /* whole blocks only */
    check_equal(framebus_frame_copy_meta(from, packed, sizeof packed), 16 + 40008 + 8);
    check(framebus_meta_next(packed, 40032, &at, &tag, &size) == packed + 8 && tag == TAG && size == 5);
    check(framebus_meta_next(packed, 40032, &at, &tag, &size) == packed + 24 && size == 40000);
    check(framebus_meta_next(packed, 40032, &at, NULL, &size) && size == 0);
    check(!framebus_meta_next(packed, 40032, &at, &tag, &size) && !tag && !size);

    check_equal(framebus_frame_restore_meta(to, packed, 40032), 0);
    expect_pattern(to, 0, 5, 1);
    expect_pattern(to, 1, 40000, 2);
    expect_pattern(to, 2, 0, 3);
    check_fails(framebus_frame_restore_meta(to, packed, 40032), ENOSPC, "larger meta_size");
    check_fails(framebus_frame_restore_meta(to, packed, 40016), EBADMSG, "byte 16 ");
    check_fails(framebus_frame_restore_meta(to, packed, 15), EBADMSG, "byte 0 ");
    check_fails(framebus_frame_restore_meta(to, packed + 4, 16), EINVAL, "multiple of 8");
    check(!framebus_frame_get_meta(to, TAG, 3, NULL)); /* none of these changed anything */
    framebus_writer_release(w, from);
    framebus_writer_release(w, to);
    framebus_writer_close(w);
}

/* ---- what it costs ---- */

/* Bytes of memory that the pool of this process takes, as the kernel counts them. */
static uint64_t pool_memory(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t bytes = 0;
    check(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char target[256] = "";
        struct stat st;
        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0 &&
            strstr(target, "framebus-pool") && !fstat(atoi(entry->d_name), &st))
            bytes = (uint64_t)st.st_blocks * 512; /* each fd of it says the same */
    }
    closedir(dir);
    check(bytes);
    return bytes;
}

static uint64_t told_memory(struct framebus_writer *w)
{
    struct framebus_bus_info *info;
    check_equal(framebus_writer_get_info(w, &info), 0);
    uint64_t bytes = info->memory_bytes;
    framebus_info_free(info, 1);
    return bytes;
}

static void metadata_costs_memory_when_it_is_used_and_once(void)
{
    const size_t size = 300000, page = (size_t)sysconf(_SC_PAGESIZE);
    struct framebus_writer *w = open_writer(FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_META_MAX);
    for (uint64_t n = 0; n < 100; n++)
        check_equal(publish_one(w, n),
                    0); /* 16 bytes of metadata, beside the frame's last byte or behind it */
    uint64_t before = pool_memory();
    check(before < 8 * (small().size + 3 * page) + 65536);
    check_equal(told_memory(w), before);
    for (int round = 0; round < 50; round++) {
        struct framebus_frame *f = begin(w);
        append_pattern(f, size, 0);
        publish(w, f);
    }
    uint64_t after = pool_memory();
    check(after > before + size && after < before + 8 * (size + 2 * page));
    check_equal(told_memory(w), after);
    framebus_writer_close(w);
}

/* ---- when there is none ---- */

/* Appends until it fails; returns how many blocks there are. */
static unsigned append_until_full(struct framebus_frame *f)
{
    unsigned blocks = 0;
    void *data = NULL;
    int r;
    while (!(r = framebus_frame_append_meta(f, TAG, 50000, &data))) {
        memset(data, 1, 50000);
        blocks++;
    }
    check_equal(r, -ENOSPC);
    check(strstr(framebus_last_error(), "posix"));
    check(!data);
    return blocks;
}

static void count_return(void *user)
{
    (void)user;
}

static void publish_import(struct framebus_writer *w)
{
    struct framebus_import *import;
    struct framebus_frame *f;
    struct framebus_part part = {.size = small().size};
    part.fd = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(part.fd >= 0 && !ftruncate(part.fd, 1 << 20) && !fcntl(part.fd, F_ADD_SEALS, F_SEAL_SHRINK));
    check_equal(framebus_import_create(&import, w, &part, 1, count_return, NULL), 0);
    close(part.fd);
    check_equal(framebus_writer_begin_import(w, import, &f), 0);
    f->size = append_until_full(f) + 1;
    publish(w, f);
    framebus_import_destroy(import);
}

static void fill_dev_shm(const void *argument)
{
    bool imports = argument;
    mount_tmpfs("/dev/shm", "size=600k");
    struct framebus_writer *w = open_writer(FRAMEBUS_MEMORY_POSIX, FRAMEBUS_META_MAX);
    shared->writer.ready = 1;
    serve(w, 20 * S, &shared->go);
    struct framebus_frame *f = begin(w);
    struct framebus_frame *second = begin(w); /* while there is memory for a slot */
    f->size = 1 + append_until_full(f);
    publish(w, f);
    if (imports)
        publish_import(w);
    second->size = 1 + append_until_full(second); /* room there is on the last page of the frame only */
    publish(w, second);
    serve(w, 20 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

/* The size of each frame tells how many blocks it has. */
static void fill_and_read(bool imports)
{
    pid_t writer = spawn(fill_dev_shm, imports ? "" : NULL);
    check_soon(shared->writer.ready || has_ended(writer));
    if (!shared->writer.ready)
        join(writer);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    shared->go = 1;
    for (int n = 0; n < (imports ? 3 : 2); n++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check(f->sequence || f->size > 5);
        check_equal(framebus_frame_copy_meta(f, NULL, 0), (f->size - 1) * 50008);
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_full_dev_shm_is_an_error_of_append_and_the_frame_can_be_published(void)
{
    fill_and_read(false);
}

static void a_full_dev_shm_is_an_error_of_append_to_an_imported_frame(void)
{
    fill_and_read(true);
}

static void a_frame_of_an_ended_pool_gets_no_memory(void)
{
    struct framebus_writer *w = open_writer(FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_META_MAX);
    struct framebus_frame *f = begin(w);
    void *data;
    check_equal(framebus_writer_end(w), 0);
    /* Its fds are closed: their numbers may be other files' by now. */
    int other[8];
    for (int i = 0; i < 8; i++)
        check((other[i] = memfd_create("other", MFD_CLOEXEC)) >= 0);
    check_fails(framebus_frame_append_meta(f, TAG, 100000, &data), ESTALE, "has ended");
    for (int i = 0; i < 8; i++) {
        struct stat st;
        check(!fstat(other[i], &st) && st.st_size == 0 && st.st_blocks == 0);
        close(other[i]);
    }
    framebus_writer_release(w, f);
    framebus_writer_close(w);
}

static void what_does_not_fit_is_refused_with_the_remedy(void)
{
    const struct framebus_writer_options options = {.meta_size = FRAMEBUS_META_MAX + 1};
    struct framebus_format format = small();
    struct framebus_writer *w;
    void *data;
    check_fails(framebus_writer_open(&w, "bus", &format, &options), EINVAL, "meta_size 1048577");
    w = open_writer(FRAMEBUS_MEMORY_MEMFD, 0);
    struct framebus_frame *f = begin(w);
    check_fails(framebus_frame_append_meta(f, TAG, FRAMEBUS_META_DEFAULT - 7, &data), ENOSPC, "meta_size");
    check(!data);
    append_pattern(f, FRAMEBUS_META_DEFAULT - 8, 1);
    publish(w, f);
    framebus_writer_close(w);
    w = open_writer(FRAMEBUS_MEMORY_MEMFD, 3); /* made 8: one head */
    f = begin(w);
    append_pattern(f, 0, 1);
    check_fails(framebus_frame_add_meta(f, TAG, "x", 1), ENOSPC, "0 of 8 that are left");
    publish(w, f);
    framebus_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_megabyte_of_metadata_is_written_and_read_in_place),
        PROCESS_TEST(packed_blocks_go_from_one_frame_to_another),
        PROCESS_TEST(metadata_costs_memory_when_it_is_used_and_once),
        PROCESS_TEST(a_full_dev_shm_is_an_error_of_append_and_the_frame_can_be_published),
        PROCESS_TEST(a_full_dev_shm_is_an_error_of_append_to_an_imported_frame),
        PROCESS_TEST(a_frame_of_an_ended_pool_gets_no_memory),
        PROCESS_TEST(what_does_not_fit_is_refused_with_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
