/* SPDX-License-Identifier: MIT */
#include "torture.h"

#define QUOTA_LIMIT 5

static struct framebus_reader *reader;
static struct framebus_reader_options options;
static struct framebus_frame *held[QUOTA_LIMIT];
static struct stamp held_stamp[QUOTA_LIMIT];
static unsigned held_count, quota;
static bool greedy;
static uint64_t hold_ns;

/* Where it stands in the life of a writer. */
static uint64_t writers;
static struct stamp expected;
static uint32_t serial; /* of the last frame's pool */
static int64_t publish_ns;
static uint64_t taken, missed;

static void release_one(void)
{
    unsigned i = greedy && one_in(2) ? 0 : (unsigned)below(held_count);
    struct stamp stamp;
    if (!frame_verify(held[i], &stamp) || memcmp(&stamp, &held_stamp[i], sizeof stamp))
        wrong(TORN, "frame %" PRIu64 " changed while it was held", held_stamp[i].number);
    framebus_reader_release(reader, held[i]);
    progress(0);
    for (held_count--; i < held_count; i++) {
        held[i] = held[i + 1];
        held_stamp[i] = held_stamp[i + 1];
    }
}

/* Were the frames before this one missed as told, and for a reason? */
static void check_missed(const struct framebus_frame *f, const struct stamp *stamp,
                         const struct framebus_reader_stats *stats)
{
    const struct life *life = life_at(ledger, stamp->life);
    bool same_life = stats->writers == writers;
    if (same_life && stamp->life != expected.life)
        wrong(DISORDERED, "life %u goes on as life %u", expected.life, stamp->life);
    if (same_life && stamp->number < expected.number)
        wrong(DISORDERED, "frame %" PRIu64 " after frame %" PRIu64, stamp->number, expected.number - 1);
    uint64_t gap = same_life ? stamp->number - expected.number : f->missed; /* a newcomer's is its own */
    if (gap != f->missed || gap > stamp->number)
        wrong(UNTOLD, "%" PRIu64 " before frame %" PRIu64 ", and told of %" PRIu64, gap, stamp->number,
              f->missed);
    if (gap && options.delivery == FRAMEBUS_DELIVERY_LOSSLESS && my_place->demoted_in != stamp->life)
        wrong(UNTOLD, "%" PRIu64 " frames of a lossless reader before frame %" PRIu64, gap, stamp->number);
    /* The one before was out of reach; but a whole pool may pass a reader by. */
    if (gap && same_life && serial == f->format_serial && options.delivery != FRAMEBUS_DELIVERY_LATEST &&
        life->begun < stamp->number + life->history)
        wrong(UNTOLD,
              "%" PRIu64 " frames before frame %" PRIu64 " without need: no more than %" PRIu64
              " were published, the last %u of which are kept",
              gap, stamp->number, life->begun, life->history);
}

static void check_frame(const struct framebus_frame *f)
{
    struct stamp stamp;
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(reader, &stats);
    if (!frame_verify(f, &stamp))
        wrong(TORN, "frame %" PRIu64 " of %" PRIu64 " bytes", f->sequence, f->size);
    if (stamp.bus != my_bus || stamp.number != f->sequence ||
        life_at(ledger, stamp.life)->number != stamp.life ||
        stamp.number >= life_at(ledger, stamp.life)->begun)
        wrong(DISORDERED, "frame %" PRIu64 " of bus %u comes as %" PRIu64 " of bus %u", stamp.number,
              stamp.bus, f->sequence, my_bus);
    check_missed(f, &stamp, &stats);
    if (stats.writers == writers && f->publish_ns < publish_ns)
        wrong(DISORDERED, "frame %" PRIu64 " was published before the one before it", stamp.number);
    missed += f->missed;
    taken++;
    if (stats.missed != missed || stats.delivered != taken)
        wrong(UNTOLD,
              "%" PRIu64 " frames missed and %" PRIu64 " delivered, and the statistics say %" PRIu64
              " and %" PRIu64,
              missed, taken, stats.missed, stats.delivered);
    count(FOLLOWED, writers && writers != stats.writers);
    count(CHECKED, 1);
    count(CHECKED_BYTES, f->size);
    count(MISSED, f->missed);
    writers = stats.writers;
    publish_ns = f->publish_ns;
    serial = f->format_serial;
    expected = stamp;
    expected.number++;
    held_stamp[held_count - 1] = stamp;
}

/* The writer is gone: all that it published in the pool that we stood in has come. */
static void check_last(void)
{
    const struct life *life = life_at(ledger, expected.life);
    if (writers && expected.number > life->pool_first && expected.number < life->published)
        wrong(UNTOLD, "%" PRIu64 " frames of %" PRIu64 " came before its end", expected.number,
              life->published);
}

