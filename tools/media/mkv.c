/* SPDX-License-Identifier: MIT */
#include "media/mkv.h"
#include "cli/report.h"
#include "media/mkv-module.h"
#include "module.h"

#include <dlfcn.h>

/* NULL once the reason is reported. */
static const struct mkv_functions *mkv_load(void)
{
    static const struct mkv_functions *functions;
    if (!functions)
        functions = module_open("framebus-mkv.so");
    if (!functions)
        report_error(".mkv files need a module with GStreamer: %s; .fbr files need none", dlerror());
    return functions;
}

struct sink *mkv_sink_open(int fd)
{
    const struct mkv_functions *functions = mkv_load();
    return functions ? functions->sink_open(fd) : NULL;
}

struct source *mkv_source_open(const char *path, int interrupts, bool payload)
{
    const struct mkv_functions *functions = mkv_load();
    return functions ? functions->source_open(path, interrupts, payload) : NULL;
}
