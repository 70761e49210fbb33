/* SPDX-License-Identifier: MIT */
#include "torture.h"

#define AHEAD_MAX 4 /* begun and not yet published */
#define AFTER_MAX 3 /* published and not yet released */

static struct framebus_writer *writer;
static struct framebus_format format;
static uint64_t room;     /* for a payload of the present pool; 0: pictures */
static unsigned pools;    /* made so far: frames of an earlier one cannot be published */
static unsigned streams;  /* ended so far */
static uint64_t interval; /* between frames, ns */
static bool hot;          /* small frames as fast as can be, and the last one only: here they are overtaken */

struct lend {
    struct framebus_frame *frame;
    unsigned pools, streams;
};

static struct lend ahead[AHEAD_MAX];
static unsigned ahead_count, ahead_limit;
static struct framebus_frame *after[AFTER_MAX];
static unsigned after_count, after_limit;

static void choose_format(void)
{
    if (hot) {
        room = 0;
        format = picture("GRAY8", 64, 16 + (uint32_t)below(4));
    } else if (one_in(4)) {
        room = FRAME_MIN + below(64) * 8;
        expect(!framebus_format_init_opaque(&format, "application/x-torture", room));
    } else {
        uint32_t height = one_in(32) ? 480 : 16 + (uint32_t)below(48);
        room = 0;
        format = picture("GRAY8", 64 + 8 * (uint32_t)below(72), height);
        format.rate_num = (uint32_t)below(60);
        format.rate_den = 1;
    }
}

static struct framebus_writer_options choose_options(void)
{
    struct framebus_writer_options options = {
        .memory = (enum framebus_memory)below(3),
        .history = hot ? 1 : 1 + (uint32_t)below(one_in(3) ? 8 : 2),
        .max_lends = AHEAD_MAX + AFTER_MAX,
        .lossless = !hot && !one_in(4),
        .lossless_timeout_ns = one_in(4) ? -1 : (int64_t)below(150) * MS + 5 * MS,
        .cancel_fd = stop_fd,
    };
    uint32_t quotas = 4 + (uint32_t)below(16); /* some find no room */
    options.max_slots = (options.lossless ? 2 : 1) * options.max_lends + options.history + quotas + 1;
    return options;
}

/* Readers hold the slot's last frame no more: whoever looks at it all the same is to see it. */
static void spoil(const struct framebus_frame *frame)
{
    memset(frame->data, 0xee, FRAME_MIN);
}

static void begin(void)
{
    uint64_t size = room;
    if (room && one_in(50)) /* does not fit, now and then, whatever it was doubled to */
        size = room = room < (1 << 18) ? room * (2 + below(3)) : FRAME_MIN;
    struct framebus_frame *f;
    int r = framebus_writer_begin_size(writer, room ? size : 0, &f);
    progress(r);
    if (r == -ECANCELED || r == -EINTR)
        return;
    expect(!r);
    static uint32_t serial;
    if (f->format_serial != serial) {
        pools++;
        my_life->pool_first = my_life->published;
        count(POOLS, serial != 0);
    }
    serial = f->format_serial;
    if (room)
        f->size = FRAME_MIN + below((size - FRAME_MIN) / 8 + 1) * 8;
    spoil(f);
    ahead[ahead_count++] = (struct lend){.frame = f, .pools = pools, .streams = streams};
}

static void release_one(void)
{
    unsigned i = (unsigned)below(after_count);
    struct stamp stamp;
    if (!frame_verify(after[i], &stamp) || stamp.number != after[i]->sequence)
        wrong(TORN, "a frame changed in its writer's own hands");
    framebus_writer_release(writer, after[i]);
    after[i] = after[--after_count];
}

static void publish(void)
{
    unsigned i = (unsigned)below(ahead_count);
    struct lend lend = ahead[i];
    ahead[i] = ahead[--ahead_count];
    struct stamp stamp = {.bus = my_bus, .life = my_life->number, .number = my_life->published};
    frame_stamp(lend.frame, &stamp);
    my_life->begun++;
    int r = framebus_writer_publish(writer, lend.frame);
    progress(r);
    if (r) {
        my_life->begun--;
        if (r != -ESTALE || (lend.pools == pools && lend.streams == streams))
            wrong(FIGURES, "publish: %s", framebus_last_error());
        framebus_writer_release(writer, lend.frame);
        return;
    }
    my_life->published++;
    count(PUBLISHED, 1);
    if (lend.frame->sequence != stamp.number)
        wrong(DISORDERED, "frame %" PRIu64 " was published as %" PRIu64, stamp.number, lend.frame->sequence);
    if (after_count == after_limit && after_limit)
        release_one();
    if (after_limit)
        after[after_count++] = lend.frame;
    else
        framebus_writer_release(writer, lend.frame);
}

static void change(void)
{
    int r;
    if (one_in(3)) {
        r = framebus_writer_end(writer);
        streams++;
    } else {
        choose_format();
        r = framebus_writer_set_format(writer, &format);
        pools++;
    }
    progress(r);
    expect(!r || r == -ECANCELED || r == -EINTR);
}

static void pause_between(void)
{
    uint64_t ns = interval && one_in(200) ? 20 * interval + 50 * MS : interval;
    if (!ns)
        return;
    struct pollfd wait[] = {{.fd = framebus_writer_fd(writer), .events = POLLIN},
                            {.fd = stop_fd, .events = POLLIN}};
    int64_t until = now_ns() + (int64_t)ns;
    for (int64_t left; (left = until - now_ns()) > 0 && !stopping;) {
        struct timespec time = {.tv_sec = left / S, .tv_nsec = left % S};
        ppoll(wait, 2, &time, NULL);
        expect(!framebus_writer_dispatch(writer));
    }
}

void run_writer(void)
{
    static const uint64_t intervals[] = {0, 20000, 200 * 1000, MS, 5 * MS};
    hot = my_bus == 0 && one_in(2);
    choose_format();
    struct framebus_writer_options options = choose_options();
    my_life->history = options.history;
    interval = hot ? 0 : intervals[below(sizeof intervals / sizeof *intervals)];
    ahead_limit = hot ? 1 : 1 + (uint32_t)below(AHEAD_MAX);
    after_limit = hot ? 0 : (uint32_t)below(AFTER_MAX + 1);
    int r = framebus_writer_open(&writer, bus_name(my_bus), &format, &options);
    progress(r);
    if (r == -EADDRINUSE || r == -ENOENT) { /* two at a time; the directory has just been moved */
        count(REFUSED, 1);
        return;
    }
    expect(!r);
    uint64_t frames = one_in(2) || hot ? UINT64_MAX : below(20000);
    for (uint64_t n = 0; n < frames && !stopping; n++) {
        if (one_in(hot ? 20000 : interval < MS ? 2000 : 100))
            change();
        while (ahead_count < ahead_limit && !stopping)
            begin();
        if (ahead_count)
            publish();
        pause_between();
    }
    bool orderly = one_in(2);
    if (!orderly)
        framebus_writer_close(writer);
    while (after_count)
        release_one();
    while (ahead_count)
        framebus_writer_release(writer, ahead[--ahead_count].frame);
    if (orderly)
        framebus_writer_close(writer);
}
