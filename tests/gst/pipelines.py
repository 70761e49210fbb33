# SPDX-License-Identifier: MIT
"""What pipelines print, read back."""
import ctypes
import os
import pathlib
import re

# Every frame arrives, none before there is somebody to see it.
SURE = 'lossless=true lossless-timeout=20000000000 wait-for-connection=true'


def formats():
    """The names of all formats that the bus can describe and this GStreamer knows."""
    class Row(ctypes.Structure):
        _fields_ = [('fourcc', ctypes.c_uint32), ('name', ctypes.c_char_p)]

    root = pathlib.Path(__file__).resolve().parent.parent.parent
    library = ctypes.CDLL(str(pathlib.Path(os.environ.get('FRAMEBUS_BUILD', root / 'build')) / 'lib' / 'libframebus.so'))
    library.framebus_format_at.argtypes = [ctypes.c_size_t]
    library.framebus_format_at.restype = ctypes.POINTER(Row)
    names = []
    while library.framebus_format_at(len(names)):
        names.append(library.framebus_format_at(len(names)).contents.name)
    gstvideo = ctypes.CDLL('libgstvideo-1.0.so.0')
    return [name.decode() for name in names if gstvideo.gst_video_format_from_string(name)]


class Frame:
    """One line of frame-sums."""

    def __init__(self, line):
        head, self.caps = line.split(' caps=', 1)
        self.sink, number, self.sum, *rest = head.split()
        self.number = int(number)
        fields = dict(field.split('=') for field in rest)
        self.pts, self.duration, self.offset, self.age = (int(fields[key])
                                                          for key in ('pts', 'duration', 'offset', 'age'))
        self.flags = int(fields['flags'], 16)
        self.in_place = fields['memory'] == 'r'


def frames_of(process, sink=None):
    """The buffers that frame-sums has seen, at one of its sinks or at all."""
    lines = process.out().splitlines(keepends=True)
    frames = [Frame(line.rstrip()) for line in lines if ' caps=' in line and line.endswith('\n')]
    return [frame for frame in frames if sink in (None, frame.sink)]


def messages_of(process, name):
    """The element messages with this name that gst-launch-1.0 -m has printed, as dicts of their fields."""
    found = re.findall(rf'\(element\): {name}, (.*);$', process.out(), re.MULTILINE)
    return [{key: int(value) for key, value in re.findall(r'([a-z-]+)=\(\w+\)(-?\d+)', text)} for text in found]


def stats_of(process, element='framebussink'):
    """The statistics that the element posted last."""
    found = messages_of(process, f'{element}-stats')
    assert found, f'{process} has posted no statistics of {element}: {process.out()}'
    return found[-1]
