/* SPDX-License-Identifier: MIT */
/*
 * The machine of memory.h, and every execution on it of a scenario: order SCENARIO PREEMPTIONS [ACCESS
 * ORDER]. Threads are interrupted at most so often where they could go on; where one waits or ends, each
 * other comes next in turn. ACCESS, a function and what it says, can be given a weaker order than it has.
 */
#include "memory.h"

#include "order.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define VALUES_MAX  48
#define CHOICES_MAX 512
#define STORY_MAX   512
#define STACK_SIZE  65536

struct value {
    uint32_t value;
    struct view view; /* what whoever acquires it sees */
};

struct word {
    const shared_u32 *at;
    uint8_t count, ordered; /* no ordered load returns a value older than [ordered] */
    struct value values[VALUES_MAX];
};

struct thread {
    ucontext_t context;
    struct view view;
    bool done;
    const bool *waits_for;
};

static struct word words[WORDS_MAX];
static struct thread threads[THREADS_MAX];
static char stacks[THREADS_MAX][STACK_SIZE];
static ucontext_t outside;
static unsigned word_count, thread_count, current, preemptions, preemptions_max;
static bool exploring;

/* ---- choices ---- */

static struct {
    uint8_t taken, of;
} choices[CHOICES_MAX];
static unsigned choice_count, choice;

/* One of these many, each in turn over all executions. */
static unsigned choose(unsigned of)
{
    if (of < 2 || !exploring)
        return 0;
    if (choice == CHOICES_MAX)
        violated("more than %d choices in an execution", CHOICES_MAX);
    if (choice == choice_count)
        choices[choice_count++].of = (uint8_t)of;
    return choices[choice++].taken;
}

/* The last choice that can be made differently is; false: none. */
static bool choose_differently(void)
{
    while (choice_count && choices[choice_count - 1].taken + 1 == choices[choice_count - 1].of)
        choices[--choice_count].taken = 0;
    if (choice_count)
        choices[choice_count - 1].taken++;
    choice = 0;
    return choice_count;
}

/* ---- what happened, for whoever has to understand it ---- */

static struct {
    unsigned thread;
    struct access access;
    uint32_t value;
    bool old;
} story[STORY_MAX];
static unsigned told;

static void tell(struct access access, uint32_t value, bool old)
{
    if (told == STORY_MAX)
        violated("more than %d steps in an execution", STORY_MAX);
    story[told].thread = current;
    story[told].access = access;
    story[told].value = value;
    story[told++].old = old;
}

void violated(const char *format, ...)
{
    va_list args;
    for (unsigned i = 0; i < told; i++)
        printf("%u: %s: %s: %u%s\n", story[i].thread, story[i].access.function, story[i].access.text,
               story[i].value, story[i].old ? ", not the newest" : "");
    va_start(args, format);
    fputs("violated: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    exit(1);
}

/* ---- threads ---- */

static void resume(unsigned next)
{
    unsigned before = current;
    current = next;
    if (next != before)
        swapcontext(&threads[before].context, &threads[next].context);
}

/* Who goes on now? Perhaps somebody else. */
static void let_others(void)
{
    unsigned able[THREADS_MAX], count = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        unsigned t = (current + i) % thread_count; /* whoever runs comes first */
        if (!threads[t].done && (!threads[t].waits_for || *threads[t].waits_for))
            able[count++] = t;
    }
    if (count && able[0] == current) {
        unsigned chosen = preemptions < preemptions_max ? choose(count) : 0;
        preemptions += chosen != 0;
        resume(able[chosen]);
    } else if (count) {
        resume(able[choose(count)]);
    } else {
        for (unsigned t = 0; t < thread_count; t++)
            if (!threads[t].done)
                violated("thread %u waits for ever", t);
        setcontext(&outside);
    }
}

static void step(void)
{
    if (exploring)
        let_others();
}

static void run_thread(void)
{
    scenario->thread[current]();
    threads[current].done = true;
    let_others();
}

void wait_until(const bool *what)
{
    threads[current].waits_for = what;
    let_others();
    threads[current].waits_for = NULL;
}

static void join(struct view *view, const struct view *more)
{
    for (unsigned i = 0; i < WORDS_MAX; i++)
        if (view->oldest[i] < more->oldest[i])
            view->oldest[i] = more->oldest[i];
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (view->done[i] < more->done[i])
            view->done[i] = more->done[i];
}

void hand_over(unsigned thread)
{
    join(&threads[thread].view, &threads[current].view);
    threads[current].view.done[current]++;
}

/* ---- words ---- */

static unsigned number_of(const shared_u32 *at)
{
    for (unsigned i = 0; i < word_count; i++)
        if (words[i].at == at)
            return i;
    if (word_count == WORDS_MAX)
        violated("more than %d words", WORDS_MAX);
    words[word_count] = (struct word){.at = at, .count = 1, .values[0].value = at->initial};
    return word_count++;
}

static struct {
    const char *access;
    enum order order;
    bool found;
} weaker;

