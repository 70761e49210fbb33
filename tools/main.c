/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct command *const commands[] = {
    &command_ls,    &command_info, &command_mon,    &command_top,  &command_hz, &command_test,
    &command_check,
#ifdef HAVE_PIXELS
    &command_snap,
#endif
    &command_send,  &command_recv, &command_record, &command_play, &command_rm, &command_doctor,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void print_overview(FILE *file)
{
    char directory[PATH_MAX];

    fputs("Usage: framebus COMMAND [ARGUMENT]...\n"
          "Looks at and looks after framebus video buses, as ipcs and ipcrm do for System V memory.\n"
          "\n"
          "Commands:\n",
          file);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-8s%s\n", commands[i]->name, commands[i]->summary);
    fputs("  help    explain a command: framebus help COMMAND\n"
          "\n"
          "Options:\n"
          "  -h, --help     show this text\n"
          "  -V, --version  show the version\n"
          "\n"
          "A bus is given by its name, or by the path of its socket (anything with a '/').\n",
          file);
    if (framebus_directory(directory, sizeof(directory)) >= 0)
        fprintf(file,
                "Names are looked up in %s;\nFRAMEBUS_DIR in the environment chooses another directory.\n",
                directory);
    fputs("\n"
          "Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong command line.\n",
          file);
}

static void print_help(const struct command *command)
{
    printf("Usage: framebus %s %s\n%s\n", command->name, command->arguments, command->help);
}

static int point_to_help(const struct command *command)
{
    fprintf(stderr, "Try 'framebus help%s%s'.\n", command ? " " : "", command ? command->name : "");
    return STATUS_USAGE;
}

int usage_error(const struct command *command, const char *text, ...)
{
    va_list arguments;

    fprintf(stderr, "framebus%s%s: ", command ? " " : "", command ? command->name : "");
    va_start(arguments, text);
    vfprintf(stderr, text, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return point_to_help(command);
}

bool wrong_value(const struct command *command, const char *option, const char *expected, int *status)
{
    *status = usage_error(command, "--%s %s: expected %s", option, optarg, expected);
    return false;
}

int call_error(const struct command *command)
{
    fprintf(stderr, "framebus %s: %s\n", command->name, framebus_last_error());
    return STATUS_FAILED;
}

int next_option(const struct command *command, int argc, char **argv, const char *letters,
                const struct option *options, int *status)
{
    static char program[64];
    int option;

    /* getopt says what is wrong itself, after this name. */
    snprintf(program, sizeof(program), "framebus %s", command->name);
    argv[0] = program;
    option = getopt_long(argc, argv, letters, options, NULL);
    if (option != 'h' && option != '?')
        return option;
    if (option == 'h')
        print_help(command);
    *status = option == 'h' ? STATUS_DONE : point_to_help(command);
    return 0;
}

bool check_operands(const struct command *command, int argc, char **argv, int min, int max, int *status)
{
    if (argc - optind < min)
        *status = usage_error(command, "the name of a bus is missing");
    else if (argc - optind > max)
        *status = usage_error(command, "one argument too many: %s", argv[optind + max]);
    else
        return true;
    return false;
}

bool parse_arguments(const struct command *command, int argc, char **argv, bool *json, int min, int max,
                     int *status)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = next_option(command, argc, argv, json ? "jh" : "h", json ? options : options + 1,
                                 status)) > 0)
        *json = true;
    return option < 0 && check_operands(command, argc, argv, min, max, status);
}

static int help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_overview(stdout);
        return STATUS_DONE;
    }
    command = find_command(argv[1]);
    if (!command)
        return usage_error(NULL, "there is no command %s", argv[1]);
    print_help(command);
    return STATUS_DONE;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *command = find_command(name);

    if (command)
        return command->run(command, argc - 1, argv + 1);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("framebus %s\n", framebus_version());
        return STATUS_DONE;
    }
    if (*name)
        return usage_error(NULL, "there is no %s %s", *name == '-' ? "option" : "command", name);
    print_overview(stderr);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    int status;

    /* Labels come from other programs: text.c must be able to tell characters from garbage. */
    setlocale(LC_CTYPE, "C.UTF-8");
    status = run(argc, argv);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "framebus: cannot write to standard output: %s\n", strerror(errno));
        return STATUS_FAILED;
    }
    return status;
}
