/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/clock.h"
#include "base/socket.h"
#include "bus/name.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char root[] = "/tmp/framebus-unit-XXXXXX";
static char directory[80]; /* of one test */
static unsigned fds;

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static int enter(void **state)
{
    (void)state;
    static unsigned tests;
    snprintf(directory, sizeof directory, "%s/%u", root, tests++);
    fds = count_fds();
    unsetenv("XDG_RUNTIME_DIR");
    return setenv("FRAMEBUS_DIR", directory, 1);
}

static int leave(void **state)
{
    (void)state;
    return count_fds() == fds ? 0 : -1; /* nothing stays open, whatever failed */
}

static struct bus_path path_of(const char *name)
{
    struct bus_path path;
    if (bus_path_find(&path, name))
        fail_msg("%s", framebus_last_error());
    return path;
}

static char *in_directory(const char *file)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    return path;
}

static bool exists(const char *file)
{
    struct stat st;
    return !lstat(in_directory(file), &st);
}

/* ---- names ---- */

static void names_are_checked(void **state)
{
    (void)state;
    char longest[FRAMEBUS_NAME_MAX + 2];
    memset(longest, 'n', sizeof longest);
    longest[FRAMEBUS_NAME_MAX + 1] = 0;
    static const char *const good[] = {"a", "Z", "0", "cam0", "a.b-c_d", "1...", "A-", "x_"};
    static const char *const bad[] = {"",      ".",     "..",    ".cam", "-cam",  "_cam",
                                      "cam 0", "cam\n", "c\x01", "cäm",  "c:0",   "c*0",
                                      "~",     "c\\0",  "a,b",   "\x7f", "$HOME", "cam0;rm"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(bus_name_is_valid(good[i]));
        assert_string_equal(path_of(good[i]).base, good[i]);
    }
    struct bus_path path;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(bus_name_is_valid(bad[i]));
        assert_fails(bus_path_find(&path, bad[i]), EINVAL, "name");
    }
    assert_false(bus_name_is_valid(longest));
    longest[FRAMEBUS_NAME_MAX] = 0;
    assert_true(bus_name_is_valid(longest));
    assert_fails(bus_path_find(&path, NULL), EINVAL, "name");
}

static void names_live_in_the_runtime_directory(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    assert_false(path.is_path);
    assert_string_equal(path.directory, directory);
    assert_string_equal(path.socket, in_directory("cam0"));
    assert_string_equal(path.name, "cam0");
}

static void a_slash_makes_it_a_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *directory, *base;
    } known[] = {
        {"/srv/video/cam0", "/srv/video", "cam0"},
        {"/cam0", "/", "cam0"},
        {"./cam0", ".", "cam0"},
        {"a/.b", "a", ".b"},
        {"/srv//cam 0!", "/srv/", "cam 0!"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bus_path path = path_of(known[i].path);
        assert_true(path.is_path);
        assert_string_equal(path.socket, known[i].path);
        assert_string_equal(path.name, known[i].path);
        assert_string_equal(path.directory, known[i].directory);
        assert_string_equal(path.base, known[i].base);
    }
    static const char *const bad[] = {"/", "cam0/", "/srv/..", "./.", "../"};
    struct bus_path path;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(bus_path_find(&path, bad[i]), EINVAL, "directory");
}

static void the_environment_says_where(void **state)
{
    (void)state;
    char text[FRAMEBUS_PATH_MAX + 1], expected[40];
    assert_int_equal(framebus_directory(text, sizeof text), strlen(directory));
    assert_string_equal(text, directory);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    framebus_directory(text, sizeof text);
    assert_string_equal(text, directory);
    unsetenv("FRAMEBUS_DIR");
    framebus_directory(text, sizeof text);
    assert_string_equal(text, "/run/user/7/framebus");
    setenv("FRAMEBUS_DIR", "", 1);
    framebus_directory(text, sizeof text);
    assert_string_equal(text, "/run/user/7/framebus");
    setenv("XDG_RUNTIME_DIR", "", 1);
    framebus_directory(text, sizeof text);
    snprintf(expected, sizeof expected, geteuid() ? "/tmp/framebus-%u" : "/run/framebus",
             (unsigned)geteuid());
    assert_string_equal(text, expected);
    assert_fails(framebus_directory(text, 5), ENAMETOOLONG, "longer than 4");
}

