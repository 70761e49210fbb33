/* SPDX-License-Identifier: MIT */
/* Readers against pools that are not what they should be: every size and offset that a writer says is
 * checked once, and nothing in the memory it shares is believed. */
#include "fake-writer.h"

#include "reader/reader.h"

static void a_writer_made_by_hand_of_good_parts_is_accepted(void)
{
    /* Or the refusals above would mean little. */
    static const struct trick tricks[] = {{.name = "good", .error = ETIMEDOUT, .word = ""}};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    PLAY(tricks);
    memset(shared, 0, sizeof *shared);
    pid_t fake = spawn(play_one, &tricks[0]);
    check_soon(shared->writer.ready || has_ended(fake));
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(f->size, small().size);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
}

static void *itself(struct fake *f)
{
    return f;
}

static void *index_of(struct fake *f)
{
    return f->index;
}

static void *record_of(struct fake *f)
{
    return &f->table[0].record;
}

#define SPOILT(of, type, field, bad, failure, said)                                                          \
    {                                                                                                        \
        SPOIL(of, type, field, bad), .error = failure, .word = said                                          \
    }
#define FAKE(field, bad, failure, said)   SPOILT(itself, fake, field, bad, failure, said)
#define FIELD(field, bad, said)           SPOILT(NULL, layout_header, field, bad, EBADMSG, said)
#define INDEX(field, bad, failure, said)  SPOILT(index_of, layout_index, field, bad, failure, said)
#define RECORD(field, bad, failure, said) SPOILT(record_of, layout_record, field, bad, failure, said)

/* ---- the region ---- */

static void leave_unsealed(struct fake *f)
{
    f->region.shared_fd = dup(f->region.fd);
}

