/* SPDX-License-Identifier: MIT */
/* What `framebus doctor` finds. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "framebus.h"

enum finding_level {
    FINDING_OK,
    FINDING_NOTE,    /* worth knowing; may be as it should */
    FINDING_PROBLEM, /* something does not work, or will not */
};

struct finding {
    enum finding_level level;
    const char *area;  /* static */
    char *text, *mend; /* mend: the command that mends it, or NULL */
    bool fixed;
};

struct findings {
    struct finding *finding;
    size_t count;
    bool fix; /* mend what is safe to */
};

/* Adds a finding; the text is formatted. Returns it until the next one is added. */
struct finding *findings_add(struct findings *findings, enum finding_level level, const char *area,
                             const char *text, ...) FRAMEBUS_PRINTF(4, 5);

/* Sets the command that mends it. */
void finding_mend(struct finding *finding, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

void findings_finish(struct findings *findings);

/* The areas. */
void examine_limits(struct findings *findings);
void examine_kernel(struct findings *findings);
void examine_directory(struct findings *findings);
void examine_buses(struct findings *findings);
void examine_leftovers(struct findings *findings);
void examine_containers(struct findings *findings);
void examine_gstreamer(struct findings *findings);

#endif
