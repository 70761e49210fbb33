/* SPDX-License-Identifier: MIT */
/*
 * In place of libFuzzer: replay [-t SECONDS] DIRECTORY|FILE... runs the target once for each file and then,
 * for so long, with changed copies of them. The changes are the same every time; after a crash the input is
 * printed as hex (xxd -r -p makes a file of it again).
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_INPUT 4096
#define FILES_MAX      256

static struct sample {
    uint8_t *data;
    size_t size;
} samples[FILES_MAX];

static unsigned sample_count;
static uint8_t *input; /* of exactly this size, so that a sanitizer sees its end */
static size_t input_size;

static void print_input(int number)
{
    static const char digits[] = "0123456789abcdef";
    static char text[2 * SIZE_MAX_INPUT + 1];
    size_t n = 0;
    for (size_t i = 0; i < input_size && n + 2 < sizeof text; i++) {
        text[n++] = digits[input[i] >> 4];
        text[n++] = digits[input[i] & 15];
    }
    text[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, n);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const uint8_t *data, size_t size)
{
    input = malloc(size ? size : 1);
    must(input);
    memcpy(input, data, size);
    input_size = size;
    LLVMFuzzerTestOneInput(input, size);
    free(input);
    input_size = 0;
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "re");
    must(f && sample_count < FILES_MAX);
    static uint8_t data[1 << 20];
    struct sample *sample = &samples[sample_count++];
    sample->size = fread(data, 1, sizeof data, f);
    fclose(f);
    run(data, sample->size);
    if (sample->size > SIZE_MAX_INPUT)
        sample->size = SIZE_MAX_INPUT;
    sample->data = malloc(sample->size + 1);
    must(sample->data);
    memcpy(sample->data, data, sample->size);
}

static void run_all(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        run_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        char inner[1024];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            run_file(inner);
    }
    closedir(dir);
}

static uint32_t any(uint32_t below)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

/* One small change; returns the new size. */
static size_t change(uint8_t *data, size_t size)
{
    static const uint64_t edges[] = {0,          1,          2,          4,          0x7f,       0xff,
                                     0x100,      0x1000,     0x7fff,     0xffff,     0x10000,    0x7fffffff,
                                     0x80000000, 0xfffffffe, 0xffffffff, 1ull << 40, 1ull << 63, UINT64_MAX};
    size_t at = size ? any((uint32_t)size) : 0, width = 1u << any(4);
    const struct sample *other = &samples[any(sample_count)];
    switch (any(6)) {
    case 0:
        return at; /* cut off */
    case 1:
        if (size < SIZE_MAX_INPUT)
            data[size++] = (uint8_t)any(256);
        return size;
    case 2: /* the rest of another */
        if (at < other->size) {
            memcpy(data + at, other->data + at, other->size - at);
            return other->size;
        }
        return size;
    case 3:
        if (size)
            data[at] ^= (uint8_t)(1u << any(8));
        return size;
    default:
        if (at + width <= size)
            memcpy(data + at, &edges[any(sizeof edges / sizeof *edges)], width);
        return size;
    }
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static unsigned long run_changed(int64_t seconds)
{
    unsigned long count = 0;
    static uint8_t data[SIZE_MAX_INPUT];
    for (int64_t until = now() + seconds * INT64_C(1000000000); now() < until; count++) {
        const struct sample *sample = &samples[any(sample_count)];
        size_t size = sample->size;
        memcpy(data, sample->data, size);
        for (uint32_t changes = 1 + any(6); changes; changes--)
            size = change(data, size);
        run(data, size);
    }
    return count;
}

int main(int argc, char **argv)
{
    int64_t seconds = 0;
    int first = 1;
    if (argc > 2 && !strcmp(argv[1], "-t")) {
        seconds = atoi(argv[2]);
        first = 3;
    }
    signal(SIGABRT, print_input);
    signal(SIGSEGV, print_input);
    for (int i = first; i < argc; i++)
        run_all(argv[i]);
    printf("%sok 1 - %u inputs\n", sample_count ? "" : "not ", sample_count);
    if (seconds && sample_count) {
        const char *name = strrchr(argv[0], '/');
        printf("# figure: %s: %lu executions of changed inputs in %d s\n", name ? name + 1 : argv[0],
               run_changed(seconds), (int)seconds);
        printf("ok 2 - changed inputs\n");
    }
    printf("1..%d\n", seconds && sample_count ? 2 : 1);
    for (unsigned i = 0; i < sample_count; i++)
        free(samples[i].data);
    return !sample_count;
}
