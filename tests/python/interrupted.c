/* SPDX-License-Identifier: MIT */
/*
 * The library, but the first call of each function below is interrupted by a signal: it raises the one that
 * INTERRUPT_BY says, and returns -EINTR. Loaded in place of the library, which it is linked to.
 */
#include <framebus.h>

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the linker from leaving the library out, in which the module finds everything else. */
const char *(*const interrupted_needs)(void) = framebus_version;

static bool interrupted(bool *before)
{
    if (*before)
        return false;
    *before = true;
    raise(atoi(getenv("INTERRUPT_BY")));
    return true;
}

/* What comes after this library in the order of look-up. */
static void *real(const char *name)
{
    static void *library;
    if (!library)
        library = dlopen("libframebus.so.0", RTLD_NOW);
    return dlsym(library, name);
}

#define INTERRUPT(name, parameters, arguments)                                                               \
    int framebus_##name parameters                                                                           \
    {                                                                                                        \
        static bool before;                                                                                  \
        __typeof__(framebus_##name) *function;                                                               \
        void *address = real("framebus_" #name);                                                             \
        memcpy(&function, &address, sizeof function);                                                        \
        return interrupted(&before) ? -EINTR : function arguments;                                           \
    }

INTERRUPT(list, (struct framebus_bus_info * *infos, size_t *count), (infos, count))
INTERRUPT(query, (const char *name, struct framebus_bus_info **info), (name, info))
INTERRUPT(reader_open,
          (struct framebus_reader * *reader, const char *name, const struct framebus_reader_options *options),
          (reader, name, options))
INTERRUPT(reader_next, (struct framebus_reader * reader, struct framebus_frame **frame, int64_t timeout),
          (reader, frame, timeout))
INTERRUPT(writer_begin_size, (struct framebus_writer * writer, uint64_t size, struct framebus_frame **frame),
          (writer, size, frame))
INTERRUPT(writer_publish, (struct framebus_writer * writer, struct framebus_frame *frame), (writer, frame))
INTERRUPT(writer_set_format, (struct framebus_writer * writer, const struct framebus_format *format),
          (writer, format))
INTERRUPT(writer_end, (struct framebus_writer * writer), (writer))
