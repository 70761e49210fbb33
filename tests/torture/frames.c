/* SPDX-License-Identifier: MIT */
#include "torture.h"

#define NUMBER_TAG 0x52544f54u /* "TOTR" */
#define STEP       UINT64_C(0xd1342543de82ef95)

/* In the frame's first bytes. */
struct head {
    struct stamp stamp;
    uint64_t size;
    uint64_t checksum; /* of everything else */
};

static uint64_t key_of(const struct stamp *stamp)
{
    return mix((uint64_t)stamp->life << 40 ^ (uint64_t)stamp->bus << 32 ^ stamp->number);
}

/* Hours to and fro: nothing may depend on when a camera says that it took a picture. */
static int64_t capture_time(const struct stamp *stamp)
{
    return 1 + (int64_t)(key_of(stamp) % (UINT64_C(100) * 3600 * S));
}

static uint64_t checksum_of(const struct head *head, const uint64_t *words, uint64_t n)
{
    uint64_t sum = key_of(&head->stamp) + head->size;
    for (uint64_t i = 0; i < n; i++)
        sum = (sum ^ words[i]) * UINT64_C(0x100000001b3);
    return sum;
}

void frame_stamp(struct framebus_frame *frame, const struct stamp *stamp)
{
    struct head *head = frame->data;
    uint64_t *words = (uint64_t *)(head + 1);
    uint64_t n = (frame->size - sizeof *head) / 8;
    uint64_t word = key_of(stamp);
    for (uint64_t i = 0; i < n; i++, word += STEP)
        words[i] = word;
    *head = (struct head){.stamp = *stamp, .size = frame->size};
    head->checksum = checksum_of(head, words, n);
    frame->capture_ns = capture_time(stamp);
    int r = framebus_frame_add_meta(frame, NUMBER_TAG, stamp, sizeof *stamp);
    expect(!r || r == -ESTALE); /* then it can no longer be published either */
}

bool frame_verify(const struct framebus_frame *frame, struct stamp *stamp)
{
    struct head head;
    if (frame->size < sizeof head || frame->size % 8)
        return false;
    memcpy(&head, frame->data, sizeof head);
    *stamp = head.stamp;
    const uint64_t *words = (const uint64_t *)((const struct head *)frame->data + 1);
    if (head.size != frame->size ||
        checksum_of(&head, words, (frame->size - sizeof head) / 8) != head.checksum)
        return false;
    size_t size;
    const void *meta = framebus_frame_get_meta(frame, NUMBER_TAG, 0, &size);
    return meta && size == sizeof *stamp && !memcmp(meta, stamp, size) &&
           frame->capture_ns == capture_time(stamp);
}
