# SPDX-License-Identifier: MIT
"""Frames, and who keeps their memory.

A *hold* is the library's claim or lend of one slot. Whatever looks into the slot has a reference to its hold: the frame
until it is released, each plane, memoryview and array as long as it lives. The slot is given back with the last of
them. So no view ever shows another frame's bytes, or memory that is gone; one that is kept without end costs a slot.
"""
from __future__ import annotations

import ctypes
import enum
import errno
import mmap
import os
import weakref
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, NoReturn

from ._convert import to_ndarray
from ._format import Color, Format, PlaneLayout
from ._library import META_MAX, CClockTime, CFrame, CPlane, CRect, check, fail, lib, number, numpy_module, wrong

if TYPE_CHECKING:
    import numpy


class FrameFlags(enum.IntFlag):
    """What is special about a frame."""
    DISCONT = 1 << 0     #: does not follow the frame before it
    DELTA = 1 << 1       #: cannot be decoded without earlier ones
    CORRUPTED = 1 << 2   #: the source says that it is damaged
    HEADER = 1 << 3      #: headers of the stream, no picture
    GAP = 1 << 4         #: carries nothing new
    DROPPABLE = 1 << 5   #: nothing else depends on it
    MARKER = 1 << 6      #: ends a unit (RTP's marker bit)
    INTERLACED = 1 << 7  #: two fields ...
    TFF = 1 << 8         #: ... the top one first
    RFF = 1 << 9         #: the first field is shown once more after the other
    ONE_FIELD = 1 << 10  #: only one field: the top one with TFF, else the bottom one
    MULTIVIEW = 1 << 11  #: views as the caps say
    FIRST_IN_BUNDLE = 1 << 12  #: the first of the frames that show several views of one moment


class Clock(enum.IntEnum):
    """Clocks by which a source may know when it captured a frame, beside CLOCK_MONOTONIC."""
    REALTIME = 1  #: UTC since 1970, as time.time_ns()
    TAI = 2       #: the same without leap seconds, as PTP has it


class ClockTime(NamedTuple):
    """A time by another clock than that of the bus."""
    ns: int            #: nanoseconds since 1970
    clock: Clock       #: the clock that says so
    error_ns: int = 0  #: bound of the error, as the source says; 0: unknown


class Rect(NamedTuple):
    """A part of a picture, in pixels."""
    x: int       #: of its left edge
    y: int       #: of its top edge
    width: int   #: at least 1
    height: int  #: at least 1


# ---- Holds -----------------------------------------------------------------------------------------

# First byte and bytes of every slot held, for fork(); and how many forks led to this process.
held: dict[int, int] = {}
forks = 0


class Hold:
    """A slot of a reader or writer until nobody looks into it any more."""
    __slots__ = ('frame', 'address', 'capacity', '_give_back', '_owner', '_arrays', '_forks')

    def __init__(self, frame: Any, give_back: Callable[[Any, Any], None], owner: Any) -> None:
        self.frame = frame  # a pointer, valid as long as we are; of a handle that may be closed by then
        self.address: int = frame.contents.data
        self.capacity: int = frame.contents.capacity
        self._give_back, self._owner = give_back, owner
        self._arrays: list[weakref.ref[numpy.ndarray]] = []
        self._forks = forks
        held[self.address] = self.capacity

    def __del__(self, held: dict[int, int] = held) -> None:
        held.pop(self.address, None)  # first: the slot may be another thread's in the next moment
        self._give_back(self._owner, self.frame)

    def bytes(self, offset: int, size: int, writable: bool) -> memoryview:
        # A type for each capacity, which stays: not for each size, which with payloads never does.
        memory = (ctypes.c_ubyte * self.capacity).from_address(self.address)
        memory.hold = self  # type: ignore[attr-defined]
        view = memoryview(memory).cast('B')[offset:offset + size]
        return view if writable else view.toreadonly()

    @property
    def inherited(self) -> bool:
        """By a forked child, which has the frame's bytes as zeroes and its metadata not at all."""
        return self._forks != forks

    def meta(self, address: int, size: int) -> memoryview:
        held[self.address] = max(held[self.address], address + size - self.address)
        memory = (ctypes.c_ubyte * META_MAX).from_address(address)  # one type for all sizes, see above
        memory.hold = self  # type: ignore[attr-defined]
        return memoryview(memory).cast('B')[:size]

    def lends(self, array: numpy.ndarray) -> None:
        self._arrays.append(weakref.ref(array))

    def freeze(self) -> None:
        """What readers can see is not to be written to any more."""
        for reference in self._arrays:
            array = reference()
            if array is not None:
                array.flags.writeable = False


