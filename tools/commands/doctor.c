/* SPDX-License-Identifier: MIT */
/* framebus doctor: finds what is wrong with this machine. */
#include "command.h"
#include "doctor/findings.h"
#include "json.h"
#include "terminal.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

struct doctor {
    bool fix, json;
};

static bool is_problem(const struct finding *finding)
{
    return finding->level == FINDING_PROBLEM && !finding->fixed;
}

static void doctor_print(const struct findings *findings)
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
        if (finding->remedy && !finding->fixed)
            printf("%21sto mend it: %s\n", "", finding->remedy);
    }
}

static void doctor_print_json(const struct findings *findings)
{
    static const char *const levels[] = {
        [FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_PROBLEM] = "problem"};
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->finding[i];
        struct json_object *object = json_object_new_object();
        json_add_text(object, "area", finding->area);
        json_add_text(object, "level", levels[finding->level]);
        json_add_text(object, "text", finding->text);
        json_add_text(object, "mend", finding->remedy);
        json_add_bool(object, "fixed", finding->fixed);
        json_object_array_add(array, object);
    }
    json_print(array);
}

static int doctor_run(int argc, char **argv)
{
    struct doctor doctor = {0};
    int status;
    if (!options_read(&command_doctor.usage, argc, argv, &doctor, &status))
        return status;
    struct findings findings = {.fix = doctor.fix};
    examine_directory(&findings);
    examine_buses(&findings);
    examine_leftovers(&findings);
    examine_limits(&findings);
    examine_kernel(&findings);
    examine_containers(&findings);
    examine_gstreamer(&findings);
    examine_python(&findings);
    if (doctor.json)
        doctor_print_json(&findings);
    else
        doctor_print(&findings);
    status = STATUS_DONE;
    for (size_t i = 0; i < findings.count; i++)
        if (is_problem(&findings.finding[i]))
            status = STATUS_FAILED;
    findings_finish(&findings);
    return status;
}

static const struct option_row doctor_options[] = {
    {"fix", 'f', NULL, NULL, offsetof(struct doctor, fix),
     "do what is safe: make the directory, remove what dead writers left. Nothing that a living process of "
     "this "
     "machine uses, and nothing of other users, is touched"},
    {"json", 'j', NULL, NULL, offsetof(struct doctor, json),
     "print an array of objects: area, level (ok, note, problem), text, mend, fixed"},
    {0},
};

static const struct usage_term doctor_statuses[] = {
    {"0", "there is no problem, or none is left"},
    {"1", "there is one"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_doctor = {
    .usage =
        {
            .name = "framebus doctor",
            .arguments = "[--fix] [--json]",
            .summary = "find what is wrong with this machine, and how to mend it",
            .text =
                "Examines everything that buses need, and prints what is wrong and the command that mends "
                "it: the "
                "runtime directory and its rights, what dead writers left (sockets, shared memory), limits, "
                "kernel features, containers, and whether GStreamer finds the plugin and which Python which "
                "module.\n"
                "\n"
                "A note is worth knowing, and may be intended; a problem never is.",
            .options = doctor_options,
            .statuses = doctor_statuses,
            .examples = "framebus doctor\n"
                        "framebus doctor --fix\n",
        },
    .run = doctor_run,
};
