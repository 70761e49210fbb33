/* SPDX-License-Identifier: MIT */
/* Examines the runtime directory, the buses in it, what dead writers left, and containers. */
#include "cli/process.h"
#include "cli/units.h"
#include "doctor/findings.h"
#include "elsewhere.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PID_NAMESPACE "pid:[4026531836]" /* PROC_PID_INIT_INO of the kernel */
#define SETTLED_S           2                  /* a younger object may be about to be mapped */
#define NAME_ROOM           (FRAMEBUS_PATH_MAX - 1 - FRAMEBUS_NAME_MAX)

/* ---- The runtime directory ---- */

static void examine_environment(struct findings *findings)
{
    const char *chosen = getenv("FRAMEBUS_DIR"), *xdg = getenv("XDG_RUNTIME_DIR"), *sudo = getenv("SUDO_UID");
    struct stat st;
    if (chosen && *chosen)
        return;
    if (xdg && *xdg && stat(xdg, &st)) {
        findings_add(findings, FINDING_PROBLEM, "directory",
                     "XDG_RUNTIME_DIR is %s, which cannot be used: %s", xdg, strerror(errno));
        findings_remedy(
            findings,
            "log in again, or: loginctl enable-linger; in a container: export FRAMEBUS_DIR=/run/framebus");
    } else if (!(xdg && *xdg) && geteuid() != 0) {
        findings_add(findings, FINDING_NOTE, "directory",
                     "XDG_RUNTIME_DIR is not set: programs of a desktop session look for buses elsewhere");
        findings_remedy(findings, "export XDG_RUNTIME_DIR=/run/user/%u", (unsigned)getuid());
    } else if (sudo && geteuid() == 0) {
        findings_add(findings, FINDING_NOTE, "directory",
                     "root by sudo sees root's buses, not those of user %s", sudo);
        findings_remedy(findings, "FRAMEBUS_DIR=/run/user/%s/framebus framebus ls", sudo);
    }
}

static void make_directory(struct findings *findings, const char *path)
{
    findings_add(findings, FINDING_NOTE, "directory", "%s is not there yet: the first writer makes it", path);
    findings_remedy(findings, "mkdir -p -m 700 %s", path);
    findings_fixed(findings, findings->fix && mkdir(path, geteuid() ? 0700 : 0755) == 0);
}

static void examine_rights(struct findings *findings, const char *path, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode)) {
        findings_add(findings, FINDING_PROBLEM, "directory", "%s is not a directory", path);
        findings_remedy(findings, "rm %s", path);
    } else if (access(path, R_OK | X_OK)) {
        findings_add(findings, FINDING_PROBLEM, "directory",
                     "%s is not open to you: it is user %u's, mode %04o", path, (unsigned)st->st_uid,
                     (unsigned)st->st_mode & 07777);
    } else if (st->st_mode & S_IWOTH && !(st->st_mode & S_ISVTX)) {
        findings_add(findings, FINDING_PROBLEM, "directory",
                     "every user can write to %s, and take the name of a bus", path);
        findings_remedy(findings, "chmod o-w %s", path);
    } else if (access(path, W_OK)) {
        findings_add(findings, FINDING_NOTE, "directory",
                     "%s can be read, not written: you can read buses, not make any", path);
    } else if (strlen(path) > NAME_ROOM) {
        findings_add(findings, FINDING_NOTE, "directory",
                     "%s is long: names of buses may have %zu characters at most", path,
                     (size_t)FRAMEBUS_PATH_MAX - 1 - strlen(path));
    } else {
        findings_add(findings, FINDING_OK, "directory", "%s can be used", path);
    }
}

void examine_directory(struct findings *findings)
{
    char path[PATH_MAX], parent[PATH_MAX], *slash;
    struct stat st;
    examine_environment(findings);
    if (framebus_directory(path, sizeof path) < 0) {
        findings_add(findings, FINDING_PROBLEM, "directory", "%s", framebus_last_error());
        return;
    }
    if (stat(path, &st) == 0) {
        examine_rights(findings, path, &st);
        return;
    }
    int error = errno;
    snprintf(parent, sizeof parent, "%s", path);
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = 0;
    if (error == ENOENT && access(parent, W_OK | X_OK) == 0) {
        make_directory(findings, path);
    } else {
        findings_add(findings, FINDING_PROBLEM, "directory", "%s cannot be used: %s", path, strerror(error));
        findings_remedy(findings,
                        "make it, or choose another one: export FRAMEBUS_DIR=/tmp/framebus-$(id -u)");
    }
}

