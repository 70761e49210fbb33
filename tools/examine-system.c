/* SPDX-License-Identifier: MIT */
/* Limits, kernel features, GStreamer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "findings.h"
#include "text.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MIB         (1024 * 1024)
#define TMPFS_MAGIC 0x01021994

extern char **environ;

/* ---- Limits ---- */

static void examine_memlock(struct findings *findings)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit))
        return;
    if (limit.rlim_cur >= 64 * MIB) {
        findings_add(findings, FINDING_OK, "limits", "memory can be locked");
        return;
    }
    char *bytes = byte_text(limit.rlim_cur);
    finding_mend(findings_add(findings, FINDING_NOTE, "limits",
                              "only %s may be locked; pools with locked memory need more", bytes),
                 "ulimit -l unlimited (as root, or in /etc/security/limits.conf)");
    free(bytes);
}

static void examine_files(struct findings *findings)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur >= 1024)
        findings_add(findings, FINDING_OK, "limits", "%llu files may be open",
                     (unsigned long long)limit.rlim_cur);
    else
        finding_mend(findings_add(findings, limit.rlim_cur < 256 ? FINDING_PROBLEM : FINDING_NOTE, "limits",
                                  "only %llu files may be open; a writer needs a few for each reader",
                                  (unsigned long long)limit.rlim_cur),
                     "ulimit -n 4096");
}

static void examine_shm(struct findings *findings)
{
    struct statfs fs;

    if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC || access("/dev/shm", W_OK | X_OK)) {
        finding_mend(
            findings_add(findings, FINDING_NOTE, "limits",
                         "/dev/shm is no writable tmpfs: buses with posix memory do not work, others do"),
            "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
        return;
    }
    uint64_t total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
    char *size = byte_text(total), *room = byte_text((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize);
    if (total && total < 256 * MIB)
        finding_mend(
            findings_add(
                findings, FINDING_NOTE, "limits",
                "/dev/shm has only %s (%s free) for buses with posix memory; memfd is not bounded by it",
                size, room),
            "mount -o remount,size=2G /dev/shm (or docker run --shm-size=2g)");
    else
        findings_add(findings, FINDING_OK, "limits", "/dev/shm has %s, %s free, for posix memory", size,
                     room);
    free(size);
    free(room);
}

void examine_limits(struct findings *findings)
{
    examine_memlock(findings);
    examine_files(findings);
    examine_shm(findings);
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0)
        finding_mend(findings_add(findings, FINDING_PROBLEM, "limits",
                                  "no inotify to be had (%s): waiting for a writer does not work",
                                  strerror(errno)),
                     "sysctl fs.inotify.max_user_instances=1024");
    else
        close(fd);
}

/* ---- The kernel ---- */

static void examine_release(struct findings *findings)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    uname(&name);
    if (sscanf(name.release, "%u.%u", &major, &minor) == 2 && (major < 5 || (major == 5 && minor < 1)))
        findings_add(findings, FINDING_PROBLEM, "kernel", "Linux %s; framebus needs 5.1 or newer",
                     name.release);
    else
        findings_add(findings, FINDING_OK, "kernel", "Linux %s", name.release);
}

/* As a writer does it. */
static void examine_seals(struct findings *findings)
{
    int fd = memfd_create("framebus-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, 4096) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL))
        finding_mend(findings_add(findings, FINDING_PROBLEM, "kernel",
                                  "memory cannot be sealed (%s): no bus works; a sandbox may forbid it",
                                  strerror(errno)),
                     "allow memfd_create and fcntl F_ADD_SEALS in its seccomp profile");
    else
        findings_add(findings, FINDING_OK, "kernel", "memory can be sealed");
    if (fd >= 0)
        close(fd);
}

static void examine_populate(struct findings *findings)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = aligned_alloc(size, size);

    if (!page)
        return;
    if (madvise(page, size, MADV_POPULATE_WRITE) && errno == EINVAL)
        findings_add(findings, FINDING_NOTE, "kernel",
                     "System V memory cannot be reserved before use (Linux 5.14 can): full memory is not "
                     "told in time");
    free(page);
}

static long read_number(const char *path)
{
    FILE *file = fopen(path, "r");
    long number = -1;

    if (file && fscanf(file, "%ld", &number) != 1)
        number = -1;
    if (file)
        fclose(file);
    return number;
}

static void examine_huge_pages(struct findings *findings)
{
    long total = read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    long unused = read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");

    if (total < 0)
        findings_add(findings, FINDING_NOTE, "kernel",
                     "no huge pages of 2 MiB; pools that ask for them fail");
    else if (!total)
        finding_mend(findings_add(findings, FINDING_NOTE, "kernel",
                                  "no huge pages are set aside; pools that ask for them fail"),
                     "sysctl vm.nr_hugepages=512 (1 GiB)");
    else
        findings_add(findings, FINDING_OK, "kernel", "%ld of %ld huge pages are free", unused, total);
}

static void examine_udmabuf(struct findings *findings)
{
    if (access("/dev/udmabuf", F_OK))
        finding_mend(
            findings_add(findings, FINDING_NOTE, "kernel",
                         "no /dev/udmabuf: frames cannot become dmabufs for a graphics card without a copy"),
            "modprobe udmabuf");
    else if (access("/dev/udmabuf", R_OK | W_OK))
        finding_mend(findings_add(findings, FINDING_NOTE, "kernel", "/dev/udmabuf is not open to you"),
                     "usermod -aG \"$(stat -c %%G /dev/udmabuf)\" \"$USER\" (and log in again)");
    else
        findings_add(findings, FINDING_OK, "kernel", "/dev/udmabuf can be used");
}

void examine_kernel(struct findings *findings)
{
    examine_release(findings);
    examine_seals(findings);
    examine_populate(findings);
    examine_huge_pages(findings);
    examine_udmabuf(findings);
}

/* ---- GStreamer ---- */

/* The exit status of gst-inspect-1.0, 0 if there is such an element; below zero if there is no such program.
 */
static int look_for_element(const char *name)
{
    char *argv[] = {(char *)"gst-inspect-1.0", (char *)name, NULL}; /* --exists wants 1.0 */
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    int r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r)
        return -r;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void examine_gstreamer(struct findings *findings)
{
    static const char file[] = GST_PLUGIN_DIRECTORY "/libgstframebus.so";
    int r = look_for_element("framebussink");

    if (r == -ENOENT)
        findings_add(findings, FINDING_NOTE, "gstreamer",
                     "no gst-inspect-1.0: whether GStreamer finds the plugin is not known");
    else if (r == 0)
        findings_add(findings, FINDING_OK, "gstreamer", "the plugin is found");
    else if (look_for_element("fakesink"))
        findings_add(findings, FINDING_NOTE, "gstreamer", "gst-inspect-1.0 does not work");
    else if (access(file, F_OK))
        finding_mend(findings_add(findings, FINDING_NOTE, "gstreamer",
                                  "the plugin is not found, nor is there %s", file),
                     "install it, or: export GST_PLUGIN_PATH=DIRECTORY of libgstframebus.so");
    else
        finding_mend(
            findings_add(findings, FINDING_PROBLEM, "gstreamer",
                         "the plugin is there, but GStreamer does not look for it, or could not load it"),
            "export GST_PLUGIN_PATH=%s; if it is blacklisted (gst-inspect-1.0 -b): rm "
            "~/.cache/gstreamer-1.0/registry.*.bin",
            GST_PLUGIN_DIRECTORY);
}
