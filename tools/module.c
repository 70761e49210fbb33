/* SPDX-License-Identifier: MIT */
#include "module.h"
#include "cli/report.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its path beside the program; empty: it is not there. */
static void module_find_beside(const char *file, char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - strlen(file) - 1);
    path[length > 0 ? length : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        strcpy(slash + 1, file);
    if (!slash || access(path, R_OK))
        *path = 0;
}

static void *module_load(const char *file)
{
    char path[PATH_MAX];
    module_find_beside(file, path);
    if (!*path)
        snprintf(path, sizeof path, "%s/%s", MODULE_DIRECTORY, file);
    return dlopen(path, RTLD_NOW);
}

const void *module_open(const char *file)
{
    void *library = module_load(file);
    const struct module *module = library ? dlsym(library, "framebus_module") : NULL;
    if (!module)
        return NULL;
    module->report_init(report_speaker());
    return module->functions;
}
