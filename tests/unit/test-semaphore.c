/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/bell.h"
#include "shared/semaphore.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

static void who_does_not_sleep_is_not_rung_for(void **state)
{
    (void)state;
    shared_u32 sleeps = 0, rung = 0;
    assert_false(semaphore_must_ring(&sleeps, &rung));
    semaphore_sleep(&sleeps);
    semaphore_wake(&sleeps);
    assert_false(semaphore_must_ring(&sleeps, &rung));
}

static void each_sleep_is_rung_for_once(void **state)
{
    (void)state;
    shared_u32 sleeps = UINT32_MAX - 20, rung = 0; /* past the wrap, too */
    for (unsigned sleep = 0; sleep < 30; sleep++) {
        semaphore_sleep(&sleeps);
        assert_true(load_relaxed(&sleeps) & 1);
        assert_true(semaphore_must_ring(&sleeps, &rung));
        assert_false(semaphore_must_ring(&sleeps, &rung));
        semaphore_wake(&sleeps);
        assert_false(load_relaxed(&sleeps) & 1);
        assert_false(semaphore_must_ring(&sleeps, &rung));
    }
}

static void a_bell_wakes_and_falls_silent_by_itself(void **state)
{
    (void)state;
    unsigned fds = count_fds();
    int event, wait;
    uint32_t strikes = 0;
    struct epoll_event got;
    assert_int_equal(bell_create(&event, &wait), 0);
    assert_int_equal(epoll_wait(wait, &got, 1, 0), 0);
    for (int round = 0; round < 5; round++) {
        assert_true(bell_ring(event, &strikes));
        struct pollfd outside = {.fd = wait, .events = POLLIN};
        assert_int_equal(poll(&outside, 1, 5000), 1); /* it can be waited for from outside, too */
        assert_int_equal(epoll_wait(wait, &got, 1, 5000), 1);
        assert_int_equal(epoll_wait(wait, &got, 1, 0), 0); /* nobody has read the eventfd */
    }
    bell_ring(event, &strikes);
    bell_ring(event, &strikes);
    assert_int_equal(epoll_wait(wait, &got, 1, 5000), 1); /* two in one */
    assert_int_equal(epoll_wait(wait, &got, 1, 0), 0);
    close(event);
    close(wait);
    assert_int_equal(count_fds(), fds);
}

static void ringing_never_blocks(void **state)
{
    (void)state;
    int event, wait;
    uint32_t strikes = 0;
    assert_int_equal(bell_create(&event, &wait), 0);
    uint64_t full = UINT64_MAX - 1; /* as full as an eventfd gets */
    assert_int_equal(write(event, &full, sizeof full), sizeof full);
    for (int i = 0; i < 1000; i++)
        bell_ring(event, &strikes);
    struct epoll_event got;
    assert_int_equal(epoll_wait(wait, &got, 1, 0), 1);
    close(event);
    close(wait);
}

/* One posts, one takes; every post must arrive. Lost wake-ups hang: so waiting has a limit that
 * only a lost one reaches. */
#define POSTS 200000

struct ping {
    shared_u32 posted, sleeps, rung;
    int event, wait;
    uint32_t taken, sleeps_taken;
    bool lost;
};

static void *take_posts(void *user)
{
    struct ping *ping = user;
    while (ping->taken < POSTS && !ping->lost) {
        if (load_ordered(&ping->posted) != ping->taken) {
            ping->taken++;
            continue;
        }
        struct epoll_event got;
        while (epoll_wait(ping->wait, &got, 1, 0) > 0)
            ; /* drained before the second look, not after */
        semaphore_sleep(&ping->sleeps);
        if (load_ordered(&ping->posted) == ping->taken) {
            ping->lost = epoll_wait(ping->wait, &got, 1, 20000) == 0;
            ping->sleeps_taken++;
        }
        semaphore_wake(&ping->sleeps);
    }
    return NULL;
}

static void no_wake_up_is_lost(void **state)
{
    (void)state;
    struct ping ping = {0};
    uint32_t strikes = 0;
    assert_int_equal(bell_create(&ping.event, &ping.wait), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_posts, &ping), 0);
    for (uint32_t n = 1; n <= POSTS; n++) {
        store_ordered(&ping.posted, n);
        if (semaphore_must_ring(&ping.sleeps, &ping.rung))
            bell_ring(ping.event, &strikes);
        for (unsigned pause = n % 64; pause; pause--)
            __asm__ volatile("" ::: "memory");
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(ping.lost);
    assert_int_equal(ping.taken, POSTS);
    close(ping.event);
    close(ping.wait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_sleep_is_not_rung_for),
        cmocka_unit_test(each_sleep_is_rung_for_once),
        cmocka_unit_test(a_bell_wakes_and_falls_silent_by_itself),
        cmocka_unit_test(ringing_never_blocks),
        cmocka_unit_test(no_wake_up_is_lost),
    };
    return cmocka_run_group_tests_name("semaphore", tests, NULL, NULL);
}
