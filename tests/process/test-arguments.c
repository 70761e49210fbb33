/* SPDX-License-Identifier: MIT */
/* Wrong arguments: each gets an error code of its own and a sentence that says which value was wrong. Nothing
 * is left open. */
#include "harness.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct framebus_writer *w;
static struct framebus_reader *rd;

static int open_writer(const char *name, const struct framebus_writer_options *options)
{
    struct framebus_format format = small();
    w = (void *)1;
    int r = framebus_writer_open(&w, name, &format, options);
    check((r == 0) == (w != NULL));
    return r;
}

static int open_reader(const char *name, const struct framebus_reader_options *options)
{
    rd = (void *)1;
    int r = framebus_reader_open(&rd, name, options);
    check((r == 0) == (rd != NULL));
    return r;
}

/* ---- names ---- */

static void names_that_are_none_are_refused(void)
{
    static const char *const names[] = {"",
                                        ".",
                                        "..",
                                        ".hidden",
                                        "-x",
                                        "_x",
                                        "a b",
                                        "a\n",
                                        "caf\xc3\xa9",
                                        "a:b",
                                        "a\\b",
                                        "a*",
                                        "0123456789012345678901234567890123456789012345678901234567890123x"};
    unsigned fds = count_fds();
    struct framebus_bus_info *info;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *word = i ? names[i] : "name";
        check_fails(open_writer(names[i], NULL), EINVAL, word);
        check_fails(open_reader(names[i], NULL), EINVAL, word);
        check_fails(framebus_query(names[i], &info), EINVAL, word);
        check(!info);
        check_fails(framebus_remove(names[i], NULL, NULL), EINVAL, word);
    }
    check_fails(open_writer(NULL, NULL), EINVAL, "name");
    check_fails(open_reader(NULL, NULL), EINVAL, "name");
    check_equal(count_fds(), fds);
}

