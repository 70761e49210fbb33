/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "clock.h"
#include "connection.h"
#include "directory.h"

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

static struct bus_place place_of(const char *name)
{
    struct bus_place place;
    if (place_find(&place, name))
        fail_msg("%s", framebus_last_error());
    return place;
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
        assert_true(place_name_is_valid(good[i]));
        assert_string_equal(place_of(good[i]).base, good[i]);
    }
    struct bus_place place;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(place_name_is_valid(bad[i]));
        assert_fails(place_find(&place, bad[i]), EINVAL, "name");
    }
    assert_false(place_name_is_valid(longest));
    longest[FRAMEBUS_NAME_MAX] = 0;
    assert_true(place_name_is_valid(longest));
    assert_fails(place_find(&place, NULL), EINVAL, "name");
}

static void names_live_in_the_runtime_directory(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    assert_false(place.is_path);
    assert_string_equal(place.directory, directory);
    assert_string_equal(place.path, in_directory("cam0"));
    assert_string_equal(place.name, "cam0");
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
        struct bus_place place = place_of(known[i].path);
        assert_true(place.is_path);
        assert_string_equal(place.path, known[i].path);
        assert_string_equal(place.name, known[i].path);
        assert_string_equal(place.directory, known[i].directory);
        assert_string_equal(place.base, known[i].base);
    }
    static const char *const bad[] = {"/", "cam0/", "/srv/..", "./.", "../"};
    struct bus_place place;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(place_find(&place, bad[i]), EINVAL, "directory");
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
    char path[200];
    struct bus_place place;
    struct bus_claim claim;
    /* The longest that is let through can really be bound. */
    size_t most = FRAMEBUS_PATH_MAX - strlen("..tmp");
    assert_int_equal(mkdir(directory, 0700), 0);
    int start = snprintf(path, sizeof path, "%s/", directory);
    memset(path + start, 'x', sizeof path - (size_t)start);
    path[most] = 0;
    place = place_of(path);
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    claim_finish(&claim);
    path[most] = 'x';
    path[most + 1] = 0;
    assert_fails(place_find(&place, path), ENAMETOOLONG, "FRAMEBUS_DIR");
    path[most + 1] = 'x';
    path[sizeof path - 1] = 0;
    assert_fails(place_find(&place, path), ENAMETOOLONG, "FRAMEBUS_DIR");

    path[most - 2] = 0;
    setenv("FRAMEBUS_DIR", path, 1);
    assert_int_equal(place_find(&place, "n"), 0);
    assert_int_equal(strlen(place.path), most);
    assert_fails(place_find(&place, "nn"), ENAMETOOLONG, "FRAMEBUS_DIR");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    setenv("FRAMEBUS_DIR", path, 1);
    assert_int_equal(place_find(&place, "n"), -ENAMETOOLONG);
}

/* ---- holding a name ---- */

static void the_holder_listens_with_mode_and_group(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    assert_int_equal(claim_listen(&claim, &place, 0640, getegid()), 0);
    struct stat st;
    assert_int_equal(stat(place.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_gid, getegid());
    assert_int_equal(stat(directory, &st), 0); /* made on the way, for us alone */
    assert_int_equal(st.st_mode & 07777, 0700);
    int fd = connection_open(place.path, deadline_in(NS_PER_S));
    assert_true(fd >= 0);
    close(fd);
    assert_false(exists(".cam0.tmp"));

    claim_finish(&claim);
    assert_false(exists("cam0"));
    assert_true(exists(".cam0.lock")); /* is never unlinked: somebody may wait for it */
    claim_finish(&claim);              /* twice is fine */
}

struct hold {
    struct bus_place place;
    int ready;
};

static void hold_name(void *argument)
{
    struct hold *hold = argument;
    struct bus_claim claim;
    check(claim_listen(&claim, &hold->place, 0600, (gid_t)-1) == 0);
    check(write(hold->ready, "", 1) == 1);
    pause();
}

static pid_t start_holder(const struct bus_place *place)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct hold hold = {*place, ends[1]};
    pid_t child = start_child(hold_name, &hold);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void a_name_is_held_by_one_only(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    pid_t child = start_holder(&place);
    struct bus_claim claim;
    char pid[20];
    snprintf(pid, sizeof pid, "process %d", (int)child);
    assert_fails(claim_listen(&claim, &place, 0600, (gid_t)-1), EADDRINUSE, pid);
    assert_fails(claim_lock(&claim, &place), EADDRINUSE, pid);
    int fd = connection_open(place.path, deadline_in(NS_PER_S)); /* and goes on being held */
    assert_true(fd >= 0);
    close(fd);

    kill(child, SIGKILL);
    end_of_child(child);
    assert_true(exists("cam0"));
    assert_int_equal(connection_open(place.path, 0), -ECONNREFUSED);
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0); /* what is left is replaced */
    fd = connection_open(place.path, deadline_in(NS_PER_S));
    assert_true(fd >= 0);
    close(fd);
    claim_finish(&claim);
    assert_false(exists("cam0"));
}

