# SPDX-License-Identifier: MIT
"""SIGKILL of either side, in any order and at any moment, leaves nothing that hurts."""
import random
import time

import pytest
from pipelines import frames_of

ROUNDS = 20
FEW = 3


@pytest.mark.parametrize('memory', ('memfd', pytest.param('posix', marks=pytest.mark.slow),
                                    pytest.param('sysv', marks=pytest.mark.slow)))
def test_killing_both_sides_in_any_order(launch, sums, bus_dir, memory):
    """One reader lives through it all and gets frames of each writer that was given the time to publish some."""
    def start_writer():
        return launch('videotestsrc ! video/x-raw,format=NV12,width=320,height=240,framerate=50/1 '
                      f'! framebussink bus=b memory={memory}')

    watcher = sums('framebussrc bus=b ! fakesink')
    for number in range(ROUNDS):
        chance = random.Random(number)  # the same orders and moments in each run
        before = len(frames_of(watcher))
        pair = [start_writer, lambda: sums('framebussrc bus=b ! fakesink')]
        chance.shuffle(pair)
        processes = [start() for start in pair]
        if chance.random() < 0.3:
            time.sleep(chance.random() * 0.3)  # in the middle of starting
        else:
            watcher.until(lambda: len(frames_of(watcher)) >= before + FEW, what=f'frames of writer {number}')
        chance.shuffle(processes)
        for process in processes:
            process.kill()
            time.sleep(chance.choice((0, 0.05)))

    before = len(frames_of(watcher))
    writer = start_writer()
    watcher.until(lambda: len(frames_of(watcher)) >= before + FEW, what='frames of the last writer')
    assert writer.stop() == 0, writer.report()
    assert watcher.finish() == 0, watcher.err()
    assert [entry.name for entry in bus_dir.iterdir()] == ['.b.lock']
    # That no shared memory is left is looked at after every test.