static void paths_that_no_socket_can_have_are_refused(void **state)
{
    (void)state;
    char text[200];
    struct bus_path path;
    struct bus_name held;
    /* The longest that is let through can really be bound. */
    size_t most = FRAMEBUS_PATH_MAX - strlen("..tmp");
    assert_int_equal(mkdir(directory, 0700), 0);
    int start = snprintf(text, sizeof text, "%s/", directory);
    memset(text + start, 'x', sizeof text - (size_t)start);
    text[most] = 0;
    path = path_of(text);
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    bus_name_release(&held);
    text[most] = 'x';
    text[most + 1] = 0;
    assert_fails(bus_path_find(&path, text), ENAMETOOLONG, "FRAMEBUS_DIR");
    text[most + 1] = 'x';
    text[sizeof text - 1] = 0;
    assert_fails(bus_path_find(&path, text), ENAMETOOLONG, "FRAMEBUS_DIR");

    text[most - 2] = 0;
    setenv("FRAMEBUS_DIR", text, 1);
    assert_int_equal(bus_path_find(&path, "n"), 0);
    assert_int_equal(strlen(path.socket), most);
    assert_fails(bus_path_find(&path, "nn"), ENAMETOOLONG, "FRAMEBUS_DIR");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    setenv("FRAMEBUS_DIR", text, 1);
    assert_int_equal(bus_path_find(&path, "n"), -ENAMETOOLONG);
}

/* ---- holding a name ---- */

static void the_holder_listens_with_mode_and_group(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    assert_int_equal(bus_name_hold(&held, &path, 0640, own_group()), 0);
    struct stat st;
    assert_int_equal(stat(path.socket, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_gid, getegid());
    assert_int_equal(stat(directory, &st), 0); /* made on the way, for us alone */
    assert_int_equal(st.st_mode & 07777, 0700);
    int fd = socket_open(path.socket, deadline_in(NS_PER_S));
    assert_true(fd >= 0);
    close(fd);
    assert_false(exists(".cam0.tmp"));

    bus_name_release(&held);
    assert_false(exists("cam0"));
    assert_true(exists(".cam0.lock")); /* is never unlinked: somebody may wait for it */
    bus_name_release(&held);           /* twice is fine */
}

struct hold {
    struct bus_path path;
    int ready;
};

static void hold_name(void *argument)
{
    struct hold *hold = argument;
    struct bus_name held;
    check(bus_name_hold(&held, &hold->path, 0600, (gid_t)-1) == 0);
    check(write(hold->ready, "", 1) == 1);
    pause();
}

static pid_t start_holder(const struct bus_path *path)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct hold hold = {*path, ends[1]};
    pid_t child = start_child(hold_name, &hold);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void a_name_is_held_by_one_only(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    pid_t child = start_holder(&path);
    struct bus_name held;
    char pid[20];
    snprintf(pid, sizeof pid, "process %d", (int)child);
    assert_fails(bus_name_hold(&held, &path, 0600, (gid_t)-1), EADDRINUSE, pid);
    assert_fails(bus_name_lock(&held, &path), EADDRINUSE, pid);
    int fd = socket_open(path.socket, deadline_in(NS_PER_S)); /* and goes on being held */
    assert_true(fd >= 0);
    close(fd);

    kill(child, SIGKILL);
    end_of_child(child);
    assert_true(exists("cam0"));
    assert_int_equal(socket_open(path.socket, 0), -ECONNREFUSED);
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0); /* what is left is replaced */
    fd = socket_open(path.socket, deadline_in(NS_PER_S));
    assert_true(fd >= 0);
    close(fd);
    bus_name_release(&held);
    assert_false(exists("cam0"));
}

