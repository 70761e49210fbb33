/* SPDX-License-Identifier: MIT */
/* What `framebus doctor` finds, area by area, and the command that mends it. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "framebus.h"

#include <stdbool.h>
#include <stddef.h>

enum finding_level {
    FINDING_OK,
    FINDING_NOTE,    /* worth knowing; may be as it should */
    FINDING_PROBLEM, /* something does not work, or will not */
};

struct finding {
    enum finding_level level;
    const char *area; /* static */
    char *text;
    char *remedy; /* the command that mends it, or NULL */
    bool fixed;
};

struct findings {
    struct finding *finding;
    size_t count;
    bool fix; /* remedies that are safe are applied */
};

/* Adds a finding; the text is formatted. The functions below add to the last finding. */
void findings_add(struct findings *findings, enum finding_level level, const char *area, const char *text,
                  ...) FRAMEBUS_PRINTF(4, 5);

/* Sets the command that mends it. */
void findings_remedy(struct findings *findings, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

/* Sets whether it was repaired here. */
void findings_fixed(struct findings *findings, bool fixed);

void findings_finish(struct findings *findings);

/* The areas. */
void examine_limits(struct findings *findings);
void examine_kernel(struct findings *findings);
void examine_directory(struct findings *findings);
void examine_buses(struct findings *findings);
void examine_leftovers(struct findings *findings);
void examine_containers(struct findings *findings);
void examine_gstreamer(struct findings *findings);
void examine_python(struct findings *findings);

#endif