/* ---- Buses ---- */

static void examine_stale(struct findings *findings, const struct framebus_bus_info *bus)
{
    findings_add(findings, FINDING_PROBLEM, "leftovers",
                 "the writer of bus %s died; the next writer of that name clears away what it left",
                 bus->name);
    findings_remedy(findings, "framebus rm %s", bus->name);
    findings_fixed(findings, findings->fix && framebus_remove(bus->name, NULL, NULL) > 0);
}

static bool same_namespace(int32_t pid, const char *kind)
{
    char path[64], own[64] = "", other[64] = "";
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    if (readlink(path, own, sizeof own - 1) < 0)
        return true;
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    return readlink(path, other, sizeof other - 1) < 0 || strcmp(own, other) == 0;
}

static void examine_live(struct findings *findings, const struct framebus_bus_info *bus)
{
    if (!bus->pid) { /* it is live, so there is one */
        findings_add(findings, FINDING_NOTE, "containers",
                     "the writer of bus %s is in a process namespace that cannot be seen from here",
                     bus->name);
        findings_remedy(findings, "docker run --pid=host (only if its pid is wanted)");
    }
    if (bus->memory == FRAMEBUS_MEMORY_SYSV && (!bus->pid || !same_namespace(bus->pid, "ipc"))) {
        findings_add(findings, FINDING_PROBLEM, "containers",
                     "bus %s is made of System V memory of another ipc namespace: it cannot be read here",
                     bus->name);
        findings_remedy(findings, "docker run --ipc=host, or let its writer use memfd");
    }
}

