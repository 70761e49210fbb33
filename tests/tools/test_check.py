# SPDX-License-Identifier: MIT
"""`framebus check`: conditions that are met and that are not, and what was nothing to judge."""
import json
import signal

import pytest

FOR = ('--for', '300ms')


def names_of(result, verdict):
    return [line.split()[1] for line in result.stdout.splitlines() if line.split()[0] == verdict]


def test_all_conditions_met(peer, framebus, wait_for):
    """At the latest when the machine is not busy."""
    peer('paint', 'cam0')
    results = []

    def check():
        results.append(framebus('check', *FOR, '--min-fps', '1', '--max-fps', '200', '--max-age', '20s', '--max-missed',
                                '1000', '--not-frozen', '--not-black', '--test', '--unaltered', 'cam0'))
        return results[-1].returncode == 0

    wait_for(check, limit=30, what='all conditions to be met')
    result = results[-1]
    assert result.stderr == ''
    assert names_of(result, 'ok') == ['frames', 'min-fps', 'max-fps', 'max-age', 'max-missed', 'not-frozen',
                                      'not-black', 'test', 'unaltered']


@pytest.mark.parametrize('condition', [['--min-fps', '1000'], ['--max-fps', '0.5'], ['--max-age', '1ns'],
                                       ['--not-frozen'], ['--not-black'], ['--test'], ['--unaltered']])
def test_a_condition_that_is_not_met_is_named(peer, framebus, wait_for, condition):
    peer('write', 'cam0', fill=16)  # black, and always the same
    results = []

    def check():
        results.append(framebus('check', *FOR, *condition, 'cam0'))
        return results[-1].returncode == 1

    wait_for(check, limit=30, what='it not to be met')  # a rate needs two frames
    result = results[-1]
    assert names_of(result, 'FAILED') == [condition[0].lstrip('-')]
    assert names_of(result, 'ok') == ['frames']


def test_grey_is_not_black(peer, framebus):
    peer('write', 'cam0', fill=128)
    assert framebus('check', *FOR, '--not-black', 'cam0').returncode == 0


def test_missed_frames_are_counted(spawn, peer, framebus, build_dir, wait_for):
    """The reader is stopped while frames go by."""
    peer('paint', 'cam0')
    checker = spawn(build_dir / 'tools' / 'framebus', 'check', '--for', '60s', '--max-missed', '0', '--test', '--json',
                    'cam0')
    reader = lambda: json.loads(framebus('info', '--json', 'cam0').stdout)['readers']
    checker.until(lambda: any(one['taken'] > 1 for one in reader()), what='its first frame')
    taken = reader()[0]['taken']
    checker.send_signal(signal.SIGSTOP)
    published = lambda: json.loads(framebus('info', '--json', 'cam0').stdout)['stream']['published']
    at_least = published() + 50
    wait_for(lambda: published() > at_least)
    checker.send_signal(signal.SIGCONT)
    checker.until(lambda: any(one['missed'] > 20 for one in reader()), what='what it missed')
    checker.until(lambda: any(one['taken'] > taken + 20 for one in reader()), what='more frames')
    assert checker.stop() == 1
    seen = json.loads(checker.out())
    assert seen['frames'] >= taken and seen['missed'] > 20
    verdict = {one['name']: one['met'] for one in seen['conditions']}
    assert verdict == {'frames': True, 'max-missed': False, 'test': True}


@pytest.mark.parametrize('fault, counted', [('tear', 'torn'), ('repeat', 'doubled'), ('skip', 'lost')])
def test_faults_of_a_test_picture_are_told_apart(peer, framebus, wait_for, fault, counted):
    peer('paint', 'cam0', **{fault: 10})
    results = []

    def check():
        results.append(framebus('check', *FOR, '--test', '--json', 'cam0'))
        return json.loads(results[-1].stdout)['test'][counted] > 0

    wait_for(check, limit=30, what='such a fault')
    test = json.loads(results[-1].stdout)['test']
    assert results[-1].returncode == 1
    assert [key for key in ('torn', 'doubled', 'lost', 'backward') if test[key]] == [counted], test


def test_json_has_everything(peer, framebus_json, wait_for):
    peer('paint', 'cam0')
    results = []

    def check():
        results.append(framebus_json('check', *FOR, 'cam0'))
        return results[-1]['frames'] > 3

    wait_for(check, limit=30, what='some frames')
    seen = results[-1]
    assert seen['ok'] is True and seen['bus'] == 'cam0'
    assert seen['format'].startswith('NV12 320x240')
    assert 1 < seen['fps'] < 1000
    assert 0 <= seen['age_median_ms'] <= seen['age_p99_ms'] <= seen['age_max_ms']
    assert seen['black'] is False and seen['test']['whole'] == seen['frames']


def test_what_a_payload_looks_like_cannot_be_told(peer, framebus, framebus_json):
    peer('write', 'cam0', caps='video/x-h264')
    result = framebus('check', *FOR, '--not-black', 'cam0')
    assert result.returncode == 1
    assert 'cannot be measured' in result.stdout
    seen = framebus_json('check', *FOR, 'cam0')
    assert seen['black'] is None and seen['test'] is None


def test_without_frames_there_is_a_verdict_too(peer, framebus):
    peer('write', 'cam0', idle=1)
    result = framebus('check', '--for', '300ms', 'cam0')
    assert result.returncode == 1
    assert names_of(result, 'FAILED') == ['frames']


def test_without_a_bus_there_is_nothing_to_judge(framebus):
    result = framebus('check', 'cam0')
    assert (result.returncode, result.stdout) == (3, '')
    assert 'cam0' in result.stderr


def test_it_waits_for_a_writer_if_asked(spawn, peer, build_dir):
    checker = spawn(build_dir / 'tools' / 'framebus', 'check', '--wait', '30s', '--for', '300ms', 'cam0')
    peer('paint', 'cam0')
    assert checker.finish(30) == 0


def test_a_writer_that_is_killed_leaves_nothing_to_judge(spawn, peer, framebus_json, build_dir):
    writer = peer('paint', 'cam0')
    checker = spawn(build_dir / 'tools' / 'framebus', 'check', '--for', '60s', 'cam0')
    checker.until(lambda: framebus_json('info', 'cam0')['readers'], what='being let in')
    writer.kill()
    assert checker.finish() == 3
    assert 'cam0' in checker.err()


def test_an_interrupt_ends_it_with_what_has_been_seen(spawn, peer, framebus_json, build_dir):
    peer('paint', 'cam0')
    checker = spawn(build_dir / 'tools' / 'framebus', 'check', '--for', '60s', 'cam0')
    checker.until(lambda: any(one['taken'] > 3 for one in framebus_json('info', 'cam0')['readers']), what='frames')
    assert checker.stop() == 0
    assert 'frames came' in checker.out()
