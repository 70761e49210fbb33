/* SPDX-License-Identifier: MIT */
/* Readers and listings against things that pretend to be a writer and greet in strange ways. Whatever
 * comes is refused in words, in time, and nothing is left open. */
#include "fake-reader.h"
#include "fake-writer.h"

#include <sys/socket.h>

/* ---- the greeting ---- */

static void say_nonsense(struct fake *f)
{
    fake_send(f, "GET / HTTP/1.1\r\n\r\n", 18, NULL, 0);
}

static void say_little(struct fake *f)
{
    fake_send(f, "x", 1, NULL, 0);
}

static void say_too_much(struct fake *f)
{
    static char bytes[MESSAGE_SIZE_MAX + 1000];
    memcpy(bytes, &f->welcome, sizeof f->welcome);
    fake_send(f, bytes, sizeof bytes, NULL, 0);
}

static void refuse(struct fake *f, uint16_t abi, int error, const char *text)
{
    struct message_refused m;
    message_init(&m, MESSAGE_REFUSED, sizeof m);
    m.head.abi = abi;
    m.error = error;
    memcpy(m.text, text, strnlen(text, sizeof m.text)); /* perhaps without an end */
    fake_send(f, &m, sizeof m, NULL, 0);
}

static void refuse_in_another_version(struct fake *f)
{
    refuse(f, 7, EPROTONOSUPPORT, "I speak version 7");
}

static void refuse_without_end(struct fake *f)
{
    char text[300] = "no";
    memset(text + 2, '\x1b', sizeof text - 3);
    refuse(f, LAYOUT_ABI, EACCES, text);
}

static void refuse_with_a_strange_error(struct fake *f)
{
    refuse(f, LAYOUT_ABI, -5, "no");
}

static void refuse_in_the_end(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    refuse(f, LAYOUT_ABI, EDQUOT, "out with you");
}

static void welcome_without_a_bell(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, NULL, 0);
}

static void welcome_with_two_bells(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, (int[]){f->bell, f->bell}, 2);
}

static void welcome_with_many_fds(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, (int[]){0, 0, 0, 0, 0, 0, 0, 0}, 8);
}

static void welcome_with_a_file(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, &f->page_fd, 1);
}

static void welcome_with_an_eventfd(struct fake *f)
{
    fake_send(f, &f->welcome, sizeof f->welcome, &f->event, 1);
}

static void welcome_of_the_wrong_size(struct fake *f)
{
    f->welcome.head.size -= 8;
    fake_send(f, &f->welcome, sizeof f->welcome - 8, &f->bell, 1);
}

static void say_hello_back(struct fake *f)
{
    struct message_hello m;
    message_init(&m, MESSAGE_HELLO, sizeof m);
    fake_send(f, &m, sizeof m, NULL, 0);
}

static void welcome_twice(struct fake *f)
{
    fake_welcome(f);
    fake_welcome(f);
}

static void pool_before_welcome(struct fake *f)
{
    fake_seal(f);
    fake_offer(f);
}

static void pool_twice(struct fake *f)
{
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    fake_offer(f);
}

static void fds_without_a_message(struct fake *f)
{
    fake_send(f, "", 0, &f->bell, 1);
}

static void *welcome_of(struct fake *f)
{
    return &f->welcome;
}

#define WELCOME(field, bad) SPOIL(welcome_of, message_welcome, field, bad), .play = fake_welcome

static void a_greeting_that_makes_no_sense_is_refused_in_words(void)
{
    static const struct trick tricks[] = {
        {.name = "nonsense",
         .play = say_nonsense,
         .error = EPROTO,
         .word = "18 bytes that are not a framebus"},
        {.name = "one byte", .play = say_little, .error = EPROTO, .word = "1 bytes"},
        {.name = "too long", .play = say_too_much, .error = EPROTO, .word = "too long"},
        {WELCOME(head.abi, 7), .error = EPROTONOSUPPORT, .word = "version 7"},
        {.name = "refused by another version",
         .play = refuse_in_another_version,
         .error = EPROTONOSUPPORT,
         .word = "I speak version 7"},
        {.name = "text without end", .play = refuse_without_end, .error = EACCES, .word = "no???"},
        {.name = "strange error", .play = refuse_with_a_strange_error, .error = EPROTO, .word = "no"},
        {.name = "no bell", .play = welcome_without_a_bell, .error = EPROTO, .word = "welcome"},
        {.name = "two bells", .play = welcome_with_two_bells, .error = EPROTO, .word = "welcome"},
        {.name = "many fds", .play = welcome_with_many_fds, .error = EPROTO, .word = "file descriptors"},
        {.name = "a file for a bell", .play = welcome_with_a_file, .error = EBADMSG, .word = "bell"},
        {.name = "an eventfd for a bell", .play = welcome_with_an_eventfd, .error = EBADMSG, .word = "bell"},
        {.name = "wrong size", .play = welcome_of_the_wrong_size, .error = EPROTO, .word = "40 bytes"},
        {WELCOME(head.size, UINT32_MAX), .error = EPROTO, .word = "type 2"},
        {WELCOME(head.type, 999), .error = EPROTO, .word = "unknown type 999"},
        {.name = "hello", .play = say_hello_back, .error = EPROTO, .word = "type 1"},
        {.name = "welcome twice", .play = welcome_twice, .error = EPROTO, .word = "welcome"},
        {.name = "pool before welcome", .play = pool_before_welcome, .error = EPROTO, .word = "pool"},
        {.name = "pool twice", .play = pool_twice, .error = EPROTO, .word = "pool"},
        {.name = "fds alone", .play = fds_without_a_message, .error = EPROTO, .word = "0 bytes"},
        {.name = "thrown out", .play = refuse_in_the_end, .error = ECONNABORTED, .word = "out with you"},
    };
    PLAY(tricks);
}