/* The child that lets go may be late on a busy machine, but not each time. */
static void a_name_that_is_being_given_up_is_waited_for(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    struct bus_name first, second;
    int r = -EADDRINUSE;
    for (int attempt = 0; r && attempt < 10; attempt++) {
        assert_int_equal(bus_name_lock(&first, &path), 0);
        pid_t child = fork(); /* which shares the lock */
        if (!child) {
            usleep(20000);
            _exit(0);
        }
        bus_name_forget(&first);
        r = bus_name_lock(&second, &path);
        assert_int_equal(end_of_child(child), 0);
    }
    assert_int_equal(r, 0);
    bus_name_release(&second);
}

static void a_lock_alone_keeps_writers_out(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    struct bus_name first, second;
    assert_int_equal(bus_name_lock(&first, &path), 0);
    assert_fails(bus_name_hold(&second, &path, 0600, (gid_t)-1), EADDRINUSE, "just being taken");
    bus_name_release(&first);
    assert_int_equal(bus_name_hold(&second, &path, 0600, (gid_t)-1), 0);
    bus_name_release(&second);
}

static void names_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct bus_path a = path_of("cam0"), b = path_of("cam0.lock"), c = path_of("cam");
    struct bus_name held[3];
    assert_int_equal(bus_name_hold(&held[0], &a, 0600, (gid_t)-1), 0);
    assert_int_equal(bus_name_hold(&held[1], &b, 0600, (gid_t)-1), 0);
    assert_int_equal(bus_name_hold(&held[2], &c, 0600, (gid_t)-1), 0);
    for (int i = 0; i < 3; i++)
        bus_name_release(&held[i]);
}

static void what_is_no_socket_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    int fd = open(path.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_fails(bus_name_hold(&held, &path, 0600, (gid_t)-1), EEXIST, "not a socket");
    assert_true(exists("cam0"));
    unlink(path.socket);
    assert_int_equal(symlink("nowhere", path.socket), 0);
    assert_fails(bus_name_hold(&held, &path, 0600, (gid_t)-1), EEXIST, "not a socket");
    unlink(path.socket);
    assert_int_equal(mkdir(path.socket, 0700), 0);
    assert_fails(bus_name_hold(&held, &path, 0600, (gid_t)-1), EEXIST, "not a socket");
}

static void a_lock_that_is_a_symlink_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    char target[100];
    snprintf(target, sizeof target, "%s/victim", directory);
    assert_int_equal(symlink(target, in_directory(".cam0.lock")), 0);
    assert_int_equal(bus_name_lock(&held, &path), -ELOOP);
    assert_false(exists("victim"));
}

