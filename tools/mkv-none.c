/* SPDX-License-Identifier: MIT */
/* In place of mkv-read.c and mkv-write.c where there is no GStreamer to build with. */
#include "arguments.h"
#include "mkv.h"

static void say_why(void)
{
    complain(".mkv files need GStreamer, without which framebus was built here; .fbr files do not");
}

struct sink *mkv_sink(int fd)
{
    (void)fd;
    say_why();
    return NULL;
}

struct source *mkv_source(const char *path, int interrupts, bool payload)
{
    (void)path, (void)interrupts, (void)payload;
    say_why();
    return NULL;
}
