/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/clock.h"
#include "base/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static union message message;

struct ends {
    int here, there;
    unsigned fds;
};

static int open_pair(void **state)
{
    static struct ends ends;
    int pair[2];
    ends.fds = count_fds();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -1;
    ends.here = pair[0];
    ends.there = pair[1];
    *state = &ends;
    return 0;
}

static int close_pair(void **state)
{
    struct ends *ends = *state;
    close(ends->here);
    close(ends->there);
    return count_fds() == ends->fds ? 0 : -1; /* nothing leaks, whatever came */
}

/* Sends any bytes with any number of fds, as a stranger would. */
static void send_raw(int socket, const void *data, size_t size, unsigned fd_count)
{
    char control[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8)));
    memset(control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        int *fds = (int *)(void *)CMSG_DATA(c);
        for (unsigned i = 0; i < fd_count; i++)
            fds[i] = socket;
    }
    assert_int_equal(sendmsg(socket, &header, MSG_NOSIGNAL), size);
}

static void messages_arrive_whole_with_their_fds(void **state)
{
    struct ends *ends = *state;
    struct message_pool sent;
    message_init(&sent, MESSAGE_POOL, sizeof sent);
    sent.cookie = 0x1234567890;
    int pipes[2], fds[MESSAGE_FDS_MAX];
    unsigned count = 99;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(socket_send(ends->there, &sent, pipes, 2), 0);
    assert_int_equal(socket_receive(ends->here, &message, fds, &count), MESSAGE_POOL);
    assert_int_equal(count, 2);
    assert_memory_equal(&message, &sent, sizeof sent);
    for (int i = 0; i < 2; i++) {
        struct stat a, b;
        assert_true(!fstat(fds[i], &a) && !fstat(pipes[i], &b) && a.st_ino == b.st_ino);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
        close(pipes[i]);
    }

    assert_int_equal(socket_send(ends->there, &sent, NULL, 0), 0);
    assert_int_equal(socket_receive(ends->here, &message, fds, &count), MESSAGE_POOL);
    assert_int_equal(count, 0);
    assert_int_equal(socket_receive(ends->here, &message, fds, &count), -EAGAIN); /* at once */
    close(ends->there);
    ends->there = dup(ends->here);
    assert_int_equal(socket_receive(ends->here, &message, fds, &count), 0);
}

static void every_type_has_its_one_size(void **state)
{
    struct ends *ends = *state;
    static const struct {
        enum message_type type;
        size_t size;
        bool tail;
    } known[] = {
        {MESSAGE_HELLO, sizeof(struct message_hello), false},
        {MESSAGE_WELCOME, sizeof(struct message_welcome), false},
        {MESSAGE_POOL, sizeof(struct message_pool), false},
        {MESSAGE_NEXT, sizeof(struct message_plain), false},
        {MESSAGE_QUOTA, sizeof(struct message_quota), false},
        {MESSAGE_BELL, sizeof(struct message_plain), false},
        {MESSAGE_DELIVERY, sizeof(struct message_delivery), false},
        {MESSAGE_REFUSED, sizeof(struct message_refused), false},
        {MESSAGE_INFO, sizeof(struct message_plain), false},
        {MESSAGE_INFO_REPLY, sizeof(struct message_info_reply), true},
        {MESSAGE_MEMORY, sizeof(struct message_memory), true},
        {MESSAGE_WATCH, sizeof(struct message_plain), false},
    };
    assert_int_equal(sizeof known / sizeof *known, MESSAGE_TYPES - 1);
    static union message sent;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int more = -1; more <= 1; more++) {
            size_t size = known[i].size + (size_t)(long)more;
            message_init(&sent, known[i].type, size);
            assert_int_equal(socket_send(ends->there, &sent, NULL, 0), 0);
            bool right = more == 0 || (more > 0 && known[i].tail);
            assert_int_equal(socket_receive(ends->here, &message, NULL, NULL),
                             right ? (int)known[i].type : -EPROTO);
        }
    message_init(&sent, MESSAGE_INFO_REPLY, MESSAGE_SIZE_MAX); /* the largest there can be */
    assert_int_equal(socket_send(ends->there, &sent, NULL, 0), 0);
    assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), MESSAGE_INFO_REPLY);
}

