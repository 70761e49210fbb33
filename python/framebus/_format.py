# SPDX-License-Identifier: MIT
"""Formats: what frames are, and the shapes in which their planes are seen."""
from __future__ import annotations

import ctypes
import enum
import errno
from fractions import Fraction
from typing import Any, Iterator, NamedTuple, Union

from ._library import PLANES_MAX, CColor, CFormat, CFormatInfo, check, fail, lib, number, text, wrong

BIG_ENDIAN = 1 << 31  # DRM_FORMAT_BIG_ENDIAN
Rate = Union[int, float, str, Fraction, 'tuple[int, int]']


class Color(NamedTuple):
    """Colour as ITU-T H.273 numbers it; 0 means not known."""
    primaries: int = 0  #: table 2: 1 BT.709, 5/6 BT.601, 9 BT.2020
    transfer: int = 0   #: table 3: 1/6 BT.709/601, 13 sRGB, 16 PQ, 18 HLG
    matrix: int = 0     #: table 4: 1 BT.709, 5/6 BT.601, 9 BT.2020
    range: int = 0      #: 1 limited (16-235), 2 full (0-255)


class Orientation(enum.IntEnum):
    """What is done to a stored picture before it is shown: it is mirrored left to right first, then turned clockwise."""
    NORMAL = 0      #: nothing
    TURN_90 = 1     #: a quarter turn
    TURN_180 = 2    #: a half turn
    TURN_270 = 3    #: a quarter turn counter-clockwise
    MIRROR = 4      #: left and right exchanged
    MIRROR_90 = 5   #: along the diagonal from bottom left
    MIRROR_180 = 6  #: top and bottom exchanged
    MIRROR_270 = 7  #: along the diagonal from top left


class PlaneLayout(NamedTuple):
    """Where a plane is in a frame, and as what it is seen: the words of NumPy's array interface."""
    offset: int               #: of its first byte, from the frame's
    shape: tuple[int, ...]    #: rows, columns, and components if there are several
    strides: tuple[int, ...]  #: bytes from one of each to the next
    typestr: str              #: '|u1', '<u2', '>u4', ...
    nbytes: int               #: from its first byte to its last, padding between rows included


class Format:
    """What the frames of a bus are. Immutable; equal if every field is.

        Format('NV12', 1920, 1080, rate=60)
        Format.payload('image/jpeg', 1 << 20)

    `name` is a GStreamer or DRM name of the library's table (formats() lists them) or a DRM fourcc; strides and
    offsets are GStreamer's defaults. `rate` is frames a second: 30, 29.97, (30000, 1001), Fraction(30000, 1001);
    0 is variable or unknown. `aspect` is the shape of a pixel. `orientation` is how the picture is turned for showing
    it (nothing here does that). `caps` are GStreamer caps for what the other fields do not tell. InvalidArgument: there
    is no such format, size or rate. It can be pickled.
    """
    __slots__ = ('_c', '_caps', '_layouts')

    def __init__(self, name: str | int, width: int, height: int, *, rate: Rate = 0, aspect: Rate = 0,
                 color: Color = Color(), caps: str = '', orientation: Orientation | int = Orientation.NORMAL) -> None:
        if isinstance(name, str):
            info = lib.format_by_name(text('format', name))
        elif isinstance(name, int):
            info = lib.format_find(number('fourcc', name))
        else:
            wrong('format', name, 'a name, such as "NV12", or a fourcc')
        if not info:
            fail(-errno.EINVAL, f'format {name!r} is not in the table: see framebus.formats()')
        self._c = CFormat()
        check(lib.format_init(self._c, info.contents.fourcc, number('width', width), number('height', height)))
        self._fill(rate, aspect, color, caps, orientation)

    @classmethod
    def payload(cls, caps: str, size: int, *, width: int = 0, height: int = 0, rate: Rate = 0,
                orientation: Orientation | int = Orientation.NORMAL) -> Format:
        """Payloads that are no raw picture, described by caps; `size` is a first guess at the largest, in bytes."""
        self = cls.__new__(cls)
        self._c = CFormat()
        check(lib.format_init_opaque(self._c, text('caps', caps), number('size', size, 2**64 - 1)))
        self._c.width, self._c.height = number('width', width), number('height', height)
        self._fill(rate, 0, Color(), caps, orientation)
        return self

    @classmethod
    def _from_c(cls, c: CFormat) -> Format:
        """A copy; caps too, whose memory is the library's."""
        self = cls.__new__(cls)
        self._c = CFormat.from_buffer_copy(c)
        self._caps = self._c.caps = c.caps
        self._layouts = None
        return self

    def _fill(self, rate: Rate, aspect: Rate, color: Color, caps: str, orientation: int) -> None:
        self._c.orientation = number('orientation', orientation)
        self._c.rate_num, self._c.rate_den = fraction('rate', rate)
        self._c.aspect_num, self._c.aspect_den = fraction('aspect', aspect)
        if not isinstance(color, (tuple, list)) or len(color) != 4:
            wrong('color', color, 'a framebus.Color, such as Color(1, 1, 1, 1), BT.709 of limited range')
        self._c.color = CColor(*(number('color', part, 255) for part in color))
        self._caps = self._c.caps = text('caps', caps) or None  # ours, because the struct only points to it
        self._layouts: tuple[PlaneLayout, ...] | None = None
        check(lib.format_check(self._c))

    @property
    def fourcc(self) -> int:
        """The DRM fourcc; 0 for a payload that is no raw picture."""
        return self._c.fourcc

    @property
    def name(self) -> str:
        """As GStreamer spells it ('NV12', 'BGRx'); of a payload its media type ('image/jpeg')."""
        info = self._info
        return info.name.decode() if info else self.caps.partition(',')[0].strip()

    @property
    def drm(self) -> str:
        """As drm_fourcc.h spells it, without DRM_FORMAT_; '' for a payload."""
        info = self._info
        return info.drm.decode() if info else ''

    @property
    def width(self) -> int:
        """Pixels."""
        return self._c.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self._c.height

    @property
    def rate(self) -> Fraction:
        """Frames a second; 0: variable or unknown."""
        return Fraction(self._c.rate_num, self._c.rate_den or 1)

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel by its height."""
        return Fraction(self._c.aspect_num, self._c.aspect_den) if self._c.aspect_den else Fraction(1)

    @property
    def color(self) -> Color:
        """Primaries, transfer, matrix and range."""
        c = self._c.color
        return Color(c.primaries, c.transfer, c.matrix, c.range)

    @property
    def orientation(self) -> Orientation:
        """How the picture is turned for showing it."""
        return Orientation(self._c.orientation)

    @property
    def depth(self) -> int:
        """Significant bits of a component; 0 for a payload."""
        info = self._info
        return info.depth if info else 0

    @property
    def modifier(self) -> int:
        """DRM format modifier; 0: rows one below the other."""
        return self._c.modifier

    @property
    def size(self) -> int:
        """Bytes of a frame, all planes; of a payload the room for one."""
        return self._c.size

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one row to the next, for each plane."""
        return tuple(self._c.stride[:self._c.planes])

    @property
    def caps(self) -> str:
        """GStreamer caps text for what the other fields do not tell."""
        return (self._caps or b'').decode(errors='replace')

    @property
    def planes(self) -> tuple[PlaneLayout, ...]:
        """Where the planes of a picture are in a frame; none for a payload."""
        if self._layouts is None:
            info = self._info
            self._layouts = tuple(plane_layout(self._c, info, i) for i in range(self._c.planes)) if info else ()
        return self._layouts

    @property
    def _info(self) -> CFormatInfo | None:
        row = lib.format_find(self._c.fourcc)
        return row.contents if row else None

    def __eq__(self, other: object) -> bool:
        return lib.format_equal(self._c, other._c) if isinstance(other, Format) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        c = self._c
        return restore, (c.fourcc, c.width, c.height, (c.rate_num, c.rate_den), (c.aspect_num, c.aspect_den),
                         self.color, c.modifier, c.size, c.orientation, c.planes, tuple(c.stride), tuple(c.offset),
                         self._caps)

    def __hash__(self) -> int:
        return hash((self.fourcc, self.width, self.height, self.size, self._caps))

    def __str__(self) -> str:
        room = ctypes.create_string_buffer(256)
        lib.format_describe(self._c, room, len(room))
        return room.value.decode(errors='replace')

    def __repr__(self) -> str:
        return f'<framebus.Format {self}>'


