/* SPDX-License-Identifier: MIT */
/* Which buses are shown: those named, or the one that is picked from a list. */
#include "buses.h"
#include "cli/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buses_open(struct viewer *viewer)
{
    const struct options *options = viewer->options;
    viewer->view = calloc(options->names ? options->names : 1, sizeof *viewer->view);
    if (!viewer->view) {
        viewer_fail(viewer, "%s", strerror(ENOMEM));
        return false;
    }
    for (unsigned i = 0; i < options->names; i++) {
        struct view *view = &viewer->view[viewer->views++];
        view->signalled = true;
        view->progress_ns = clock_now();
        if (source_open(&view->source, options->name[i], options->window.dmabuf != WINDOW_DMABUF_NO)) {
            viewer_fail(viewer, "%s", view->source.problem);
            viewer->status = EXIT_USAGE;
            return false;
        }
    }
    return true;
}

static void buses_forget_answer(struct viewer *viewer)
{
    framebus_info_free(viewer->about, 1);
    viewer->about = NULL;
}

/* Drops an answer about a bus that is not shown any more. */
void buses_receive(struct viewer *viewer)
{
    struct framebus_bus_info *infos;
    size_t count;
    if (!inquiry_collect(viewer->inquiry, &infos, &count))
        return;
    buses_forget_answer(viewer);
    if (!viewer->views)
        picker_update(&viewer->picker, infos, count);
    else if (count == 1 && strcmp(infos->name, viewer->view[viewer->chosen].source.name) == 0)
        viewer->about = infos;
    else
        framebus_info_free(infos, count);
    viewer->dirty = true;
}

void buses_inquire(struct viewer *viewer)
{
    if (!viewer->views)
        inquiry_set(viewer->inquiry, "");
    else
        inquiry_set(viewer->inquiry, viewer->info ? viewer->view[viewer->chosen].source.name : NULL);
}

void buses_pick(struct viewer *viewer, const char *name)
{
    snprintf(viewer->picked, sizeof viewer->picked, "%s", name);
    viewer->view[0] = (struct view){.signalled = true, .progress_ns = clock_now()};
    if (source_open(&viewer->view[0].source, viewer->picked, viewer->window.importer)) {
        viewer_notify(viewer, "%s", viewer->view[0].source.problem);
        return;
    }
    viewer->views = 1;
    viewer->paused = false;
    viewer->dirty = true;
}

void buses_close(struct viewer *viewer)
{
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++) {
        texture_finish(&view->texture);
        inspector_finish(&view->inspector);
        source_close(&view->source);
    }
    viewer->views = 0;
    buses_forget_answer(viewer);
}

void buses_unpick(struct viewer *viewer)
{
    if (viewer->options->names || !viewer->views)
        return;
    buses_close(viewer);
    viewer->dirty = true;
}