class OwnMemory:
    """What a copy of a frame has in place of a hold: memory of this process alone."""
    __slots__ = ('memory', 'address', 'capacity', 'frame', '_format')

    def __init__(self, source: Hold, form: Format) -> None:
        c = CFrame.from_buffer_copy(source.frame.contents)
        self._format = form  # the struct points into it
        self.capacity: int = c.size
        self.memory = bytearray(source.bytes(0, c.size, False)) or bytearray(1)
        self.address = ctypes.addressof(ctypes.c_ubyte.from_buffer(self.memory))
        c.data, c.capacity, c.format = self.address, self.capacity, ctypes.pointer(form._c)
        c.plane = (CPlane * len(c.plane))(*(CPlane(self.address + layout.offset, stride)
                                            for layout, stride in zip(form.planes, form.strides)))
        self.frame = ctypes.pointer(c)

    def bytes(self, offset: int, size: int, writable: bool) -> memoryview:
        return memoryview(self.memory)[offset:offset + size]

    def lends(self, array: numpy.ndarray) -> None:
        pass


def patch_child() -> None:
    """The library keeps its mappings from forked children; views that the child inherits must not crash it."""
    global forks
    forks += 1
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    map_fixed_noreplace, map_noreserve = 0x100000, 0x4000
    for address, size in held.items():
        start = address - address % mmap.PAGESIZE
        libc.mmap(start, address + size - start, mmap.PROT_READ | mmap.PROT_WRITE,
                  mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | map_fixed_noreplace | map_noreserve, -1, 0)


os.register_at_fork(after_in_child=patch_child)


# ---- Views -----------------------------------------------------------------------------------------

class Plane:
    """One plane of a frame: a view, which holds the frame's slot as long as it lives.

    It speaks NumPy's array interface: numpy.asarray(plane) and everything else that takes that sees the frame's own
    memory, read-only if it is a reader's.
    """
    __slots__ = ('_hold', '_layout', '_writable')

    def __init__(self, hold: Hold | OwnMemory, layout: PlaneLayout, writable: bool) -> None:
        self._hold, self._layout, self._writable = hold, layout, writable

    @property
    def address(self) -> int:
        """Of the first byte, in this process."""
        return self._hold.address + self._layout.offset

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns, and components if there are several."""
        return self._layout.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one of each to the next."""
        return self._layout.strides

    @property
    def data(self) -> memoryview:
        """The bytes from the first row's first to the last row's last, padding between rows included."""
        return self._hold.bytes(self._layout.offset, self._layout.nbytes, self._writable)

    @property
    def array(self) -> numpy.ndarray:
        """The same memory as an array; needs NumPy."""
        array = numpy_module().asarray(self)
        if self._writable:
            self._hold.lends(array)
        return array

    @property
    def __array_interface__(self) -> dict[str, Any]:
        layout = self._layout
        return {'version': 3, 'data': (self.address, not self._writable), 'shape': layout.shape,
                'strides': layout.strides, 'typestr': layout.typestr}

    def __repr__(self) -> str:
        return f'<framebus.Plane {self.shape} {self._layout.typestr}>'


# ---- Frames ----------------------------------------------------------------------------------------

