/* SPDX-License-Identifier: MIT */
#include "errors.h"

#include <errno.h>
#include <framebus.h>

static const struct {
    int error;
    GstResourceError code;
} codes[] = {
    {EADDRINUSE, GST_RESOURCE_ERROR_BUSY},
    {EBUSY, GST_RESOURCE_ERROR_BUSY},
    {EINVAL, GST_RESOURCE_ERROR_SETTINGS},
    {EOPNOTSUPP, GST_RESOURCE_ERROR_SETTINGS},
    {ENOENT, GST_RESOURCE_ERROR_NOT_FOUND},
    {EPIPE, GST_RESOURCE_ERROR_NOT_FOUND},
    {EACCES, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {EPERM, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {ECONNREFUSED, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {ENOSPC, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
    {ENOMEM, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
};

void post_library_error(GstElement *element, int error)
{
    const char *sentence = framebus_last_error();
    GstResourceError code = GST_RESOURCE_ERROR_FAILED;

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i].error == -error)
            code = codes[i].code;
    }
    gst_element_message_full(element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, code,
                             g_strdup(sentence[0] ? sentence : g_strerror(-error)),
                             g_strdup(g_strerror(-error)), __FILE__, G_STRFUNC, __LINE__);
}