static void nonsense_is_refused(void **state)
{
    struct ends *ends = *state;
    struct message_hello hello;
    static char junk[MESSAGE_SIZE_MAX + 1000];

    send_raw(ends->there, "x", 1, 0);
    assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "1 bytes");
    message_init(&hello, MESSAGE_HELLO, sizeof hello);
    for (size_t size = 1; size < sizeof hello; size++) { /* cut off anywhere */
        send_raw(ends->there, &hello, size, 0);
        assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), -EPROTO);
    }
    hello.head.magic++;
    send_raw(ends->there, &hello, sizeof hello, 0);
    assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "not a framebus message");
    hello.head.magic = __builtin_bswap32(PROTOCOL_MAGIC);
    send_raw(ends->there, &hello, sizeof hello, 0);
    assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "byte order");
    message_init(&hello, MESSAGE_HELLO, sizeof hello);
    hello.head.size = UINT32_MAX;
    send_raw(ends->there, &hello, sizeof hello, 0);
    assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "type 1");

    static const uint16_t types[] = {0, MESSAGE_TYPES, MESSAGE_TYPES + 1, 0x7fff, 0xffff};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        message_init(&hello, MESSAGE_HELLO, sizeof hello);
        hello.head.type = types[i];
        send_raw(ends->there, &hello, sizeof hello, 0);
        assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "unknown type");
    }

    message_init(junk, MESSAGE_INFO_REPLY, sizeof junk);
    send_raw(ends->there, junk, sizeof junk, 0);
    assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "too long");
    assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), -EAGAIN); /* gone, all of it */
}

static void another_version_is_told_apart_from_nonsense(void **state)
{
    struct ends *ends = *state;
    struct {
        struct message_head head;
        char unknown[1000];
    } future;
    message_init(&future, MESSAGE_HELLO, sizeof future);
    future.head.abi = LAYOUT_ABI + 1;
    future.head.type = 500;
    send_raw(ends->there, &future, sizeof future, 0);
    assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), -EPROTONOSUPPORT);
    assert_int_equal(message.head.abi, LAYOUT_ABI + 1);
}

static void random_bytes_are_refused(void **state)
{
    struct ends *ends = *state;
    uint64_t seed = 77;
    static union message sent;
    for (unsigned round = 0; round < 20000; round++) {
        for (size_t i = 0; i < 400; i++)
            sent.bytes[i] = (uint8_t)odd_number(&seed);
        if (round % 2)
            message_init(&sent, (enum message_type)(odd_number(&seed) % 16), sizeof sent.head);
        sent.head.size = (uint32_t)(1 + odd_number(&seed) % 400);
        size_t size = round % 4 ? sent.head.size : 1 + odd_number(&seed) % 400;
        send_raw(ends->there, &sent, size, 0);
        int r = socket_receive(ends->here, &message, NULL, NULL);
        if (r > 0)
            assert_true(message.head.size == size && r < MESSAGE_TYPES);
        else
            assert_true(r == -EPROTO || r == -EPROTONOSUPPORT);
    }
}

static void fds_for_one_who_expects_none_are_refused_and_closed(void **state)
{
    struct ends *ends = *state;
    unsigned before = count_fds();
    struct message_hello hello;
    message_init(&hello, MESSAGE_HELLO, sizeof hello);
    for (unsigned count = 1; count <= 253; count += 84) {
        send_raw(ends->there, &hello, sizeof hello, count);
        assert_fails(socket_receive(ends->here, &message, NULL, NULL), EPROTO, "file descriptors");
        assert_int_equal(count_fds(), before);
    }
}

static void too_many_fds_are_refused_and_closed(void **state)
{
    struct ends *ends = *state;
    unsigned before = count_fds();
    struct message_hello hello;
    message_init(&hello, MESSAGE_HELLO, sizeof hello);
    for (unsigned count = 3; count <= 253; count += 50) {
        int fds[MESSAGE_FDS_MAX];
        unsigned got = 99;
        send_raw(ends->there, &hello, sizeof hello, count);
        assert_int_equal(socket_receive(ends->here, &message, fds, &got), -EPROTO);
        assert_int_equal(got, 0);
        assert_int_equal(count_fds(), before);
    }
}

static void fds_that_come_with_nonsense_are_closed(void **state)
{
    struct ends *ends = *state;
    unsigned before = count_fds(), got = 99;
    int fds[MESSAGE_FDS_MAX];
    send_raw(ends->there, "junk", 4, 2);
    assert_int_equal(socket_receive(ends->here, &message, fds, &got), -EPROTO);
    assert_int_equal(got, 0);
    assert_int_equal(count_fds(), before);

    struct message_hello hello;
    message_init(&hello, MESSAGE_HELLO, sizeof hello);
    hello.head.abi++;
    send_raw(ends->there, &hello, sizeof hello, 2);
    assert_int_equal(socket_receive(ends->here, &message, fds, &got), -EPROTONOSUPPORT);
    assert_int_equal(got, 0);
    assert_int_equal(count_fds(), before);
}

static void an_empty_message_leaves_no_fds(void **state)
{
    struct ends *ends = *state;
    unsigned before = count_fds(), got = 99;
    int fds[MESSAGE_FDS_MAX];
    for (unsigned count = 0; count <= 4; count++) {
        send_raw(ends->there, "", 0, count);
        int r = socket_receive(ends->here, &message, fds, &got);
        assert_true(r == 0 || r == -EPROTO); /* no fd was sent */
        assert_int_equal(count_fds(), before);
        send_raw(ends->there, "", 0, count);
        r = socket_receive(ends->here, &message, NULL, NULL);
        assert_true(r == 0 || r == -EPROTO);
        assert_int_equal(count_fds(), before);
    }
}

