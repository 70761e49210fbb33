/* SPDX-License-Identifier: MIT */
/* Programs of several ABIs on one bus, each writing for each: 64 and 32 bits, glibc and musl; or, also each
 * for itself, those on the command line: test-abi [NAME PROGRAM]... */
#include "harness.h"

#define FRAMES "300"

static struct abi {
    const char *name, *peer; /* the peer's program; empty: there is no compiler for it here */
} abis[8] = {
    {"as all the rest", ABI_PEER},
    {"32 bits", ABI_PEER_32},
    {"musl", ABI_PEER_MUSL},
};

static size_t count = 3;
static bool alone_too;

struct part {
    const char *program, *role, *memory;
};

static void become(const void *argument)
{
    const struct part *part = argument;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
    execl(part->program, part->program, part->role, "bus", part->memory, FRAMES, (char *)NULL);
    check_failed(__FILE__, __LINE__, "cannot run %s", part->program);
}

static void exchange(const struct abi *writer, const struct abi *reader, const char *memory)
{
    const struct part write = {writer->peer, "write", memory}, read = {reader->peer, "read", memory};
    pid_t w = spawn(become, &write), r = spawn(become, &read);
    int read_status = status_of(r), write_status = status_of(w);
    if (read_status || write_status)
        check_failed(__FILE__, __LINE__, "%s writes memory kind %s for %s: status 0x%x and 0x%x",
                     writer->name, memory, reader->name, (unsigned)write_status, (unsigned)read_status);
}

static void every_abi_reads_what_every_other_writes(void)
{
    static const char *const kinds[] = {"0", "1", "2"};
    unsigned pairs = 0;
    for (size_t i = 0; i < count; i++)
        if (!*abis[i].peer)
            note("not tested, for want of a compiler: %s", abis[i].name);
    for (size_t w = 0; w < count; w++)
        for (size_t r = 0; r < count; r++) {
            if ((w == r && !alone_too) || !*abis[w].peer || !*abis[r].peer)
                continue;
            for (int kind = 0; kind < 3; kind++, pairs++)
                exchange(&abis[w], &abis[r], kinds[kind]);
        }
    if (!pairs)
        skip_because("no compiler for a second ABI");
    note("figure: %u pairs of %s frames each", pairs, FRAMES);
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        alone_too = true;
        for (count = 0; count < sizeof abis / sizeof *abis && argc > 2 * (int)count + 2; count++)
            abis[count] = (struct abi){argv[2 * count + 1], argv[2 * count + 2]};
    }
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(every_abi_reads_what_every_other_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
