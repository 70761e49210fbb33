/* SPDX-License-Identifier: MIT */
/* Frames that show when they are spoilt, and the writers and readers that most tests are made of. */
#include "harness.h"

#define NUMBER_TAG 0x54534554u /* "TEST" */

struct framebus_format picture(const char *name, uint32_t width, uint32_t height)
{
    struct framebus_format format;
    const struct framebus_format_info *info = framebus_format_by_name(name);
    check(info);
    check_equal(framebus_format_init(&format, info->fourcc, width, height), 0);
    return format;
}

struct framebus_format small(void)
{
    return picture("GRAY8", 160, 120);
}

/* Word i of frame n. Words of two frames differ everywhere. */
static uint64_t pattern(uint64_t number)
{
    number = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return number ^ number >> 29;
}

#define STEP UINT64_C(0xd1342543de82ef95)

void fill_frame(struct framebus_frame *frame, uint64_t number)
{
    uint64_t word = pattern(number);
    uint64_t *words = frame->data;
    uint64_t n = frame->size / 8;
    for (uint64_t i = 0; i < n; i++, word += STEP)
        words[i] = word;
    memcpy(words + n, &word, frame->size % 8);
    check_equal(framebus_frame_add_meta(frame, NUMBER_TAG, &number, sizeof number), 0);
}

int64_t frame_number(const struct framebus_frame *frame)
{
    uint64_t number;
    size_t size;
    const void *meta = framebus_frame_get_meta(frame, NUMBER_TAG, 0, &size);
    if (!meta || size != sizeof number)
        return -1;
    memcpy(&number, meta, sizeof number);
    uint64_t word = pattern(number);
    const uint64_t *words = frame->data;
    uint64_t n = frame->size / 8, difference = 0;
    for (uint64_t i = 0; i < n; i++, word += STEP)
        difference |= words[i] ^ word;
    if (difference || memcmp(words + n, &word, frame->size % 8))
        return -1;
    return (int64_t)number;
}

int publish_one(struct framebus_writer *writer, uint64_t number)
{
    struct framebus_frame *frame;
    int r;
    while ((r = framebus_writer_begin(writer, &frame)) == -EINTR)
        ;
    if (r)
        return r;
    if (!frame->format->fourcc)
        frame->size = frame->capacity;
    fill_frame(frame, number);
    r = framebus_writer_publish(writer, frame);
    framebus_writer_release(writer, frame);
    return r;
}

void expect_frame(struct framebus_reader *reader, uint64_t number, uint64_t missed)
{
    struct framebus_frame *frame;
    int r;
    while ((r = framebus_reader_next(reader, &frame, 10 * S)) == -EINTR)
        ;
    check_equal(r, 0);
    check_equal(frame_number(frame), number);
    check_equal(frame->missed, missed);
    framebus_reader_release(reader, frame);
}

void serve(struct framebus_writer *writer, int64_t ns, const _Atomic uint32_t *stop)
{
    int64_t until = now_ns() + ns;
    do {
        int64_t left = until - now_ns();
        if (left < 0)
            left = 0;
        if (stop && left > 20 * MS)
            left = 20 * MS; /* to look at the flag */
        struct pollfd wait = {.fd = framebus_writer_fd(writer), .events = POLLIN};
        struct timespec time = {.tv_sec = left / S, .tv_nsec = left % S};
        ppoll(&wait, 1, &time, NULL);
        check_equal(framebus_writer_dispatch(writer), 0);
    } while (now_ns() < until && !(stop && *stop));
}

void write_frames(const void *argument)
{
    struct writing plan = *(const struct writing *)argument;
    struct tally *tally = plan.tally ? plan.tally : &shared->writer;
    if (!plan.format.size)
        plan.format = small();
    tally->pid = getpid();
    struct framebus_writer *w;
    int r = framebus_writer_open(&w, plan.bus ? plan.bus : "bus", &plan.format, &plan.options);
    if (r)
        note("writer: %s", framebus_last_error());
    tally->ready = r ? r : 1;
    if (r)
        return;
    while (plan.waits && !shared->go && !tally->stop)
        serve(w, MS, NULL);
    int64_t due = now_ns();
    for (uint64_t n = 0; (n < plan.frames || !plan.frames) && !tally->stop && !r; n++) {
        int64_t begun = now_ns();
        r = publish_one(w, plan.first + n);
        int64_t took = now_ns() - begun;
        if (took > tally->longest_ns)
            tally->longest_ns = took;
        if (r) {
            tally->result = r;
            note("writer: frame %llu: %s", (unsigned long long)n, framebus_last_error());
            break;
        }
        tally->last = plan.first + n;
        tally->frames++;
        int64_t now = now_ns();
        due += plan.interval_ns;
        if (due < now && !plan.catches_up)
            due = now; /* no burst after a delay */
        if (plan.interval_ns)
            serve(w, due - now_ns(), &tally->stop);
    }
    while (!plan.leaves && !tally->stop)
        serve(w, 10 * S, &tally->stop);
    framebus_writer_close(w);
}

