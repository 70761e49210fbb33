/* SPDX-License-Identifier: MIT */
/* A part of `framebus` that needs libraries which nothing else should have to load: opened when it is used.
 */
#ifndef MODULE_H
#define MODULE_H

/* What a module exports under the name framebus_module. */
struct module {
    void (*report_init)(const char *speaker); /* of its own copy of cli/report */
    const void *functions;                    /* a struct that it and its user know */
};

/*
 * Opens a module, such as framebus-mkv.so, beside the program, where it is built, or where it is installed.
 * Returns its functions; NULL: dlerror() tells why not.
 */
const void *module_open(const char *file);

#endif