/* The child that lets go may be late on a busy machine, but not each time. */
static void a_name_that_is_being_given_up_is_waited_for(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    struct bus_claim first, second;
    int r = -EADDRINUSE;
    for (int attempt = 0; r && attempt < 10; attempt++) {
        assert_int_equal(claim_lock(&first, &place), 0);
        pid_t child = fork(); /* which shares the lock */
        if (!child) {
            usleep(20000);
            _exit(0);
        }
        claim_forget(&first);
        r = claim_lock(&second, &place);
        assert_int_equal(end_of_child(child), 0);
    }
    assert_int_equal(r, 0);
    claim_finish(&second);
}

static void a_lock_alone_keeps_writers_out(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    struct bus_claim first, second;
    assert_int_equal(claim_lock(&first, &place), 0);
    assert_fails(claim_listen(&second, &place, 0600, (gid_t)-1), EADDRINUSE, "just being taken");
    claim_finish(&first);
    assert_int_equal(claim_listen(&second, &place, 0600, (gid_t)-1), 0);
    claim_finish(&second);
}

static void names_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct bus_place a = place_of("cam0"), b = place_of("cam0.lock"), c = place_of("cam");
    struct bus_claim claim[3];
    assert_int_equal(claim_listen(&claim[0], &a, 0600, (gid_t)-1), 0);
    assert_int_equal(claim_listen(&claim[1], &b, 0600, (gid_t)-1), 0);
    assert_int_equal(claim_listen(&claim[2], &c, 0600, (gid_t)-1), 0);
    for (int i = 0; i < 3; i++)
        claim_finish(&claim[i]);
}

static void what_is_no_socket_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    int fd = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_fails(claim_listen(&claim, &place, 0600, (gid_t)-1), EEXIST, "no socket");
    assert_true(exists("cam0"));
    unlink(place.path);
    assert_int_equal(symlink("/etc/passwd", place.path), 0);
    assert_fails(claim_listen(&claim, &place, 0600, (gid_t)-1), EEXIST, "no socket");
    unlink(place.path);
    assert_int_equal(mkdir(place.path, 0700), 0);
    assert_fails(claim_listen(&claim, &place, 0600, (gid_t)-1), EEXIST, "no socket");
}

static void a_lock_that_is_a_symlink_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    char target[100];
    snprintf(target, sizeof target, "%s/victim", directory);
    assert_int_equal(symlink(target, in_directory(".cam0.lock")), 0);
    assert_int_equal(claim_lock(&claim, &place), -ELOOP);
    assert_false(exists("victim"));
}

