/* SPDX-License-Identifier: MIT */
#include "base/processors.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

/* What the kernel has room for on the largest machines; a smaller set would be an error there. */
#define PROCESSORS_MAX 8192

static uint32_t processors_of_affinity(void)
{
    union {
        cpu_set_t set;
        unsigned char bytes[PROCESSORS_MAX / CHAR_BIT];
    } mask;
    memset(&mask, 0, sizeof mask);
    if (sched_getaffinity(0, sizeof mask, &mask.set))
        return 1;
    int count = CPU_COUNT_S(sizeof mask, &mask.set);
    return count > 0 ? (uint32_t)count : 1;
}

/* Whole processors that cpu.max of a group grants, cgroup-v2.rst: "QUOTA PERIOD" in us, or "max PERIOD". */
static uint32_t cgroup_processors(const char *group)
{
    char path[PATH_MAX];
    unsigned long long quota, period;
    uint32_t processors = UINT32_MAX;
    if ((size_t)snprintf(path, sizeof path, CGROUPS "%s/cpu.max", group) >= sizeof path)
        return processors;
    FILE *file = fopen(path, "re");
    if (!file)
        return processors;
    if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period && quota / period < UINT32_MAX)
        processors = (uint32_t)(quota / period);
    fclose(file);
    return processors;
}

/* The path of this process's group below CGROUPS; false: there is none. */
static bool cgroup_find(char *group, size_t size)
{
    char line[PATH_MAX];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        found = !strncmp(line, "0::/", 4) && (size_t)snprintf(group, size, "%s", line + 3) < size;
    }
    if (file)
        fclose(file);
    return found;
}

uint32_t processors_to_spare(void)
{
    char group[PATH_MAX];
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t usable = online > 0 ? (uint32_t)online : 1;
    uint32_t own = processors_of_affinity();
    /* A group is bound by those around it, too. */
    for (bool more = cgroup_find(group, sizeof group); more;) {
        uint32_t granted = cgroup_processors(group);
        if (granted < usable)
            usable = granted;
        char *slash = strrchr(group, '/');
        more = slash && slash[0] && group[0];
        if (slash)
            *slash = '\0';
    }
    uint32_t spare = usable ? usable - 1 : 0;
    return spare < own ? spare : own;
}
