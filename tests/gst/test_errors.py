# SPDX-License-Identifier: MIT
"""What is wrong is said, with the value and what to do."""
import pytest
from pipelines import frames_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'


def fails(process, *texts):
    assert process.finish(20) != 0, process.report()
    for text in texts:
        assert text in process.err(), process.err()


@pytest.mark.parametrize('description', ('videotestsrc ! framebussink', 'framebussrc ! fakesink'))
def test_no_name(launch, description):
    fails(launch(description), 'bus=')


@pytest.mark.parametrize('name', ('.hidden', 'white%20space', 'x' * 65))
@pytest.mark.parametrize('template', ('videotestsrc ! framebussink bus={}', 'framebussrc bus={} ! fakesink'))
def test_a_wrong_name(launch, template, name):
    fails(launch(template.format(name)), name[:20])


def test_a_second_writer_is_told_of_the_first(launch, sums):
    first = launch(f'videotestsrc ! {RAW} ! framebussink bus=b')
    reader = sums('framebussrc bus=b num-buffers=1 ! fakesink')
    assert reader.finish() == 0
    fails(launch(f'videotestsrc ! {RAW} ! framebussink bus=b'), 'b', str(first.pid))
    assert first.stop() == 0


def test_lossless_delivery_of_a_writer_that_is_not(launch):
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b')
    fails(launch('framebussrc bus=b delivery=lossless ! fakesink'), 'lossless')
    assert writer.stop() == 0


def test_downstream_that_wants_something_else(launch):
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b')
    fails(launch('framebussrc bus=b ! video/x-raw,format=RGB ! fakesink'), 'NV12', 'b')
    assert writer.stop() == 0


def test_more_history_than_slots(launch):
    fails(launch('videotestsrc ! framebussink bus=b history=200'), 'history', '200')


def test_a_group_that_does_not_exist(launch):
    fails(launch('videotestsrc ! framebussink bus=b group=no-such-group'), 'no-such-group')


def test_a_runtime_directory_that_is_none(launch, bus_dir):
    fails(launch('videotestsrc ! framebussink bus=b', env={'FRAMEBUS_DIR': '/dev/null'}), '/dev/null')


def test_sixteen_sources_find_room_by_default(launch):
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b')
    readers = launch(16 * 'framebussrc bus=b num-buffers=5 ! fakesink ', env={'GST_DEBUG': 'framebussrc:4'})
    assert readers.finish(30) == 0, readers.report()
    assert 'framebussrc' in readers.err() and 'asking for less' not in readers.err()
    assert writer.stop() == 0


def test_a_full_bus(launch, sums):
    """A reader that asks for more slots than there are gets fewer; when there are none, it is told."""
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b max-slots=26')
    greedy = sums('framebussrc bus=b hold=100 ! fakesink')
    greedy.until(lambda: frames_of(greedy), what='a frame')
    one_more = sums('framebussrc bus=b ! fakesink')
    one_more.until(lambda: frames_of(one_more), what='a frame')
    fails(launch('framebussrc bus=b ! fakesink'), 'b')
    for process in (greedy, one_more):
        assert process.running()
    assert writer.stop() == 0
