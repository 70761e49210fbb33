/* SPDX-License-Identifier: MIT */
#include "camera/method.h"

#include <stddef.h>
#include <string.h>

#define OWN_BUFFERS 8 /* those that the driver has, the last one published, and three with readers */

static const struct method methods[] = {
    {"dmabuf",
     "the camera writes into slots that are DMA-BUFs, nothing is copied",
     V4L2_MEMORY_DMABUF,
     METHOD_INTO_SLOTS,
     VIDEO_MAX_FRAME,
     {.dmabuf = true, .max_lends = METHOD_QUEUED + 1}},
    {"userptr",
     "the camera writes into slots, nothing is copied",
     V4L2_MEMORY_USERPTR,
     METHOD_INTO_SLOTS,
     VIDEO_MAX_FRAME,
     {.max_slots = VIDEO_MAX_FRAME, .max_lends = METHOD_QUEUED + 1}},
    {"export",
     "the camera's own buffers are on the bus, nothing is copied while readers leave it enough",
     V4L2_MEMORY_MMAP,
     METHOD_OWN_BUFFERS,
     OWN_BUFFERS,
     {.history = 1}},
    {"mmap", "each picture is copied once", V4L2_MEMORY_MMAP, METHOD_COPY, METHOD_QUEUED, {0}},
};

#define METHODS (sizeof methods / sizeof *methods)

const struct method *method_next(const struct method *last)
{
    const struct method *next = last ? last + 1 : methods;
    return next < methods + METHODS ? next : NULL;
}

const char *method_parse(const char *text, void *field)
{
    const struct method *found = NULL;
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(text, methods[i].name) == 0)
            found = &methods[i];
    if (!found && strcmp(text, "auto") != 0)
        return "is not dmabuf, userptr, export, mmap or auto";
    *(const struct method **)field = found;
    return NULL;
}

const char *method_options(const struct method *method, const struct framebus_writer_options *wanted,
                           struct framebus_writer_options *options)
{
    if (method->writer.dmabuf && wanted->memory != FRAMEBUS_MEMORY_MEMFD)
        return "slots are DMA-BUFs only with --memory memfd";
    if (method->kind == METHOD_OWN_BUFFERS && wanted->lossless)
        return "the camera's own buffers cannot wait for lossless readers";
    *options = *wanted;
    options->dmabuf = method->writer.dmabuf;
    options->max_slots = method->writer.max_slots;
    options->max_lends = method->writer.max_lends;
    if (!options->history)
        options->history = method->writer.history;
    return NULL;
}
