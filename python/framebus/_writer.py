# SPDX-License-Identifier: MIT
"""Serving a bus."""
from __future__ import annotations

import asyncio
import ctypes
import os
import select
import time
from typing import Any

from ._bus import BusInfo, Memory, take_infos
from ._format import Format
from ._frame import Hold, WritableFrame
from ._handle import WAIT_SLICE, FramePointer, Handle
from ._library import CBusInfo, CWriterOptions, check, check_again, choice, lib, nanoseconds, number, text, wrong
from ._picture import Picture, octets

HUGE_PAGES, LOCKED = 1, 2  # enum framebus_memory_flag


class Writer(Handle):
    """The writer of a bus, one at a time.

        with framebus.Writer('cam0', framebus.Format('BGR', 640, 480, rate=30)) as writer:
            while True:
                with writer.frame() as frame:
                    frame.array[:] = picture

    Leaving the `with` block ends the stream and closes the bus; with an exception it closes only, and readers see the
    writer go (BrokenPipeError). A writer that publishes rarely serves its readers by serve() in place of time.sleep(),
    or by dispatch() when fileno() is readable; `async with` lets the running asyncio loop do it.

    name              of the bus, or the path of the socket to serve (anything with a '/')
    format            what the frames are; None: set_format() comes later
    memory            'memfd', 'posix' or 'sysv', see Memory
    history           frames kept for readers that come late or lag [4]
    max_slots         slots at the most [64]: history + the readers' quotas + max_lends + 1 must fit
    max_lends         frames lent at once, views that outlive their frames included [8]
    access_mode       who may read: mode of the socket [0o600], e.g. 0o660, and
    group             its group, name or number
    lossless          frame() waits for lossless readers, up to
    lossless_timeout  seconds for each before it is made live; None: for ever
    huge_pages        of the memory; fails if there are none
    locked            keep the memory from being swapped out
    label             shown to people; the program's name if not given
    meta_size         bytes of metadata that a frame may have, up to 1 MiB [4096]; what is not used takes no memory

    Threads: all calls may come from any thread at once; close() ends the wait of others (errno ECANCELED). After
    fork() a writer is the parent's: in the child calls raise ChildProcessError.
    """

    def __init__(self, name: str | os.PathLike[str], format: Format | None = None, *,
                 memory: Memory | str = Memory.MEMFD, history: int = 0, max_slots: int = 0, max_lends: int = 0,
                 access_mode: int = 0, group: str | int = '', lossless: bool = False,
                 lossless_timeout: float | None = 1, huge_pages: bool = False, locked: bool = False,
                 label: str | None = None, meta_size: int = 0) -> None:
        super().__init__(name, label)
        self._loop: asyncio.AbstractEventLoop | None = None  # serves readers for us
        options = CWriterOptions(
            memory=choice(Memory, memory), memory_flags=HUGE_PAGES * bool(huge_pages) | LOCKED * bool(locked),
            history=number('history', history), max_slots=number('max_slots', max_slots),
            max_lends=number('max_lends', max_lends), access_mode=number('access_mode', access_mode, such_as='0o660'),
            group=text('group', str(group)), lossless=lossless,
            lossless_timeout_ns=nanoseconds('lossless_timeout', lossless_timeout) or 1,
            label=self._label, meta_size=number('meta_size', meta_size))
        handle = ctypes.c_void_p()
        self._cancel = os.pipe() if lossless else ()  # wakes a call that waits for readers
        if self._cancel:
            options.cancel_fd = self._cancel[0]
        try:
            form = None if format is None else checked(format)._c
            check(lib.writer_open(handle, text('name', name), form, options))
        except BaseException:
            self._close_cancel()
            raise
        self._opened(handle)
        self._format = format

    def _close(self, handle: int) -> None:
        lib.writer_close(handle)
        self._close_cancel()

    def _close_cancel(self) -> None:
        for fd in self._cancel:
            os.close(fd)

    # ---- Frames ----

    def frame(self, size: int = 0) -> WritableFrame:
        """Lends a free slot; `size` is how large a payload will be. Use it in a `with` statement.

        OSError with errno EBUSY: max_lends frames are lent already. ENOSPC or ENOMEM: no memory for another slot.
        ENODATA: there is no format yet. Blocks only in a lossless writer.
        """
        return self._call(self._begin, number('size', size, 2**63))

    def _begin(self, handle: int, size: int) -> WritableFrame:
        slot = FramePointer()
        check_again(lib.writer_begin_size, handle, size, slot)
        hold = Hold(slot, lib.writer_release, handle)
        frame = WritableFrame(hold, self._format_of(slot.contents), self._publish)
        if size and not frame.fourcc:
            frame.size = size
        return frame

    def _publish(self, slot: Any) -> None:
        self._call(lambda handle: check(lib.writer_publish(handle, slot)))

    def write(self, data: Any) -> WritableFrame:
        """Publishes a copy of a picture or payload.

        A picture is an array of the shape of frame().array (BGR: (height, width, 3)), or with the planes one below the
        other as OpenCV has them (NV12, I420: (height * 3 / 2, width)), or a list of an array or bytes for each plane,
        or the bytes of all planes, rows without padding or with that of the bus. Anything that becomes an array of whole
        numbers is an array. A payload is bytes.

        TypeError for scalars, floating-point numbers and other things; InvalidArgument for a wrong shape or size, and
        for numbers that do not fit. Nothing is published then.
        """
        if self.format and self.format.fourcc:
            picture = Picture(self.format, data)
            with self.frame() as frame:
                picture.copy_to(frame)
        else:
            payload = octets(data, 'bytes')
            with self.frame(payload.nbytes) as frame:
                frame.payload[:payload.nbytes] = payload
        return frame

    @property
    def format(self) -> Format | None:
        """Of the frames that come next; None: none yet."""
        return self._format

    def set_format(self, format: Format) -> None:
        """Changes the format: readers get the rest of the old frames first. Frames that are still lent can no longer be
        published (OSError with errno ESTALE). Nothing happens if it is the same. Waits for lossless readers."""
        self._call(lambda handle: check_again(lib.writer_set_format, handle, checked(format)._c))
        self._format = format

    def end(self) -> None:
        """Ends the stream: readers get EndOfStream after the last frame. The next frame() begins a new one. Waits for
        lossless readers."""
        self._call(lambda handle: check_again(lib.writer_end, handle))

    # ---- Readers ----

    def fileno(self) -> int:
        """Readable when dispatch() has something to do: for select, poll and event loops. Not to be read or closed."""
        return self._call(lambda handle: check(lib.writer_fd(handle)))

    def dispatch(self) -> None:
        """Serves readers: lets them in and out, answers listings. Publishing does it too. Never blocks."""
        self._call(lambda handle: check(lib.writer_dispatch(handle)))

    def serve(self, seconds: float | None = None) -> None:
        """Serves readers for so long (None: for ever), which a writer that waits does in place of time.sleep()."""
        end = None if seconds is None else time.monotonic() + nanoseconds('seconds', seconds) / 1e9
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while True:
            self.dispatch()
            left = WAIT_SLICE if end is None else end - time.monotonic()
            if left <= 0:
                return
            poll.poll(max(1, 1000 * min(left, WAIT_SLICE)))

    def wants_key_frame(self) -> bool:
        """True, at most once a second, if some reader waits for a key frame of an encoded stream: it has come, has
        missed frames, or has asked for one. To be called before each frame is encoded. Never blocks."""
        return self._call(lib.writer_wants_key_frame)

    @property
    def info(self) -> BusInfo:
        """What query() would tell about this bus, its readers included."""
        infos = ctypes.POINTER(CBusInfo)()
        self._call(lambda handle: check(lib.writer_get_info(handle, infos)))
        return take_infos(infos, 1)[0]

    # ---- Closing ----

    def close(self) -> None:
        """Leaves the bus; the name is free at once. Frames and views that are still lent stay valid. Readers get a
        BrokenPipeError after the last frame, unless end() came before. May be repeated."""
        if self._loop is not None:
            self._loop.remove_reader(self.fileno())
            self._loop = None
        if self._cancel and not self.closed:
            os.write(self._cancel[1], b'.')
        super().close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and not self.closed:
                self.end()
        finally:
            self.close()

    async def __aenter__(self) -> Writer:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.fileno(), self.dispatch)
        return self

    async def __aexit__(self, *details: Any) -> None:
        self.__exit__(*details)


def checked(format: Format) -> Format:
    return format if isinstance(format, Format) else wrong('format', format, 'a framebus.Format')
