# SPDX-License-Identifier: MIT
"""Pictures of every format as OpenCV, Pillow and PyTorch want them, by the code that the viewer has (pixels/)."""
from __future__ import annotations

import ctypes
import errno
import functools
import os
import threading
from ctypes import POINTER, byref, c_int, c_size_t, c_void_p
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ._library import CFrame, fail, lib, numpy_module, text, wrong

if TYPE_CHECKING:
    import numpy

    from ._frame import BaseFrame

MODULE = 'framebus-pixels.so.0'

# enum bitmap_layout of pixels/bitmap.h, and how many components a pixel has.
LAYOUTS = {'BGR': (0, 3), 'RGB': (1, 3), 'BGRA': (2, 4), 'RGBA': (3, 4), 'GRAY': (4, 1)}

FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    'create': (c_void_p, []),
    'destroy': (None, [c_void_p]),
    'convert': (c_int, [c_void_p, POINTER(CFrame), c_int, c_void_p, c_size_t]),
    'open_jpeg': (c_int, [POINTER(c_void_p), c_void_p, c_size_t, POINTER(c_int), POINTER(c_int)]),
    'close_jpeg': (None, [c_void_p]),
    'decode': (c_int, [c_void_p, c_void_p, c_int, c_int, c_int, c_void_p, c_size_t]),
}


@functools.lru_cache(maxsize=None)
def bitmap() -> SimpleNamespace | str:
    """The functions of the module beside this one, or why there are none."""
    path = os.environ.get('FRAMEBUS_PIXELS') or os.path.join(os.path.dirname(os.path.abspath(__file__)), MODULE)
    if not os.path.exists(path):
        return (f'framebus was built without libyuv or libjpeg (there is no {path}): install libyuv-dev and '
                'libjpeg-dev, and build it again')
    try:
        module = ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    functions = {name: module[f'framebus_bitmap_{name}'] for name in FUNCTIONS}
    for name, function in functions.items():
        function.restype, function.argtypes = FUNCTIONS[name]
    return SimpleNamespace(**functions)


class Bitmap:
    """A struct bitmap, which has scratch memory; one for each thread."""

    def __init__(self, functions: SimpleNamespace) -> None:
        self.handle = functions.create()
        if not self.handle:
            raise MemoryError
        self._destroy = functions.destroy

    def __del__(self) -> None:
        if getattr(self, 'handle', None):
            self._destroy(self.handle)


own = threading.local()


def scratch(functions: SimpleNamespace) -> int:
    if not hasattr(own, 'bitmap'):
        own.bitmap = Bitmap(functions)
    return own.bitmap.handle


def layout_of(name: str) -> str:
    """'BGR' for that, 'bgr' and 'bgr24'."""
    if isinstance(name, str):
        if name.upper() in LAYOUTS:
            return name.upper()
        info = lib.format_by_name(text('format', name))
        known = info.contents.name.decode().rstrip('8') if info else ''
        if known in LAYOUTS:
            return known
    names = ', '.join(map(repr, LAYOUTS))
    fail(-errno.EINVAL, f'to_ndarray() makes {names}, not {name!r}; frame.planes has the planes as they are')


def room(numpy: Any, out: numpy.ndarray | None, shape: tuple[int, ...]) -> numpy.ndarray:
    """A new array, or the one that was given, checked."""
    if out is None:
        return numpy.empty(shape, 'u1')
    if not isinstance(out, numpy.ndarray) or out.dtype != 'u1':
        wrong('out', getattr(out, 'dtype', out), f'an array of uint8 of the shape {shape}')
    if out.shape != shape:
        fail(-errno.EINVAL, f'out has the shape {out.shape}: this picture needs {shape}')
    if not out.flags.writeable:
        fail(-errno.EINVAL, 'out is read-only')
    if out[0].flags.c_contiguous and out.strides[0] >= out[0].nbytes:
        return out
    fail(-errno.EINVAL, f'out has the strides {out.strides}: each of its rows must be contiguous, from the top down')


def shape_of(width: int, height: int, components: int) -> tuple[int, ...]:
    return (height, width, components) if components > 1 else (height, width)


def to_ndarray(frame: BaseFrame, name: str, out: numpy.ndarray | None) -> numpy.ndarray:
    layout, hold, numpy = layout_of(name), frame._held(), numpy_module()
    if not frame.fourcc:
        return decode(frame, layout, out, numpy)
    functions = bitmap()
    if isinstance(functions, str):
        fail(-errno.ENOTSUP, f'{frame.format.name} cannot be made {layout} here: {functions}; frame.planes[i].array '
                             'has the planes as they are')
    number, components = LAYOUTS[layout]
    out = room(numpy, out, shape_of(frame.width, frame.height, components))
    result = functions.convert(scratch(functions), hold.frame, number, out.ctypes.data, out.strides[0])
    if result:
        reason = f'its modifier is {frame.format.modifier:#x}' if frame.format.modifier else os.strerror(-result)
        fail(result, f'a picture of {frame.format} cannot be converted: {reason}; in a pipeline: framebussrc ! '
                     'videoconvert ! framebussink')
    return out


def decode(frame: BaseFrame, layout: str, out: numpy.ndarray | None, numpy: Any) -> numpy.ndarray:
    """Of a payload, if it is JPEG."""
    if frame.format.name != 'image/jpeg':
        raise TypeError(f'{frame.format.name} is no raw picture: decode frame.payload, for example with PyAV, or in a '
                        'pipeline: framebussrc ! decodebin ! videoconvert ! framebussink')
    functions = bitmap()
    if isinstance(functions, str):
        fail(-errno.ENOTSUP, f'JPEG cannot be decoded here: {functions}; OpenCV does it: '
                             'cv2.imdecode(frame.array, cv2.IMREAD_COLOR)')
    number, components = LAYOUTS[layout]
    jpeg, width, height = c_void_p(), c_int(), c_int()
    data = frame.array
    result = functions.open_jpeg(byref(jpeg), data.ctypes.data, data.nbytes, byref(width), byref(height))
    try:
        if not result:
            out = room(numpy, out, shape_of(width.value, height.value, components))
            result = functions.decode(scratch(functions), jpeg, width, height, number, out.ctypes.data, out.strides[0])
    finally:
        functions.close_jpeg(jpeg)
    if result == -errno.EBADMSG:
        fail(result, f'frame {frame.sequence} is not a JPEG picture, or is damaged ({data.nbytes} bytes)')
    if result:
        fail(result, f'frame {frame.sequence} cannot be decoded: {os.strerror(-result)}')
    assert out is not None
    return out
