/* SPDX-License-Identifier: MIT */
#include "elsewhere.h"
#include "cli/report.h"
#include "text.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSES_MAX 32

/* Where programs of users, of root and of sessions look. */
static const char *const usual_directories[] = {"/run/user/*/framebus", "/run/framebus", "/tmp/framebus-*"};

/* ---- collecting ---- */

static bool is_our_directory(const char *directory)
{
    char own[PATH_MAX], real_own[PATH_MAX], real[PATH_MAX];
    if (framebus_directory(own, sizeof own) < 0)
        return false;
    return strcmp(realpath(own, real_own) ? real_own : own, realpath(directory, real) ? real : directory) ==
           0;
}

static void elsewhere_add(struct elsewhere *elsewhere, const char *directory, const char *name)
{
    for (size_t i = 0; i < elsewhere->count; i++)
        if (strcmp(elsewhere->bus[i].name, name) == 0 && strcmp(elsewhere->bus[i].directory, directory) == 0)
            return;
    if (elsewhere->count == BUSES_MAX || is_our_directory(directory))
        return;
    struct elsewhere_bus *more = realloc(elsewhere->bus, (elsewhere->count + 1) * sizeof *more);
    if (!more)
        report_out_of_memory();
    elsewhere->bus = more;
    more[elsewhere->count++] = (struct elsewhere_bus){text_of("%s", directory), text_of("%s", name)};
}

static bool is_socket_of_ours(const char *directory, const char *name)
{
    char *path = text_of("%s/%s", directory, name);
    struct stat st;
    bool is = !lstat(path, &st) && S_ISSOCK(st.st_mode) && !access(path, R_OK | W_OK);
    free(path);
    return is;
}

/* The kernel lists a bus's socket under the name that it was bound to, DIRECTORY/.NAME.tmp. */
static void elsewhere_add_listener(struct elsewhere *elsewhere, const char *wanted, char *path)
{
    char *base = strrchr(path, '/');
    size_t length = base ? strlen(base) : 0;
    if (*path != '/' || length < sizeof "/.x.tmp" - 1 || base[1] != '.' ||
        strcmp(base + length - 4, ".tmp") != 0)
        return;
    base[length - 4] = '\0';
    *base = '\0';
    const char *name = base + 2;
    if ((!wanted || strcmp(name, wanted) == 0) && is_socket_of_ours(path, name))
        elsewhere_add(elsewhere, path, name);
}

static void elsewhere_find_listeners(struct elsewhere *elsewhere, const char *name)
{
    FILE *list = fopen("/proc/net/unix", "re");
    char *line = NULL;
    size_t room = 0;
    while (list && getline(&line, &room, list) > 0) {
        const unsigned accepting = 0x10000; /* __SO_ACCEPTCON */
        unsigned flags, type;
        int path = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%*x: %*x %*x %x %x %*x %*u %n", &flags, &type, &path) >= 2 && path && type == 5 &&
            flags & accepting)
            elsewhere_add_listener(elsewhere, name, line + path);
    }
    free(line);
    if (list)
        fclose(list);
}

/* Adds those that answer, or could: they may be served from another network namespace, which has a list of
 * its own. */
static void elsewhere_look_into(struct elsewhere *elsewhere, const char *name, const char *path)
{
    DIR *directory = is_our_directory(path) ? NULL : opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        struct framebus_bus_info *info;
        if (entry->d_name[0] == '.' || (name && strcmp(entry->d_name, name) != 0) ||
            !is_socket_of_ours(path, entry->d_name))
            continue;
        char *socket = text_of("%s/%s", path, entry->d_name);
        if (framebus_query(socket, &info) == 0) {
            if (info->has_writer && info->state != FRAMEBUS_BUS_DENIED)
                elsewhere_add(elsewhere, path, entry->d_name);
            framebus_info_free(info, 1);
        }
        free(socket);
    }
    if (directory)
        closedir(directory);
}

static int compare_buses(const void *a, const void *b)
{
    const struct elsewhere_bus *one = a, *other = b;
    int r = strcmp(one->directory, other->directory);
    return r ? r : strcmp(one->name, other->name);
}

void elsewhere_find(struct elsewhere *elsewhere, const char *name)
{
    const char *session = getenv("XDG_RUNTIME_DIR");
    *elsewhere = (struct elsewhere){0};
    if (name && strchr(name, '/'))
        return;
    elsewhere_find_listeners(elsewhere, name);
    if (session && *session) {
        char *path = text_of("%s/framebus", session);
        elsewhere_look_into(elsewhere, name, path);
        free(path);
    }
    for (size_t i = 0; i < sizeof usual_directories / sizeof *usual_directories; i++) {
        glob_t found;
        if (glob(usual_directories[i], 0, NULL, &found))
            continue;
        for (size_t k = 0; k < found.gl_pathc; k++)
            elsewhere_look_into(elsewhere, name, found.gl_pathv[k]);
        globfree(&found);
    }
    if (elsewhere->count)
        qsort(elsewhere->bus, elsewhere->count, sizeof *elsewhere->bus, compare_buses);
}

/* ---- telling ---- */

size_t elsewhere_first(const struct elsewhere *elsewhere)
{
    size_t count = 0;
    while (count < elsewhere->count &&
           strcmp(elsewhere->bus[count].directory, elsewhere->bus[0].directory) == 0)
        count++;
    return count;
}

char *elsewhere_setting(const char *directory)
{
    static const char plain[] = "/._-+,@ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (strspn(directory, plain) == strlen(directory))
        return text_of("FRAMEBUS_DIR=%s ", directory);
    char *text = text_of("FRAMEBUS_DIR='");
    for (const char *c = directory; *c; c++) {
        char *longer = *c == '\'' ? text_of("%s'\\''", text) : text_of("%s%c", text, *c);
        free(text);
        text = longer;
    }
    char *whole = text_of("%s' ", text);
    free(text);
    return whole;
}

void elsewhere_report(const char *name)
{
    struct elsewhere elsewhere;
    elsewhere_find(&elsewhere, name);
    for (size_t i = 0; i < elsewhere.count; i++) {
        char *setting = elsewhere_setting(elsewhere.bus[i].directory);
        fprintf(stderr, "There is a bus %s in %s. To use that one:\n  %s%s %s\n", name,
                elsewhere.bus[i].directory, setting, report_speaker(), name);
        free(setting);
    }
    elsewhere_finish(&elsewhere);
}

void elsewhere_finish(struct elsewhere *elsewhere)
{
    for (size_t i = 0; i < elsewhere->count; i++) {
        free(elsewhere->bus[i].directory);
        free(elsewhere->bus[i].name);
    }
    free(elsewhere->bus);
    *elsewhere = (struct elsewhere){0};
}
