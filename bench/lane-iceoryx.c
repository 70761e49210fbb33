/* SPDX-License-Identifier: MIT */
/* A lane through iceoryx (C binding), lossless: the publisher waits for a full subscriber. */
#include "lane-peers.h"

#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/types.h>
#include <iceoryx_binding_c/wait_set.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t roudi;

struct publisher {
    iox_pub_storage_t storage;
    iox_pub_t publisher;
    size_t size;
};

/* The publisher may have LANE_DEPTH frames in the queue, the subscriber one, and one is being written. */
static void write_configuration(const char *path, size_t frame_size)
{
    FILE *f = fopen(path, "w");
    if (!f)
        bench_die("cannot write %s", path);
    fprintf(f, "[general]\nversion = 1\n\n[[segment]]\n\n[[segment.mempool]]\nsize = %zu\ncount = %d\n",
            (frame_size + 63) / 64 * 64, 3 * (LANE_DEPTH + 2));
    fclose(f);
}

static bool is_ready(int out)
{
    char said[4096] = "";
    for (size_t length = 0; !strstr(said, "ready for clients");) {
        ssize_t n = read(out, said + length, sizeof said - 1 - length);
        if (n <= 0)
            return false;
        length += (size_t)n;
        said[length] = '\0';
    }
    return true;
}

bool roudi_start(size_t frame_size)
{
    char path[128];
    int out[2];
    snprintf(path, sizeof path, "%s/roudi.toml", getenv("FRAMEBUS_DIR"));
    write_configuration(path, frame_size);
    if (pipe(out))
        bench_die("pipe");
    roudi = bench_fork();
    if (roudi == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* it has shared memory to remove */
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        execlp("iox-roudi", "iox-roudi", "--config-file", path, "--monitoring-mode", "off", "--log-level",
               "warning", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    if (is_ready(out[0]))
        return true; /* the pipe stays open: it may say more */
    close(out[0]);
    bench_kill(roudi);
    return false;
}

void roudi_stop(void)
{
    kill(roudi, SIGTERM);
    waitpid(roudi, NULL, 0);
}

static const char *event_name(const struct lane *lane)
{
    return lane->spin_ns ? "polled" : "waited for";
}

static void join_runtime(const char *role)
{
    char name[64];
    snprintf(name, sizeof name, "bench-%s-%d", role, (int)getpid());
    iox_set_loglevel(Iceoryx_LogLevel_Error);
    iox_runtime_init(name);
}

static void read_all(struct lane *lane, iox_sub_t subscriber)
{
    const void *frame;
    while (iox_sub_take_chunk(subscriber, &frame) == ChunkReceiveResult_SUCCESS) {
        int64_t arrival = lane_arrival(lane);
        lane_received(lane, arrival, *(const uint64_t *)frame);
        iox_sub_release_chunk(subscriber, frame);
    }
}

/* The daemon takes it ill if a client just goes; that it goes is told by what runs at exit. */
static void leave(iox_sub_t subscriber)
{
    iox_sub_deinit(subscriber);
    exit(0);
}

/* Like a spinning reader of framebus, it looks for so long before it sleeps. */
static void poll_until_stopped(struct lane *lane, iox_sub_t subscriber)
{
    int64_t idle_since = now();
    while (!atomic_load_explicit(&lane->shared->stop, memory_order_relaxed)) {
        if (iox_sub_has_chunks(subscriber)) {
            read_all(lane, subscriber);
            idle_since = now();
        } else if (now() - idle_since > lane->spin_ns) {
            bench_sleep(NS_PER_MS / 4);
        }
    }
}

static void iceoryx_read(struct lane *lane)
{
    join_runtime("reader");
    iox_sub_options_t options;
    iox_sub_storage_t storage;
    iox_sub_options_init(&options);
    options.queueCapacity = LANE_DEPTH;
    options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    iox_sub_t subscriber = iox_sub_init(&storage, "framebus", "bench", event_name(lane), &options);
    while (iox_sub_get_subscription_state(subscriber) != SubscribeState_SUBSCRIBED)
        bench_sleep(NS_PER_MS);
    if (lane->spin_ns) {
        lane_is_ready(lane);
        poll_until_stopped(lane, subscriber);
        leave(subscriber);
    }

    iox_ws_storage_t room;
    iox_ws_t set = iox_ws_init(&room);
    iox_ws_attach_subscriber_event(set, subscriber, SubscriberEvent_DATA_RECEIVED, 0, NULL);
    lane_is_ready(lane);
    while (!atomic_load_explicit(&lane->shared->stop, memory_order_relaxed)) {
        iox_notification_info_t info;
        uint64_t missed;
        iox_ws_wait(set, &info, 1, &missed);
        read_all(lane, subscriber);
    }
    iox_ws_deinit(set);
    leave(subscriber);
}

static void iceoryx_open(struct lane *lane)
{
    static bool joined;
    if (!joined)
        join_runtime("writer");
    joined = true;
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        bench_die("no memory");
    iox_pub_options_t options;
    iox_pub_options_init(&options);
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    p->publisher = iox_pub_init(&p->storage, "framebus", "bench", event_name(lane), &options);
    p->size = lane_frame_size(lane);
    lane->data = p;
}

static void iceoryx_post(struct lane *lane)
{
    struct publisher *p = lane->data;
    void *frame;
    if (iox_pub_loan_chunk(p->publisher, &frame, (uint32_t)p->size) != AllocationResult_SUCCESS)
        bench_die("%s: no chunk", lane->name);
    *(uint64_t *)frame = lane->number;
    lane_sent(lane);
    iox_pub_publish_chunk(p->publisher, frame);
}

static void iceoryx_finish(struct lane *lane)
{
    atomic_store(&lane->shared->stop, true);
    lane->number++;
    iceoryx_post(lane);
    waitpid(lane->reader, NULL, 0);
}

static void iceoryx_close(struct lane *lane)
{
    struct publisher *p = lane->data;
    iox_pub_deinit(p->publisher);
    free(p);
}

const struct lane_kind lane_iceoryx = {
    .read = iceoryx_read,
    .open = iceoryx_open,
    .post = iceoryx_post,
    .close = iceoryx_close,
    .finish = iceoryx_finish,
};
