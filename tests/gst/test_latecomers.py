# SPDX-License-Identifier: MIT
"""Tags of a stream reach a process that comes later."""


def test_tags_in_another_process(launch):
    writer = launch('videotestsrc is-live=true ! video/x-raw,width=64,height=48 ! taginject tags=title=Late,image-orientation=rotate-90 '
                    '! framebussink name=sink bus=b')
    first = launch('framebussrc bus=b num-buffers=10 ! fakesink')
    assert first.finish(30) == 0, first.report()
    late = launch('-t framebussrc bus=b num-buffers=1 ! fakesink')
    assert late.finish(30) == 0, late.report()
    assert 'title: Late' in late.out() and 'image orientation: rotate-90' in late.out(), late.out()
    assert writer.stop() == 0, writer.report()
