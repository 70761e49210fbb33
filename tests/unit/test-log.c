/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/log.h"

#include <pthread.h>

struct heard {
    unsigned lines;
    enum framebus_log_level level;
    char line[1024];
};

static void hear(enum framebus_log_level level, const char *line, void *user)
{
    struct heard *heard = user;
    heard->lines++;
    heard->level = level;
    snprintf(heard->line, sizeof heard->line, "%s", line);
    errno = EDOM;
}

static int silence(void **state)
{
    (void)state;
    framebus_set_log_handler(NULL, NULL);
    return unsetenv("FRAMEBUS_LOG");
}

static void version_is_the_projects(void **state)
{
    (void)state;
    assert_string_equal(framebus_version(), PROJECT_VERSION);
}

static void *look_at_last_error(void *user)
{
    *(const char **)user = strdup(framebus_last_error());
    fail(-EIO, "in a thread");
    return NULL;
}

static void last_error_belongs_to_its_thread(void **state)
{
    (void)state;
    char *seen = NULL;
    pthread_t thread;
    assert_int_equal(fail(-EBADMSG, "%s has %d legs", "it", 7), -EBADMSG);
    assert_int_equal(pthread_create(&thread, NULL, look_at_last_error, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(seen, "");
    assert_string_equal(framebus_last_error(), "it has 7 legs");
    free(seen);
}

static void failing_leaves_errno_and_may_quote_itself(void **state)
{
    (void)state;
    struct heard heard = {0};
    framebus_set_log_handler(hear, &heard);
    errno = EXDEV;
    fail(-EIO, "the disk");
    assert_int_equal(errno, EXDEV);
    fail(-EIO, "%s, and %s", framebus_last_error(), framebus_last_error());
    assert_string_equal(framebus_last_error(), "the disk, and the disk");
}

static void long_sentences_are_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    fail(-EIO, "%s", text);
    assert_uint_in_range(strlen(framebus_last_error()), 200, 1000);
    struct heard heard = {0};
    framebus_set_log_handler(hear, &heard);
    log_line(FRAMEBUS_LOG_INFO, "%s", text);
    assert_uint_in_range(strlen(heard.line), 200, 1000);
}

static void a_handler_hears_everything(void **state)
{
    (void)state;
    struct heard heard = {0};
    setenv("FRAMEBUS_LOG", "none", 1);
    framebus_set_log_handler(hear, &heard);
    log_line(FRAMEBUS_LOG_WARNING, "line %d", 1);
    assert_int_equal(heard.level, FRAMEBUS_LOG_WARNING);
    assert_string_equal(heard.line, "line 1");
    struct framebus_format format;
    assert_int_equal(framebus_format_init(&format, 1, 1, 1), -EINVAL);
    assert_int_equal(heard.lines, 2);
    assert_int_equal(heard.level, FRAMEBUS_LOG_DEBUG);
    assert_string_equal(heard.line, framebus_last_error());
    framebus_set_log_handler(NULL, NULL);
    log_line(FRAMEBUS_LOG_ERROR, "nobody hears this");
    assert_int_equal(heard.lines, 2);
}

/* What the four levels write to standard error with FRAMEBUS_LOG set so. */
static const char *written(const char *wanted)
{
    static char text[1000];
    if (wanted)
        setenv("FRAMEBUS_LOG", wanted, 1);
    else
        unsetenv("FRAMEBUS_LOG");
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(stderr);
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    log_line(FRAMEBUS_LOG_ERROR, "e");
    log_line(FRAMEBUS_LOG_WARNING, "w");
    log_line(FRAMEBUS_LOG_INFO, "i");
    log_line(FRAMEBUS_LOG_DEBUG, "d");
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(length >= 0);
    text[length] = 0;
    return text;
}

#define ERROR_LINE   "framebus: error: e\n"
#define WARNING_LINE "framebus: warning: w\n"
#define INFO_LINE    "framebus: info: i\n"
#define DEBUG_LINE   "framebus: debug: d\n"

static void environment_says_what_is_written(void **state)
{
    (void)state;
    assert_string_equal(written(NULL), ERROR_LINE WARNING_LINE);
    assert_string_equal(written(""), ERROR_LINE WARNING_LINE);
    assert_string_equal(written("nonsense"), ERROR_LINE WARNING_LINE);
    assert_string_equal(written("none"), "");
    assert_string_equal(written("error"), ERROR_LINE);
    assert_string_equal(written("warning"), ERROR_LINE WARNING_LINE);
    assert_string_equal(written("info"), ERROR_LINE WARNING_LINE INFO_LINE);
    assert_string_equal(written("debug"), ERROR_LINE WARNING_LINE INFO_LINE DEBUG_LINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_the_projects),
        cmocka_unit_test(last_error_belongs_to_its_thread),
        cmocka_unit_test_teardown(failing_leaves_errno_and_may_quote_itself, silence),
        cmocka_unit_test_teardown(long_sentences_are_cut, silence),
        cmocka_unit_test_teardown(a_handler_hears_everything, silence),
        cmocka_unit_test_teardown(environment_says_what_is_written, silence),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
