/* SPDX-License-Identifier: MIT */
/* The elements' enum properties as GTypes. */
#ifndef GST_FRAMEBUS_ENUMS_H
#define GST_FRAMEBUS_ENUMS_H

#include <glib-object.h>

G_BEGIN_DECLS

/* What framebussrc does when the writer goes without ending its stream. */
enum on_disconnect { ON_DISCONNECT_WAIT, ON_DISCONNECT_EOS, ON_DISCONNECT_ERROR };

/* ... and when no frame has come for too long. */
enum on_timeout { ON_TIMEOUT_MESSAGE, ON_TIMEOUT_EOS, ON_TIMEOUT_ERROR };

/* Which frames of framebussink are in DMA-BUFs. */
enum dmabuf_use { DMABUF_NONE, DMABUF_UPSTREAM, DMABUF_SLOTS };

GType memory_type(void);        /* enum framebus_memory */
GType dmabuf_use_type(void);    /* enum dmabuf_use */
GType delivery_type(void);      /* enum framebus_delivery */
GType on_disconnect_type(void); /* enum on_disconnect */
GType on_timeout_type(void);    /* enum on_timeout */

G_END_DECLS

#endif