def restore(fourcc: int, width: int, height: int, rate: tuple[int, int], aspect: tuple[int, int], color: Color,
            modifier: int, size: int, orientation: int, planes: int, strides: tuple[int, ...], offsets: tuple[int, ...],
            caps: bytes | None) -> Format:
    """A format that was pickled, which may have been anywhere since."""
    c = CFormat(fourcc, width, height, *rate, *aspect, CColor(*color), modifier, size, orientation, planes,
                (ctypes.c_uint32 * PLANES_MAX)(*strides), (ctypes.c_uint64 * PLANES_MAX)(*offsets), caps)
    check(lib.format_check(c))
    return Format._from_c(c)


def fraction(what: str, value: Rate) -> tuple[int, int]:
    """Numerator and denominator; 0, 0 for zero."""
    try:
        exact = Fraction(*value) if isinstance(value, tuple) else Fraction(value)
    except (ValueError, OverflowError, ZeroDivisionError):
        fail(-errno.EINVAL, f'{what} {value!r} is no fraction')
    except TypeError:
        wrong(what, value, 'a number, a fraction or a pair of whole numbers')
    if isinstance(value, float):
        exact = exact.limit_denominator(1001)
    top = 2**31 - 1
    return (number(what, exact.numerator, top), number(what, exact.denominator, top)) if exact else (0, 0)


def plane_layout(c: CFormat, info: CFormatInfo, plane: int) -> PlaneLayout:
    """
    Components of 8 bits are bytes, those of 9 to 16 bits are words of 16; several of a pixel make a third dimension.
    Where a component is no byte or word of its own, as in RGB16 or Y410, the element is the pixel; groups of 40 bits
    and what a modifier rearranges stay bytes. Rows that end in half a group of pixels are seen to the group's end.
    """
    offset, stride = c.offset[plane], c.stride[plane]
    if c.modifier:
        return PlaneLayout(offset, (c.size - offset,), (1,), '|u1', c.size - offset)
    group = info.plane[plane]
    rows, row_bytes = lib.format_rows(c, plane), lib.format_row_bytes(c, plane)
    nbytes = stride * (rows - 1) + row_bytes
    if group.bytes == 5:
        return PlaneLayout(offset, (rows, row_bytes), (stride, 1), '|u1', nbytes)
    item = 1 if info.depth == 8 else group.bytes if info.planes == 1 and group.bytes <= 4 else 2
    components = group.bytes // group.pixels // item
    order = '|' if item == 1 else '>' if c.fourcc & BIG_ENDIAN else '<'
    shape, strides = (rows, row_bytes // item // components, components), (stride, item * components, item)
    dimensions = 3 if components > 1 else 2
    return PlaneLayout(offset, shape[:dimensions], strides[:dimensions], f'{order}u{item}', nbytes)


def formats() -> Iterator[str]:
    """The names of all formats of pictures."""
    index = 0
    while row := lib.format_at(index):
        yield row.contents.name.decode()
        index += 1
