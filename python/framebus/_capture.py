# SPDX-License-Identifier: MIT
"""A bus with the habits of cv2.VideoCapture."""
from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable

from ._bus import Delivery, query
from ._format import Format
from ._frame import Frame
from ._library import InvalidArgument, nanoseconds
from ._reader import Reader

if TYPE_CHECKING:
    import numpy

# Numbers of cv2.CAP_PROP_*, which are the same in every OpenCV.
POS_MSEC, POS_FRAMES, FRAME_WIDTH, FRAME_HEIGHT, FPS, FOURCC = 0, 1, 3, 4, 5, 6
CONVERT_RGB, BUFFERSIZE, OPEN_TIMEOUT_MSEC, READ_TIMEOUT_MSEC = 16, 38, 53, 54


class VideoCapture:
    """For programs made for a camera's index: framebus.VideoCapture('cam0') in place of cv2.VideoCapture(0).

        capture = framebus.VideoCapture('cam0')
        while True:
            ok, picture = capture.read()    # BGR, as of any camera
            if not ok:
                break

    name      of the bus, or the path of its socket; without one call open()
    backend   OpenCV's, ignored
    wait      seconds to wait for a writer; None: for ever
    timeout   seconds to wait for a frame; None: for ever
    delivery  'latest' (a slow program gets the newest frame), 'live' or 'lossless'
    format    of the pictures: 'BGR', 'RGB', 'BGRA', 'RGBA' or 'GRAY'

    As with OpenCV, what cannot be opened or read is told by False, not by an exception, unless setExceptionMode(True)
    was called; `error` has the exception. Wrong arguments raise always. `frame` is the Frame that was grabbed, with its
    times, sequence number and metadata. open() and grab() block as `wait` and `timeout` say. One thread at a time.
    """

    def __init__(self, name: str | os.PathLike[str] | None = None, backend: int = 0, *, wait: float | None = 5,
                 timeout: float | None = 30, delivery: Delivery | str = Delivery.LATEST, format: str = 'BGR') -> None:
        self._reader: Reader | None = None
        self._raises = False
        self._wait, self._timeout, self._delivery, self._format = wait, timeout, delivery, format
        nanoseconds('timeout', timeout)
        self.frame: Frame | None = None
        self.error: Exception | None = None
        if name is not None:
            self.open(name)

    def _tries(self, call: Callable[[], Any]) -> bool:
        """False, with the exception kept, for what may go wrong with a bus."""
        try:
            call()
        except (InvalidArgument, TypeError):
            raise
        except (OSError, ValueError) as error:
            self.error = error.with_traceback(None)
            if self._raises:
                raise
            return False
        self.error = None
        return True

    def open(self, name: str | os.PathLike[str], backend: int = 0) -> bool:
        """Opens another bus in place of this one. True if it has a writer."""
        self.release()

        def call() -> None:
            self._reader = Reader(name, delivery=self._delivery, wait=self._wait)
        return self._tries(call)

    def isOpened(self) -> bool:
        """True until release(), if there was a writer."""
        return self._reader is not None

    def release(self) -> None:
        """Leaves the bus. May be repeated."""
        if self.frame is not None:
            self.frame.release()
        if self._reader is not None:
            self._reader.close()
        self._reader = self.frame = None

    def grab(self) -> bool:
        """Waits for the next frame, and holds it for retrieve()."""
        if self.frame is not None:
            self.frame.release()
            self.frame = None
        reader = self._reader
        if reader is None:
            return False

        def call() -> None:
            self.frame = reader.next(self._timeout)
        return self._tries(call)

    def retrieve(self, image: numpy.ndarray | None = None, flag: int = 0) -> tuple[bool, numpy.ndarray | None]:
        """The picture of the frame that was grabbed: a new array, or in `image`."""
        frame, pictures = self.frame, []
        if frame is None or frame.released:
            return False, None
        ok = self._tries(lambda: pictures.append(frame.to_ndarray(self._format, image)))
        return (True, pictures[0]) if ok else (False, None)

    def read(self, image: numpy.ndarray | None = None) -> tuple[bool, numpy.ndarray | None]:
        """grab() and retrieve()."""
        return self.retrieve(image) if self.grab() else (False, None)

    def get(self, property: int) -> float:
        """A cv2.CAP_PROP_*; 0 for those that a bus does not have. POS_MSEC is when the frame was captured, on the clock
        of time.monotonic()."""
        if self._reader is None:
            return 0.0
        form, frame = self._reader.format or self._announced(), self.frame
        known: dict[int, float | None] = {CONVERT_RGB: 1, BUFFERSIZE: 1, OPEN_TIMEOUT_MSEC: milliseconds(self._wait),
                                          READ_TIMEOUT_MSEC: milliseconds(self._timeout)}
        if form is not None:
            known.update({FRAME_WIDTH: form.width, FRAME_HEIGHT: form.height, FPS: form.rate, FOURCC: form.fourcc})
        if frame is not None:
            known.update({POS_MSEC: frame.capture_ns / 1e6, POS_FRAMES: frame.sequence})
        return float(known.get(property) or 0)

    def _announced(self) -> Format | None:
        """What the writer says that frames will be, as long as none has come."""
        try:
            return query(self._reader.name).format if self._reader is not None else None
        except OSError:
            return None

    def set(self, property: int, value: float) -> bool:
        """True if it is so now. Size, rate and format are the writer's affair: True only if they are as asked for."""
        if property == READ_TIMEOUT_MSEC:
            self._timeout = value / 1000
        elif property == OPEN_TIMEOUT_MSEC:
            self._wait = value / 1000
        elif property != BUFFERSIZE:  # the newest frame is always the next one
            return self._reader is not None and self.get(property) == value
        return True

    def getBackendName(self) -> str:
        """'FRAMEBUS'."""
        return 'FRAMEBUS'

    def setExceptionMode(self, enable: bool) -> None:
        """Whether open(), grab(), retrieve() and read() raise what they otherwise keep in `error`."""
        self._raises = enable

    def getExceptionMode(self) -> bool:
        """What setExceptionMode() set."""
        return self._raises

    def __del__(self) -> None:
        if getattr(self, '_reader', None) is not None:
            self.release()

    def __repr__(self) -> str:
        return f'<framebus.VideoCapture of {self._reader!r}>' if self._reader else '<framebus.VideoCapture, not opened>'


def milliseconds(seconds: float | None) -> float:
    return 0 if seconds is None else seconds * 1000


def snap(name: str | os.PathLike[str], *, wait: float | None = 5) -> Frame:
    """A copy of the newest frame of a bus: framebus.snap('cam0').bgr. Waits up to `wait` seconds, None: for ever, for a
    writer (FileNotFoundError) and a frame (TimeoutError)."""
    began = time.monotonic()
    with Reader(name, delivery=Delivery.LATEST, wait=wait) as reader:
        left = None if wait is None else max(0, began + wait - time.monotonic())
        with reader.next(left) as frame:
            return frame.copy()
