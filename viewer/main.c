/* SPDX-License-Identifier: MIT */
/* framebus-view: shows what is published on a framebus. */
#include <locale.h>

#include "options.h"
#include "viewer.h"

int main(int argc, char **argv)
{
    struct options options;
    int status;

    setlocale(LC_CTYPE, ""); /* for titles */
    return options_parse(&options, argc, argv, &status) ? viewer_run(&options) : status;
}
