/* SPDX-License-Identifier: MIT */
/* framebus-view: shows what is published on a framebus. */
#include "loop.h"

#include <locale.h>

int main(int argc, char **argv)
{
    struct options options;
    int status;
    report_init("framebus-view");
    setlocale(LC_CTYPE, ""); /* for titles */
    return options_parse(&options, argc, argv, &status) ? loop_run(&options) : status;
}
