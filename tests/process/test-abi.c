/* SPDX-License-Identifier: MIT */
/* Programs of several ABIs on one bus: 64 and 32 bits, glibc and musl, each writing for each. */
#include "harness.h"

#define FRAMES "300"

static const struct abi {
    const char *name, *peer; /* the peer's program; empty: there is no compiler for it here */
} abis[] = {
    {"64 bits, glibc", ABI_PEER},
    {"32 bits, glibc", ABI_PEER_32},
    {"64 bits, musl", ABI_PEER_MUSL},
};

#define ABIS (sizeof abis / sizeof *abis)

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
    for (size_t i = 0; i < ABIS; i++)
        if (!*abis[i].peer)
            note("not tested, for want of a compiler: %s", abis[i].name);
    for (size_t w = 0; w < ABIS; w++)
        for (size_t r = 0; r < ABIS; r++)
            for (int kind = 0; kind < 3 && w != r && *abis[w].peer && *abis[r].peer; kind++, pairs++)
                exchange(&abis[w], &abis[r], kinds[kind]);
    if (!pairs)
        skip();
    note("figure: %u pairs of %s frames each", pairs, FRAMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(every_abi_reads_what_every_other_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