/* What is mapped: a pool and a page for each frame held at the most, and those it stands in. */
static void check_mappings(void)
{
    unsigned mappings = count_mappings();
    if (mappings > 2 * (held_count + 1))
        wrong(FIGURES, "%u mappings with %u frames held", mappings, held_count);
}

static int take(void)
{
    struct framebus_frame *f;
    uint64_t way = below(8);
    int r = framebus_reader_next(reader, &f, way < 3 ? -1 : way < 6 ? (int64_t)below(50) * MS : 0);
    if (r == -ETIMEDOUT && way >= 6) { /* a caller with a loop of its own */
        struct pollfd wait[] = {{.fd = framebus_reader_fd(reader), .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        expect(wait[0].fd >= 0);
        poll(wait, 2, -1);
        r = framebus_reader_next(reader, &f, 0);
    }
    if (!r) {
        held[held_count++] = f;
        check_frame(f);
    }
    if (r != -ETIMEDOUT && r != -EINTR)
        progress(r);
    return r;
}

static void change_quota(void)
{
    static int64_t last;
    if (now_ns() - last < 50 * MS) /* more than a hundred a second are a flood */
        return;
    last = now_ns();
    uint32_t wish = 1 + (uint32_t)below(QUOTA_LIMIT);
    if (wish < held_count)
        wish = held_count;
    int r = framebus_reader_set_quota(reader, wish);
    if (r && r != -EBUSY && r != -ETIMEDOUT && r != -ENOTCONN && r != -ECANCELED)
        wrong(FIGURES, "set_quota: %d, %s", r, framebus_last_error());
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(reader, &stats);
    quota = stats.quota < QUOTA_LIMIT ? stats.quota : QUOTA_LIMIT;
}

/* False at the end of what there is to read. */
static bool read_on(void)
{
    int r = take();
    switch (r) {
    case 0:
        if (hold_ns && one_in(4))
            sleep_ns((int64_t)below(hold_ns));
        break;
    case -ETIMEDOUT:
    case -EINTR: /* it was stopped, and goes on */
    case -ECANCELED:
        break;
    case -EBUSY: /* a new writer granted less than is held */
        break;
    case -ENODATA:
        count(ENDED, 1);
        break;
    case -ECONNREFUSED: /* full, or not lossless */
        expect(options.follow);
        count(REFUSED, 1);
        sleep_ns(20 * MS);
        break;
    case -EPIPE:
        expect(!options.follow);
        check_last();
        return false;
    default:
        wrong(FIGURES, "next: %d, %s", r, framebus_last_error());
    }
    while (held_count && (held_count >= quota || (!greedy && one_in(2))))
        release_one();
    return true;
}

/* What may become of an attempt to attach, on a bus where anything happens. */
static bool is_no_surprise(int r)
{
    return r == -ENOENT || r == -EBUSY || r == -ETIMEDOUT || r == -EAGAIN || r == -ECANCELED || r == -EINTR;
}

void run_reader(void)
{
    char label[32];
    snprintf(label, sizeof label, "reader %u.%u", (unsigned)(my_place - ledger->place), my_place->turn);
    quota = 1 + (unsigned)below(QUOTA_LIMIT - 1);
    greedy = one_in(2);
    hold_ns = one_in(2) ? 0 : below(20 * MS);
    options = (struct framebus_reader_options){
        .delivery = (enum framebus_delivery)below(3),
        .quota = quota,
        .wait_ns = one_in(4) ? 0 : (int64_t)below(5 * S),
        .follow = one_in(2),
        .cancel_fd = stop_fd,
        .label = label,
        .spin_ns = one_in(4) ? (int64_t)below(200000) : 0,
    };
    int r = framebus_reader_open(&reader, bus_name(my_bus), &options);
    if (r == -EOPNOTSUPP) { /* no lossless writer; then as it is */
        options.delivery = FRAMEBUS_DELIVERY_LIVE;
        r = framebus_reader_open(&reader, bus_name(my_bus), &options);
    }
    progress(r);
    if (r) {
        if (!is_no_surprise(r))
            wrong(FIGURES, "open: %d, %s", r, framebus_last_error());
        count(REFUSED, r != -ECANCELED);
        return;
    }
    uint64_t turns = one_in(2) ? UINT64_MAX : below(5000);
    for (uint64_t n = 0; n < turns && !stopping && read_on(); n++) {
        if (one_in(500))
            change_quota();
        if (n % 512 == 0)
            check_mappings();
    }
    bool orderly = one_in(2);
    if (!orderly) {
        framebus_reader_close(reader);
        count(KEPT, held_count);
    }
    while (held_count)
        release_one();
    if (orderly)
        framebus_reader_close(reader);
}
