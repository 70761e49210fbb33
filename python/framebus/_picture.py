# SPDX-License-Identifier: MIT
"""What Writer.write() takes: checked as a whole before a slot is lent, then copied into it."""
from __future__ import annotations

import errno
import math
import numbers
from typing import Any, Union

from ._format import Format, PlaneLayout
from ._frame import WritableFrame
from ._library import fail, numpy_module

Piece = Union['memoryview', Any]  # the bytes of a plane's rows without padding, or an array


def row_bytes(layout: PlaneLayout) -> int:
    return math.prod(layout.shape[1:]) * int(layout.typestr[2:])


def tight_bytes(layout: PlaneLayout) -> int:
    return layout.shape[0] * row_bytes(layout)


def octets(data: Any, wanted: str) -> memoryview:
    """What any bytes-like object has."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f'write() needs {wanted}, not {describe(data)}') from None
    return view.cast('B') if view.c_contiguous else memoryview(view.tobytes())


def describe(data: Any) -> str:
    shape, dtype = getattr(data, 'shape', None), getattr(data, 'dtype', None)
    if shape is None or dtype is None:
        return repr(data) if isinstance(data, numbers.Number) else type(data).__name__
    return f'an array of {dtype} of the shape {tuple(shape)}'


class Picture:
    """A picture of a format: an array, a plane each, or bytes."""

    def __init__(self, form: Format, data: Any) -> None:
        self._format, self._whole = form, None
        self._pieces: list[Piece] = []
        layouts = form.planes
        if isinstance(data, (list, tuple)):
            if len(data) != len(layouts):
                fail(-errno.EINVAL, f'write() got a {type(data).__name__} of {len(data)}: needed {self._needed()}')
            self._pieces = [self._plane(layout, one) for layout, one in zip(layouts, data)]
        elif hasattr(data, '__array_interface__') or hasattr(data, '__array__'):
            self._take_array(data)
        else:
            self._take_bytes(self._octets(data))

    def _needed(self) -> str:
        """In words, as the end of a sentence."""
        layouts, form = self._format.planes, self._format
        if form.modifier:
            return f'the {form.size} bytes of a picture of {form}'
        shapes = ' and '.join(str(layout.shape) for layout in layouts)
        size = sum(map(tight_bytes, layouts))
        if len(layouts) == 1:
            return f'a picture of {form}: an array of the shape {shapes}, or {size} bytes'
        stacked = f'an array of the shape {self._stacked()}, ' if self._stacked() else ''
        return f'a picture of {form}: {stacked}a list of {len(layouts)} planes of {shapes}, or {size} bytes'

    def _stacked(self) -> tuple[int, int] | None:
        """The shape of an array that has the planes one below the other, as OpenCV has NV12 and I420."""
        first = self._format.planes[0]
        rows, rest = divmod(sum(map(tight_bytes, self._format.planes)), row_bytes(first))
        return None if rest else (rows, row_bytes(first) // int(first.typestr[2:]))

    def _octets(self, data: Any) -> memoryview:
        view = octets(data, self._needed())
        if memoryview(data).format in ('e', 'f', 'd'):
            raise TypeError(f'write() got floating-point numbers: needed {self._needed()}')
        return view

    def _integers(self, data: Any, layout: PlaneLayout) -> Any:
        """An array of whole numbers that fit."""
        numpy = numpy_module()
        array = numpy.asarray(data)
        if array.dtype.kind not in 'iu':
            top = 255 if layout.typestr[2:] == '1' else 65535
            raise TypeError(f'write() got an array of {array.dtype}: {self._format.name} has whole numbers; make them, '
                            f'for example (array * {top}).astype("uint{8 * int(layout.typestr[2:])}")')
        wanted = numpy.dtype(layout.typestr)
        top = int(numpy.iinfo(wanted).max)
        if array.dtype.newbyteorder('=') == wanted.newbyteorder('=') or not array.size:
            return array
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > top:
            fail(-errno.EINVAL, f'write() got values of {low}..{high}: those of {self._format.name} are 0..{top}')
        return array

    def _take_array(self, data: Any) -> None:
        layouts, first = self._format.planes, self._format.planes[0]
        array = self._integers(data, first)
        if len(layouts) == 1 and array.shape in (first.shape, (*first.shape, 1)):
            self._pieces = [array.reshape(first.shape)]
        elif array.ndim == 1 and array.dtype.itemsize == 1:
            self._take_bytes(self._octets(numpy_module().ascontiguousarray(array)))
        elif array.ndim == 2 and array.shape == self._stacked():
            self._take_bytes(memoryview(numpy_module().ascontiguousarray(array, first.typestr)).cast('B'))
        else:
            fail(-errno.EINVAL, f'write() got {describe(array)}: needed {self._needed()}')

    def _take_bytes(self, data: memoryview) -> None:
        """Rows without padding, or with the padding that the bus has."""
        layouts = self._format.planes
        if data.nbytes == self._format.size:
            self._whole = data
        elif data.nbytes == sum(map(tight_bytes, layouts)) and not self._format.modifier:
            at = 0
            for layout in layouts:
                self._pieces.append(data[at:at + tight_bytes(layout)])
                at += tight_bytes(layout)
        else:
            fail(-errno.EINVAL, f'write() got {data.nbytes} bytes: needed {self._needed()}')

    def _plane(self, layout: PlaneLayout, data: Any) -> Piece:
        if hasattr(data, '__array_interface__') or hasattr(data, '__array__'):
            array = self._integers(data, layout)
            if array.shape in (layout.shape, (*layout.shape, 1), (layout.shape[0], math.prod(layout.shape[1:]))):
                return array.reshape(layout.shape)
            fail(-errno.EINVAL, f'write() got a plane of the shape {array.shape}: needed {self._needed()}')
        view = self._octets(data)
        if view.nbytes != tight_bytes(layout):
            fail(-errno.EINVAL, f'write() got a plane of {view.nbytes} bytes, not {tight_bytes(layout)}: needed '
                                f'{self._needed()}')
        return view

    def copy_to(self, frame: WritableFrame) -> None:
        if self._whole is not None:
            frame.payload[:self._whole.nbytes] = self._whole
        for plane, layout, piece in zip(frame.planes, self._format.planes, self._pieces):
            if isinstance(piece, memoryview):
                copy_rows(piece, row_bytes(layout), plane.data, layout.strides[0])
            else:
                plane.array[...] = piece


def copy_rows(source: memoryview, row: int, target: memoryview, stride: int) -> None:
    if row == stride:
        target[:] = source
        return
    for index in range(source.nbytes // row):
        target[index * stride:index * stride + row] = source[index * row:(index + 1) * row]
