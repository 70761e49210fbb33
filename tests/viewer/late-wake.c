/* SPDX-License-Identifier: MIT */
/*
 * To be preloaded: when the window that was shown is gone, sends it one more message, as SDL's other
 * connection can with a busy server.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

typedef int of_window(void *display, unsigned long window);
of_window XMapRaised, XDestroyWindow;

static unsigned long shown;

/* A library that opens Xlib by itself, as SDL 3 does, may leave it out of the order of RTLD_NEXT. */
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    return found ? found : dlsym(dlopen("libX11.so.6", RTLD_NOW), name);
}

static void send_late(unsigned long window)
{
    void *(*open_display)(const char *);
    int (*send)(void *, unsigned long, int, long, void *), (*close_display)(void *);
    long event[24] = {33, [6] = 8}; /* ClientMessage, of bytes */

    *(void **)&open_display = next("XOpenDisplay");
    *(void **)&send = next("XSendEvent");
    *(void **)&close_display = next("XCloseDisplay");
    void *display = open_display(NULL);
    send(display, window, 0, 0, event);
    close_display(display); /* waits for the answer */
    fprintf(stderr, "sent late\n");
}

int XMapRaised(void *display, unsigned long window)
{
    of_window *map;

    *(void **)&map = next("XMapRaised");
    shown = window;
    return map(display, window);
}

int XDestroyWindow(void *display, unsigned long window)
{
    of_window *destroy;
    int (*sync)(void *, int);

    *(void **)&destroy = next("XDestroyWindow");
    *(void **)&sync = next("XSync");
    int r = destroy(display, window);
    sync(display, 0);
    if (window == shown)
        send_late(window);
    return r;
}
