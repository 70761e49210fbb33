/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "report.h"

#include <string.h>

#define WIDTH       80 /* columns of a page of help */
#define LEFT_MAX    24 /* columns of terms; what is longer has a line of its own */
#define OPTIONS_MAX 32
#define LETTERLESS  256 /* above all letters */

const struct usage_term usage_statuses[] = {
    {"0", "done"},
    {"1", "failed; the reason is on standard error"},
    {"2", "wrong command line"},
    {0},
};

const char options_done[] = "";

static const struct option_row option_help = {"help", 'h', .help = "show this text"};
static const struct option_row option_version = {"version", 'V', .help = "show the version"};

/* ---- Help ---- */

/* Prints words, the first one at `column`, in lines that begin at `indent`. Returns where the text has an
 * empty line or its end. */
static const char *print_paragraph(FILE *file, const char *text, int column, int indent)
{
    while (*text && *text != '\n') {
        int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            fputc('\n', file);
            column = 0;
        }
        if (column < indent)
            column += fprintf(file, "%*s", indent - column, "");
        else if (column > indent)
            column += fprintf(file, " ");
        column += fprintf(file, "%.*s", length, text);
        text += length;
        text += *text == ' ';
    }
    fputc('\n', file);
    return text;
}

static void print_paragraphs(FILE *file, const char *text)
{
    while (*text) {
        text = print_paragraph(file, text, 0, 0);
        text += strspn(text, "\n");
        if (*text)
            fputc('\n', file);
    }
}

/* A row of two columns; the right one begins at `indent`. */
static void print_row(FILE *file, const char *term, const char *text, int indent)
{
    int column = fprintf(file, "  %s", term);
    if (column + 2 > indent) {
        fputc('\n', file);
        column = 0;
    }
    print_paragraph(file, text, column, indent);
}

static int left_column(int indent, size_t length)
{
    return length <= LEFT_MAX && (int)length + 4 > indent ? (int)length + 4 : indent;
}

static void print_terms(FILE *file, const struct usage_term *terms)
{
    int indent = 0;
    for (const struct usage_term *row = terms; row->text; row++)
        if (row->term)
            indent = left_column(indent, strlen(row->term));
    for (const struct usage_term *row = terms; row->text; row++)
        if (row->term)
            print_row(file, row->term, row->text, indent);
        else
            fprintf(file, "%s%s:\n", row == terms ? "" : "\n", row->text);
}

/* "-j, --json", "    --for TIME", "    --not-frozen[=TIME]" */
static const char *option_term(const struct option_row *row, char text[64])
{
    char letter[] = "    ";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(text, 64, "%s--%s%s%s", letter, row->name, row->value && *row->value != '[' ? " " : "",
             row->value ? row->value : "");
    return text;
}

static void print_option(FILE *file, const struct option_row *row, int indent)
{
    char term[64];
    print_row(file, option_term(row, term), row->help, indent);
}

static void print_options(FILE *file, const struct usage *usage)
{
    char term[64];
    const struct option_row *last = usage->version ? &option_version : &option_help;
    int indent = left_column(0, strlen(option_term(last, term)));
    for (const struct option_row *row = usage->options; row->help; row++)
        if (row->name)
            indent = left_column(indent, strlen(option_term(row, term)));
    if (usage->options->name || !usage->options->help)
        fputs("Options:\n", file);
    for (const struct option_row *row = usage->options; row->help; row++)
        if (row->name)
            print_option(file, row, indent);
        else
            fprintf(file, "%s%s:\n", row == usage->options ? "" : "\n", row->help);
    print_option(file, &option_help, indent);
    if (usage->version)
        print_option(file, &option_version, indent);
}