class BaseFrame:
    """What frames of readers and writers have in common."""
    _writable = False

    def __init__(self, hold: Hold | OwnMemory, form: Format) -> None:
        self._hold: Any = hold
        self._c: CFrame = hold.frame.contents
        self._format = form

    # The numbers below can be read after the release, too; what looks into the slot cannot.

    @property
    def format(self) -> Format:
        """What the frames of the bus were when it was published."""
        return self._format

    @property
    def fourcc(self) -> int:
        """The DRM fourcc; 0 for a payload that is no raw picture."""
        return self._format.fourcc

    @property
    def width(self) -> int:
        """Pixels; 0 for a payload that does not say."""
        return self._format.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self._format.height

    @property
    def color(self) -> Color:
        """Matrix, range and so on, as the writer says."""
        return self._format.color

    @property
    def caps(self) -> str:
        """GStreamer caps text: what a payload is."""
        return self._format.caps

    @property
    def sequence(self) -> int:
        """Number of the frame since the bus began."""
        return self._c.sequence

    @property
    def capture_ns(self) -> int:
        """When it was captured: nanoseconds of CLOCK_MONOTONIC, which is time.monotonic_ns()."""
        return self._c.capture_ns

    @property
    def publish_ns(self) -> int:
        """When it was published, on the same clock."""
        return self._c.publish_ns

    @property
    def clock_time(self) -> ClockTime | None:
        """When it was captured by another clock, if the source says so."""
        hold, c = self._held(), CClockTime()
        if hold.inherited or lib.frame_get_clock_time(hold.frame, 0, c) < 0:
            return None
        return ClockTime(c.ns, Clock(c.clock), c.error_ns)

    @property
    def duration_ns(self) -> int:
        """How long it lasts; 0: unknown."""
        return self._c.duration_ns

    @property
    def flags(self) -> FrameFlags:
        """What is special about it."""
        return FrameFlags(self._c.flags)

    @property
    def size(self) -> int:
        """Bytes used."""
        return self._c.size

    @property
    def crop(self) -> Rect | None:
        """What of the picture is to be shown; None: everything."""
        c = self._c.crop
        return Rect(c.x, c.y, c.width, c.height) if c.width else None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The planes of a picture; none for a payload."""
        hold = self._held()
        return tuple(Plane(hold, layout, self._writable) for layout in self._format.planes)

    @property
    def array(self) -> numpy.ndarray:
        """The picture as one array, if it has one plane only: (height, width) or (height, width, components).

        A payload is an array of bytes. TypeError for the others: use planes.
        """
        layouts = self._format.planes
        if len(layouts) > 1:
            raise TypeError(f'{self._format.name} has {len(layouts)} planes: frame.planes[i].array are views of them, '
                            'frame.bgr and frame.to_ndarray() make one array of any picture')
        hold, room = self._held(), self._room()
        layout = layouts[0] if layouts else PlaneLayout(0, (room,), (1,), '|u1', room)
        return Plane(hold, layout, self._writable).array

    def to_ndarray(self, format: str = 'BGR', out: numpy.ndarray | None = None) -> numpy.ndarray:
        """The picture converted: (height, width, 3) of uint8 for 'BGR' and 'RGB', (height, width, 4) for 'BGRA' and
        'RGBA', (height, width) for 'GRAY'. Always of full range; matrix and range of the frame are obeyed.

        A new array, which is yours and writable, or `out`: an array of that shape whose rows may be padded. The whole
        picture; frame.crop is not applied. JPEG payloads are decoded. TypeError for other payloads; InvalidArgument for
        another format or an `out` that does not fit; OSError with errno ENOTSUP for tiled frames (a modifier), or if
        framebus was built without libyuv, EBADMSG for damaged JPEG. Other threads run meanwhile. Needs NumPy.
        """
        return to_ndarray(self, format, out)

    @property
    def bgr(self) -> numpy.ndarray:
        """to_ndarray('BGR'): what OpenCV wants. A new array each time."""
        return to_ndarray(self, 'BGR', None)

    def copy(self) -> CopiedFrame:
        """A copy of the frame that does not hold its slot, in memory of this process: writable, and valid for ever."""
        return CopiedFrame(OwnMemory(self._held(), self._format), self._format, self.meta, self.clock_time)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy else array

    @property
    def payload(self) -> memoryview:
        """The bytes used, as they are in the slot."""
        return self._held().bytes(0, self._room(), self._writable)

    @property
    def meta(self) -> list[tuple[str, bytes]]:
        """All blocks of metadata, as (tag of four characters, copy of the bytes)."""
        hold = self._held()
        found: list[tuple[str, bytes]] = []
        at, tag, size = ctypes.c_size_t(), ctypes.c_uint32(), ctypes.c_size_t()
        while not hold.inherited and (data := lib.frame_next_meta(hold.frame, at, tag, size)):
            found.append((tag.value.to_bytes(4, 'little').decode('latin-1'), ctypes.string_at(data, size.value)))
        return found

    def get_meta(self, tag: str, index: int = 0) -> bytes | None:
        """A copy of the first block of metadata with this tag of four characters, or of the next ones; None: there
        are no more."""
        tag = tag_code(tag).to_bytes(4, 'little').decode('latin-1')
        found = [data for name, data in self.meta if name == tag]
        return found[index] if number('index', index) < len(found) else None

    def to_dlpack(self, plane: int = 0) -> Any:
        """A plane as a DLPack capsule, for torch.utils.dlpack.from_dlpack() and the like. **Danger**: a capsule cannot
        say that it is read-only, and writing to a reader's frame kills the process (SIGSEGV). Needs NumPy.

        Never done unasked; NumPy itself refuses it for read-only arrays. The capsule, and then what is made of it,
        holds the frame's slot.
        """
        layouts = self._format.planes
        if not layouts:
            raise TypeError('a payload has no planes')
        view = Plane(self._held(), layouts[plane], writable=True)
        return numpy_module().asarray(view).__dlpack__()

    @property
    def released(self) -> bool:
        """True after release(), publish() or cancel()."""
        return self._hold is None

    def _room(self) -> int:
        return self._c.size

    def _held(self) -> Hold:
        if self._hold is None:
            raise ValueError(f'frame {self.sequence} is released: its memory may hold another one by now')
        return self._hold

    def __reduce__(self) -> NoReturn:
        raise TypeError('a frame cannot be pickled, because it is memory of a bus: send frame.to_ndarray(), or '
                        'bytes(frame.payload) and frame.format')

    def _let_go(self) -> None:
        if self._hold is not None:
            self._c = CFrame.from_buffer_copy(self._c)  # the slot's own struct is the next frame's
            self._hold = None

    def __repr__(self) -> str:
        state = ', released' if self.released else ''
        return f'<framebus.{type(self).__name__} {self.sequence}, {self._format}{state}>'


def tag_code(tag: str) -> int:
    if not isinstance(tag, str):
        wrong('tag', tag, 'a string of four characters')
    code = tag.encode('latin-1', 'replace')
    if len(code) != 4:
        fail(-errno.EINVAL, f'tag {tag!r} is not four characters')
    return int.from_bytes(code, 'little')


class Frame(BaseFrame):
    """A frame that a reader holds, read-only, unchanged until it is released.

    It is released by release(), at the end of a `with` block, when iteration goes on to the next, or when nobody refers
    to it any more. Views taken of it live on, and hold the frame's slot.
    """

    @property
    def missed(self) -> int:
        """Frames lost between the one that this reader got before and this one."""
        return self._c.missed

    def release(self) -> None:
        """Gives the frame back, now or with the last view of it. Any thread; may be repeated."""
        self._let_go()

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class CopiedFrame(Frame):
    """What frame.copy() and snap() return: a frame in memory of its own, writable, which holds no slot of a bus."""
    _writable = True

    def __init__(self, memory: OwnMemory, form: Format, meta: list[tuple[str, bytes]],
                 clock_time: ClockTime | None) -> None:
        super().__init__(memory, form)
        self._meta, self._clock_time = meta, clock_time

    @property
    def meta(self) -> list[tuple[str, bytes]]:
        """As the frame had it."""
        return list(self._meta)

    @property
    def clock_time(self) -> ClockTime | None:
        """As the frame had it."""
        return self._clock_time


class WritableFrame(BaseFrame):
    """A slot that a writer was lent: published at the end of its `with` block, cancelled if that raises.

    Its bytes are whatever was there before. Set capture_ns, duration_ns, flags, crop and a payload's size as needed.
    """
    _writable = True

    def __init__(self, hold: Hold, form: Format, publish: Callable[[Any], None]) -> None:
        super().__init__(hold, form)
        self._publish = publish

    @BaseFrame.capture_ns.setter  # type: ignore[attr-defined]
    def capture_ns(self, value: int) -> None:
        """0, as it begins: the time of publishing."""
        self._lent().capture_ns = number('capture_ns', value, 2**63 - 1)

    @BaseFrame.clock_time.setter  # type: ignore[attr-defined]
    def clock_time(self, value: ClockTime) -> None:
        """Once for each frame; it is metadata."""
        ns, clock, error_ns = ClockTime(*value)
        c = CClockTime(ns, number('clock', clock), number('error_ns', error_ns))
        check(lib.frame_set_clock_time(self._held().frame, c))

    @BaseFrame.duration_ns.setter  # type: ignore[attr-defined]
    def duration_ns(self, value: int) -> None:
        self._lent().duration_ns = number('duration_ns', value, 2**63 - 1)

    @BaseFrame.flags.setter  # type: ignore[attr-defined]
    def flags(self, value: int) -> None:
        self._lent().flags = number('flags', value)

    @BaseFrame.size.setter  # type: ignore[attr-defined]
    def size(self, value: int) -> None:
        self._lent().size = number('size', value, self._held().capacity)

    @BaseFrame.crop.setter  # type: ignore[attr-defined]
    def crop(self, value: Rect | tuple[int, int, int, int] | None) -> None:
        sides = value or (0, 0, 0, 0)
        if not isinstance(sides, (tuple, list)) or len(sides) != 4:
            wrong('crop', value, 'a framebus.Rect(x, y, width, height) or None')
        self._lent().crop = CRect(*(number('crop', side) for side in sides))

    def add_meta(self, tag: str, data: bytes) -> None:
        """Appends a block of metadata; all of a frame take at most the writer's meta_size, with 8 bytes for each head.
        `tag` names its meaning: four characters of your own; those that begin with 'fb' are framebus's."""
        code = tag_code(tag)
        try:
            data = memoryview(data).tobytes()
        except TypeError:
            wrong('data', data, 'bytes')
        check(lib.frame_add_meta(self._held().frame, code, data, len(data)))

    def append_meta(self, tag: str, size: int) -> memoryview:
        """Appends a block of `size` bytes and returns them, to be filled in before the frame is published."""
        hold, data = self._held(), ctypes.c_void_p()
        check(lib.frame_append_meta(hold.frame, tag_code(tag), number('size', size), data))
        return hold.meta(data.value, size)

    def publish(self) -> None:
        """Every reader has it now; sequence and publish_ns are set. Arrays that were taken of it become read-only; what
        was derived from them before does not, and must not be written to. Never blocks."""
        self._publish(self._held().frame)  # no variable of ours is in a traceback, to hold the slot
        self._held().freeze()
        self._let_go()

    def cancel(self) -> None:
        """Gives the slot back unpublished."""
        self._let_go()

    def _lent(self) -> CFrame:
        self._held()
        return self._c

    def _room(self) -> int:
        """All of the slot while nobody has said how large the payload is."""
        return self._c.size or self._held().capacity

    def __enter__(self) -> WritableFrame:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._hold is None:
            return  # published or cancelled by hand
        try:
            if kind is None:
                self.publish()
        finally:
            self.cancel()
