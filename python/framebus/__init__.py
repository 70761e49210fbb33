# SPDX-License-Identifier: MIT
"""framebus: video frames from one process into others, in place.

    import framebus

    for frame in framebus.Reader('cam0', wait=None):    # read-only, in the memory the writer wrote it to
        print(frame.sequence, frame.planes[0].array.mean())
        cv2.imshow('cam0', frame.bgr)                   # any format as OpenCV wants it: a copy

    with framebus.Writer('cam0', framebus.Format('BGR', 640, 480, rate=30)) as writer:
        with writer.frame() as frame:                   # a slot of the bus: published at the end of the block
            frame.array[:] = 128

A frame's planes are NumPy arrays without a copy (frame.array, frame.planes[i].array), or memoryviews where there is no
NumPy (frame.payload, frame.planes[i].data). A view holds its frame's slot as long as it lives: it never shows another
frame's bytes. Times are nanoseconds of CLOCK_MONOTONIC where a name ends in _ns, and seconds elsewhere. Errors are
OSError, of the subclass that Python has for the errno, with a sentence that says what was wrong.
"""
from ._bus import BusInfo, BusState, Delivery, Memory, PeerInfo, directory, query, remove
from ._bus import list_buses as list
from ._capture import VideoCapture, snap
from ._format import Color, Format, Orientation, PlaneLayout, formats
from ._frame import Clock, ClockTime, CopiedFrame, Frame, FrameFlags, Plane, Rect, WritableFrame
from ._library import VERSION as __version__
from ._library import EndOfStream, InvalidArgument
from ._reader import Reader, ReaderStats
from ._writer import Writer

__all__ = [
    'BusInfo', 'BusState', 'Clock', 'ClockTime', 'Color', 'CopiedFrame', 'Delivery', 'EndOfStream', 'Format', 'Frame',
    'FrameFlags', 'InvalidArgument', 'Memory', 'Orientation', 'PeerInfo', 'Plane', 'PlaneLayout', 'Reader',
    'ReaderStats', 'Rect', 'VideoCapture', 'WritableFrame', 'Writer', '__version__', 'directory', 'formats', 'list',
    'query', 'remove', 'snap']