static void print_examples(FILE *file, const char *text)
{
    fputs("\nExamples:\n", file);
    while (*text) {
        int length = (int)strcspn(text, "\n");
        fprintf(file, "  %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

void usage_print(const struct usage *usage, FILE *file)
{
    fprintf(file, "Usage: %s %s\n", usage->name, usage->arguments);
    print_paragraphs(file, usage->text);
    fputc('\n', file);
    if (usage->terms) {
        print_terms(file, usage->terms);
        fputc('\n', file);
    }
    print_options(file, usage);
    if (usage->notes) {
        fputc('\n', file);
        print_paragraphs(file, usage->notes);
    }
    if (usage->statuses) {
        fputs("\nExit status:\n", file);
        print_terms(file, usage->statuses);
    }
    if (usage->examples)
        print_examples(file, usage->examples);
}

/* ---- Reading ---- */

/* The table as getopt wants it. */
static void list_options(const struct usage *usage, struct option *option, char *letters)
{
    *letters++ = ':'; /* getopt then distinguishes a missing value from an unknown option */
    *letters++ = 'h';
    *option++ = (struct option){"help", no_argument, NULL, 'h'};
    if (usage->version) {
        *letters++ = 'V';
        *option++ = (struct option){"version", no_argument, NULL, 'V'};
    }
    for (const struct option_row *row = usage->options; row->help; row++) {
        int takes = !row->value ? no_argument : *row->value == '[' ? optional_argument : required_argument;
        int found = row->letter ? row->letter : LETTERLESS + (int)(row - usage->options);
        if (!row->name)
            continue;
        *option++ = (struct option){row->name, takes, NULL, found};
        if (row->letter)
            *letters++ = row->letter;
        if (row->letter && row->value)
            *letters++ = ':';
    }
    *option = (struct option){0};
    *letters = 0;
}

static const struct option_row *find_row(const struct usage *usage, int found)
{
    const struct option_row *row = usage->options;
    if (found >= LETTERLESS)
        return row + (found - LETTERLESS);
    while (row->letter != found)
        row++;
    return row;
}

/* What getopt found wrong with `given`. */
static int report_option(int found, const char *given)
{
    if (found == ':')
        return report_usage("%s needs a value", given);
    if (strncmp(given, "--", 2) != 0)
        return report_usage("there is no option -%c", optopt);
    if (optopt)
        return report_usage("%.*s takes no value", (int)strcspn(given, "="), given);
    return report_usage("there is no option %s", given);
}

/* False if that was all: *status is what to exit with. */
static bool store_value(const struct option_row *row, void *values, int *status)
{
    void *field = (char *)values + row->field;
    if (!row->parse) {
        *(bool *)field = true;
        return true;
    }
    const char *wrong = row->parse(optarg, field);
    if (wrong == options_done)
        *status = STATUS_DONE;
    else if (wrong)
        report_usage("--%s '%s' %s", row->name, optarg ? optarg : "", wrong);
    return !wrong;
}

static bool operands_fit(const struct usage *usage, int argc, char **argv)
{
    int count = 0, given = argc - optind;
    while (count < USAGE_OPERANDS_MAX && usage->operand[count])
        count++;
    if (given < count)
        report_usage("%s is missing", usage->operand[given]);
    else if (given > count && !usage->more)
        report_usage("one argument too many: %s", argv[optind + count]);
    else
        return true;
    return false;
}

bool options_read(const struct usage *usage, int argc, char **argv, void *values, int *status)
{
    struct option options[OPTIONS_MAX];
    char letters[2 * OPTIONS_MAX + 2];
    int found;
    list_options(usage, options, letters);
    opterr = 0;
    *status = STATUS_USAGE;
    while ((found = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        if (found == 'h' || found == 'V') {
            if (found == 'h')
                usage_print(usage, stdout);
            else
                printf("%s %s\n", usage->name, usage->version());
            *status = STATUS_DONE;
            return false;
        }
        if (found == ':' || found == '?') {
            report_option(found, argv[optind - 1]);
            return false;
        }
        if (!store_value(find_row(usage, found), values, status))
            return false;
    }
    return operands_fit(usage, argc, argv);
}