static void leftovers_of_a_start_that_failed_are_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    int fd = open(in_directory(".cam0.tmp"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    assert_false(exists(".cam0.tmp"));
    claim_finish(&claim);
}

static void only_ones_own_socket_is_unlinked(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    unlink(place.path);
    int fd = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    claim_finish(&claim);
    assert_true(exists("cam0"));
}

static void forgetting_leaves_the_files(void **state)
{
    (void)state;
    struct bus_place place = place_of("cam0");
    struct bus_claim claim;
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    claim_forget(&claim);
    assert_true(exists("cam0"));
}

static void a_path_needs_its_directory(void **state)
{
    (void)state;
    struct bus_claim claim;
    struct bus_place place = place_of(in_directory("cam0"));
    assert_fails(claim_listen(&claim, &place, 0600, (gid_t)-1), ENOENT, directory);
    assert_int_equal(mkdir(directory, 0755), 0); /* any mode: whoever gave the path answers for it */
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    assert_true(exists("cam0"));
    claim_finish(&claim);
}

/* ---- the directory in /tmp ---- */

struct tmp_case {
    mode_t mode; /* 0: there is none yet */
    bool foreign, link, file;
    bool empty_variable;
    int expected;
};

/* As a user with no runtime directory, in a /tmp of its own. */
static void use_tmp(void *argument)
{
    const struct tmp_case *c = argument;
    uid_t uid = geteuid();
    if (c->foreign && uid)
        _exit(CHILD_CANNOT);
    leave_namespaces(CLONE_NEWNS);
    if (mount("own", "/tmp", "tmpfs", 0, "mode=1777"))
        _exit(CHILD_CANNOT);
    if (!uid)
        uid = 12345;
    char path[64];
    snprintf(path, sizeof path, "/tmp/framebus-%u", (unsigned)uid);
    if (c->link)
        check(mkdir("/tmp/elsewhere", 0700) == 0 && symlink("/tmp/elsewhere", path) == 0 &&
              (geteuid() ||
               (chown("/tmp/elsewhere", uid, (gid_t)-1) == 0 && lchown(path, uid, (gid_t)-1) == 0)));
    else if (c->file)
        check(mknod(path, S_IFREG | c->mode, 0) == 0);
    else if (c->mode)
        check(mkdir(path, 0700) == 0 && chmod(path, c->mode) == 0 &&
              (geteuid() || c->foreign || chown(path, uid, (gid_t)-1) == 0));
    if (!geteuid())
        check(seteuid(uid) == 0);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("FRAMEBUS_DIR");
    if (c->empty_variable)
        setenv("FRAMEBUS_DIR", "", 1);

    struct bus_place place;
    struct bus_claim claim;
    check(place_find(&place, "cam0") == 0);
    check(!strcmp(place.directory, path));
    int fd = connection_socket();
    check(fd >= 0);
    int connected = place_connect(&place, fd, 0); /* what a reader does: nobody is there */
    close(fd);
    check(connected == (c->expected ? c->expected : -ENOENT));
    int r = claim_listen(&claim, &place, 0600, (gid_t)-1);
    if (r != c->expected)
        fprintf(stderr, "# %d in place of %d\n", r, c->expected);
    check(r == c->expected);
    struct stat st;
    if (!r)
        check(!lstat(path, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700 && st.st_uid == uid);
    else
        check(lstat(place.path, &st) == -1 && stat("/tmp/elsewhere/cam0", &st) == -1);
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

#define SOON 10000 /* ms; far more than needed, only a watch that is deaf takes that long */

static void a_watch_tells_of_a_writer_wherever_it_begins(void **state)
{
    (void)state;
    char deep[120];
    snprintf(deep, sizeof deep, "%s/a/b", directory);
    setenv("FRAMEBUS_DIR", deep, 1);
    struct bus_place place = place_of("cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    struct bus_claim claim;

    static const char *const steps[] = {"", "/a", "/a/b"};
    for (int i = 0; i < 3; i++) { /* the directories come one by one */
        char step[120];
        assert_int_equal(watch_arm(&watch, &place), 0);
        assert_false(told_within(&watch, 0));
        snprintf(step, sizeof step, "%s%s", directory, steps[i]);
        assert_int_equal(mkdir(step, 0700), 0);
        assert_true(told_within(&watch, SOON));
    }
    for (int round = 0; round < 3; round++) { /* the writer comes and goes */
        assert_int_equal(watch_arm(&watch, &place), 0);
        assert_false(told_within(&watch, 0));
        assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
        assert_true(told_within(&watch, SOON));
        claim_finish(&claim);
    }
    char command[200]; /* the directory itself goes, and comes back */
    assert_int_equal(watch_arm(&watch, &place), 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    assert_true(told_within(&watch, SOON));
    assert_int_equal(watch_arm(&watch, &place), 0);
    assert_false(told_within(&watch, 0));
    for (int i = 0; i < 3; i++) {
        char step[120];
        snprintf(step, sizeof step, "%s%s", directory, steps[i]);
        assert_int_equal(mkdir(step, 0700), 0);
    }
    assert_true(told_within(&watch, SOON));
    assert_int_equal(watch_arm(&watch, &place), 0);
    assert_int_equal(claim_listen(&claim, &place, 0600, (gid_t)-1), 0);
    assert_true(told_within(&watch, SOON));
    claim_finish(&claim);
    watch_finish(&watch);
    watch_finish(&watch);
}

static void a_directory_that_moves_away_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    struct bus_place place = place_of("cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    char elsewhere[120];
    snprintf(elsewhere, sizeof elsewhere, "%s.old", directory);
    assert_int_equal(watch_arm(&watch, &place), 0);
    assert_int_equal(rename(directory, elsewhere), 0);
    assert_true(told_within(&watch, SOON));
    assert_int_equal(watch_arm(&watch, &place), 0);
    assert_int_equal(rename(elsewhere, directory), 0); /* and back */
    assert_true(told_within(&watch, SOON));
    watch_finish(&watch);
}

static void relative_paths_can_be_watched(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    int before = open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    assert_true(before >= 0 && !chdir(directory));
    struct bus_place place = place_of("sub/cam0");
    struct bus_watch watch = BUS_WATCH_NONE;
    assert_int_equal(watch_arm(&watch, &place), 0);
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_true(told_within(&watch, SOON));
    watch_finish(&watch);
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
