/* SPDX-License-Identifier: MIT */
/* Examines limits, kernel features and GStreamer. */
#include "cli/units.h"
#include "doctor/findings.h"
#include "doctor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MIB         (1024 * 1024)
#define TMPFS_MAGIC 0x01021994

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
    char bytes[UNITS_ROOM];
    findings_add(findings, FINDING_NOTE, "limits",
                 "only %s may be locked; pools with locked memory need more",
                 units_bytes(limit.rlim_cur, bytes));
    findings_remedy(findings, "ulimit -l unlimited (as root, or in /etc/security/limits.conf)");
}

static void examine_files(struct findings *findings)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur >= 1024) {
        findings_add(findings, FINDING_OK, "limits", "%llu files may be open",
                     (unsigned long long)limit.rlim_cur);
    } else {
        findings_add(findings, limit.rlim_cur < 256 ? FINDING_PROBLEM : FINDING_NOTE, "limits",
                     "only %llu files may be open; a writer needs a few for each reader",
                     (unsigned long long)limit.rlim_cur);
        findings_remedy(findings, "ulimit -n 4096");
    }
}

static void examine_shm(struct findings *findings)
{
    struct statfs fs;
    if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC || access("/dev/shm", W_OK | X_OK)) {
        findings_add(findings, FINDING_NOTE, "limits",
                     "/dev/shm is not a writable tmpfs: buses with posix memory do not work, others do");
        findings_remedy(findings, "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
        return;
    }
    uint64_t total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
    char size[UNITS_ROOM], room[UNITS_ROOM];
    units_bytes(total, size);
    units_bytes((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize, room);
    if (total && total < 256 * MIB) {
        findings_add(findings, FINDING_NOTE, "limits",
                     "/dev/shm has only %s (%s free) for buses with posix memory; memfd is not bounded by it",
                     size, room);
        findings_remedy(findings, "mount -o remount,size=2G /dev/shm (or docker run --shm-size=2g)");
    } else {
        findings_add(findings, FINDING_OK, "limits", "/dev/shm has %s, %s free, for posix memory", size,
                     room);
    }
}

void examine_limits(struct findings *findings)
{
    examine_memlock(findings);
    examine_files(findings);
    examine_shm(findings);
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0) {
        findings_add(findings, FINDING_PROBLEM, "limits",
                     "inotify cannot be used (%s): a reader that waits for a writer looks ten "
                     "times a second",
                     strerror(errno));
        findings_remedy(findings, "sysctl fs.inotify.max_user_instances=1024");
    } else {
        close(fd);
    }
}

/* ---- The kernel ---- */

static void examine_release(struct findings *findings)
{
    struct utsname name;
    unsigned major = 0, minor = 0;
    uname(&name);
    if (sscanf(name.release, "%u.%u", &major, &minor) == 2 && (major < 5 || (major == 5 && minor < 1)))
        findings_add(findings, FINDING_PROBLEM, "kernel",
                     "Linux %s; before 5.1 only buses of posix or sysv memory work", name.release);
    else
        findings_add(findings, FINDING_OK, "kernel", "Linux %s", name.release);
}

/* Seals memory as a writer does. */
static void examine_seals(struct findings *findings)
{
    int fd = memfd_create("framebus-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("framebus-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        findings_add(findings, FINDING_PROBLEM, "kernel",
                     "memfds cannot be used (%s): no bus works; a sandbox may forbid it", strerror(errno));
        findings_remedy(findings, "allow memfd_create in its seccomp profile");
    } else if (ftruncate(fd, 4096) ||
               fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)) {
        findings_add(findings, FINDING_PROBLEM, "kernel",
                     "memory cannot be sealed (%s): only buses of posix or sysv memory work",
                     strerror(errno));
    } else {
        findings_add(findings, FINDING_OK, "kernel", "memory can be sealed");
    }
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
                     "System V memory cannot be reserved before use (Linux 5.14 can): full memory is "
                     "noticed too late");
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
    if (total < 0) {
        findings_add(findings, FINDING_NOTE, "kernel",
                     "no huge pages of 2 MiB; pools that ask for them fail");
    } else if (!total) {
        findings_add(findings, FINDING_NOTE, "kernel",
                     "no huge pages are set aside; pools that ask for them fail");
        findings_remedy(findings, "sysctl vm.nr_hugepages=512 (1 GiB)");
    } else {
        findings_add(findings, FINDING_OK, "kernel", "%ld of %ld huge pages are free", unused, total);
    }
}

static void examine_udmabuf(struct findings *findings)
{
    if (access("/dev/udmabuf", F_OK)) {
        findings_add(findings, FINDING_NOTE, "kernel",
                     "no /dev/udmabuf: frames cannot become dmabufs for a graphics card without a copy");
        findings_remedy(findings, "modprobe udmabuf");
    } else if (access("/dev/udmabuf", R_OK | W_OK)) {
        findings_add(findings, FINDING_NOTE, "kernel", "/dev/udmabuf is not open to you");
        findings_remedy(findings, "usermod -aG \"$(stat -c %%G /dev/udmabuf)\" \"$USER\" (and log in again)");
    } else {
        findings_add(findings, FINDING_OK, "kernel", "/dev/udmabuf can be used");
    }
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

/* The exit status of gst-inspect-1.0: 0 if the element exists; below zero if the program does not. */
static int inspect_element(const char *name)
{
    const char *const argv[] = {"gst-inspect-1.0", name, NULL}; /* --exists wants 1.0 */
    char output[2];
    return program_run(argv, output, sizeof output);
}

void examine_gstreamer(struct findings *findings)
{
    static const char file[] = GST_PLUGIN_DIRECTORY "/libgstframebus.so";
    int r = inspect_element("framebussink");
    if (r == -ENOENT) {
        findings_add(findings, FINDING_NOTE, "gstreamer",
                     "no gst-inspect-1.0: whether GStreamer finds the plugin is not known");
    } else if (r == 0) {
        findings_add(findings, FINDING_OK, "gstreamer", "the plugin is found");
    } else if (inspect_element("fakesink")) {
        findings_add(findings, FINDING_NOTE, "gstreamer", "gst-inspect-1.0 does not work");
    } else if (access(file, F_OK)) {
        findings_add(findings, FINDING_NOTE, "gstreamer", "the plugin is not found, nor is there %s", file);
        findings_remedy(findings, "install it, or: export GST_PLUGIN_PATH=DIRECTORY of libgstframebus.so");
    } else {
        findings_add(findings, FINDING_PROBLEM, "gstreamer",
                     "the plugin is there, but GStreamer does not look for it, or could not load it");
        findings_remedy(findings,
                        "export GST_PLUGIN_PATH=%s; if it is blacklisted (gst-inspect-1.0 -b): rm "
                        "~/.cache/gstreamer-1.0/registry.*.bin",
                        GST_PLUGIN_DIRECTORY);
    }
}
