/* SPDX-License-Identifier: MIT */
#include <err.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "findings.h"
#include "json.h"
#include "terminal.h"
#include "text.h"

static char *format_text(const char *text, va_list arguments) FRAMEBUS_PRINTF(1, 0);

static char *format_text(const char *text, va_list arguments)
{
    char *plain, *clean;

    if (vasprintf(&plain, text, arguments) < 0)
        errx(STATUS_FAILED, "out of memory");
    clean = printable(plain);
    free(plain);
    return clean;
}

struct finding *findings_add(struct findings *findings, enum finding_level level, const char *area,
                             const char *text, ...)
{
    struct finding *more = realloc(findings->finding, (findings->count + 1) * sizeof(*more));
    va_list arguments;

    if (!more)
        errx(STATUS_FAILED, "out of memory");
    findings->finding = more;
    va_start(arguments, text);
    more[findings->count] =
        (struct finding){.level = level, .area = area, .text = format_text(text, arguments)};
    va_end(arguments);
    return &more[findings->count++];
}

void finding_mend(struct finding *finding, const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    finding->mend = format_text(text, arguments);
    va_end(arguments);
}

void findings_finish(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->finding[i].text);
        free(findings->finding[i].mend);
    }
    free(findings->finding);
}

static bool is_bad(const struct finding *finding)
{
    return finding->level == FINDING_PROBLEM && !finding->fixed;
}

static void tell(const struct findings *findings)
{
    static const struct {
        const char *name, *style;
    } levels[] = {
        [FINDING_OK] = {"ok", STYLE_GREEN},
        [FINDING_NOTE] = {"note", STYLE_YELLOW},
        [FINDING_PROBLEM] = {"PROBLEM", STYLE_RED},
    };

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->finding[i];
        const char *name = finding->fixed ? "fixed" : levels[finding->level].name;

        print_styled(name, finding->fixed ? STYLE_GREEN : levels[finding->level].style);
        printf("%*s%-11s %s\n", (int)(9 - strlen(name)), "", finding->area, finding->text);
        if (finding->mend && !finding->fixed)
            printf("%21sto mend it: %s\n", "", finding->mend);
    }
}

static void tell_json(const struct findings *findings)
{
    static const char *const levels[] = {
        [FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_PROBLEM] = "problem"};
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->finding[i];
        struct json_object *object = json_object_new_object();

        add_text(object, "area", finding->area);
        add_text(object, "level", levels[finding->level]);
        add_text(object, "text", finding->text);
        json_object_object_add(object, "mend", finding->mend ? json_object_new_string(finding->mend) : NULL);
        add_bool(object, "fixed", finding->fixed);
        json_object_array_add(array, object);
    }
    print_json(array);
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"fix", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct findings findings = {0};
    bool json = false;
    int option, status;

    while ((option = next_option(command, argc, argv, "fjh", options, &status)) > 0) {
        findings.fix = findings.fix || option == 'f';
        json = json || option == 'j';
    }
    if (option == 0 || !check_operands(command, argc, argv, 0, 0, &status))
        return status;
    examine_directory(&findings);
    examine_buses(&findings);
    examine_leftovers(&findings);
    examine_limits(&findings);
    examine_kernel(&findings);
    examine_containers(&findings);
    examine_gstreamer(&findings);
    if (json)
        tell_json(&findings);
    else
        tell(&findings);
    status = STATUS_DONE;
    for (size_t i = 0; i < findings.count; i++)
        if (is_bad(&findings.finding[i]))
            status = STATUS_FAILED;
    findings_finish(&findings);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "[--fix] [--json]",
    .summary = "find what is wrong with this machine, and how to mend it",
    .help = "Looks at what buses need, and says what is wrong and the command that mends it: the runtime "
            "directory\n"
            "and its rights, what dead writers left (sockets, shared memory), limits, kernel features, "
            "containers,\n"
            "and whether GStreamer finds the plugin.\n"
            "\n"
            "A note is worth knowing and may be as it should; a problem is not.\n"
            "\n"
            "Options:\n"
            "  -f, --fix   mend what is safe to: make the directory, remove what dead writers left. Nothing "
            "that a\n"
            "              living process of this machine uses, and nothing of other users, is touched\n"
            "  -j, --json  print an array of objects: area, level (ok, note, problem), text, mend, fixed\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status: 0 there is no problem (left), 1 there is one, 2 wrong command line.\n",
    .run = run,
};
