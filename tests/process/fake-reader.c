/* SPDX-License-Identifier: MIT */
#include "fake-reader.h"

#include <sys/socket.h>

static void count_lines(enum framebus_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == FRAMEBUS_LOG_WARNING && strstr(line, "thrown out"))
        THROWN_OUT++;
}

void write_and_count(const void *argument)
{
    framebus_set_log_handler(count_lines, NULL);
    write_frames(argument);
}

struct good begin_well(const struct writing *plan)
{
    struct good good = {.writer = spawn(write_and_count, plan)};
    check_soon(shared->writer.ready == 1);
    good.reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 2);
    good.fds = count_fds_of(good.writer);
    return good;
}

void end_well(const struct good *good)
{
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 3 && shared->reader[0].last > now + 3);
    check_soon(count_fds_of(good->writer) == good->fds);
    finish(good->reader, &shared->reader[0]);
    finish(good->writer, &shared->writer);
    check_equal(shared->reader[0].missed, 0);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->writer.result, 0);
    check(shared->writer.longest_ns < 20 * S); /* enough on a busy machine */
}

ssize_t send_fds(int socket, const void *bytes, size_t size, const int *fds, unsigned count)
{
    char control[CMSG_SPACE(253 * sizeof *fds)] = {0};
    struct iovec part = {(void *)bytes, size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int fake_reader_connect(void)
{
    int fd = socket_open(path_of("bus"), now_ns() + 20 * S);
    check(fd >= 0);
    return fd;
}

int fake_reader_hear(int fd, union message *m, int *fds, unsigned *fd_count)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    check(poll(&wait, 1, 20000) == 1);
    int type = socket_receive(fd, m, fds, fd_count);
    return type == -ECONNRESET ? 0 : type;
}

void fake_reader_expect_refusal(int fd, int error, const char *word)
{
    union message *m = calloc(1, sizeof *m);
    int type;
    do {
        int fds[MESSAGE_FDS_MAX];
        unsigned fd_count = 0;
        type = fake_reader_hear(fd, m, fds, &fd_count);
        for (unsigned i = 0; type > 0 && i < fd_count; i++)
            close(fds[i]);
    } while (type == MESSAGE_WELCOME || type == MESSAGE_POOL || type == MESSAGE_QUOTA ||
             type == MESSAGE_INFO_REPLY);
    check_equal(type, MESSAGE_REFUSED);
    if (m->refused.error != error || !strstr(m->refused.text, word))
        check_failed(__FILE__, __LINE__, "refused with %d \"%s\" in place of %d \"%s\"", m->refused.error,
                     m->refused.text, error, word);
    check_equal(fake_reader_hear(fd, m, NULL, NULL), 0);
    free(m);
    close(fd);
}

struct message_hello fake_reader_hello(uint32_t quota, uint32_t delivery)
{
    struct message_hello m;
    message_init(&m, MESSAGE_HELLO, sizeof m);
    m.quota = quota;
    m.delivery = delivery;
    strcpy(m.label, "fake reader");
    return m;
}

struct fake_reader fake_reader_attach(uint32_t quota, uint32_t delivery)
{
    struct fake_reader v = {.socket = fake_reader_connect()};
    union message *m = calloc(1, sizeof *m);
    struct message_hello greeting = fake_reader_hello(quota, delivery);
    int fds[MESSAGE_FDS_MAX];
    unsigned count;
    check_equal(socket_send(v.socket, &greeting, NULL, 0), 0);
    check_equal(fake_reader_hear(v.socket, m, fds, &count), MESSAGE_WELCOME);
    check_equal(count, 1);
    v.bell = fds[0];
    check_equal(fake_reader_hear(v.socket, m, fds, &count), MESSAGE_POOL);
    check_equal(count, 2);
    void *page;
    close(fds[0]);
    check_equal(reader_page_attach(&page, fds[1]), 0);
    v.page = page;
    free(m);
    return v;
}

void fake_reader_detach(struct fake_reader *v)
{
    close(v->bell);
    reader_page_finish(v->page);
}