static enum order order_of(const struct access *access)
{
    size_t length = strlen(access->function);
    if (!weaker.access || strncmp(weaker.access, access->function, length) || weaker.access[length] != ' ' ||
        strcmp(weaker.access + length + 1, access->text) != 0)
        return access->order;
    weaker.found = true;
    return weaker.order;
}

uint32_t memory_load(const shared_u32 *at, struct access access)
{
    step();
    enum order order = order_of(&access);
    unsigned n = number_of(at);
    struct word *word = &words[n];
    struct view *view = &threads[current].view;
    unsigned oldest = view->oldest[n];
    if (order == ORDERED && oldest < word->ordered)
        oldest = word->ordered;
    unsigned chosen = word->count - 1u - choose(word->count - oldest);
    view->oldest[n] = (uint8_t)chosen;
    if (order & ACQUIRE)
        join(view, &word->values[chosen].view);
    if (order == ORDERED)
        word->ordered = (uint8_t)chosen;
    tell(access, word->values[chosen].value, chosen + 1u < word->count);
    return word->values[chosen].value;
}

static void add_value(unsigned n, uint32_t value, bool goes_on, const struct access *access)
{
    enum order order = order_of(access);
    struct word *word = &words[n];
    struct view *view = &threads[current].view;
    if (word->count == VALUES_MAX)
        violated("more than %d values in a word", VALUES_MAX);
    struct value *newest = &word->values[word->count];
    *newest = (struct value){.value = value};
    if (goes_on) /* the release sequence */
        newest->view = newest[-1].view;
    newest->view.oldest[n] = view->oldest[n] = word->count;
    if (order & RELEASE)
        join(&newest->view, view);
    if (order == ORDERED)
        word->ordered = word->count;
    word->count++;
    view->done[current]++;
    tell(*access, value, false);
}

void memory_store(shared_u32 *at, uint32_t value, struct access access)
{
    step();
    add_value(number_of(at), value, false, &access);
}

uint32_t memory_change(shared_u32 *at, uint32_t keep, uint32_t set, uint32_t add, struct access access)
{
    step();
    unsigned n = number_of(at);
    const struct value *before = &words[n].values[words[n].count - 1];
    if (order_of(&access) & ACQUIRE)
        join(&threads[current].view, &before->view);
    add_value(n, ((before->value & keep) | set) + add, true, &access);
    return before->value;
}

/* ---- what is not atomic ---- */

static bool has_seen(unsigned thread, unsigned when)
{
    return threads[current].view.done[thread] >= when;
}

void plain_read(struct plain *plain)
{
    if (!has_seen(plain->writer, plain->written))
        violated("thread %u reads what is being written", current);
    plain->read[current] = threads[current].view.done[current];
}

void plain_write(struct plain *plain)
{
    for (unsigned t = 0; t < thread_count; t++)
        if (!has_seen(t, plain->read[t]))
            violated("thread %u writes what is being read", current);
    if (!has_seen(plain->writer, plain->written))
        violated("thread %u writes what is being written", current);
    plain->writer = (uint8_t)current;
    plain->written = threads[current].view.done[current];
}

/* ---- executions ---- */

static void execute(void)
{
    memset(threads, 0, sizeof threads);
    word_count = current = preemptions = 0;
    told = 0;
    exploring = false;
    for (thread_count = 0; thread_count < THREADS_MAX && scenario->thread[thread_count]; thread_count++) {
        struct thread *t = &threads[thread_count];
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = stacks[thread_count];
        t->context.uc_stack.ss_size = STACK_SIZE;
        makecontext(&t->context, run_thread, 0);
        t->view.done[thread_count] = 1;
    }
    scenario->prepare();
    exploring = true;
    current = choose(thread_count);
    swapcontext(&outside, &threads[current].context);
}

static bool take_arguments(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum order order;
    } orders[] = {{"relaxed", RELAXED}, {"acquire", ACQUIRE}, {"release", RELEASE}, {"acq_rel", ACQ_REL}};
    if (argc != 3 && argc != 5)
        return false;
    for (scenario = scenarios; scenario->name && strcmp(scenario->name, argv[1]) != 0;)
        scenario++;
    preemptions_max = (unsigned)atoi(argv[2]);
    if (argc == 3)
        return scenario->name;
    weaker.access = argv[3];
    for (unsigned i = 0; i < 4; i++) {
        weaker.order = orders[i].order;
        if (!strcmp(argv[4], orders[i].name))
            return scenario->name;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (!take_arguments(argc, argv)) {
        fprintf(stderr, "usage: %s SCENARIO PREEMPTIONS [ACCESS relaxed|acquire|release|acq_rel]\n", argv[0]);
        return 2;
    }
    unsigned long executions = 0;
    do {
        execute();
        executions++;
    } while (choose_differently());
    if (weaker.access && !weaker.found) {
        fprintf(stderr, "%s: there is no %s in %s\n", argv[0], argv[3], argv[1]);
        return 2;
    }
    printf("%lu executions\n", executions);
    return 0;
}
