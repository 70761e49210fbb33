/* SPDX-License-Identifier: MIT */
/* The loop that joins everything: it takes frames from the buses, presents them, and waits. */
#include "loop.h"
#include "buses.h"
#include "cli/clock.h"
#include "cli/units.h"
#include "keys.h"
#include "show.h"
#include "viewer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_NS (NS_PER_S / 4) /* of texts that change by themselves */
#define HIDDEN_NS  NS_PER_S       /* between frames of a window that is hidden */
#define ROUNDS     3              /* frames of a bus before the next one has its turn */

/* ---- Frames ---- */

static void view_report_problem(const struct view *view)
{
    char command[256];
    fprintf(stderr, "framebus-view: %s: this cannot be shown: %s\n", view->source.name,
            view->texture.problem);
    if (view->unsupported)
        fprintf(stderr, "What GStreamer can decode is shown by: %s\n",
                show_command(view, command, sizeof command));
}

/* A format that is turned another way than the last one turns the picture; then the keys do. */
static void view_orient(struct view *view)
{
    uint32_t orientation = view->texture.plan.orientation;
    if (view->orientation == orientation)
        return;
    view->orientation = orientation;
    view->pose =
        (struct pose){.turns = orientation & 3, .mirrored = orientation & FRAMEBUS_ORIENTATION_MIRROR};
}

static void view_load(struct viewer *viewer, struct view *view, struct framebus_frame *frame)
{
    if (viewer->inspecting)
        inspector_keep(&view->inspector, frame);
    else
        inspector_forget(&view->inspector);
    int r = texture_load(&view->texture, &viewer->window, frame);
    view_orient(view);
    view->flags = frame->flags;
    view->refused = r != 0;
    view->unsupported = r == -ENOTSUP;
    if (r)
        texture_reset(&view->texture);
    if (r && !view->announced)
        view_report_problem(view);
    view->announced = view->refused;
    if (view->writers != view->source.writers)
        statistics_restart(&view->statistics);
    view->writers = view->source.writers;
    /* A frame that was replaced before it was presented has been missed too. */
    view->missed = frame->missed + (view->fresh ? view->missed + 1 : 0);
    view->sample = (struct statistics_sample){
        .sequence = frame->sequence,
        .capture_ns = frame->capture_ns,
        .publish_ns = frame->publish_ns,
    };
    view->fresh = true;
}

static void view_watch(struct viewer *viewer, struct view *view)
{
    view->signalled = false;
    if (view->source.fd >= 0 && wake_watch(viewer->wake, view->source.fd, (int)(view - viewer->view)))
        viewer_fail(viewer, "%s cannot be watched: %s", view->source.name, strerror(errno));
}

static bool view_is_held(const struct viewer *viewer, const struct view *view)
{
    return viewer->paused && !viewer->step && view->texture.size.width;
}

/* Loads the frames that have come; each is held only while it is uploaded or drawn. True: one came. */
static bool view_update(struct viewer *viewer, struct view *view)
{
    enum source_state before = view->source.state;
    struct framebus_frame *frame;
    bool loaded = false;
    if (source_retry(&view->source))
        view->signalled = true;
    if (!view->signalled || view_is_held(viewer, view))
        return false;
    for (int round = 0; view->signalled && round < ROUNDS; round++) {
        if (source_next(&view->source, &frame)) {
            view_watch(viewer, view);
            break;
        }
        view_load(viewer, view, frame);
        source_release(&view->source, frame);
        viewer_follow_size(viewer, view);
        loaded = true;
        if (viewer->paused)
            break; /* one step, one frame */
    }
    if (view->source.state != before && view->source.state != SOURCE_LIVE)
        texture_drop_memory(&view->texture); /* perhaps the last that is left of a pool */
    if (loaded || view->source.state != before)
        viewer->dirty = true;
    return loaded;
}

static void loop_update_views(struct viewer *viewer)
{
    bool loaded = false;
    if (pacer_wait(&viewer->pacer, clock_now()))
        return;
    for (unsigned i = 0; i < viewer->views; i++)
        loaded = view_update(viewer, &viewer->view[i]) || loaded;
    viewer->step = viewer->step && !loaded;
}

