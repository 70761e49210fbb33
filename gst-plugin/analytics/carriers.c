/* SPDX-License-Identifier: MIT */
#include "analytics.h"

static const struct meta_carrier *const analytics_list[] = {
    &relation_carrier,
#if GST_CHECK_VERSION(1, 26, 0)
    &tensor_carrier,
#endif
};

const struct meta_carriers analytics_carriers = {analytics_list, G_N_ELEMENTS(analytics_list)};
