/* SPDX-License-Identifier: MIT */
/* In place of libFuzzer: runs the target once for each file of the directories named. */
#include "fuzz.h"

#include <dirent.h>

static unsigned run_file(const char *path)
{
    FILE *f = fopen(path, "re");
    must(f);
    static uint8_t data[1 << 20];
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    uint8_t *exact = malloc(size ? size : 1); /* so that the sanitizer sees its end */
    must(exact);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            count += run_file(argv[i]);
            continue;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[1024];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.')
                count += run_file(path);
        }
        closedir(dir);
    }
    printf("%sok 1 - %u inputs\n1..1\n", count ? "" : "not ", count);
    return !count;
}