/* ---- those that say nothing ---- */

static void say_nothing(const void *argument)
{
    (void)argument;
    struct fake f;
    fake_listen(&f, "bus");
    shared->writer.ready = 1;
    while (!shared->writer.stop)
        sleep_ns(MS);
}

static void a_writer_that_never_answers_is_given_up(void)
{
    pid_t fake = spawn(say_nothing, NULL);
    check_soon(shared->writer.ready);
    struct framebus_reader *rd;
    struct framebus_bus_info *info;
    int64_t begun = now_ns();
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_SILENT);
    check_equal(info->pid, fake);
    framebus_info_free(info, 1);
    check(now_ns() - begun < 5 * S);
    begun = now_ns();
    check_fails(framebus_reader_open(&rd, "bus", NULL), ETIMEDOUT, "does not answer");
    check(now_ns() - begun >= 4 * S && now_ns() - begun < 15 * S);
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
}

static void hang_up_on_everybody(const void *argument)
{
    (void)argument;
    struct fake f;
    fake_listen(&f, "bus");
    fcntl(f.listener, F_SETFL, O_NONBLOCK);
    shared->writer.ready = 1;
    while (!shared->writer.stop) {
        int fd = accept(f.listener, NULL, NULL);
        if (fd >= 0) {
            shared->value[0]++;
            sleep_ns(MS); /* for the hello to arrive */
            close(fd);
        } else {
            sleep_ns(MS);
        }
    }
}

static void open_in_vain(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    check(framebus_reader_open(&rd, "bus", NULL) < 0);
    check(!rd);
}

static void a_writer_that_hangs_up_on_everybody_is_given_up_without_spinning(void)
{
    pid_t fake = spawn(hang_up_on_everybody, NULL);
    check_soon(shared->writer.ready);
    pid_t reader = spawn(open_in_vain, NULL);
    check_soon(has_ended(reader));
    join(reader);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    shared->value[0] = 0;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f, 500 * MS), -ETIMEDOUT);
    note("knocked %d times in 500 ms", (int)shared->value[0]);
    check(shared->value[0] <= 60);
    framebus_reader_close(rd);
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
}

/* ---- listings ---- */

struct lie {
    uint32_t readers_told, caps_size, size, has_format, abi;
    enum framebus_bus_state state; /* [silent] */
};

static void lie_about_oneself(const void *argument)
{
    const struct lie *lie = argument;
    struct fake f;
    union message *m = calloc(1, sizeof *m);
    fake_listen(&f, "bus");
    shared->writer.ready = 1;
    struct pollfd wait = {.fd = f.listener, .events = POLLIN};
    check(poll(&wait, 1, 20000) == 1);
    f.peer = accept4(f.listener, NULL, NULL, SOCK_CLOEXEC);
    message_init(m, MESSAGE_INFO_REPLY, sizeof m->info);
    m->info.readers_told = lie->readers_told;
    m->info.format.caps_size = lie->caps_size;
    m->info.has_format = lie->has_format;
    m->head.size = lie->size;
    m->head.abi = (uint16_t)lie->abi;
    /* On a busy machine the caller may have given up by now. */
    ssize_t sent = send_fds(f.peer, m, lie->size < sizeof *m ? lie->size : sizeof m->info, NULL, 0);
    check(sent > 0 || errno == EPIPE || errno == ECONNRESET);
    free(m);
    while (!shared->writer.stop)
        sleep_ns(MS);
}

static void an_answer_that_makes_no_sense_is_no_live_bus(void)
{
    const uint32_t size = sizeof(struct message_info_reply);
    const struct lie lies[] = {
        {.readers_told = 5, .size = size, .abi = LAYOUT_ABI},
        {.readers_told = UINT32_MAX, .size = size, .abi = LAYOUT_ABI},
        {.readers_told = 513, .size = size + 513 * sizeof(struct message_peer), .abi = LAYOUT_ABI},
        {.caps_size = 100, .size = size, .abi = LAYOUT_ABI},
        {.caps_size = UINT32_MAX, .size = size, .abi = LAYOUT_ABI},
        {.caps_size = FRAMEBUS_CAPS_MAX + 1, .size = size + FRAMEBUS_CAPS_MAX + 1, .abi = LAYOUT_ABI},
        {.size = size, .has_format = 1, .abi = LAYOUT_ABI}, /* one of zeros */
        {.size = 100, .abi = LAYOUT_ABI},
        {.size = UINT32_MAX, .abi = LAYOUT_ABI},
        {.size = size, .abi = 9, .state = FRAMEBUS_BUS_INCOMPATIBLE},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memset(shared, 0, sizeof *shared);
        pid_t fake = spawn(lie_about_oneself, &lies[i]);
        check_soon(shared->writer.ready || has_ended(fake));
        struct framebus_bus_info *infos;
        size_t count;
        check_equal(framebus_list(&infos, &count), 0);
        check_equal(count, 1);
        check_equal(infos->state, lies[i].state ? lies[i].state : FRAMEBUS_BUS_SILENT);
        check_equal(infos->pid, fake);
        check_equal(infos->readers, 0);
        check(!infos->has_format);
        framebus_info_free(infos, count);
        finish(fake, &shared->writer);
        check(!unlink(path_of("bus")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_greeting_that_makes_no_sense_is_refused_in_words),
        PROCESS_TEST(a_writer_that_never_answers_is_given_up),
        PROCESS_TEST(a_writer_that_hangs_up_on_everybody_is_given_up_without_spinning),
        PROCESS_TEST(an_answer_that_makes_no_sense_is_no_live_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
