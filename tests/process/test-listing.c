/* SPDX-License-Identifier: MIT */
/* What framebus_list(), framebus_query() and framebus_remove() tell and do. */
#include "harness.h"

#include <sched.h>

static struct framebus_bus_info *query(const char *name)
{
    struct framebus_bus_info *info;
    check_equal(framebus_query(name, &info), 0);
    return info;
}

static void an_empty_or_missing_directory_lists_nothing(void)
{
    struct framebus_bus_info *infos;
    size_t count;
    check_equal(framebus_list(&infos, &count), 0);
    check_equal(count, 0);
    framebus_info_free(infos, count);
    setenv("FRAMEBUS_DIR", path_of("none"), 1);
    check_equal(framebus_list(&infos, &count), 0);
    check_equal(count, 0);
    framebus_info_free(infos, count);
    check_fails(framebus_query("bus", &infos), ENOENT, "no bus \"bus\"");
    setenv("FRAMEBUS_DIR", directory, 1);
}

static void a_live_bus_tells_everything_about_itself(void)
{
    struct framebus_format format = picture("NV12", 320, 240);
    format.rate_num = 50;
    format.rate_den = 1;
    const struct writing writing = {.format = format,
                                    .options = {.memory = FRAMEBUS_MEMORY_POSIX,
                                                .history = 5,
                                                .max_slots = 40,
                                                .max_lends = 3,
                                                .lossless = true,
                                                .label = "a camera\n"},
                                    .interval_ns = 20 * MS};
    pid_t writer = start_writer(&writing);
    check_soon(shared->writer.frames > 10);
    struct framebus_bus_info *info = query("bus");
    check(!strcmp(info->name, "bus"));
    check(!strcmp(info->path, path_of("bus")));
    check_equal(info->state, FRAMEBUS_BUS_LIVE);
    check_equal(info->pid, writer);
    check_equal(info->uid, geteuid());
    check(!strcmp(info->label, "a camera?")); /* nothing that could spoil a terminal */
    check(info->has_format && framebus_format_equal(&info->format, &format));
    check(info->lossless);
    check_equal(info->memory, FRAMEBUS_MEMORY_POSIX);
    check_equal(info->history, 5);
    check_equal(info->max_slots, 40);
    check_equal(info->max_lends, 3);
    check_equal(info->lent, 0);
    check(info->slots_used >= 6 && info->slots_used <= 10);
    check(info->memory_bytes >= info->slots_used * format.size);
    check(info->memory_bytes < (info->slots_used + 1) * (format.size + 16384));
    check(info->published > 10 && info->published <= shared->writer.frames + 1);
    check(info->last_publish_ns > 0 && info->last_publish_ns <= now_ns());
    check(info->rate_millihertz > 0);
    check_equal(info->evicted, 0);
    check_equal(info->readers, 0);
    framebus_info_free(info, 1);

    info = query(path_of("bus")); /* by its path */
    check(!strcmp(info->name, path_of("bus")));
    check_equal(info->state, FRAMEBUS_BUS_LIVE);
    framebus_info_free(info, 1);
    finish(writer, &shared->writer);
}

static void each_reader_has_a_row(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 4}, .interval_ns = 2 * MS});
    struct framebus_reader *rd;
    struct framebus_frame *f[3];
    check_equal(
        framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 5, .label = "mine"}), 0);
    pid_t other = start_reader(&(struct reading){
        .options = {.delivery = FRAMEBUS_DELIVERY_LATEST, .label = "other"}, .tally = &shared->reader[1]});
    for (int i = 0; i < 3; i++)
        check_equal(framebus_reader_next(rd, &f[i], 10 * S), 0);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    struct framebus_frame *last;
    check_equal(framebus_reader_next(rd, &last, 10 * S), 0); /* after a gap */
    check(last->missed > 0);
    struct framebus_bus_info *info = query("bus");
    check_equal(info->readers, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct framebus_peer_info *p = &info->reader[i];
        check_equal(p->uid, geteuid());
        check_equal(p->id, p->pid == getpid() ? 1 : 2);
        if (p->pid == getpid()) {
            check(!strcmp(p->label, "mine"));
            check_equal(p->delivery, FRAMEBUS_DELIVERY_LIVE);
            check_equal(p->quota, 5);
            check_equal(p->held, 4);
            check_equal(p->taken, 4);
            check_equal(p->missed, last->missed + f[0]->missed + f[1]->missed + f[2]->missed);
        } else {
            check_equal(p->pid, other);
            check(!strcmp(p->label, "other"));
            check_equal(p->delivery, FRAMEBUS_DELIVERY_LATEST);
            check_equal(p->quota, 2);
            check(p->taken > 0);
        }
    }
    framebus_info_free(info, 1);
    for (int i = 0; i < 3; i++)
        framebus_reader_release(rd, f[i]);
    framebus_reader_release(rd, last);
    info = query("bus");
    for (uint32_t i = 0; i < info->readers; i++)
        check(info->reader[i].pid != getpid() || info->reader[i].held == 0);
    framebus_info_free(info, 1);
    framebus_reader_close(rd);
    finish(other, &shared->reader[1]);
    finish(writer, &shared->writer);
}

