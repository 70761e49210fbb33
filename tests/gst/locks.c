/* SPDX-License-Identifier: MIT */
/*
 * GLib's locks and reference counts, as the thread sanitizer sees those of code that it was built for: GLib
 * and GStreamer were not, so that it would take everything that they guard for a race. To be linked into a
 * program that exports these functions to its libraries, in place of theirs.
 */
#include <dlfcn.h>
#include <gst/gst.h>
#include <sanitizer/tsan_interface.h>

/* The function that this one stands in for. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void g_mutex_lock(GMutex *mutex)
{
    static __typeof__(&g_mutex_lock) real;

    if (!real)
        real = REAL(g_mutex_lock);
    real(mutex);
    __tsan_acquire(mutex);
}

gboolean g_mutex_trylock(GMutex *mutex)
{
    gboolean locked = REAL(g_mutex_trylock)(mutex);

    if (locked)
        __tsan_acquire(mutex);
    return locked;
}

void g_mutex_unlock(GMutex *mutex)
{
    static __typeof__(&g_mutex_unlock) real;

    if (!real)
        real = REAL(g_mutex_unlock);
    __tsan_release(mutex);
    real(mutex);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    gboolean signalled;

    __tsan_release(mutex);
    signalled = REAL(g_cond_wait_until)(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return signalled;
}

void gst_mini_object_unref(GstMiniObject *object)
{
    static __typeof__(&gst_mini_object_unref) real;

    if (!real)
        real = REAL(gst_mini_object_unref);
    __tsan_release(object);
    __tsan_acquire(object);
    real(object);
}

void g_object_unref(gpointer object)
{
    static __typeof__(&g_object_unref) real;

    if (!real)
        real = REAL(g_object_unref);
    __tsan_release(object);
    __tsan_acquire(object);
    real(object);
}