static void sending_never_blocks_nor_kills(void **state)
{
    struct ends *ends = *state;
    struct message_plain bell;
    message_init(&bell, MESSAGE_BELL, sizeof bell);
    signal(SIGPIPE, SIG_DFL); /* whatever we inherited */
    int r = 0;
    for (unsigned n = 0; !r && n < 1000000; n++)
        r = socket_send(ends->there, &bell, NULL, 0);
    assert_int_equal(r, -EAGAIN);
    close(ends->here);
    ends->here = dup(ends->there);
    r = socket_send(ends->there, &bell, NULL, 0); /* and no SIGPIPE */
    assert_true(r == -EPIPE || r == -ECONNRESET);
}

static void a_refusal_carries_errno_and_sentence(void **state)
{
    struct ends *ends = *state;
    char text[1000];
    socket_refuse(ends->there, -EBUSY, "bus full");
    assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), MESSAGE_REFUSED);
    const struct message_refused *m = &message.refused;
    assert_int_equal(m->error, EBUSY);
    assert_string_equal(m->text, "bus full");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    socket_refuse(ends->there, EPERM, text);
    assert_int_equal(socket_receive(ends->here, &message, NULL, NULL), MESSAGE_REFUSED);
    assert_int_equal(m->error, EPERM);
    assert_int_equal(strnlen(m->text, sizeof m->text), sizeof m->text - 1);
}

static void foreign_text_is_printable_and_ends(void **state)
{
    (void)state;
    char from[8], to[8 + 1];
    memset(from, 'x', sizeof from);
    to[8] = '#';
    message_text(to, from, 8);
    assert_string_equal(to, "xxxxxxx");
    assert_int_equal(to[8], '#');
    memcpy(from, "a\n\033[\xff\x7f", 7);
    message_text(to, from, 8);
    assert_string_equal(to, "a??[??");
}

static void the_peer_is_known(void **state)
{
    struct ends *ends = *state;
    struct socket_peer peer;
    assert_int_equal(socket_get_peer(ends->here, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(socket_get_peer(-1, &peer), -EBADF);
}

/* ---- connecting ---- */

static void connecting_tells_what_is_there(void **state)
{
    (void)state;
    char directory[] = "/tmp/framebus-unit-XXXXXX";
    assert_non_null(mkdtemp(directory));
    unsigned fds = count_fds();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/cam0", directory);
    const char *path = address.sun_path;
    assert_int_equal(socket_open(path, NEVER), -ENOENT);

    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(socket_open(path, NEVER), -ECONNREFUSED); /* nobody listens */
    assert_int_equal(listen(listener, 0), 0);
    int first = socket_open(path, NEVER);
    assert_true(first >= 0);
    assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);

    /* Its backlog is full and it does not accept: a stopped writer. */
    int64_t begin = clock_now();
    assert_int_equal(socket_open(path, deadline_in(50 * NS_PER_MS)), -ETIMEDOUT);
    assert_true(clock_now() - begin >= 50 * NS_PER_MS);
    assert_int_equal(socket_open(path, 0), -ETIMEDOUT);
    close(first);
    close(listener);
    assert_int_equal(socket_open(path, NEVER), -ECONNREFUSED); /* a dead writer's leftover */
    unlink(path);

    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 5));
    assert_int_equal(socket_open(path, NEVER), -EPROTOTYPE);
    close(listener);
    unlink(path);

    char long_path[200];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = 0;
    assert_int_equal(socket_open(long_path, NEVER), -ENAMETOOLONG);
    assert_int_equal(count_fds(), fds);
    rmdir(directory);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

static void a_deadline_fits_a_time_of_32_bits_or_never_comes(void **state)
{
    (void)state;
    assert_true(deadline_in(-1) == NEVER && deadline_in(INT64_MAX) == NEVER);
    for (int64_t years = 1; years < 290; years++) {
        int64_t deadline = deadline_in(years * 365 * 86400 * NS_PER_S);
        assert_true(deadline == NEVER || deadline / NS_PER_S <= INT32_MAX);
        assert_true(deadline != NEVER || years > 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(messages_arrive_whole_with_their_fds),
        WITH_PAIR(every_type_has_its_one_size),
        WITH_PAIR(nonsense_is_refused),
        WITH_PAIR(another_version_is_told_apart_from_nonsense),
        WITH_PAIR(random_bytes_are_refused),
        WITH_PAIR(fds_for_one_who_expects_none_are_refused_and_closed),
        WITH_PAIR(too_many_fds_are_refused_and_closed),
        WITH_PAIR(fds_that_come_with_nonsense_are_closed),
        WITH_PAIR(an_empty_message_leaves_no_fds),
        WITH_PAIR(sending_never_blocks_nor_kills),
        WITH_PAIR(a_refusal_carries_errno_and_sentence),
        cmocka_unit_test(foreign_text_is_printable_and_ends),
        WITH_PAIR(the_peer_is_known),
        cmocka_unit_test(connecting_tells_what_is_there),
        cmocka_unit_test(a_deadline_fits_a_time_of_32_bits_or_never_comes),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
