/* SPDX-License-Identifier: MIT */
/* The entry of the module that mkv.c opens. */
#include "media/mkv-module.h"
#include "cli/report.h"
#include "module.h"

#include <gst/gst.h>

bool mkv_module_start(void)
{
    g_autoptr(GError) error = NULL;
    if (gst_init_check(NULL, NULL, &error))
        return true;
    report_error("GStreamer does not start: %s", error ? error->message : "it does not say why");
    return false;
}

static const struct mkv_functions mkv_functions = {
    .sink_open = mkv_module_sink_open,
    .source_open = mkv_module_source_open,
};

extern const struct module framebus_module;

__attribute__((visibility("default"))) const struct module framebus_module = {report_init, &mkv_functions};