static void seal_without_write(struct fake *f)
{
    f->region.shared_fd = dup(f->region.fd);
    check(!fcntl(f->region.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

static void seal_without_shrink(struct fake *f)
{
    f->region.shared_fd = dup(f->region.fd);
    check(!fcntl(f->region.fd, F_ADD_SEALS, F_SEAL_GROW | 0x10 | F_SEAL_SEAL));
}

static void seal_without_the_last(struct fake *f)
{
    f->region.shared_fd = dup(f->region.fd);
    check(!fcntl(f->region.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | 0x10));
}

static void truncate_before_sealing(struct fake *f)
{
    check(!ftruncate(f->region.fd, 4096));
}

static void truncate_to_nothing(struct fake *f)
{
    check(!ftruncate(f->region.fd, 0));
    f->pool.region_size = 0;
}

static void truncate_below_a_header(struct fake *f)
{
    check(!ftruncate(f->region.fd, 100));
    f->pool.region_size = 100;
}

static void truncate_and_admit_it(struct fake *f)
{
    check(!ftruncate(f->region.fd, 8192));
    f->pool.region_size = f->header->region_size = 8192;
}

static void send_a_file(struct fake *f)
{
    f->fds[0] = open(path_of("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(f->fds[0] >= 0 && !unlink(path_of("file")) && !ftruncate(f->fds[0], (off_t)f->pool.region_size));
}

static void send_a_file_as_posix(struct fake *f)
{
    f->fds[0] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    f->pool.memory = FRAMEBUS_MEMORY_POSIX;
}

static void send_a_socket(struct fake *f)
{
    f->fds[0] = f->listener;
}

static void send_a_sysv_id_that_is_none(struct fake *f)
{
    f->pool.memory = FRAMEBUS_MEMORY_SYSV;
    f->pool.id = 0x7ffffff0;
    f->fds[0] = f->page_fd;
    f->fd_count = 1;
}

static void send_a_page_that_is_none(struct fake *f)
{
    f->fds[1] = f->event;
}

static void send_the_pool_for_a_page(struct fake *f)
{
    fake_seal(f);
    f->fds[1] = f->region.shared_fd;
}

static void send_an_unsealed_page(struct fake *f)
{
    f->fds[1] = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(f->fds[1] >= 0 && !ftruncate(f->fds[1], READER_PAGE_SIZE));
}

static void send_an_empty_page(struct fake *f)
{
    f->fds[1] = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(f->fds[1] >= 0 && !fcntl(f->fds[1], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

static void a_region_that_is_not_what_it_should_be_is_refused(void)
{
    const bool wide = sizeof(size_t) > 4; /* so that a region of 2^62 bytes could be mapped */
    const struct trick tricks[] = {
        {.name = "no seals", .before = leave_unsealed, .error = EBADMSG, .word = "not sealed"},
        {.name = "no write seal", .before = seal_without_write, .error = EBADMSG, .word = "not sealed"},
        {.name = "no shrink seal", .before = seal_without_shrink, .error = EBADMSG, .word = "not sealed"},
        {.name = "no last seal", .before = seal_without_the_last, .error = EBADMSG, .word = "not sealed"},
        {.name = "truncated", .before = truncate_before_sealing, .error = EBADMSG, .word = "4096 bytes"},
        {.name = "empty", .before = truncate_to_nothing, .error = EBADMSG, .word = ""},
        {.name = "small", .before = truncate_below_a_header, .error = EBADMSG, .word = "100 bytes"},
        {.name = "short", .before = truncate_and_admit_it, .error = EBADMSG, .word = "outside"},
        FAKE(pool.region_size, UINT64_C(1) << 62, wide ? EBADMSG : ENOMEM,
             wide ? "in place of" : "address space"),
        FAKE(pool.region_size, UINT64_MAX, ENOMEM, "address space"),
        {.name = "file", .before = send_a_file, .error = EBADMSG, .word = "not sealed"},
        {.name = "posix file", .before = send_a_file_as_posix, .error = EBADMSG, .word = "shared memory"},
        {.name = "socket", .before = send_a_socket, .error = EBADMSG, .word = "not sealed"},
        FAKE(pool.memory, 77, EBADMSG, "kind 77"),
        FAKE(fd_count, 0, EPROTO, "pool"),
        FAKE(fd_count, 1, EPROTO, "pool"),
        FAKE(pool.memory, FRAMEBUS_MEMORY_SYSV, EPROTO, "pool"),
        {.name = "sysv id", .before = send_a_sysv_id_that_is_none, .error = EBADMSG, .word = "--ipc=host"},
        {.name = "no page", .before = send_a_page_that_is_none, .error = EBADMSG, .word = "reader page"},
        {.name = "pool as page", .before = send_the_pool_for_a_page, .error = EBADMSG, .word = "reader page"},
        {.name = "unsealed page", .before = send_an_unsealed_page, .error = EBADMSG, .word = "reader page"},
        {.name = "empty page", .before = send_an_empty_page, .error = EBADMSG, .word = "reader page"},
    };
    PLAY(tricks);
}

/* ---- the header ---- */

static void write_caps_without_end(struct fake *f)
{
    memset((char *)f->header + f->header->caps_offset, 'x', f->header->format.caps_size);
}

static void a_header_that_makes_no_sense_is_refused(void)
{
    static const struct trick tricks[] = {
        FIELD(magic, 0, "not a framebus pool"),
        FIELD(magic, -1, "not a framebus pool"),
        SPOILT(NULL, layout_header, abi, 3, EPROTONOSUPPORT, "layout version 3"),
        FAKE(pool.cookie, 1, EBADMSG, "another pool"),
        FIELD(region_size, 4096, "claims 4096 bytes"),
        FIELD(region_size, -1, "bytes"),
        FIELD(slots, 0, "0 slots"),
        FIELD(slots, 1025, "1025 slots"),
        FIELD(slots, -1, "slots"),
        FIELD(slots, 1024, "outside"),
        FIELD(history, 0, "history of 0"),
        FIELD(history, -1, "history"),
        FIELD(ring_length, 0, "ring has 0"),
        FIELD(ring_length, 3, "ring has 3"),
        FIELD(ring_length, 12, "ring has 12"),
        FIELD(ring_length, 0x80000000, "ring"),
        FIELD(ring_length, 8192, "ring has 8192"),
        FIELD(caps_offset, -1, "caps"),
        FIELD(caps_offset, -8, "caps"),
        FIELD(format.caps_size, -1, "caps"),
        FIELD(format.caps_size, FRAMEBUS_CAPS_MAX + 1, "caps"),
        {.name = "caps", .before = write_caps_without_end, .error = EBADMSG, .word = "does not end"},
        FIELD(index_offset, 1, "index"),
        FIELD(index_offset, -64, "index"),
        FIELD(index_offset, UINT64_C(1) << 40, "index"),
        FIELD(table_offset, 63, "index"),
        FIELD(table_offset, -64, "index"),
        FIELD(data_offset, -4096, "slots are outside"),
        FIELD(data_offset, 1, "slots are outside"),
        FIELD(data_offset, 65536, "slots are outside"),
        FIELD(slot_stride, 0, "slots are outside"),
        FIELD(slot_stride, -64, "slots are outside"),
        FIELD(slot_stride, UINT64_C(1) << 61, "slots are outside"),
        FIELD(slot_stride, 1 << 20, "slots are outside"),
        FIELD(slot_capacity, -8, "slots are outside"),
        FIELD(slot_capacity, 1 << 20, "slots are outside"),
        FIELD(slot_capacity, 64, "do not fit"),
        FIELD(meta_max, 7, "7 bytes of metadata"),
        FIELD(meta_max, 65536, "slots are outside"), /* and the next frame begins before its end */
        FIELD(meta_max, FRAMEBUS_META_MAX + 8, "of metadata"),
        FIELD(meta_max, -8, "of metadata"),
        FIELD(format.size, 100, "makes no sense"),
        FIELD(format.size, 1 << 20, "do not fit"),
        FIELD(format.width, 0, "makes no sense"),
        FIELD(format.width, 16385, "makes no sense"),
        FIELD(format.height, -1, "makes no sense"),
        FIELD(format.planes, 0, "makes no sense"),
        FIELD(format.planes, 5, "makes no sense"),
        FIELD(format.orientation, 8, "makes no sense"),
        FIELD(format.stride[0], 10, "makes no sense"),
        FIELD(format.stride[0], -1, "makes no sense"),
        FIELD(format.offset[0], -1, "makes no sense"),
        FIELD(format.offset[0], 8, "makes no sense"),
        FIELD(first_sequence, UINT64_C(1) << 63, "begins with"),
        FAKE(pool.start, UINT64_C(1) << 63, EBADMSG, "begins with"),
    };
    PLAY(tricks);
}

/* ---- the index ---- */

static void claim_for_the_reader(struct fake *f)
{
    struct layout_reader *page = f->page;
    for (int i = 0; i < FRAMEBUS_SLOTS_MAX / 32; i++)
        store_relaxed(&page->claims[i], UINT32_MAX);
}

static void be_in_a_strange_state(struct fake *f)
{
    f->pool.start = 1;
    store_ordered(&f->index->state, 9);
}

static void record_with_a_crop_outside(struct fake *f)
{
    f->table[0].record.crop_x = 100;
    f->table[0].record.crop_width = 61;
    f->table[0].record.crop_height = 10;
}

static void record_with_a_crop_that_overflows(struct fake *f)
{
    f->table[0].record.crop_x = UINT32_MAX;
    f->table[0].record.crop_width = 2;
    f->table[0].record.crop_height = 1;
}

static void metadata_that_does_not_fit(struct fake *f)
{
    uint8_t *meta = (uint8_t *)f->header + f->header->data_offset + f->header->slot_capacity;
    memcpy(meta, (uint32_t[]){1, UINT32_MAX}, 8);
    f->table[0].record.meta_size = 16;
}

static void an_index_that_makes_no_sense_is_refused(void)
{
    static const struct trick tricks[] = {
        INDEX(ring[0], FAKE_SLOTS, EBADMSG, "points to a slot"),
        INDEX(ring[0], UINT32_MAX, EBADMSG, "points to a slot"),
        {.name = "claims", .before = claim_for_the_reader, .error = EBADMSG, .word = "points to a slot"},
        FAKE(pool.start, 5, EBADMSG, "backwards"), /* and one is published */
        {.name = "state", .before = be_in_a_strange_state, .error = EBADMSG, .word = "state 9"},
        RECORD(size, 160 * 120 + 1, EBADMSG, "claims"),
        RECORD(size, UINT64_MAX, EBADMSG, "claims"),
        RECORD(meta_size, FAKE_META + 1, EBADMSG, "16385 of metadata"),
        RECORD(meta_size, UINT32_MAX, EBADMSG, "4294967295 of metadata"),
        {.name = "crop", .before = record_with_a_crop_outside, .error = EBADMSG, .word = "crop"},
        {.name = "crop overflow",
         .before = record_with_a_crop_that_overflows,
         .error = EBADMSG,
         .word = "crop"},
        /* Nothing is wrong with the index, and the frame comes; its metadata do not. */
        {.name = "block", .before = metadata_that_does_not_fit, .error = ETIMEDOUT, .word = ""},
        RECORD(meta_size, 7, ETIMEDOUT, ""),
        /* A frame that is gone before it can be taken is not an offence. */
        INDEX(head, 1000000, ETIMEDOUT, ""), /* none of them has a slot of that version */
        INDEX(head, UINT32_MAX, EBADMSG, "backwards"),
    };
    PLAY(tricks);
}

/* ---- a pool that changes while it is read ---- */

#define ROUNDS 20

/* Everything before the slots and the metadata behind the first frame, without end; now and then a frame is
 * where it should be. The reader is in the pool, or about to be. */
static void change_everything(struct fake *f)
{
    uint64_t seed = (uint64_t)now_ns() | 1;
    uint8_t *base = f->region.base;
    shared_u32 *meta = (shared_u32 *)(base + f->header->data_offset + f->header->slot_capacity);
    const uint64_t front = f->header->data_offset / 4, index = f->header->index_offset / 4;
    shared_u32 *words = (shared_u32 *)base;
    const int rarely = shared->value[2] ? 10 : 1000; /* so that it is given up soon, or goes on */
    uint32_t number = 0;
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    while (!shared->writer.stop)
        for (int i = 0; i < 1000; i++) {
            static const uint32_t edges[] = {0, 1, 7, 8, 255, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            uint32_t any = (uint32_t)(seed >> 32), value = any & 1 << 30 ? any : edges[any % 9];
            store_ordered(&meta[any % (any & 1 << 29 ? 64 : FAKE_META / 4)], value);
            if (shared->go && i % rarely == 5) /* the reader is in: the header as well */
                store_ordered(&words[any % front], value);
            if (i % rarely == 9)
                store_ordered(&words[index + any % (front - index)], value);
            if (i % 10)
                continue;
            uint32_t slot = any % FAKE_SLOTS;
            f->table[slot].record =
                (struct layout_record){.size = small().size, .meta_size = any % (FAKE_META / 8 + 1) * 8};
            store_ordered(&f->table[slot].version, version_of(number));
            store_ordered(&f->index->ring[number % 8], slot);
            store_ordered(&f->index->head, ++number & NUMBER_MASK);
            store_ordered(&f->index->state, 0);
        }
}

static uint64_t read_all(const struct framebus_reader *rd, const void *at, uint64_t size)
{
    const struct region *region = &rd->pool->region;
    const uint8_t *base = region->base, *from = at;
    uint64_t sum = 0;
    check(from >= base && size <= region->size && (uint64_t)(from - base) <= region->size - size);
    for (uint64_t i = 0; i < size; i++)
        sum += ((const volatile uint8_t *)from)[i];
    return sum;
}

/* Where the blocks are, and what a copy of them is like. */
static void read_metadata(const struct framebus_reader *rd, const struct framebus_frame *f)
{
    static _Alignas(8) uint8_t packed[FAKE_META];
    const void *block;
    uint32_t tag;
    size_t size, at = 0;
    while ((block = framebus_frame_next_meta(f, &at, &tag, &size)))
        read_all(rd, block, size);
    size_t copied = framebus_frame_copy_meta(f, packed, sizeof packed);
    check(copied <= sizeof packed);
    for (at = 0; framebus_meta_next(packed, copied, &at, &tag, &size);)
        shared->value[3]++;
    check_equal(at, copied);
}

static void read_what_changes(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r = framebus_reader_open(&rd, "bus", NULL);
    shared->go = 1;
    for (int64_t until = now_ns() + 50 * MS; !r && now_ns() < until;) {
        r = framebus_reader_next(rd, &f, 5 * MS);
        if (r == -ETIMEDOUT)
            r = 0;
        if (!f)
            continue;
        read_all(rd, f->data, f->size);
        check(f->crop.x <= f->format->width && f->crop.y <= f->format->height);
        read_metadata(rd, f);
        framebus_reader_release(rd, f);
        shared->value[0]++;
    }
    shared->value[1] += r < 0;
    check(!r || r == -EBADMSG || r == -EPROTO || r == -EPROTONOSUPPORT || r == -ENODATA || r == -EPIPE);
    framebus_reader_close(rd);
}

static void a_pool_that_changes_while_it_is_read_hurts_no_reader(void)
{
    static const struct trick trick = {.name = "changes", .play = change_everything};
    uint64_t frames = 0, refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
        memset(shared, 0, sizeof *shared);
        shared->value[2] = round % 2;
        pid_t fake = spawn(play_one, &trick);
        check_soon(shared->writer.ready || has_ended(fake));
        join(spawn(read_what_changes, NULL));
        frames += (uint64_t)shared->value[0];
        refused += (uint64_t)shared->value[1];
        finish(fake, &shared->writer);
        check(!unlink(path_of("bus")));
    }
    note("figure: %llu frames of a pool that changes; it was given up in %llu of %d rounds",
         (unsigned long long)frames, (unsigned long long)refused, ROUNDS);
    check(frames > 0 && refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_writer_made_by_hand_of_good_parts_is_accepted),
        PROCESS_TEST(a_region_that_is_not_what_it_should_be_is_refused),
        PROCESS_TEST(a_header_that_makes_no_sense_is_refused),
        PROCESS_TEST(an_index_that_makes_no_sense_is_refused),
        PROCESS_TEST(a_pool_that_changes_while_it_is_read_hurts_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
