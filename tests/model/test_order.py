# SPDX-License-Identifier: MIT
"""No order of lib/shared/slots.c and lib/shared/semaphore.h is too weak for C11, and none is stronger than it need be.

See memory.h for what is run, order.c for the scenarios, docs/inside/memory-order.md for why each order is what it is. Every
atomic access of lib/ stands in one of the tables here, by its function.
"""
import os
import pathlib
import re
import subprocess

import pytest

LIB = pathlib.Path(__file__).resolve().parents[2] / 'lib'

# Threads are interrupted at most so often in --quick, and once more otherwise.
SCENARIOS = {'claims': 5, 'late': 4, 'release': 2, 'filled': 4, 'free': 4, 'recall': 5, 'counter': 3}

NEEDED = [  # where and what, the next weaker order, a scenario that cannot do with it
    ('shared/slots.c', 'slots_load_claims load_ordered(&reader->page->claims[w])', 'acquire', 'late'),
    ('shared/slots.c', 'slots_acquire store_ordered(&slots->table[i].version)', 'release', 'claims'),
    ('shared/slots.c', 'slots_acquire load_ordered(&r->page->claims[i / 32])', 'acquire', 'claims'),
    ('shared/slots.c', 'slots_claims load_ordered(&page->claims[slot / 32])', 'acquire', 'recall'),
    ('shared/slots.c', 'slots_recall store_ordered(&slots->table[slot].version)', 'release', 'recall'),
    ('shared/slots.c', 'slots_publish store_ordered(&slots->index->head)', 'release', 'late'),
    ('shared/slots.c', 'slots_publish store_ordered(&slots->index->head)', 'release', 'filled'),
    ('shared/slots.h', 'slots_filled load_ordered(&view->index->head)', 'acquire', 'late'),
    ('shared/slots.h', 'slots_filled load_ordered(&view->index->head)', 'acquire', 'filled'),
    ('shared/slots.c', 'slots_claim set_bits_ordered(claims)', 'acq_rel', 'claims'),
    ('shared/slots.c', 'slots_claim load_ordered(&view->table[slot].version)', 'acquire', 'claims'),
    ('shared/slots.c', 'slots_claim clear_bits_ordered(claims)', 'acq_rel', 'late'),
    ('shared/slots.c', 'slots_unclaim clear_bits_ordered(&view->page->claims[slot / 32])', 'acq_rel', 'recall'),
    ('shared/slots.c', 'slots_unclaim clear_bits_ordered(&view->page->claims[slot / 32])', 'acquire', 'claims'),
    ('shared/semaphore.h', 'semaphore_sleep store_ordered(sleeps)', 'release', 'filled'),
    ('shared/semaphore.h', 'semaphore_sleep store_ordered(sleeps)', 'release', 'free'),
    ('shared/semaphore.h', 'semaphore_must_ring load_ordered(sleeps)', 'acquire', 'filled'),
    ('shared/semaphore.h', 'semaphore_must_ring load_ordered(sleeps)', 'acquire', 'free'),
    ('shared/counter.h', 'counter_store store_release(&counter->low)', 'relaxed', 'counter'),
    ('shared/counter.h', 'counter_store store_release(&counter->high_last)', 'relaxed', 'counter'),
    ('shared/counter.h', 'counter_load load_acquire(&counter->high_last)', 'relaxed', 'counter'),
    ('shared/counter.h', 'counter_load load_acquire(&counter->low)', 'relaxed', 'counter'),
    # Of these order.c has copies.
    ('writer/pool.c', 'pool_retire store_ordered(&pool->slots.index->state)', 'release', 'filled'),
    ('reader/reader.c', 'reader_pool_state load_ordered(&pool->view.index->state)', 'acquire', 'filled'),
    ('reader/reader.c', 'reader_dequeue store_ordered(&view->page->next)', 'release', 'free'),
    ('writer/lossless.c', 'is_frames_behind load_ordered(&peer->page->next)', 'acquire', 'free'),
]
NOT_NEEDED = [  # the order of head is enough
    ('shared/slots.c', 'slots_acquire store_release(&slots->table[i].version)', 'relaxed', 'claims'),
    ('shared/slots.c', 'slots_recall store_release(&slots->table[slot].version)', 'relaxed', 'recall'),
    ('shared/slots.c', 'slots_publish store_release(&slots->table[slot].version)', 'relaxed', 'claims'),
]
RELAXED = [
    ('shared/slots.c', 'slots_publish store_relaxed(&slots->index->ring[number & slots->ring_mask])'),
    ('shared/slots.c', 'slots_claim load_relaxed(&view->index->ring[number & view->ring_mask])'),
    ('shared/semaphore.h', 'semaphore_sleep load_relaxed(sleeps)'),
    ('shared/semaphore.h', 'semaphore_wake store_relaxed(sleeps)'),
    ('shared/semaphore.h', 'semaphore_wake load_relaxed(sleeps)'),
    ('shared/semaphore.h', 'semaphore_must_ring load_relaxed(rung_for)'),
    ('shared/semaphore.h', 'semaphore_must_ring store_relaxed(rung_for)'),
    ('reader/reader.c', 'reader_next load_relaxed(&rd->pool->page->sleeps)'),
    ('reader/reader.c', 'reader_next store_relaxed(&rd->pool->page->wants)'),
    ('reader/look.c', 'look load_relaxed(&index->state)'),
    ('reader/look.c', 'look_plan load_relaxed(&rd->pool->page->looks)'),
    ('reader/look.c', 'look_plan store_relaxed(&rd->pool->page->looks)'),
    ('reader/look.c', 'look_plan load_relaxed(&rd->pool->view.index->lookers)'),
    ('reader/look.c', 'look_ahead load_relaxed(&rd->pool->page->sleeps)'),
    ('writer/server.c', 'server_ring load_relaxed(&r->page->looks)'),
    ('writer/server.c', 'server_ring load_relaxed(&r->page->wants)'),
    ('writer/server.c', 'server_ring load_relaxed(&pool->slots.index->lookers)'),
    ('writer/server.c', 'server_ring store_relaxed(&pool->slots.index->lookers)'),
    ('shared/counter.h', 'counter_store store_relaxed(&counter->high_first)'),
    ('shared/counter.h', 'counter_load load_relaxed(&counter->high_first)'),
    ('writer/server.c', 'peer_offer_pool store_relaxed(&peer->page->next)'),
    ('writer/server.c', 'peer_offer_pool store_relaxed(&peer->page->key_requests)'),
    ('writer/key_frame.c', 'key_frames_look load_relaxed(&peer->page->key_requests)'),
    ('writer/key_frame.c', 'key_frames_look load_relaxed(&peer->page->missed.low)'),
    ('reader/attach.c', 'attach_on_pool store_relaxed(&pool->page->key_requests)'),
    ('reader/reader.c', 'framebus_reader_request_key_frame store_relaxed(&rd->pool->page->key_requests)'),
    ('frame.c', 'block_next load_relaxed(&words[0])'),
    ('frame.c', 'block_next load_relaxed(&words[1])'),
]
OF_ONE_PROCESS = [  # between threads; litmus/ has the first two
    ('reader/reader.c', 'framebus_reader_next atomic_load_explicit(&rd->held, memory_order_acquire)'),
    ('reader/reader.h', 'refcount_drop atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel)'),
    ('reader/reader.h', 'refcount_add atomic_fetch_add_explicit(count, 1, memory_order_relaxed)'),
    ('reader/reader.c', 'reader_ask_for_quota atomic_load_explicit(&rd->held, memory_order_acquire)'),
    ('reader/reader.c', 'framebus_reader_get_stats atomic_load_explicit(&rd->held, memory_order_relaxed)'),
    ('reader/reader.c', 'framebus_reader_release atomic_fetch_sub(&rd->held, 1)'),
    ('reader/reader.c', 'reader_wait_for_release atomic_load(&rd->held)'),
    ('reader/reader.c', 'reader_repeat atomic_load_explicit(&rd->held, memory_order_acquire)'),
    ('reader/reader.c', 'reader_repeat atomic_load(&f->holds)'),
    ('reader/reader.c', 'reader_repeat atomic_compare_exchange_weak(&f->holds, &holds, holds + 1)'),
    ('reader/reader.c', 'reader_hold atomic_store_explicit(&f->holds, 1, memory_order_relaxed)'),
    ('reader/reader.c', 'framebus_reader_release atomic_fetch_sub(&f->holds, 1)'),
    ('reader/readiness.c', 'readiness_want atomic_store(&readiness->wanted, true)'),
    ('reader/readiness.h', 'readiness_released atomic_load(&readiness->wanted)'),
    ('reader/readiness.h', 'readiness_released atomic_exchange(&readiness->wanted, false)'),
    ('reader/readiness.c', 'readiness_ring atomic_store(&readiness->rung, true)'),
    ('reader/readiness.c', 'readiness_drain atomic_load(&readiness->rung)'),
    ('reader/readiness.c', 'readiness_drain atomic_exchange(&readiness->rung, false)'),
    ('base/cancel.c', 'cancel_set atomic_store(&cancel->set, true)'),
    ('base/cancel.c', 'cancel_clear atomic_store(&cancel->set, false)'),
    ('base/cancel.c', 'cancel_drain atomic_load(&cancel->set)'),
    ('base/cancel.h', 'cancel_is_set atomic_load_explicit(&cancel->set, memory_order_relaxed)'),
    ('base/log.c', 'log_write atomic_fetch_add(&left_out, 1)'),
    ('base/log.c', 'log_write atomic_exchange(&left_out, 0)'),
]
ACCESS = re.compile(r'\b(?:(?:load|store)_(?:relaxed|acquire|release|ordered)|\w+_bits_ordered|atomic_\w+)\(')


