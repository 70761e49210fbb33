/* SPDX-License-Identifier: MIT */
/* GST_CHECK_MAIN for meson: TAP on standard output and nothing else. */
#ifndef GST_FRAMEBUS_TAP_H
#define GST_FRAMEBUS_TAP_H

#include <gst/check/gstcheck.h>
#include <stdlib.h>

static int tap_main(int argc, char **argv, Suite *(*create)(void))
{
    SRunner *runner;
    int failed;

    gst_check_init(&argc, &argv);
    runner = srunner_create(create());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