void read_frames(const void *argument)
{
    const struct reading *plan = argument;
    struct tally *tally = plan->tally ? plan->tally : &shared->reader[0];
    int64_t patience = plan->timeout_ns ? plan->timeout_ns : 20 * S;
    tally->pid = getpid();
    struct framebus_reader *rd;
    int r;
    while ((r = framebus_reader_open(&rd, plan->bus ? plan->bus : "bus", &plan->options)) == -EINTR)
        ;
    if (r)
        note("reader: %s", framebus_last_error());
    tally->ready = r ? r : 1;
    if (r)
        return;
    uint64_t expected = 0, writers = 0, first = 0;
    int64_t until = now_ns() + patience;
    while (!tally->stop && (!plan->frames || tally->frames < plan->frames)) {
        struct framebus_frame *frame;
        r = framebus_reader_next(rd, &frame, 50 * MS);
        if ((r == -ETIMEDOUT || r == -EINTR) && now_ns() < until)
            continue;
        if (r) {
            tally->result = r;
            break;
        }
        int64_t number = frame_number(frame);
        struct framebus_reader_stats stats;
        framebus_reader_get_stats(rd, &stats);
        /* Another writer counts anew, and numbers its frames from anywhere. */
        if (stats.writers != writers)
            first = (uint64_t)number - frame->sequence;
        bool in_order = stats.writers != writers || frame->sequence == expected + frame->missed;
        in_order &= plan->mixed || (uint64_t)number == first + frame->sequence;
        writers = stats.writers;
        tally->delivery = (int)stats.delivery;
        if (number < 0 || !in_order) {
            tally->wrong++;
            note("reader: frame %llu after %llu missed: %s", (unsigned long long)frame->sequence,
                 (unsigned long long)frame->missed, number < 0 ? "torn" : "out of order");
        }
        expected = frame->sequence + 1;
        tally->missed += frame->missed;
        tally->last = (uint64_t)number;
        tally->frames++;
        if (plan->hold_ns)
            sleep_ns(plan->hold_ns);
        if (number != frame_number(frame))
            tally->wrong++; /* changed under our claim */
        framebus_reader_release(rd, frame);
        until = now_ns() + patience;
    }
    framebus_reader_close(rd);
}

static pid_t start(void (*role)(const void *), const void *plan, struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    pid_t pid = spawn(role, plan);
    check_soon(tally->ready || has_ended(pid));
    if (tally->ready != 1)
        check_failed(__FILE__, __LINE__, "a writer or reader could not open its bus: %d", tally->ready);
    return pid;
}

pid_t start_writer(const struct writing *plan)
{
    return start(write_frames, plan, plan->tally ? plan->tally : &shared->writer);
}

pid_t start_reader(const struct reading *plan)
{
    return start(read_frames, plan, plan->tally ? plan->tally : &shared->reader[0]);
}

void finish_at(const char *file, int line, pid_t pid, struct tally *tally)
{
    tally->stop = 1;
    join_at(file, line, pid);
}

/* ---- scripts ---- */

static pid_t script;

static void wait_for_step(void)
{
    check_soon(shared->done > shared->go || has_ended(script));
    check(shared->done > shared->go);
}

pid_t start_script(void (*role)(const void *argument), const void *argument)
{
    shared->go = shared->done = 0;
    script = spawn(role, argument);
    wait_for_step();
    return script;
}

void step(struct framebus_writer *w)
{
    uint32_t number = ++shared->done;
    while (shared->go < number)
        if (w)
            serve(w, MS, NULL);
        else
            sleep_ns(MS);
}

void go_on(void)
{
    shared->go++;
    wait_for_step();
}

void end_script_at(const char *file, int line, pid_t pid)
{
    shared->go++;
    join_at(file, line, pid);
}