static void describe_oneself(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    struct framebus_frame *f;
    struct framebus_bus_info *info;
    check_equal(framebus_writer_open(&w, "bus", NULL, NULL), 0);
    check_equal(framebus_writer_get_info(w, &info), 0);
    check(!info->has_format);
    check_equal(info->published, 0);
    check_equal(info->last_publish_ns, 0);
    framebus_info_free(info, 1);
    check_equal(framebus_writer_set_format(w, &format), 0);
    check_equal(publish_one(w, 0), 0);
    check_equal(framebus_writer_begin(w, &f), 0);
    check_equal(framebus_writer_get_info(w, &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_LIVE);
    check_equal(info->pid, getpid());
    check_equal(info->published, 1);
    check_equal(info->lent, 1);
    check(!strcmp(info->label, "test-listing"));
    framebus_info_free(info, 1);
    framebus_writer_release(w, f);
    framebus_writer_close(w);
}

static void a_writer_can_describe_itself(void)
{
    join(spawn(describe_oneself, NULL));
}

/* ---- states ---- */

static void live_silent_and_stale_buses_are_told_apart_and_sorted(void)
{
    pid_t live = start_writer(&(struct writing){.bus = "b-live", .interval_ns = 5 * MS});
    pid_t silent = start_writer(&(struct writing){.bus = "c-silent", .tally = &shared->other});
    pid_t stale = start_writer(&(struct writing){.bus = "a-stale", .tally = &shared->reader[0]});
    stop_now(silent);
    kill_now(stale);
    FILE *file = fopen(path_of("a-file"), "we"); /* not a bus */
    check(file && !fclose(file));

    struct framebus_bus_info *infos;
    size_t count;
    int64_t begun = now_ns();
    check_equal(framebus_list(&infos, &count), 0);
    check(now_ns() - begun < 10 * S);
    check_equal(count, 3);
    check(!infos[0].has_writer && infos[1].has_writer && infos[2].has_writer);
    check(!strcmp(infos[0].name, "a-stale") && infos[0].state == FRAMEBUS_BUS_STALE && infos[0].pid == 0);
    check(!strcmp(infos[1].name, "b-live") && infos[1].state == FRAMEBUS_BUS_LIVE && infos[1].pid == live);
    check(!strcmp(infos[2].name, "c-silent") && infos[2].state == FRAMEBUS_BUS_SILENT);
    check_equal(infos[2].pid, silent);
    check(!infos[2].has_format);
    framebus_info_free(infos, count);

    char who[32];
    snprintf(who, sizeof who, "process %d", (int)live);
    check_fails(framebus_remove("b-live", NULL, NULL), EBUSY, who);
    snprintf(who, sizeof who, "process %d", (int)silent);
    check_fails(framebus_remove("c-silent", NULL, NULL), EBUSY, who);
    check_equal(framebus_remove("a-stale", NULL, NULL), 1);
    check_fails(framebus_remove("a-file", NULL, NULL), ENOENT, "a-file");
    check_equal(framebus_list(&infos, &count), 0);
    check_equal(count, 2);
    framebus_info_free(infos, count);

    check(!unlink(path_of("a-file")));
    check(!kill(silent, SIGCONT));
    finish(silent, &shared->other);
    finish(live, &shared->writer);
}

static void asking_again_and_again_leaves_nothing_in_the_writer(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    unsigned fds = 0;
    for (int i = 0; i < 300; i++) {
        struct framebus_bus_info *info = query("bus");
        check_equal(info->state, FRAMEBUS_BUS_LIVE);
        check_equal(info->readers, 0);
        framebus_info_free(info, 1);
        if (i == 0)
            check_soon((fds = count_fds_of(writer)) < count_fds() + 12); /* with what both inherited */
    }
    check_soon(count_fds_of(writer) <= fds);
    finish(writer, &shared->writer);
}

/* ---- other users ---- */

static void look_as_nobody(const void *argument)
{
    const int *expected = argument;
    struct framebus_reader *rd;
    become_nobody();
    struct framebus_bus_info *info = query("bus");
    while (info->state == FRAMEBUS_BUS_SILENT) { /* a busy machine's writer */
        framebus_info_free(info, 1);
        info = query("bus");
    }
    check_equal(info->state, *expected ? FRAMEBUS_BUS_DENIED : FRAMEBUS_BUS_LIVE);
    check(*expected ? info->pid == 0 : info->pid > 0);
    framebus_info_free(info, 1);
    int r = framebus_reader_open(&rd, "bus", NULL);
    check_equal(r, *expected);
    if (r) {
        check(strstr(framebus_last_error(), "may not read"));
    } else {
        struct framebus_frame *f;
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check(frame_number(f) >= 0);
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
    }
}

static void the_access_mode_says_which_users_may_read(void)
{
    if (!can_be_several_users())
        skip_because("needs root, to be several users");
    check(!chmod(directory, 0755));
    for (int kind = 0; kind < 3; kind++) {
        static const unsigned modes[] = {0, 0600, 0660, 0666};
        for (int i = 0; i < 4; i++) {
            pid_t writer = start_writer(
                &(struct writing){.options = {.memory = (enum framebus_memory)kind, .access_mode = modes[i]},
                                  .interval_ns = 5 * MS});
            int expected = modes[i] == 0666 ? 0 : -EACCES;
            join(spawn(look_as_nobody, &expected));
            finish(writer, &shared->writer);
        }
        /* Its group may. */
        pid_t writer = start_writer(&(struct writing){
            .options = {.memory = (enum framebus_memory)kind, .access_mode = 0660, .group = "65534"},
            .interval_ns = 5 * MS});
        int expected = 0;
        join(spawn(look_as_nobody, &expected));
        finish(writer, &shared->writer);
    }
}

/* ---- PID namespaces ---- */

static void look_from_another_namespace(const void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWPID))
        _exit(1);
    pid_t inside = fork_child();
    if (inside) {
        int status = status_of(inside);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    struct framebus_reader *rd;
    struct framebus_reader_stats stats;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    framebus_reader_get_stats(rd, &stats);
    check(stats.has_writer && stats.writer_pid == 0);
    struct framebus_bus_info *info = query("bus");
    check(info->has_writer && info->pid == 0);
    framebus_info_free(info, 1);
    framebus_reader_close(rd);
    _exit(0);
}

static void a_writer_whose_pid_cannot_be_seen_is_there_all_the_same(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    int status = status_of(spawn(look_from_another_namespace, NULL));
    if (status)
        note("no PID namespace can be made here");
    check(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || (WEXITSTATUS(status) == 1 && geteuid())));
    struct framebus_bus_info *info = query("bus");
    check(info->has_writer && info->pid == writer);
    framebus_info_free(info, 1);
    kill_now(writer);
    info = query("bus");
    check(!info->has_writer && info->pid == 0);
    framebus_info_free(info, 1);
    framebus_remove("bus", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(an_empty_or_missing_directory_lists_nothing),
        PROCESS_TEST(a_live_bus_tells_everything_about_itself),
        PROCESS_TEST(each_reader_has_a_row),
        PROCESS_TEST(a_writer_can_describe_itself),
        PROCESS_TEST(live_silent_and_stale_buses_are_told_apart_and_sorted),
        PROCESS_TEST(asking_again_and_again_leaves_nothing_in_the_writer),
        PROCESS_TEST(the_access_mode_says_which_users_may_read),
        PROCESS_TEST(a_writer_whose_pid_cannot_be_seen_is_there_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