static void leftovers_of_a_start_that_failed_are_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    int fd = open(in_directory(".cam0.tmp"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    assert_false(exists(".cam0.tmp"));
    bus_name_release(&held);
}

static void only_ones_own_socket_is_unlinked(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    unlink(path.socket);
    int fd = open(path.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    bus_name_release(&held);
    assert_true(exists("cam0"));
}

static void forgetting_leaves_the_files(void **state)
{
    (void)state;
    struct bus_path path = path_of("cam0");
    struct bus_name held;
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    bus_name_forget(&held);
    assert_true(exists("cam0"));
}

static void a_path_needs_its_directory(void **state)
{
    (void)state;
    struct bus_name held;
    struct bus_path path = path_of(in_directory("cam0"));
    assert_fails(bus_name_hold(&held, &path, 0600, (gid_t)-1), ENOENT, directory);
    assert_int_equal(mkdir(directory, 0755), 0); /* any mode: the user gave the path and answers for it */
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    assert_true(exists("cam0"));
    bus_name_release(&held);
}

/* ---- the directory in /tmp ---- */

struct tmp_case {
    mode_t mode; /* 0: there is none yet */
    bool foreign, link, file;
    bool empty_variable;
    int expected;
};

#define OTHER_USER 12345

/* As a user with no runtime directory, in a /tmp of its own. */
static void use_tmp(void *argument)
{
    const struct tmp_case *c = argument;
    uid_t uid = geteuid();
    if (uid ? c->foreign : seteuid(OTHER_USER) || seteuid(0))
        skip_because("needs root, to be several users");
    leave_namespaces(CLONE_NEWNS);
    if (mount("own", "/tmp", "tmpfs", 0, "mode=1777"))
        skip_because("no mounts here: %s", strerror(errno));
    if (!uid)
        uid = OTHER_USER;
    char made[64];
    snprintf(made, sizeof made, "/tmp/framebus-%u", (unsigned)uid);
    if (c->link)
        check(mkdir("/tmp/elsewhere", 0700) == 0 && symlink("/tmp/elsewhere", made) == 0 &&
              (geteuid() ||
               (chown("/tmp/elsewhere", uid, (gid_t)-1) == 0 && lchown(made, uid, (gid_t)-1) == 0)));
    else if (c->file)
        check(mknod(made, S_IFREG | c->mode, 0) == 0);
    else if (c->mode)
        check(mkdir(made, 0700) == 0 && chmod(made, c->mode) == 0 &&
              (geteuid() || c->foreign || chown(made, uid, (gid_t)-1) == 0));
    if (!geteuid())
        check(seteuid(uid) == 0);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("FRAMEBUS_DIR");
    if (c->empty_variable)
        setenv("FRAMEBUS_DIR", "", 1);

    struct bus_path path;
    struct bus_name held;
    check(bus_path_find(&path, "cam0") == 0);
    check(!strcmp(path.directory, made));
    int fd = socket_create();
    check(fd >= 0);
    int connected = bus_path_connect(&path, fd, 0); /* what a reader does: nobody is there */
    close(fd);
    check(connected == (c->expected ? c->expected : -ENOENT));
    int r = bus_name_hold(&held, &path, 0600, (gid_t)-1);
    if (r != c->expected)
        fprintf(stderr, "# %d in place of %d\n", r, c->expected);
    check(r == c->expected);
    struct stat st;
    if (!r)
        check(!lstat(made, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700 && st.st_uid == uid);
    else
        check(lstat(path.socket, &st) == -1 && stat("/tmp/elsewhere/cam0", &st) == -1);
    if (r == -EPERM)
        check(strstr(framebus_last_error(), "FRAMEBUS_DIR")); /* what to do */
}

static void a_directory_in_tmp_is_made_for_us_alone(void **state)
{
    (void)state;
    struct tmp_case c = {.mode = 0};
    run_in_child(use_tmp, &c);
    c.mode = 0700;
    run_in_child(use_tmp, &c);
}

static void a_directory_in_tmp_that_others_can_enter_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = {0701, 0710, 0770, 0777, 01777, 02700};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct tmp_case c = {.mode = modes[i], .expected = -EPERM};
        run_in_child(use_tmp, &c);
    }
}

static void a_strangers_directory_in_tmp_is_refused(void **state)
{
    (void)state;
    struct tmp_case c = {.mode = 0755, .foreign = true, .expected = -EPERM};
    run_in_child(use_tmp, &c);
    c = (struct tmp_case){.mode = 0700, .foreign = true, .expected = -EPERM};
    run_in_child(use_tmp, &c);
}

static void a_symlink_in_tmp_is_refused(void **state)
{
    (void)state;
    struct tmp_case c = {.link = true, .expected = -EPERM};
    run_in_child(use_tmp, &c);
}

static void a_file_in_tmp_is_refused(void **state)
{
    (void)state;
    struct tmp_case c = {.mode = 0700, .file = true, .expected = -EPERM};
    run_in_child(use_tmp, &c);
}

static void an_empty_variable_is_an_unset_one(void **state)
{
    (void)state;
    struct tmp_case c = {.mode = 0777, .empty_variable = true, .expected = -EPERM};
    run_in_child(use_tmp, &c);
}

/* ---- waiting for a name ---- */

static bool told_within(const struct bus_watch *watch, int ms)
{
    struct pollfd p = {.fd = watch->fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

#define SOON 10000 /* ms; far more than needed, only a watch that misses events takes that long */

static void a_watch_tells_of_a_writer_wherever_it_begins(void **state)
{
    (void)state;
    skip_without_inotify();
    char deep[120];
    snprintf(deep, sizeof deep, "%s/a/b", directory);
    setenv("FRAMEBUS_DIR", deep, 1);
    struct bus_path path = path_of("cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    struct bus_name held;

    static const char *const steps[] = {"", "/a", "/a/b"};
    for (int i = 0; i < 3; i++) { /* the directories come one by one */
        char step[120];
        assert_int_equal(bus_watch_renew(&watch, &path), 0);
        assert_false(told_within(&watch, 0));
        snprintf(step, sizeof step, "%s%s", directory, steps[i]);
        assert_int_equal(mkdir(step, 0700), 0);
        assert_true(told_within(&watch, SOON));
    }
    for (int round = 0; round < 3; round++) { /* the writer comes and goes */
        assert_int_equal(bus_watch_renew(&watch, &path), 0);
        assert_false(told_within(&watch, 0));
        assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
        assert_true(told_within(&watch, SOON));
        bus_name_release(&held);
    }
    char command[200]; /* the directory itself goes, and comes back */
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    assert_true(told_within(&watch, SOON));
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    assert_false(told_within(&watch, 0));
    for (int i = 0; i < 3; i++) {
        char step[120];
        snprintf(step, sizeof step, "%s%s", directory, steps[i]);
        assert_int_equal(mkdir(step, 0700), 0);
    }
    assert_true(told_within(&watch, SOON));
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    assert_int_equal(bus_name_hold(&held, &path, 0600, (gid_t)-1), 0);
    assert_true(told_within(&watch, SOON));
    bus_name_release(&held);
    bus_watch_finish(&watch);
    bus_watch_finish(&watch);
}

static void a_directory_that_moves_away_is_noticed(void **state)
{
    (void)state;
    skip_without_inotify();
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_path path = path_of("cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    char elsewhere[120];
    snprintf(elsewhere, sizeof elsewhere, "%s.old", directory);
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    assert_int_equal(rename(directory, elsewhere), 0);
    assert_true(told_within(&watch, SOON));
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    assert_int_equal(rename(elsewhere, directory), 0); /* and back */
    assert_true(told_within(&watch, SOON));
    bus_watch_finish(&watch);
}

static void relative_paths_can_be_watched(void **state)
{
    (void)state;
    skip_without_inotify();
    assert_int_equal(mkdir(directory, 0700), 0);
    int before = open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    assert_true(before >= 0 && !chdir(directory));
    struct bus_path path = path_of("sub/cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    assert_int_equal(bus_watch_renew(&watch, &path), 0);
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_true(told_within(&watch, SOON));
    bus_watch_finish(&watch);
    assert_int_equal(fchdir(before), 0);
    close(before);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_checked),
        TEST(names_live_in_the_runtime_directory),
        TEST(a_slash_makes_it_a_path),
        TEST(the_environment_says_where),
        TEST(paths_that_no_socket_can_have_are_refused),
        TEST(the_holder_listens_with_mode_and_group),
        TEST(a_name_is_held_by_one_only),
        TEST(a_name_that_is_being_given_up_is_waited_for),
        TEST(a_lock_alone_keeps_writers_out),
        TEST(names_do_not_disturb_each_other),
        TEST(what_is_no_socket_is_not_replaced),
        TEST(a_lock_that_is_a_symlink_is_refused),
        TEST(leftovers_of_a_start_that_failed_are_replaced),
        TEST(only_ones_own_socket_is_unlinked),
        TEST(forgetting_leaves_the_files),
        TEST(a_path_needs_its_directory),
        TEST(a_directory_in_tmp_is_made_for_us_alone),
        TEST(a_directory_in_tmp_that_others_can_enter_is_refused),
        TEST(a_strangers_directory_in_tmp_is_refused),
        TEST(a_symlink_in_tmp_is_refused),
        TEST(a_file_in_tmp_is_refused),
        TEST(an_empty_variable_is_an_unset_one),
        TEST(a_watch_tells_of_a_writer_wherever_it_begins),
        TEST(a_directory_that_moves_away_is_noticed),
        TEST(relative_paths_can_be_watched),
    };
    return cmocka_run_group_tests_name("directory", tests, make_root, remove_root);
}
