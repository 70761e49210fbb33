/* SPDX-License-Identifier: MIT */
/* Writer calls from any threads at once, release from any thread, readers and writer in one process.
 * What the thread sanitizer looks at. */
#include "harness.h"

#include <pthread.h>

#define WRITERS 3
#define READERS 3

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 1500
#else
#define MANY 6000
#endif

/* All in one child, whose checks end it from any thread. */
static struct framebus_writer *writer;
static _Atomic uint64_t numbers;
static _Atomic uint32_t finished;

static pthread_t thread(void *(*body)(void *), void *argument)
{
    pthread_t t;
    check(!pthread_create(&t, NULL, body, argument));
    return t;
}

static void *dispatch_always(void *unused)
{
    while (!finished)
        serve(writer, MS, NULL);
    return unused;
}

static void *write_many(void *unused)
{
    struct framebus_frame *f, *g = NULL;
    for (int i = 0; i < MANY; i++) {
        int r = framebus_writer_begin(writer, &f);
        check_equal(r, 0);
        fill_frame(f, numbers++);
        check_equal(framebus_writer_publish(writer, f), 0);
        check(frame_number(f) >= 0); /* its publisher may still read it */
        if (g)
            framebus_writer_release(writer, g);
        g = f; /* each keeps one while it writes the next */
        if (i % 100 == 0) {
            check_equal(framebus_writer_begin(writer, &f), 0);
            framebus_writer_release(writer, f);
        }
    }
    framebus_writer_release(writer, g);
    return unused;
}

static void *inquire(void *unused)
{
    while (!finished) {
        struct framebus_bus_info *info;
        check_equal(framebus_writer_get_info(writer, &info), 0);
        framebus_info_free(info, 1);
        check_equal(framebus_query("bus", &info), 0);
        framebus_info_free(info, 1);
        sleep_ns(MS);
    }
    return unused;
}

/* ---- frames on their way to the thread that releases them ---- */

