/* SPDX-License-Identifier: MIT */
#include "analytics.h"

#include "../text.h"

void label_put(GByteArray *bytes, GQuark label)
{
    const char *name = g_quark_to_string(label);

    block_put_text(bytes, name ? name : "");
}

GQuark label_take(struct block *block)
{
    const char *name = block_take_text(block);

    return *name && text_may_be_name(name) ? g_quark_from_string(name) : 0;
}