def order(build_dir, *args):
    done = subprocess.run([build_dir / 'tests/model/order', *map(str, args)], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize('scenario', SCENARIOS)
def test_holds(scenario, build_dir):
    preemptions = SCENARIOS[scenario] + (os.environ.get('FRAMEBUS_TESTS') != 'quick')
    out = order(build_dir, scenario, preemptions)
    assert 'violated' not in out, out
    print(f'# figure: memory order, {scenario}, threads interrupted at most {preemptions} times: {out.strip()}, holds')


@pytest.mark.parametrize('where, access, weaker, scenario', NEEDED)
def test_weaker_is_caught(where, access, weaker, scenario, build_dir):
    out = order(build_dir, scenario, SCENARIOS[scenario], access, weaker)
    assert 'violated' in out, f'{scenario} goes on with {access} {weaker}: {out}'


@pytest.mark.parametrize('where, access, weaker, scenario', NOT_NEEDED)
def test_weaker_is_not_caught(where, access, weaker, scenario, build_dir):
    """When one is, docs/inside/memory-order.md has to say so."""
    assert 'violated' not in order(build_dir, scenario, SCENARIOS[scenario], access, weaker)


def test_every_access_is_known():
    found = set()
    for path in set(LIB.rglob('*.[ch]')) - {LIB / 'include' / 'framebus.h', LIB / 'shared' / 'atomic.h'}:
        function = ''
        for line in path.read_text().splitlines():
            if line[:1].isalpha() and '(' in line:
                function = re.search(r'(\w+)\(', line).group(1)
            for name in ACCESS.finditer(line):
                depth, end = 0, name.end()
                stops = ')' if 'atomic' in name.group() else ',)'  # of the others the name tells the order
                while depth or line[end] not in stops:
                    depth += {'(': 1, '[': 1, ')': -1, ']': -1}.get(line[end], 0)
                    end += 1
                found.add((str(path.relative_to(LIB)), f'{function} {line[name.start():end]})'))
    known = {row[:2] for row in NEEDED + NOT_NEEDED + RELAXED + OF_ONE_PROCESS}
    assert found == known, f'new: {found - known}; gone: {known - found}'