/* ---- Presenting ---- */

/* True if the frames that are about to be presented are the last that --frames asks for. */
static bool loop_is_last(const struct viewer *viewer)
{
    uint64_t frames = viewer->options->frames;
    for (unsigned i = 0; i < viewer->views; i++)
        if (viewer->view[i].statistics.shown + viewer->view[i].fresh < frames)
            return false;
    return frames != 0 && viewer->views;
}

static void loop_finish(struct viewer *viewer)
{
    const char *file = viewer->options->screenshot;
    viewer->quit = true;
    for (unsigned i = 0; file && i < viewer->views; i++)
        if (viewer->view[i].refused)
            viewer->status = EXIT_ERROR; /* the reason is reported */
    if (!file || viewer->status)
        return;
    int r = window_save(&viewer->window, file);
    if (r)
        viewer_fail(viewer, "%s cannot be written: %s", file, strerror(-r));
}

static void loop_present(struct viewer *viewer)
{
    bool fresh = false, last = loop_is_last(viewer);
    viewer->dirty = false;
    viewer->drawn++;
    show_draw(viewer);
    if (last)
        loop_finish(viewer);
    SDL_RenderPresent(viewer->window.renderer);

    int64_t now = clock_now();
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++) {
        if (!view->fresh)
            continue;
        view->sample.shown_ns = now;
        statistics_add(&view->statistics, &view->sample, view->missed);
        view->progress_ns = now;
        view->fresh = false;
        fresh = true;
    }
    if (fresh)
        pacer_shown(&viewer->pacer, now);
    if (viewer->hidden)
        viewer->pacer.due_ns = now + HIDDEN_NS;
    viewer->refresh_ns = viewer->info ? now + REFRESH_NS : 0;
    show_caption(viewer);
}

/* ---- The loop ---- */

static bool loop_shows_time(const struct viewer *viewer)
{
    for (unsigned i = 0; i < viewer->views; i++) {
        const struct source *source = &viewer->view[i].source;
        if (source->last_frame_ns && (source->state != SOURCE_LIVE || source_stalled(source)))
            return true;
    }
    return false;
}

static int64_t sooner_of(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int64_t time_until(int64_t due, int64_t now)
{
    return due > now ? due - now : 0;
}

/* Time until something happens by itself; below zero: nothing will. */
static int64_t loop_idle_time(const struct viewer *viewer)
{
    int64_t now = clock_now(), wait = -1;
    if (viewer->dirty)
        return 0;
    for (unsigned i = 0; i < viewer->views; i++) {
        const struct view *view = &viewer->view[i];
        int64_t pace = pacer_wait(&viewer->pacer, now), change = source_next_change(&view->source);
        if (view->signalled && !view_is_held(viewer, view))
            wait = sooner_of(wait, pace);
        if (change >= 0)
            wait = sooner_of(wait, change > pace ? change : pace);
        if (viewer->options->timeout_ns && !viewer->paused)
            wait = sooner_of(wait, time_until(view->progress_ns + viewer->options->timeout_ns, now));
    }
    if (viewer->notice_ns)
        wait = sooner_of(wait, time_until(viewer->notice_ns, now));
    if (viewer->refresh_ns)
        wait = sooner_of(wait, time_until(viewer->refresh_ns, now));
    if (loop_shows_time(viewer))
        wait = sooner_of(wait, NS_PER_S - now % NS_PER_S);
    return wait;
}

static void loop_handle(struct viewer *viewer, const SDL_Event *event)
{
    if (event->type == wake_event_type(viewer->wake)) {
        if (event->user.code == WAKE_INQUIRY)
            buses_receive(viewer);
        else if ((unsigned)event->user.code < viewer->views)
            viewer->view[event->user.code].signalled = true;
    } else if (event->type == SDL_RENDER_DEVICE_RESET || event->type == SDL_RENDER_TARGETS_RESET) {
        text_reset(viewer->text);
        for (unsigned i = 0; i < viewer->views && event->type == SDL_RENDER_DEVICE_RESET; i++)
            texture_reset(&viewer->view[i].texture);
        viewer->dirty = true;
    } else {
        keys_handle(viewer, event);
    }
}

static void loop_check_clock(struct viewer *viewer, int64_t before)
{
    int64_t now = clock_now();
    if (viewer->notice_ns && now >= viewer->notice_ns) {
        viewer->notice_ns = 0;
        viewer->dirty = true;
    }
    if (viewer->refresh_ns && now >= viewer->refresh_ns)
        viewer->dirty = true;
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++) {
        bool stalled = source_stalled(&view->source) > 0;
        viewer->dirty = viewer->dirty || stalled != view->stalled;
        view->stalled = stalled;
    }
    if (now / NS_PER_S != before / NS_PER_S && loop_shows_time(viewer))
        viewer->dirty = true;
}