static void names_at_the_edge_of_what_is_allowed_work(void)
{
    static const char *const names[] = {
        "a",     "0",      "A-b_c.9",
        "x.tmp", "x.lock", "012345678901234567890123456789012345678901234567890123456789012x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pid_t writer = start_writer(&(struct writing){.bus = names[i], .frames = 1});
        check_equal(open_reader(names[i], NULL), 0);
        expect_frame(rd, 0, 0);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
}

static void a_name_with_a_slash_is_the_path_of_a_socket(void)
{
    pid_t writer = start_writer(&(struct writing){.bus = path_of("some where"), .frames = 1});
    setenv("FRAMEBUS_DIR", "/nowhere", 1);
    check_equal(open_reader(path_of("some where"), NULL), 0);
    expect_frame(rd, 0, 0);
    framebus_reader_close(rd);
    setenv("FRAMEBUS_DIR", directory, 1);
    finish(writer, &shared->writer);

    check_fails(open_writer("/", NULL), EINVAL, "directory");
    check_fails(open_writer(path_of(""), NULL), EINVAL, "directory");
    check_fails(open_writer(path_of("."), NULL), EINVAL, "directory");
    check_fails(open_writer(path_of(".."), NULL), EINVAL, "directory");
    check_fails(open_writer(path_of("none/bus"), NULL), ENOENT, "none");
    check_fails(open_reader(path_of("none/bus"), NULL), ENOENT, "none/bus");
    check_fails(open_writer("/dev/null/bus", NULL), ENOTDIR, "/dev/null");
    check_fails(open_reader("/dev/null/bus", NULL), ENOENT, "/dev/null/bus");
}

static void paths_that_are_too_long_are_refused(void)
{
    char path[200];
    struct framebus_bus_info *info;
    int room = FRAMEBUS_PATH_MAX - 5; /* it is bound as .NAME.tmp */
    snprintf(path, sizeof path, "%s/%0*d", directory, room - (int)strlen(directory) - 1, 0);
    check_equal((int)strlen(path), room);
    check_equal(open_writer(path, NULL), 0);
    framebus_writer_close(w);
    snprintf(path, sizeof path, "%s/%0*d", directory, room - (int)strlen(directory), 0);
    check_fails(open_writer(path, NULL), ENAMETOOLONG, "longer than 102");
    check_fails(open_reader(path, NULL), ENAMETOOLONG, "longer");
    check_fails(framebus_query(path, &info), ENAMETOOLONG, "longer");

    snprintf(path, sizeof path, "%s/%0*d", directory, 70, 0);
    setenv("FRAMEBUS_DIR", path, 1);
    check_fails(open_writer("a-name-of-some-length", NULL), ENAMETOOLONG, "FRAMEBUS_DIR");
    check_fails(open_reader("a-name-of-some-length", NULL), ENAMETOOLONG, "FRAMEBUS_DIR");
    snprintf(path, sizeof path, "%s/%0*d", directory, 150, 0);
    setenv("FRAMEBUS_DIR", path, 1);
    check_fails(open_writer("bus", NULL), ENAMETOOLONG, "longer than 107");
    struct framebus_bus_info *infos;
    size_t count;
    check_equal(framebus_list(&infos, &count), -ENAMETOOLONG);
    char text[300];
    check_equal(framebus_directory(text, 100), -ENAMETOOLONG);
    check_equal(framebus_directory(text, sizeof text), (int)strlen(path));
    check(!strcmp(text, path));
    setenv("FRAMEBUS_DIR", directory, 1);
}

/* ---- what is there already ---- */

static void what_is_no_socket_is_left_alone(void)
{
    FILE *file = fopen(path_of("bus"), "we");
    check(file && fputs("precious", file) >= 0 && !fclose(file));
    check_fails(open_writer("bus", NULL), EEXIST, path_of("bus"));
    check_fails(open_reader("bus", NULL), ENOENT, "bus");
    struct stat st;
    check(!stat(path_of("bus"), &st) && st.st_size == 8);
    check(!unlink(path_of("bus")));

    check(!mkdir(path_of("bus"), 0700));
    check_fails(open_writer("bus", NULL), EEXIST, path_of("bus"));
    check(open_reader("bus", NULL) < 0);
    check(!rmdir(path_of("bus")));

    check(!symlink("/dev/null", path_of("bus")));
    check_fails(open_writer("bus", NULL), EEXIST, path_of("bus"));
    check(!unlink(path_of("bus")));
}

static void a_socket_of_another_kind_is_no_bus(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of("bus"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(!bind(fd, (struct sockaddr *)&address, sizeof address) && !listen(fd, 1));
    check_fails(open_reader("bus", NULL), EPROTO, "bus");
    struct framebus_bus_info *info;
    check_fails(framebus_query("bus", &info), ENOENT, "bus");
    close(fd);
    check(!unlink(path_of("bus")));
}

static void a_lock_that_is_a_link_is_not_followed(void)
{
    check(!symlink(path_of("elsewhere"), path_of(".bus.lock")));
    check_fails(open_writer("bus", NULL), ELOOP, ".bus.lock");
    struct stat st;
    check(lstat(path_of("elsewhere"), &st) && errno == ENOENT);
    check(!unlink(path_of(".bus.lock")));
}

/* ---- directories ---- */

static void open_without_rights(const void *argument)
{
    (void)argument;
    if (!geteuid())
        become_nobody();
    check_fails(open_writer("bus", NULL), EACCES, directory);
    check_fails(open_writer(path_of("x"), NULL), EACCES, directory);
    setenv("FRAMEBUS_DIR", path_of("deeper"), 1);
    check_fails(open_writer("bus", NULL), EACCES, "deeper");
}

static void a_directory_that_cannot_be_written_is_named(void)
{
    if (!geteuid() && !can_be_several_users())
        skip_because("root may write everywhere, and cannot be another user here");
    check(!chmod(directory, 0555));
    join(spawn(open_without_rights, NULL));
    check(!chmod(directory, 0700));

    setenv("FRAMEBUS_DIR", path_of("a/b"), 1); /* only one level is made */
    check_fails(open_writer("bus", NULL), ENOENT, path_of("a/b"));
    setenv("FRAMEBUS_DIR", "/dev/null", 1);
    check_fails(open_writer("bus", NULL), ENOTDIR, "/dev/null");
    setenv("FRAMEBUS_DIR", directory, 1);
}

static void the_directory_is_made_for_its_owner_alone(void)
{
    struct stat st;
    setenv("FRAMEBUS_DIR", path_of("new"), 1);
    mode_t mask = umask(0);
    check_equal(open_writer("bus", NULL), 0);
    umask(mask);
    check(!stat(path_of("new"), &st) && (st.st_mode & 07777) == 0700);
    check(!stat(path_of("new/bus"), &st) && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0600);
    framebus_writer_close(w);
    check(!unlink(path_of("new/.bus.lock")));
    check(!rmdir(path_of("new"))); /* nothing else was left in it */
    setenv("FRAMEBUS_DIR", directory, 1);
}

/* ---- options ---- */

static void options_out_of_range_are_refused_by_name(void)
{
    static const struct {
        struct framebus_writer_options options;
        int error;
        const char *word;
    } wrong[] = {
        {{.memory = (enum framebus_memory)3}, EINVAL, "memory kind 3"},
        {{.memory = (enum framebus_memory) - 1}, EINVAL, "memory kind -1"},
        {{.memory_flags = 8}, EINVAL, "0x8"},
        {{.memory_flags = UINT32_MAX}, EINVAL, "flags 0xfffffffc"},
        {{.memory = FRAMEBUS_MEMORY_POSIX, .memory_flags = FRAMEBUS_MEMORY_HUGE_PAGES}, ENOTSUP, "huge"},
        {{.history = 257}, EINVAL, "history 257"},
        {{.history = UINT32_MAX}, EINVAL, "history"},
        {{.max_slots = 1025}, EINVAL, "max-slots 1025"},
        {{.max_slots = UINT32_MAX}, EINVAL, "max-slots"},
        {{.max_lends = 1025}, EINVAL, "max-lends 1025"},
        {{.max_lends = UINT32_MAX}, EINVAL, "max-lends"},
        {{.history = 4, .max_lends = 4, .max_slots = 9}, EINVAL, "max-slots 9"},
        {{.history = 4, .max_lends = 4, .max_slots = 13, .lossless = true}, EINVAL, "lossless"},
        {{.max_slots = 1}, EINVAL, "max-slots 1"},
        {{.access_mode = 0777}, EINVAL, "0777"},
        {{.access_mode = 01600}, EINVAL, "1600"},
        {{.access_mode = 0060}, EINVAL, "0060"},
        {{.access_mode = 0400}, EINVAL, "0400"},
        {{.group = "there-is-no-such-group"}, EINVAL, "there-is-no-such-group"},
        {{.group = "-5"}, EINVAL, "-5"},
        {{.group = "+5"}, EINVAL, "+5"},
        {{.group = "4294967295"}, EINVAL, "4294967295"},
        {{.cancel_fd = -1}, EINVAL, "cancel fd -1"},
        {{.meta_size = FRAMEBUS_META_MAX + 1}, EINVAL, "meta_size 1048577"},
        {{.reserved = {[6] = 1}}, ENOTSUP, "reserved[6]"}, /* an option of a later library */
    };
    unsigned fds = count_fds();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_fails(open_writer("bus", &wrong[i].options), wrong[i].error, wrong[i].word);
        check_equal(count_fds(), fds);
        struct stat st;
        check(lstat(path_of("bus"), &st));
    }
    static const struct {
        struct framebus_reader_options options;
        int error;
        const char *word;
    } wrong_readers[] = {
        {{.delivery = (enum framebus_delivery)3}, EINVAL, "delivery 3"},
        {{.delivery = (enum framebus_delivery) - 1}, EINVAL, "delivery -1"},
        {{.quota = 257}, EINVAL, "quota 257"},
        {{.quota = UINT32_MAX}, EINVAL, "quota"},
        {{.cancel_fd = -1}, EINVAL, "cancel fd -1"},
        {{.spin_ns = -1}, EINVAL, "spinning for -1 ns"},
        {{.spin_ns = 50 * MS + 1}, EINVAL, "spinning for 50000001 ns"},
        {{.max_rate = 30000, .delivery = FRAMEBUS_DELIVERY_LOSSLESS}, EINVAL, "max_rate 30000"},
        {{.anticipate = 101}, EINVAL, "anticipate 101"},
        {{.reserved = {[0] = UINT64_MAX}}, ENOTSUP, "reserved[0]"},
    };
    for (size_t i = 0; i < sizeof wrong_readers / sizeof *wrong_readers; i++)
        check_fails(open_reader("bus", &wrong_readers[i].options), wrong_readers[i].error,
                    wrong_readers[i].word);
    check_equal(count_fds(), fds);
}

static void options_at_the_edge_of_what_is_allowed_work(void)
{
    static const struct framebus_writer_options right[] = {
        {.history = 4, .max_lends = 4, .max_slots = 10},
        {.history = 4, .max_lends = 4, .max_slots = 14, .lossless = true},
        {.history = 256, .max_lends = 1, .max_slots = 1024},
        {.history = 1, .max_lends = 1, .max_slots = 4},
        {.history = 1, .max_lends = 1021, .max_slots = 1024},
        {.access_mode = 0666, .group = "0"},
        {.memory_flags = FRAMEBUS_MEMORY_LOCKED},
        {.label = "a label that is far longer than what is kept of one, and so is cut"},
        {.label = ""},
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        if (right[i].group && geteuid())
            continue;
        pid_t writer = start_writer(&(struct writing){.options = right[i], .frames = 3});
        struct framebus_bus_info *info;
        check_equal(framebus_query("bus", &info), 0);
        check_equal(info->state, FRAMEBUS_BUS_LIVE);
        check(strlen(info->label) <= FRAMEBUS_LABEL_MAX && *info->label);
        framebus_info_free(info, 1);
        check_equal(open_reader("bus", &(struct framebus_reader_options){.quota = 1}), 0);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
        check_equal(shared->writer.result, 0);
    }
}

static void formats_that_make_no_sense_are_refused_and_leave_nothing(void)
{
    struct framebus_format wrong[6];
    unsigned fds = count_fds();
    for (int i = 0; i < 6; i++)
        wrong[i] = picture("NV12", 64, 48);
    wrong[0].width = 0;
    wrong[1].planes = 5;
    wrong[2].stride[1] = 63;
    wrong[3].offset[1] = UINT64_MAX;
    wrong[4].size = 100;
    wrong[5].rate_num = 25;
    wrong[5].rate_den = 0;
    for (int i = 0; i < 6; i++) {
        check_equal(framebus_writer_open(&w, "bus", &wrong[i], NULL), -EINVAL);
        check(!w && *framebus_last_error());
        struct stat st;
        check(lstat(path_of("bus"), &st));
    }
    check_equal(count_fds(), fds);
    check_equal(count_mappings(), 0);
}

static void nothing_is_fine_where_nothing_can_be_given(void)
{
    framebus_writer_close(NULL);
    framebus_reader_close(NULL);
    framebus_writer_release(NULL, NULL);
    framebus_reader_release(NULL, NULL);
    framebus_info_free(NULL, 0);
    check_fails(framebus_frame_add_meta(NULL, 1, "x", 1), EINVAL, "frame");
    check(!framebus_frame_get_meta(NULL, 1, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(names_that_are_none_are_refused),
        PROCESS_TEST(names_at_the_edge_of_what_is_allowed_work),
        PROCESS_TEST(a_name_with_a_slash_is_the_path_of_a_socket),
        PROCESS_TEST(paths_that_are_too_long_are_refused),
        PROCESS_TEST(what_is_no_socket_is_left_alone),
        PROCESS_TEST(a_socket_of_another_kind_is_no_bus),
        PROCESS_TEST(a_lock_that_is_a_link_is_not_followed),
        PROCESS_TEST(a_directory_that_cannot_be_written_is_named),
        PROCESS_TEST(the_directory_is_made_for_its_owner_alone),
        PROCESS_TEST(options_out_of_range_are_refused_by_name),
        PROCESS_TEST(options_at_the_edge_of_what_is_allowed_work),
        PROCESS_TEST(formats_that_make_no_sense_are_refused_and_leave_nothing),
        PROCESS_TEST(nothing_is_fine_where_nothing_can_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
