/* SPDX-License-Identifier: MIT */
/* framebus: finds the command that is asked for, and lists them all. */
#include "command.h"
#include "framebus.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_ls,      &command_info, &command_mon,    &command_top,  &command_hz, &command_test,
    &command_check,
#ifdef HAVE_SNAP
    &command_snap,
#endif
    &command_camera,
#ifdef HAVE_DISPLAY
    &command_display,
#endif
    &command_send,    &command_recv, &command_record, &command_play, &command_rm, &command_doctor,
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static const struct option_row main_options[] = {{0}};

static const struct usage main_usage = {
    .name = "framebus",
    .arguments = "COMMAND [ARGUMENT]...",
    .summary = "watch, test and record video buses in shared memory",
    .text = "Looks at and looks after framebus video buses, as ipcs and ipcrm do for System V memory.\n"
            "\n"
            "A bus is a name under which one process, the writer, publishes video frames that any number of "
            "others, the readers, see in place. It is given by its name, or by the path of its socket "
            "(anything with a '/').",
    .options = main_options,
    .statuses = usage_statuses,
    .version = framebus_version,
};

static const char *command_name(const struct command *command)
{
    return command->usage.name + sizeof "framebus";
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(command_name(commands[i]), name) == 0)
            return commands[i];
    return NULL;
}

static void print_overview(FILE *file)
{
    struct usage_term terms[COMMANDS + 3] = {{NULL, "Commands"}};
    char directory[PATH_MAX], notes[PATH_MAX + 128];
    struct usage overview = main_usage;
    for (size_t i = 0; i < COMMANDS; i++)
        terms[i + 1] = (struct usage_term){command_name(commands[i]), commands[i]->usage.summary};
    terms[COMMANDS + 1] = (struct usage_term){"help", "explain a command: framebus help COMMAND"};
    overview.terms = terms;
    if (framebus_directory(directory, sizeof directory) >= 0) {
        snprintf(notes, sizeof notes,
                 "Names are looked up in %s; FRAMEBUS_DIR in the environment chooses another directory.",
                 directory);
        overview.notes = notes;
    }
    usage_print(&overview, file);
}

static int run_help(const char *name)
{
    const struct command *command = name ? command_find(name) : NULL;
    if (name && !command)
        return report_usage("there is no command %s", name);
    if (command)
        usage_print(&command->usage, stdout);
    else
        print_overview(stdout);
    return STATUS_DONE;
}

static int run_command(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *command = command_find(name);
    if (command) {
        report_init(command->usage.name);
        return command->run(argc - 1, argv + 1);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("framebus %s\n", framebus_version());
        return STATUS_DONE;
    }
    if (*name)
        return report_usage("there is no %s %s", *name == '-' ? "option" : "command", name);
    print_overview(stderr);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    report_init("framebus");
    /* Labels come from other programs: text.c must recognise characters in them. */
    setlocale(LC_CTYPE, "C.UTF-8");
    int status = run_command(argc, argv);
    if (fflush(stdout) || ferror(stdout))
        return report_error("cannot write to standard output: %s", strerror(errno));
    return status;
}
