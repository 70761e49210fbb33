/* SPDX-License-Identifier: MIT */
#include "writer/key_frame.h"

#include "base/clock.h"
#include "writer/writer.h"

/* How far apart key frames are that readers ask for, whoever they are and however often: each of them makes
 * the stream larger for all. */
#define KEY_FRAME_PAUSE NS_PER_S

void key_frames_want(struct framebus_writer *w)
{
    w->key_frames.wanted = true;
}

void key_frames_look(struct framebus_writer *w, struct peer *peer)
{
    uint32_t requests = load_relaxed(&peer->page->key_requests);
    uint32_t missed = load_relaxed(&peer->page->missed.low);
    if (requests != peer->key_requests)
        w->key_frames.wanted = true;
    peer->key_requests = requests;
    if ((int32_t)(missed - peer->missed) > 0) { /* it is 0 until the reader has the page */
        w->key_frames.wanted = true;
        peer->missed = missed;
    }
}

void key_frames_note(struct framebus_writer *w, uint32_t flags, int64_t now)
{
    struct key_frames *keys = &w->key_frames;
    if (!keys->wanted)
        return;
    if (!(flags & (FRAMEBUS_FRAME_DELTA | FRAMEBUS_FRAME_HEADER))) {
        keys->wanted = keys->noticed = false;
    } else if (!keys->noticed && now >= keys->next_at) {
        keys->noticed = true;
        notice_raise(w);
    }
}

void key_frames_unheard(struct framebus_writer *w)
{
    w->key_frames.noticed = false;
}

bool key_frames_take(struct framebus_writer *w, int64_t now)
{
    struct key_frames *keys = &w->key_frames;
    if (!keys->wanted || now < keys->next_at)
        return false;
    keys->wanted = keys->noticed = false;
    keys->next_at = now + KEY_FRAME_PAUSE;
    return true;
}
