# SPDX-License-Identifier: MIT
"""Fixtures for tests that run GStreamer pipelines in processes of their own.

launch      gst-launch-1.0: launch('videotestsrc ! fakesink'); messages are in its output. With eos=False
            SIGINT ends it without an end of stream
sums        frame-sums: the same with a checksum for each buffer that arrives at a fakesink

Without the elements that they name the test is skipped.
"""
import needs
import pytest
from pipewire import session  # noqa: F401

# A warning of GLib about misuse ends the process, and so the test.
STRICT = {'G_DEBUG': 'fatal-criticals', 'GST_DEBUG_NO_COLOR': '1'}


@pytest.fixture
def launch(spawn):
    def start(*words, env=None, eos=True):
        needs.elements(*needs.elements_of(' '.join(words)))
        return spawn('gst-launch-1.0', '-m', *(['-e'] if eos else []), *' '.join(words).split(), env={**STRICT, **(env or {})})
    return start


@pytest.fixture
def sums(spawn, build_dir):
    def start(*words, env=None):
        needs.elements(*needs.elements_of(' '.join(words)))
        return spawn(build_dir / 'tests' / 'gst' / 'frame-sums', *' '.join(words).split(),
                     env={**STRICT, **(env or {})})
    return start
