/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

/* Brackets in one another. A structure in an array of an array in a structure has three. */
#define NESTED_MOST 5

/* New names that a process learns from others, and how long each may be. */
#define NAMES_MOST       8192
#define NAME_LENGTH_MOST 128

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.:+"

static gint names; /* learnt so far; atomic */

gboolean text_may_be_name(const char *name)
{
    if (g_quark_try_string(name))
        return TRUE;
    if (strlen(name) > NAME_LENGTH_MOST || g_atomic_int_get(&names) >= NAMES_MOST)
        return FALSE;
    g_atomic_int_inc(&names);
    g_quark_from_string(name); /* so that it counts once */
    return TRUE;
}

/* Returns TRUE if what this quotation mark opens is a string. Else it may be parsed for itself. */
static gboolean quote_is_string(const char *text, const char *quote)
{
    static const char type[] = "(string)";
    const gsize length = sizeof(type) - 1;

    return (gsize)(quote - text) >= length && memcmp(quote - length, type, length) == 0;
}

/* Returns TRUE if brackets are nested little. Those in quotes count as if they were never closed. */
static gboolean text_is_flat(const char *text)
{
    static const char open[] = "[{<", close[] = "]}>";
    char closing[NESTED_MOST] = {0};
    gboolean quoted = FALSE, is_string = FALSE;
    guint nested = 0, in_quotes = 0;

    for (const char *at = text; *at; at++) {
        const gboolean escaped = *at == '\\';
        const char *opened, *closed;

        if (escaped && (!quoted || !*++at))
            return FALSE;
        if (*at == '"' && !escaped) {
            quoted = !quoted;
            is_string = quote_is_string(text, at);
        }
        opened = strchr(open, *at);
        closed = strchr(close, *at);
        if (quoted)
            in_quotes += opened && !is_string;
        else if (opened && nested < NESTED_MOST)
            closing[nested++] = close[opened - open];
        else if (opened || (closed && (nested == 0 || closing[--nested] != *at)))
            return FALSE;
        if (nested + in_quotes > NESTED_MOST)
            return FALSE;
    }
    return TRUE;
}

/* Returns TRUE if the names of fields, structures, types and features, or what could be one, may be kept. */
static gboolean text_names_are_few(const char *text)
{
    const char *at = text;
    gboolean in_parentheses = FALSE;
    char before = ';'; /* the last character that is not of a name, a space or a backslash */

    while (*at) {
        const gsize length = strspn(at, NAME_CHARACTERS);

        if (length > 0) {
            const char *after = at + length + strspn(at + length, " \t\r\n\\");

            if (in_parentheses || *after == '=' || (strchr(";[\"", before) && !g_ascii_isdigit(*at))) {
                g_autofree char *name = g_strndup(at, length);

                if (!text_may_be_name(name))
                    return FALSE;
            }
            before = 'a';
            at += length;
            continue;
        }
        if (*at == '(' || *at == ')')
            in_parentheses = *at == '(';
        if (*at == '"')
            before = quote_is_string(text, at) ? 'a' : '"';
        else if (!g_ascii_isspace(*at) && *at != '\\')
            before = *at;
        at++;
    }
    return TRUE;
}

gboolean text_is_harmless(const char *text)
{
    return text_is_flat(text) && text_names_are_few(text);
}

GstStructure *text_to_structure(const char *text)
{
    const gsize length = strcspn(text, ",; ");
    const gboolean has_name = g_ascii_isalpha(*text) && strspn(text, NAME_CHARACTERS) >= length;
    GstStructure *structure = NULL;
    char *end = NULL;

    if (has_name && g_utf8_validate(text, -1, NULL) && text_is_harmless(text))
        structure = gst_structure_from_string(text, &end);
    if (structure && *end)
        g_clear_pointer(&structure, gst_structure_free);
    return structure;
}

/* Returns TRUE for the names of features, "memory:DMABuf, meta:Some", up to the closing bracket. */
static gboolean text_names_features(const char *at)
{
    do {
        at += 1 + strspn(at + 1, " ");
        if (!g_ascii_isalpha(*at))
            return FALSE;
        while (g_ascii_isalpha(*at))
            at++;
        if (*at != ':' || !g_ascii_isalpha(at[1]))
            return FALSE;
        for (at++; g_ascii_isalnum(*at); at++)
            ;
        at += strspn(at, " ");
    } while (*at == ',');
    return *at == ')';
}

/* Returns TRUE if only the last character ends a structure. */
static gboolean text_is_one_structure(const char *text)
{
    gboolean quoted = FALSE;

    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == ';' && !quoted && at[1])
            return FALSE;
    }
    return TRUE;
}

GstCaps *text_to_caps(const char *text)
{
    const char *behind = text + strspn(text, NAME_CHARACTERS);

    if (!g_ascii_isalpha(*text) || !g_utf8_validate(text, -1, NULL) || !text_is_one_structure(text) ||
        (*behind == '(' && !text_names_features(behind)) || !text_is_harmless(text))
        return NULL;
    return gst_caps_from_string(text);
}