static struct {
    pthread_mutex_t lock;
    struct {
        struct framebus_reader *reader;
        struct framebus_frame *frame;
    } entries[64];
    unsigned count;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *release_always(void *unused)
{
    bool ended = false;
    while (!ended) {
        ended = finished == 2;
        pthread_mutex_lock(&queue.lock);
        for (unsigned i = 0; i < queue.count; i++) {
            check(frame_number(queue.entries[i].frame) >= 0);
            framebus_reader_release(queue.entries[i].reader, queue.entries[i].frame);
        }
        queue.count = 0;
        pthread_mutex_unlock(&queue.lock);
        sleep_ns(MS / 5);
    }
    return unused;
}

static void *read_many(void *argument)
{
    const struct framebus_reader_options *options = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    uint64_t frames = 0, missed = 0, expected = 0;
    check_equal(framebus_reader_open(&rd, "bus", options), 0);
    while (expected < WRITERS * MANY) {
        int r = framebus_reader_next(rd, &f, 20 * S);
        if (r == -EBUSY) { /* the other thread has not released yet */
            sleep_ns(MS / 5);
            continue;
        }
        check_equal(r, 0);
        check(frame_number(f) >= 0);
        check(frames == 0 || f->sequence == expected + f->missed);
        expected = f->sequence + 1;
        frames++;
        missed += f->missed;
        pthread_mutex_lock(&queue.lock);
        bool room = queue.count < 64;
        if (room)
            queue.entries[queue.count++] = (typeof(queue.entries[0])){rd, f};
        pthread_mutex_unlock(&queue.lock);
        if (!room)
            framebus_reader_release(rd, f);
    }
    if (options->delivery == FRAMEBUS_DELIVERY_LOSSLESS)
        check_equal(missed, 0);
    framebus_reader_close(rd); /* perhaps before the last release */
    shared->value[options->delivery] += (int64_t)frames;
    return argument;
}

static void work_in_threads(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = picture("GRAY8", 64, 48);
    static struct framebus_reader_options ways[READERS] = {
        {.quota = 4}, {.quota = 3, .delivery = FRAMEBUS_DELIVERY_LATEST}, {.quota = 4}};
    if (options->lossless)
        ways[2].delivery = FRAMEBUS_DELIVERY_LOSSLESS;
    check_equal(framebus_writer_open(&writer, "bus", &format, options), 0);
    pthread_t dispatcher = thread(dispatch_always, NULL), inquirer = thread(inquire, NULL);
    pthread_t releaser = thread(release_always, NULL), writers[WRITERS], readers[READERS];
    for (int i = 0; i < READERS; i++)
        readers[i] = thread(read_many, &ways[i]);
    struct framebus_bus_info *info;
    uint32_t there = 0;
    check_soon(
        (framebus_query("bus", &info), there = info->readers, framebus_info_free(info, 1), there == READERS));
    for (int i = 0; i < WRITERS; i++)
        writers[i] = thread(write_many, NULL);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    finished = 1;
    pthread_join(dispatcher, NULL);
    pthread_join(inquirer, NULL);
    framebus_writer_close(writer);
    finished = 2;
    pthread_join(releaser, NULL);
    check_equal(numbers, WRITERS * MANY);
    check_equal(count_mappings(), 0);
}

static void many_threads_write_and_read_one_bus(void)
{
    join(spawn(work_in_threads, &(struct framebus_writer_options){.history = 4}));
}

static void many_threads_write_and_read_one_lossless_bus(void)
{
    join(spawn(work_in_threads, &(struct framebus_writer_options){
                                    .history = 2, .lossless = true, .lossless_timeout_ns = 60 * S}));
    check_equal(shared->value[FRAMEBUS_DELIVERY_LOSSLESS], WRITERS * MANY);
}

/* ---- closing beside releasing ---- */

struct held {
    struct framebus_writer *writer;
    struct framebus_reader *reader;
    struct framebus_frame *frame;
};

static void *release_soon(void *argument)
{
    struct held *held = argument;
    if (held->writer)
        framebus_writer_release(held->writer, held->frame);
    else
        framebus_reader_release(held->reader, held->frame);
    return argument;
}

static void close_beside_release(const void *argument)
{
    (void)argument;
    struct framebus_format format = picture("GRAY8", 16, 16);
    for (int i = 0; i < 200; i++) {
        struct held w = {0}, r[2] = {{0}, {0}};
        finished = 0;
        check_equal(framebus_writer_open(&writer, "bus", &format, NULL), 0);
        pthread_t dispatcher = thread(dispatch_always, NULL);
        struct framebus_reader *rd;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        for (uint64_t k = 0; k < 2; k++) {
            check_equal(publish_one(writer, k), 0);
            r[k].reader = rd;
            check_equal(framebus_reader_next(rd, &r[k].frame, 10 * S), 0);
        }
        w.writer = writer;
        check_equal(framebus_writer_begin(writer, &w.frame), 0);
        finished = 1;
        pthread_join(dispatcher, NULL);
        pthread_t threads[] = {thread(release_soon, &r[0]), thread(release_soon, &r[1]),
                               thread(release_soon, &w)};
        if (i % 2)
            sched_yield();
        framebus_reader_close(rd);
        framebus_writer_close(writer);
        for (int k = 0; k < 3; k++)
            pthread_join(threads[k], NULL);
        check_equal(count_mappings(), 0);
    }
}

static void the_last_release_may_run_beside_close(void)
{
    join(spawn(close_beside_release, NULL));
}

/* ---- waiting in several threads ---- */

static void *publish_until_cancelled(void *argument)
{
    _Atomic uint64_t *count = argument;
    int r;
    while (!(r = publish_one(writer, numbers++)))
        ++*count;
    check_equal(r, -ECANCELED);
    return argument;
}

static void wait_in_threads(const void *argument)
{
    const int *cancel = argument;
    struct framebus_format format = small();
    _Atomic uint64_t counts[WRITERS] = {0};
    pthread_t threads[WRITERS];
    const struct framebus_writer_options options = {
        .lossless = true, .lossless_timeout_ns = -1, .cancel_fd = cancel[0]};
    check_equal(framebus_writer_open(&writer, "bus", &format, &options), 0);
    shared->writer.ready = 1;
    while (!shared->go)
        serve(writer, MS, NULL);
    for (int i = 0; i < WRITERS; i++)
        threads[i] = thread(publish_until_cancelled, &counts[i]);
    while (!shared->writer.stop) {
        sleep_ns(MS);
        shared->writer.frames = counts[0] + counts[1] + counts[2];
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    framebus_writer_close(writer);
}

static void threads_that_wait_for_one_reader_all_go_on_and_are_all_cancelled(void)
{
    int cancel[2];
    check(!pipe(cancel));
    pid_t pid = spawn(wait_in_threads, cancel);
    check_soon(shared->writer.ready);
    pid_t reader =
        start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}, .mixed = true});
    shared->go = 1;
    check_soon(shared->reader[0].frames > 500);
    for (int round = 0; round < 5; round++) {
        stop_now(reader);
        sleep_ns(30 * MS); /* all of them wait now */
        uint64_t stands_at = shared->writer.frames;
        sleep_ns(30 * MS);
        check_equal(shared->writer.frames, stands_at);
        check(!kill(reader, SIGCONT));
        check_soon(shared->writer.frames > stands_at + 100);
    }
    stop_now(reader);
    sleep_ns(30 * MS);
    check(write(cancel[1], "x", 1) == 1);
    shared->writer.stop = 1;
    join(pid);
    check(!kill(reader, SIGCONT));
    join(reader);
    check_equal(shared->reader[0].result, -EPIPE);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[0].missed, 0);
    close(cancel[0]);
    close(cancel[1]);
}

/* ---- forking beside everything ---- */

static void fork_beside_everything(const void *argument)
{
    (void)argument;
    struct framebus_format format = picture("GRAY8", 64, 48);
    struct framebus_reader_options live = {.quota = 4};
    check_equal(framebus_writer_open(&writer, "bus", &format, NULL), 0);
    pthread_t dispatcher = thread(dispatch_always, NULL), releaser = thread(release_always, NULL);
    pthread_t reader = thread(read_many, &live), writers[WRITERS];
    struct framebus_bus_info *info;
    uint32_t there = 0;
    check_soon(
        (framebus_query("bus", &info), there = info->readers, framebus_info_free(info, 1), there == 1));
    for (int i = 0; i < WRITERS; i++)
        writers[i] = thread(write_many, NULL);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        check(child >= 0);
        if (child == 0)
            _exit(framebus_writer_dispatch(writer) == -ECHILD ? 0 : 1);
        join(child);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    pthread_join(reader, NULL);
    finished = 1;
    pthread_join(dispatcher, NULL);
    framebus_writer_close(writer);
    finished = 2;
    pthread_join(releaser, NULL);
}

static void a_process_may_fork_while_its_threads_write_and_read(void)
{
    join(spawn(fork_beside_everything, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(many_threads_write_and_read_one_bus),
        PROCESS_TEST(many_threads_write_and_read_one_lossless_bus),
        PROCESS_TEST(the_last_release_may_run_beside_close),
        PROCESS_TEST(threads_that_wait_for_one_reader_all_go_on_and_are_all_cancelled),
        PROCESS_TEST(a_process_may_fork_while_its_threads_write_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
