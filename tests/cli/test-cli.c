/* SPDX-License-Identifier: MIT */
/* Values, amounts, and a table of options with its help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/clock.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/units.h"
#include "cli/values.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void durations_are_told_in_words(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-1, "0 s"},
                 {0, "0 s"},
                 {40, "40 ms"},
                 {999, "999 ms"},
                 {1000, "1 s"},
                 {1490, "1.4 s"},
                 {9999, "9.9 s"},
                 {10900, "10 s"},
                 {59999, "59 s"},
                 {60000, "1 min 00 s"},
                 {200000, "3 min 20 s"},
                 {3600000, "1 h 00 min"},
                 {7500000, "2 h 05 min"},
                 {300000000, "3 days"}};
    char text[UNITS_ROOM];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(units_duration(cases[i].ms * NS_PER_MS, text), cases[i].text);
}

static void bytes_are_told_in_words(void **state)
{
    char text[UNITS_ROOM];

    (void)state;
    assert_string_equal(units_bytes(0, text), "0 B");
    assert_string_equal(units_bytes(999, text), "999 B");
    assert_string_equal(units_bytes(12902400, text), "12.3 MiB");
    assert_string_equal(units_bytes(200 << 20, text), "200 MiB");
    assert_string_equal(units_bytes(UINT64_C(1) << 30, text), "1.0 GiB");
    assert_string_equal(units_bytes(UINT64_MAX, text), "16777216 TiB");
}

static void values_are_read_or_left_alone(void **state)
{
    static const struct {
        const char *(*parse)(const char *text, void *field);
        const char *text;
        uint64_t value; /* 0: it is refused */
    } cases[] = {
        {value_count, "1", 1},
        {value_count, "18446744073709551615", UINT64_MAX},
        {value_count, "18446744073709551616", 0},
        {value_count, "0", 0},
        {value_count, "-1", 0},
        {value_count, "+1", 0},
        {value_count, " 1", 0},
        {value_count, "1x", 0},
        {value_count, "", 0},
        {value_bytes, "100", 100},
        {value_bytes, "64k", 65536},
        {value_bytes, "1.5M", 1572864},
        {value_bytes, "2GiB", UINT64_C(2) << 30},
        {value_bytes, "2X", 0},
        {value_bytes, "0.1", 0},
        {value_bytes, "9e30", 0},
        {value_duration, "10", 10 * NS_PER_S},
        {value_duration, "500ms", 500 * NS_PER_MS},
        {value_duration, ".5s", 500 * NS_PER_MS},
        {value_duration, "2m", 120 * NS_PER_S},
        {value_duration, "1h", 3600 * NS_PER_S},
        {value_duration, "1ns", 1},
        {value_duration, "0.1ns", 0},
        {value_duration, "inf", 0},
        {value_duration, "nan", 0},
        {value_duration, "1 s", 0},
        {value_duration, "soon", 0},
        {value_interval, "1ms", NS_PER_MS},
        {value_interval, "999us", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 77;
        const char *wrong = cases[i].parse(cases[i].text, &value);

        assert_int_equal(value, cases[i].value ? cases[i].value : 77);
        assert_int_equal(!wrong, !!cases[i].value);
        assert_true(!wrong || strncmp(wrong, "is not ", 7) == 0);
    }
}

static void rates_and_sizes_are_pairs(void **state)
{
    static const struct {
        const char *(*parse)(const char *text, void *field);
        const char *text;
        struct value_pair pair; /* 0: it is refused */
    } cases[] = {
        {value_rate, "30", {30, 1}},
        {value_rate, "30.0", {30, 1}},
        {value_rate, "30000/1001", {30000, 1001}},
        {value_rate, "29.97", {30000, 1001}},
        {value_rate, "23.976", {24000, 1001}},
        {value_rate, "12.5", {12500, 1000}},
        {value_rate, "0", {0, 0}},
        {value_rate, "30/0", {0, 0}},
        {value_rate, "0/1", {0, 0}},
        {value_rate, "-30", {0, 0}},
        {value_rate, "30fps", {0, 0}},
        {value_size, "640x480", {640, 480}},
        {value_size, "640", {0, 0}},
        {value_size, "640x", {0, 0}},
        {value_size, "0x480", {0, 0}},
        {value_size, "640x4294967296", {0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct value_pair pair = {0, 0};

        assert_int_equal(!cases[i].parse(cases[i].text, &pair), !!cases[i].pair.first);
        assert_memory_equal(&pair, &cases[i].pair, sizeof pair);
    }
}

/* ---- A table ---- */

struct settings {
    bool quiet;
    int64_t wait_ns;
    const char *name;
};

static const struct option_row rows[] = {
    {"quiet", 'q', NULL, NULL, offsetof(struct settings, quiet), "say nothing"},
    {"wait", 0, "TIME", value_duration, offsetof(struct settings, wait_ns),
     "wait for at most TIME, in words that are too many for one line of a terminal of the usual width"},
    {.help = "More"},
    {"name", 'n', "[=NAME]", value_text, offsetof(struct settings, name), "a name"},
    {0},
};

static const struct usage usage = {
    .name = "test",
    .arguments = "[OPTION]... BUS",
    .text = "Tests.",
    .options = rows,
    .operand = {"the name of a bus"},
};

static bool parse(const char *line, struct settings *settings, int *status)
{
    static char words[128]; /* that settings point into */
    char *argv[10];
    int argc = 0;

    strcpy(words, line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    *settings = (struct settings){0};
    optind = 0;
    report_init("test");
    return options_read(&usage, argc, argv, settings, status);
}

static void options_are_stored_where_the_table_says(void **state)
{
    struct settings settings;
    int status;

    (void)state;
    assert_true(parse("test cam0 -q --wait 2s --name=x", &settings, &status));
    assert_true(settings.quiet);
    assert_int_equal(settings.wait_ns, 2 * NS_PER_S);
    assert_string_equal(settings.name, "x");
    assert_true(parse("test -- --quiet", &settings, &status));
    assert_false(settings.quiet);
}

static void mistakes_are_named(void **state)
{
    static const char *const lines[] = {
        "test",          "test a b",          "test --foo a", "test -x a", "test --quiet=1 a",
        "test a --wait", "test --wait soon a"};
    struct settings settings;
    int status;

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        status = STATUS_DONE;
        assert_false(parse(lines[i], &settings, &status));
        assert_int_equal(status, STATUS_USAGE);
    }
}

static void help_is_made_of_the_table(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    usage_print(&usage, file);
    fclose(file);
    assert_string_equal(text,
                        "Usage: test [OPTION]... BUS\n"
                        "Tests.\n"
                        "\n"
                        "Options:\n"
                        "  -q, --quiet        say nothing\n"
                        "      --wait TIME    wait for at most TIME, in words that are too many for one\n"
                        "                     line of a terminal of the usual width\n"
                        "\n"
                        "More:\n"
                        "  -n, --name[=NAME]  a name\n"
                        "  -h, --help         show this text\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_told_in_words),
        cmocka_unit_test(bytes_are_told_in_words),
        cmocka_unit_test(values_are_read_or_left_alone),
        cmocka_unit_test(rates_and_sizes_are_pairs),
        cmocka_unit_test(options_are_stored_where_the_table_says),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_is_made_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
