# SPDX-License-Identifier: MIT
"""Reading a bus."""
from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import select
import socket
import sys
import threading
import time
from typing import Any, Callable, NamedTuple

from ._bus import Delivery
from ._format import Format
from ._frame import Frame, Hold
from ._handle import WAIT_SLICE, FramePointer, Handle
from ._library import (CReaderOptions, CReaderStats, EndOfStream, check, choice, fail, lib, millihertz, nanoseconds,
                       number, text)


class ReaderStats(NamedTuple):
    """What a reader has got and missed."""
    delivered: int      #: frames that this reader got
    missed: int         #: frames that it did not
    writers: int        #: writers that it has been attached to
    held: int           #: frames not given back yet, by whoever holds them
    quota: int          #: how many may be held
    history: int        #: frames that the writer keeps; 0: there was no frame yet
    delivery: Delivery  #: lossless readers can be made live
    writer_pid: int     #: 0: no writer at present, or it cannot be seen from here
    connected: bool     #: the writer has let this reader in
    has_writer: bool    #: there is a writer


class Reader(Handle):
    """A reader of a bus: iterate over it for frames.

        for frame in framebus.Reader('cam0'):
            show(frame.bgr)

    Iteration releases each frame when it goes on to the next, and ends with the stream. BrokenPipeError: the writer
    went away without ending it. `async for` is the same in asyncio.

    name      of the bus, or the path of its socket (anything with a '/'); none if there is `fd`
    delivery  'live', 'latest' or 'lossless', see Delivery
    quota     frames held at once at the most, views that outlive their frames included
    wait      seconds to wait for a writer that is not there; None: for ever. FileNotFoundError if none comes
    follow    when the writer goes, wait for the next one of that name: iteration never ends by itself. Opens at once,
              writer or none, unless `wait` is given
    spin      seconds to look for a frame before sleeping, up to 0.05: quicker, on a processor of its own
    max_rate  most frames a second that are wanted, None: all. The newest is taken when one is due; those in between do
              not wake this process, and count as missed. Not with lossless delivery
    anticipate  percent of one processor, up to 100, that may be spent on being awake when a frame is due, so that it
              comes without a wake-up (`next` and iteration, not asyncio)
    label     shown in listings; the program's name if not given
    fd        a Unix socket (SOCK_SEQPACKET), or its number, that somebody else has just connected to the bus. It is
              duplicated: close yours. For the writer the reader is whoever connected it. Not with `follow`

    Opening waits for the writer's answer, 5 s at the most (with `follow` it does not): in a thread that does not serve
    that writer. FileNotFoundError: there is no writer. PermissionError: this user may not read the bus. TimeoutError:
    the writer does not answer. OSError with errno EBUSY: it takes no more readers, or not of this quota.

    Threads: calls are serialised; frames may be released by any thread. After fork() a reader is the parent's: in the
    child calls raise ChildProcessError, and views of frames read as zeros. Blocking calls obey Ctrl-C, and raise
    ValueError if another thread closes the reader. In asyncio one task at a time waits for frames.
    """

    def __init__(self, name: str | os.PathLike[str] = '', *, delivery: Delivery | str = Delivery.LIVE, quota: int = 2,
                 wait: float | None = 0, follow: bool = False, spin: float = 0, max_rate: float | None = None,
                 anticipate: int = 0, label: str | None = None, fd: int | socket.socket | None = None) -> None:
        super().__init__(name, label)
        self._last: Frame | None = None  # what iteration handed out
        self._awaited = False            # by a task of asyncio
        self._follow = follow
        self._spin = nanoseconds('spin', spin)
        self._anticipates = anticipate != 0
        options = CReaderOptions(delivery=choice(Delivery, delivery), quota=number('quota', quota), follow=follow,
                                 label=self._label, spin_ns=self._spin, anticipate=number('anticipate', anticipate),
                                 max_rate=0 if max_rate is None else millihertz('max_rate', max_rate),
                                 fd=0 if fd is None else number('fd', getattr(fd, 'fileno', lambda: fd)(), 2**31 - 1))
        self._open(text('name', name), options, nanoseconds('wait', wait))

    def _close(self, handle: int) -> None:
        lib.reader_close(handle)

    def _renew_locks(self) -> None:
        super()._renew_locks()
        self._turn = threading.RLock()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """One at a time, as the library wants it for readers."""
        with self._turn:
            return super()._call(function, *arguments)

    def _open(self, name: bytes, options: CReaderOptions, wait: int) -> None:
        """In slices, so that Ctrl-C is obeyed."""
        end = time.monotonic_ns() + wait
        handle = ctypes.c_void_p()
        while True:
            left = end - time.monotonic_ns() if wait >= 0 else sys.maxsize
            options.wait_ns = min(max(left, 0), int(WAIT_SLICE * 1e9)) if wait else 0
            result = lib.reader_open(handle, name, options)
            if result != -errno.EINTR and (result != -errno.ENOENT or left <= 0):
                break
        check(result)
        self._opened(handle)

    # ---- Frames ----

    def next(self, timeout: float | None = None) -> Frame:
        """The next frame, which is released when it, and every view of it, is let go of.

        TimeoutError after `timeout` seconds (0: do not wait; None: for ever). EndOfStream: the stream has ended;
        calling again waits for the writer's next one. BrokenPipeError: the writer is gone. ConnectionAbortedError: it
        threw this reader out. OSError with errno EBUSY: all of the quota is held.
        """
        end = None if timeout is None else time.monotonic() + nanoseconds('timeout', timeout) / 1e9
        frame = self._take(min(self._spin, nanoseconds('timeout', timeout)) if timeout is not None else self._spin)
        if frame is None and not self._anticipates:
            poll = select.poll()
            poll.register(self.fileno(), select.POLLIN)
        while frame is None:
            left = WAIT_SLICE if end is None else end - time.monotonic()
            if left <= 0:
                raise self._late(timeout)
            left = min(left, WAIT_SLICE)
            if not self._anticipates:
                poll.poll(max(1, 1000 * left))
            frame = self._take(int(1e9 * left) if self._anticipates else 0)
        return frame

    def newest(self) -> Frame:
        """The newest frame there is, also if next() returned it before; what lies between counts as missed, and next()
        goes on after it. Does not wait: TimeoutError if there is none yet. Otherwise as next()."""
        frame = self._call(self._next, lib.reader_newest)
        if frame is None:
            raise TimeoutError(errno.ETIMEDOUT, f'no frame on bus "{self.name}" yet: next() waits for one')
        return frame

    async def receive(self, timeout: float | None = None) -> Frame:
        """next() as a coroutine. One task at a time."""
        frame = self._take(0)
        if frame is None:
            try:
                frame = await asyncio.wait_for(self._receive(), timeout)
            except asyncio.TimeoutError:
                raise self._late(timeout) from None
        return frame

    async def _receive(self) -> Frame:
        loop, fd = asyncio.get_running_loop(), self.fileno()
        if self._awaited:
            raise RuntimeError(f'another task waits for frames of bus "{self.name}" already')
        self._awaited = True
        try:
            while True:
                readable: asyncio.Future[None] = loop.create_future()
                loop.add_reader(fd, wake, readable)
                try:
                    await readable
                finally:
                    loop.remove_reader(fd)
                frame = self._take(0)
                if frame is not None:
                    return frame
        finally:
            self._awaited = False

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Frame:
        self._release_last()
        while True:
            try:
                self._last = self.next()
                return self._last
            except EndOfStream:
                if not self._follow:
                    raise StopIteration from None

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Frame:
        self._release_last()
        while True:
            try:
                self._last = await self.receive()
                return self._last
            except EndOfStream:
                if not self._follow:
                    raise StopAsyncIteration from None

    def _release_last(self) -> None:
        if self._last is not None:
            self._last.release()
            self._last = None

    def _take(self, spin: int) -> Frame | None:
        """None: nothing there yet."""
        if spin:
            return self._call(self._next, lib.reader_next, spin)
        return self._call(self._next, lib.reader_poll, 0)

    def _next(self, handle: int, function: Callable[..., int], *timeout: int) -> Frame | None:
        slot = FramePointer()
        result = function(handle, slot, *timeout)
        if result in (-errno.ETIMEDOUT, -errno.EINTR):
            return None
        if result == -errno.EBUSY:
            fail(result, f'all {stats(handle).quota} frames of the quota of bus "{self.name}" are held, by frames or '
                         'by arrays and memoryviews of them: copy what you keep, or open it with a larger quota')
        check(result)
        return Frame(Hold(slot, lib.reader_release, handle), self._format_of(slot.contents))

    def _late(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(errno.ETIMEDOUT, f'no frame on bus "{self.name}" within {timeout} s')

    # ---- The rest ----

    def fileno(self) -> int:
        """For select, poll and event loops: readable while next(0) would return a frame or raise something else than
        TimeoutError. One next(0) for each wake-up is enough; after a frame one of them may raise TimeoutError. Stays the
        same; not to be read or closed."""
        return self._call(lambda handle: check(lib.reader_fd(handle)))

    def set_quota(self, quota: int) -> None:
        """Changes how many frames may be held at once. Blocks for the writer's answer, a second at the most."""
        self._call(lambda handle: check(lib.reader_set_quota(handle, number('quota', quota))))

    def request_key_frame(self) -> None:
        """Asks the writer for a key frame of an encoded stream, when what is behind this reader lost something. A
        reader that comes or misses frames need not ask. All readers together get one a second. Never blocks."""
        self._call(lib.reader_request_key_frame)

    @property
    def format(self) -> Format | None:
        """Of the frames that come next, as far as is known."""
        def copy(handle: int) -> Format | None:
            c = lib.reader_format(handle)
            return Format._from_c(c.contents) if c else None
        return self._call(copy)

    @property
    def stats(self) -> ReaderStats:
        """What this reader has got and missed so far."""
        return self._call(stats)

    def close(self) -> None:
        """Leaves the bus. Frames and views that are still held stay valid. Any thread and signal handler; may be
        repeated."""
        self._release_last()
        super().close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def stats(handle: int) -> ReaderStats:
    s = CReaderStats()
    lib.reader_get_stats(handle, s)
    return ReaderStats(s.delivered, s.missed, s.writers, s.held, s.quota, s.history, Delivery(s.delivery),
                       s.writer_pid, s.connected, s.has_writer)


def wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
