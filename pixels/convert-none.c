/* SPDX-License-Identifier: MIT */
/* Stands in for convert.c where there is no libyuv: nothing can be converted. */
#include "convert.h"

#include <errno.h>
#include <stddef.h>

struct convert *convert_create(void)
{
    return NULL;
}

void convert_destroy(struct convert *convert)
{
    (void)convert;
}

int convert_prepare(struct convert *convert, const struct framebus_format *format)
{
    (void)convert, (void)format;
    return -ENOTSUP;
}

int convert_to_444(struct convert *convert, const struct framebus_frame *frame, uint8_t *to)
{
    (void)convert, (void)frame, (void)to;
    return -ENOTSUP;
}
