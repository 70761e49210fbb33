/* SPDX-License-Identifier: MIT */
#include "doctor/findings.h"
#include "cli/report.h"
#include "text.h"

#include <stdlib.h>

/* A formatted text without what is not printable. */
static char *finding_text(const char *text, va_list arguments)
{
    char *plain = text_of_va(text, arguments), *clean = text_printable(plain);
    free(plain);
    return clean;
}

void findings_add(struct findings *findings, enum finding_level level, const char *area, const char *text,
                  ...)
{
    struct finding *more = realloc(findings->finding, (findings->count + 1) * sizeof *more);
    if (!more)
        report_out_of_memory();
    findings->finding = more;
    va_list arguments;
    va_start(arguments, text);
    more[findings->count++] =
        (struct finding){.level = level, .area = area, .text = finding_text(text, arguments)};
    va_end(arguments);
}

void findings_remedy(struct findings *findings, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    findings->finding[findings->count - 1].remedy = finding_text(text, arguments);
    va_end(arguments);
}

void findings_fixed(struct findings *findings, bool fixed)
{
    findings->finding[findings->count - 1].fixed = fixed;
}

void findings_finish(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->finding[i].text);
        free(findings->finding[i].remedy);
    }
    free(findings->finding);
}