static void loop_check_end(struct viewer *viewer)
{
    int64_t now = clock_now(), limit = viewer->options->timeout_ns;
    bool over = viewer->options->exit_on_eos && viewer->views, died = false;
    char text[32];
    for (unsigned i = 0; i < viewer->views && !viewer->quit; i++) {
        const struct view *view = &viewer->view[i];
        over = over && (view->source.state == SOURCE_ENDED || view->source.state == SOURCE_LOST);
        died = died || view->source.state == SOURCE_LOST;
        if (limit && !viewer->paused && now - view->progress_ns >= limit) {
            viewer_fail(viewer, "no frame on %s within %s%s%s", view->source.name,
                        units_duration(limit, text), view->source.state == SOURCE_FAILED ? ": " : "",
                        view->source.state == SOURCE_FAILED ? view->source.problem : "");
            viewer->status = EXIT_TIMEOUT;
        }
    }
    if (over && !viewer->quit) {
        viewer->quit = true;
        viewer->status = died ? EXIT_DIED : EXIT_OK;
    }
}

static void loop_iterate(struct viewer *viewer)
{
    SDL_Event event;
    show_caption(viewer);
    SDL_ShowWindow(viewer->window.handle);
    viewer->dirty = true;
    while (!viewer->quit) {
        int64_t before = clock_now();
        buses_inquire(viewer);
        if (wake_wait(viewer->wake, loop_idle_time(viewer), &event)) {
            do
                loop_handle(viewer, &event);
            while (SDL_PollEvent(&event));
        }
        loop_check_clock(viewer, before);
        loop_update_views(viewer);
        if (viewer->dirty && !viewer->quit)
            loop_present(viewer);
        loop_check_end(viewer);
    }
}

static void view_print_statistics(const struct view *view)
{
    struct statistics_summary s;
    statistics_summarise(&view->statistics, clock_now(), &s);
    fprintf(stderr,
            "%s: %llu frames shown, %llu missed; %.2f published, %.2f shown a second; "
            "age mean %.2f ms, 99 %% below %.2f ms; jitter %.2f ms; %llu by dmabuf, %llu by upload\n",
            view->source.name, (unsigned long long)s.shown, (unsigned long long)s.missed, s.publish_rate,
            s.shown_rate, s.age_mean, s.age_p99, s.jitter, (unsigned long long)view->texture.imports,
            (unsigned long long)view->texture.uploads);
}

int loop_run(const struct options *options)
{
    struct viewer viewer = {.options = options,
                            .info = options->info,
                            .smooth = !options->nearest,
                            .pointer_x = -1,
                            .pointer_y = -1};
    if (buses_open(&viewer) && viewer_open_window(&viewer))
        loop_iterate(&viewer);
    for (unsigned i = 0; options->statistics && i < viewer.views; i++)
        view_print_statistics(&viewer.view[i]);

    inquiry_destroy(viewer.inquiry);
    wake_destroy(viewer.wake);
    buses_close(&viewer);
    picker_finish(&viewer.picker);
    text_destroy(viewer.text);
    window_close(&viewer.window);
    free(viewer.view);
    return viewer.status;
}
