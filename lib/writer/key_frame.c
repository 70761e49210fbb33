/* SPDX-License-Identifier: MIT */
#include "writer/key_frame.h"

#include "base/clock.h"
#include "writer/writer.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How far apart key frames are that readers ask for, whoever they are and however often: each of them makes
 * the stream larger for all. */
#define KEY_FRAME_PAUSE NS_PER_S

void key_frames_init(struct framebus_writer *w)
{
    w->key_frames.bell = -1;
}

bool key_frames_open(struct framebus_writer *w)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &w->key_frames};
    w->key_frames.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->key_frames.bell >= 0 &&
           !epoll_ctl(w->server.epoll, EPOLL_CTL_ADD, w->key_frames.bell, &interest);
}

void key_frames_close(struct framebus_writer *w)
{
    if (w->key_frames.bell >= 0)
        close(w->key_frames.bell);
    w->key_frames.bell = -1;
}

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
        keys->wanted = keys->rung = false;
    } else if (!keys->rung && now >= keys->next_at) {
        keys->rung = keys->rings = true;
        eventfd_write(keys->bell, 1);
    }
}

void key_frames_silence(struct framebus_writer *w, bool heard)
{
    struct key_frames *keys = &w->key_frames;
    eventfd_t ignored;
    if (!keys->rings)
        return;
    eventfd_read(keys->bell, &ignored);
    keys->rings = false;
    keys->rung &= heard;
}

bool key_frames_take(struct framebus_writer *w, int64_t now)
{
    struct key_frames *keys = &w->key_frames;
    if (!keys->wanted || now < keys->next_at)
        return false;
    keys->wanted = keys->rung = false;
    keys->next_at = now + KEY_FRAME_PAUSE;
    return true;
}