static void examine_denied(struct findings *findings, const struct framebus_bus_info *bus)
{
    struct stat st;
    if (stat(bus->path, &st))
        return;
    findings_add(findings, FINDING_NOTE, "directory", "bus %s is not open to you: it is user %u's, mode %04o",
                 bus->name, (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
    findings_remedy(findings, "let its writer set a group and access mode 0660");
}

static void examine_elsewhere(struct findings *findings)
{
    struct elsewhere elsewhere;
    elsewhere_find(&elsewhere, NULL);
    for (size_t i = 0; i < elsewhere.count; i++) {
        char *setting = elsewhere_setting(elsewhere.bus[i].directory);
        findings_add(findings, FINDING_NOTE, "buses",
                     "bus %s is in %s, not in the directory that is used here", elsewhere.bus[i].name,
                     elsewhere.bus[i].directory);
        findings_remedy(findings, "%sframebus info %s", setting, elsewhere.bus[i].name);
        free(setting);
    }
    elsewhere_finish(&elsewhere);
}

void examine_buses(struct findings *findings)
{
    struct framebus_bus_info *buses;
    char writer[PROCESS_ROOM];
    size_t count;
    if (framebus_list(&buses, &count) < 0) {
        findings_add(findings, FINDING_PROBLEM, "directory", "%s", framebus_last_error());
        return;
    }
    for (size_t i = 0; i < count; i++) {
        switch (buses[i].state) {
        case FRAMEBUS_BUS_LIVE:
            examine_live(findings, &buses[i]);
            break;
        case FRAMEBUS_BUS_SILENT:
            findings_add(findings, FINDING_PROBLEM, "buses",
                         "the writer of bus %s (%s) does not answer: stopped, or it never dispatches",
                         buses[i].name, process_name(buses[i].pid, writer));
            if (buses[i].pid)
                findings_remedy(findings, "kill -CONT %d", buses[i].pid);
            break;
        case FRAMEBUS_BUS_STALE:
            examine_stale(findings, &buses[i]);
            break;
        case FRAMEBUS_BUS_DENIED:
            examine_denied(findings, &buses[i]);
            break;
        case FRAMEBUS_BUS_INCOMPATIBLE:
            findings_add(findings, FINDING_PROBLEM, "buses",
                         "the writer of bus %s (%s) is of another release of framebus: no program of this "
                         "one can read it",
                         buses[i].name, process_name(buses[i].pid, writer));
            findings_remedy(findings, "install one release for all programs, and start them again");
            break;
        }
    }
    framebus_info_free(buses, count);
    if (!count)
        examine_elsewhere(findings);
}

/* ---- Memory without a bus ---- */

/* True if every process that could use memory of ours can be seen. */
static bool sees_all_processes(void)
{
    char text[64] = "";
    return readlink("/proc/self/ns/pid", text, sizeof text - 1) > 0 && strcmp(text, FIRST_PID_NAMESPACE) == 0;
}

static bool process_has_mapped(const char *pid, const char *object)
{
    char name[300], *line = NULL;
    bool found = false;
    size_t room = 0;
    snprintf(name, sizeof name, "/proc/%s/maps", pid);
    FILE *maps = fopen(name, "r");
    while (maps && !found && getline(&line, &room, maps) > 0)
        found = strstr(line, object);
    free(line);
    if (maps)
        fclose(maps);
    return found;
}

/* True if a process of this user has the object mapped: only those could have made it. */
static bool is_mapped(const char *object)
{
    DIR *proc = opendir("/proc");
    bool found = !proc;
    for (struct dirent *entry; !found && (entry = readdir(proc));)
        found =
            entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && process_has_mapped(entry->d_name, object);
    if (proc)
        closedir(proc);
    return found;
}

static void examine_object(struct findings *findings, const char *name)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    if (lstat(path, &st) || st.st_uid != geteuid() || time(NULL) - st.st_ctime < SETTLED_S ||
        is_mapped(name) || lstat(path, &st))
        return;
    char size[UNITS_ROOM];
    findings_add(findings, FINDING_PROBLEM, "leftovers",
                 "no process uses the posix memory %s (%s) of a writer that died", path,
                 units_bytes((uint64_t)st.st_blocks * 512, size));
    findings_remedy(findings, "rm %s", path);
    findings_fixed(findings, findings->fix && sees_all_processes() && unlink(path) == 0);
}

static void examine_posix(struct findings *findings)
{
    char prefix[32];
    DIR *shm = opendir("/dev/shm");
    snprintf(prefix, sizeof prefix, "framebus-%u-", (unsigned)geteuid());
    for (struct dirent *entry; shm && (entry = readdir(shm));)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            examine_object(findings, entry->d_name);
    if (shm)
        closedir(shm);
}

/* A writer marks its segment for removal at once; one without the mark was left at that moment. */
static void examine_sysv(struct findings *findings)
{
    FILE *file = fopen("/proc/sysvipc/shm", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        struct shmid_ds ds;
        int key, id;
        if (sscanf(line, "%d %d", &key, &id) != 2 || ((unsigned)key & 0xff000000) != 0xfb000000 ||
            shmctl(id, IPC_STAT, &ds) || ds.shm_nattch || ds.shm_perm.cuid != geteuid() || ds.shm_cpid <= 0 ||
            kill(ds.shm_cpid, 0) == 0 || errno != ESRCH)
            continue;
        findings_add(findings, FINDING_PROBLEM, "leftovers",
                     "no process uses the System V segment %d of a writer that died", id);
        findings_remedy(findings, "ipcrm -m %d", id);
        findings_fixed(findings, findings->fix && sees_all_processes() && shmctl(id, IPC_RMID, NULL) == 0);
    }
    if (file)
        fclose(file);
}

void examine_leftovers(struct findings *findings)
{
    size_t before = findings->count;
    examine_posix(findings);
    examine_sysv(findings);
    if (findings->count > before && findings->fix && !sees_all_processes())
        findings_add(
            findings, FINDING_NOTE, "leftovers",
            "not removed: in a container it cannot be seen which other processes use them. Run this outside");
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->finding[i].area, "leftovers") == 0)
            return;
    findings_add(findings, FINDING_OK, "leftovers", "nothing is left of dead writers");
}

/* ---- Containers ---- */

void examine_containers(struct findings *findings)
{
    const char *kind = getenv("container"), *chosen = getenv("FRAMEBUS_DIR");
    if (!(kind && *kind))
        kind = access("/.dockerenv", F_OK) == 0          ? "docker"
               : access("/run/.containerenv", F_OK) == 0 ? "podman"
                                                         : NULL;
    if (!kind && sees_all_processes())
        return;
    if (chosen && *chosen) {
        findings_add(findings, FINDING_OK, "containers", "in a container, with FRAMEBUS_DIR=%s", chosen);
    } else {
        findings_add(findings, FINDING_NOTE, "containers",
                     "this is a container (%s): it has buses of its own, not those of the host",
                     kind ? kind : "not all processes can be seen");
        findings_remedy(
            findings,
            "docker run -v \"$XDG_RUNTIME_DIR/framebus:/run/framebus\" -e FRAMEBUS_DIR=/run/framebus");
    }
}
