# SPDX-License-Identifier: MIT
"""libframebus as ctypes sees it: structs, functions, errors. Nothing in here is for users.

ctypes rather than cffi: both need no compiler, and cffi's ABI mode calls faster (160 ns against 250 for a trivial
call, measured together), which is under half a microsecond a frame. But cffi is a package of its own, and an ABI to
match with the interpreter's, while ctypes is there wherever Python is. Neither knows the header: that the structs
below are those of framebus.h is a test's affair (tests/python/test_library.py).
"""
from __future__ import annotations

import ctypes
import enum
import errno
import glob
import numbers
import operator
import os
from ctypes import (POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint, c_uint8,
                    c_uint32, c_uint64, c_void_p)
from types import SimpleNamespace
from typing import Any, Callable, NoReturn, TypeVar

VERSION = '0.9.0'
PLANES_MAX = 4
NAME = 'libframebus.so.0'
META_MAX = 1 << 20


# ---- Structs of framebus.h -------------------------------------------------------------------------

class CColor(Structure):
    _fields_ = [('primaries', c_uint8), ('transfer', c_uint8), ('matrix', c_uint8), ('range', c_uint8)]


class CFormat(Structure):
    _fields_ = [
        ('fourcc', c_uint32), ('width', c_uint32), ('height', c_uint32), ('rate_num', c_uint32),
        ('rate_den', c_uint32), ('aspect_num', c_uint32), ('aspect_den', c_uint32), ('color', CColor),
        ('modifier', c_uint64), ('size', c_uint64), ('orientation', c_uint32), ('planes', c_uint32),
        ('stride', c_uint32 * PLANES_MAX), ('offset', c_uint64 * PLANES_MAX), ('caps', c_char_p),
        ('reserved', c_uint64 * 4)]


class CPlaneLayout(Structure):
    _fields_ = [('pixels', c_uint8), ('bytes', c_uint8), ('sub_x', c_uint8), ('sub_y', c_uint8)]


class CFormatInfo(Structure):
    _fields_ = [
        ('fourcc', c_uint32), ('name', c_char_p), ('drm', c_char_p), ('planes', c_uint8), ('depth', c_uint8),
        ('yuv', c_bool), ('alpha', c_bool), ('plane', CPlaneLayout * PLANES_MAX)]


class CRect(Structure):
    _fields_ = [('x', c_uint32), ('y', c_uint32), ('width', c_uint32), ('height', c_uint32)]


class CClockTime(Structure):
    _fields_ = [('ns', c_int64), ('clock', c_uint32), ('error_ns', c_uint32)]


class CPlane(Structure):
    _fields_ = [('data', c_void_p), ('stride', c_uint32)]


class CFrame(Structure):
    _fields_ = [
        ('format', POINTER(CFormat)), ('format_serial', c_uint32), ('slot', c_uint32), ('plane', CPlane * PLANES_MAX),
        ('data', c_void_p), ('capacity', c_uint64), ('size', c_uint64), ('sequence', c_uint64), ('missed', c_uint64),
        ('capture_ns', c_int64), ('publish_ns', c_int64), ('duration_ns', c_int64), ('flags', c_uint32),
        ('crop', CRect)]


class CWriterOptions(Structure):
    _fields_ = [
        ('memory', c_int), ('memory_flags', c_uint32), ('history', c_uint32), ('max_slots', c_uint32),
        ('max_lends', c_uint32), ('access_mode', c_uint32), ('group', c_char_p), ('lossless', c_bool),
        ('lossless_timeout_ns', c_int64), ('cancel_fd', c_int), ('label', c_char_p),
        ('dmabuf', c_bool), ('dmabuf_for_all', c_bool), ('fewer_slots', c_bool), ('meta_size', c_uint32),
        ('poll_ns', c_int64), ('reserved', c_uint64 * 7)]


class CReaderOptions(Structure):
    _fields_ = [
        ('delivery', c_int), ('quota', c_uint32), ('wait_ns', c_int64), ('follow', c_bool), ('cancel_fd', c_int),
        ('label', c_char_p), ('spin_ns', c_int64), ('dmabuf', c_bool), ('max_rate', c_uint32), ('anticipate', c_uint32),
        ('fd', c_int), ('tell_gone', c_bool), ('reserved', c_uint64 * 7)]


class CReaderStats(Structure):
    _fields_ = [
        ('delivered', c_uint64), ('missed', c_uint64), ('writers', c_uint64), ('held', c_uint32), ('quota', c_uint32),
        ('history', c_uint32), ('delivery', c_int), ('writer_pid', c_int32), ('connected', c_bool),
        ('has_writer', c_bool), ('reserved', c_uint64 * 8)]


class CPeerInfo(Structure):
    _fields_ = [
        ('id', c_uint64), ('pid', c_int32), ('uid', c_uint32), ('label', c_char * 32), ('delivery', c_int),
        ('quota', c_uint32), ('held', c_uint32), ('taken', c_uint64), ('missed', c_uint64), ('reserved', c_uint64 * 4)]


class CBusInfo(Structure):
    _fields_ = [
        ('name', c_char * 108), ('path', c_char * 108), ('state', c_int), ('has_writer', c_bool),
        ('pid', c_int32), ('uid', c_uint32),
        ('label', c_char * 32), ('has_format', c_bool), ('lossless', c_bool), ('format', CFormat), ('memory', c_int),
        ('history', c_uint32), ('max_slots', c_uint32), ('max_lends', c_uint32), ('lent', c_uint32),
        ('slots_used', c_uint32), ('memory_bytes', c_uint64), ('published', c_uint64), ('evicted', c_uint64),
        ('last_publish_ns', c_int64), ('rate_millihertz', c_uint32), ('readers', c_uint32), ('reader', POINTER(CPeerInfo)),
        ('reserved', c_uint64 * 8)]


RemovedHandler = ctypes.CFUNCTYPE(None, c_char_p, c_void_p)
FrameRef = POINTER(POINTER(CFrame))
InfoRef = POINTER(POINTER(CBusInfo))

# Name without framebus_: result, arguments.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    'version': (c_char_p, []),
    'last_error': (c_char_p, []),
    'format_at': (POINTER(CFormatInfo), [c_size_t]),
    'format_find': (POINTER(CFormatInfo), [c_uint32]),
    'format_by_name': (POINTER(CFormatInfo), [c_char_p]),
    'format_init': (c_int, [POINTER(CFormat), c_uint32, c_uint32, c_uint32]),
    'format_init_opaque': (c_int, [POINTER(CFormat), c_char_p, c_uint64]),
    'format_check': (c_int, [POINTER(CFormat)]),
    'format_equal': (c_bool, [POINTER(CFormat), POINTER(CFormat)]),
    'format_row_bytes': (c_uint32, [POINTER(CFormat), c_uint]),
    'format_rows': (c_uint32, [POINTER(CFormat), c_uint]),
    'format_describe': (c_void_p, [POINTER(CFormat), c_char_p, c_size_t]),
    'frame_add_meta': (c_int, [POINTER(CFrame), c_uint32, c_char_p, c_size_t]),
    'frame_append_meta': (c_int, [POINTER(CFrame), c_uint32, c_size_t, POINTER(c_void_p)]),
    'frame_next_meta': (c_void_p, [POINTER(CFrame), POINTER(c_size_t), POINTER(c_uint32), POINTER(c_size_t)]),
    'frame_set_clock_time': (c_int, [POINTER(CFrame), POINTER(CClockTime)]),
    'frame_get_clock_time': (c_int, [POINTER(CFrame), c_uint32, POINTER(CClockTime)]),
    'writer_open': (c_int, [POINTER(c_void_p), c_char_p, POINTER(CFormat), POINTER(CWriterOptions)]),
    'writer_set_format': (c_int, [c_void_p, POINTER(CFormat)]),
    'writer_begin_size': (c_int, [c_void_p, c_uint64, FrameRef]),
    'writer_publish': (c_int, [c_void_p, POINTER(CFrame)]),
    'writer_release': (None, [c_void_p, POINTER(CFrame)]),
    'writer_end': (c_int, [c_void_p]),
    'writer_fd': (c_int, [c_void_p]),
    'writer_dispatch': (c_int, [c_void_p]),
    'writer_get_info': (c_int, [c_void_p, InfoRef]),
    'writer_wants_key_frame': (c_bool, [c_void_p]),
    'writer_close': (None, [c_void_p]),
    'reader_open': (c_int, [POINTER(c_void_p), c_char_p, POINTER(CReaderOptions)]),
    'reader_next': (c_int, [c_void_p, FrameRef, c_int64]),
    'reader_newest': (c_int, [c_void_p, FrameRef]),
    'reader_release': (None, [c_void_p, POINTER(CFrame)]),
    'reader_fd': (c_int, [c_void_p]),
    'reader_set_quota': (c_int, [c_void_p, c_uint32]),
    'reader_request_key_frame': (None, [c_void_p]),
    'reader_format': (POINTER(CFormat), [c_void_p]),
    'reader_get_stats': (None, [c_void_p, POINTER(CReaderStats)]),
    'reader_close': (None, [c_void_p]),
    'list': (c_int, [InfoRef, POINTER(c_size_t)]),
    'query': (c_int, [c_char_p, InfoRef]),
    'info_free': (None, [POINTER(CBusInfo), c_size_t]),
    'remove': (c_int, [c_char_p, RemovedHandler, c_void_p]),
    'directory': (c_int, [c_char_p, c_size_t]),
}

# These return at once and are called for every frame: to let other threads run meanwhile would cost more than the
# call, up to sys.getswitchinterval() each time if one of them is busy.
BRIEF = {'reader_poll': 'reader_next', 'reader_release': 'reader_release', 'frame_next_meta': 'frame_next_meta'}


def installed_with_us() -> list[str]:
    """The library where it was installed together with this module: beside it, or in a lib directory above."""
    directory = os.path.dirname(os.path.abspath(__file__))
    patterns = [directory]
    while directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
        if os.path.basename(directory) in ('lib', 'lib64'):
            prefix = glob.escape(os.path.dirname(directory))
            patterns += [f'{prefix}/{below}' for below in ('lib', 'lib/*-linux-*', 'lib64')]
    return [path for pattern in patterns for path in sorted(glob.glob(f'{pattern}/{NAME}'))]


def find() -> tuple[str, ctypes.CDLL]:
    """$FRAMEBUS_LIBRARY if it is set; else the first of LD_LIBRARY_PATH, what was installed with this module, and what
    the dynamic loader finds."""
    chosen = os.environ.get('FRAMEBUS_LIBRARY')
    listed = [f'{place}/{NAME}' for place in os.environ.get('LD_LIBRARY_PATH', '').split(':') if place]
    for path in [] if chosen else [*filter(os.path.exists, listed), *installed_with_us()]:
        try:
            return path, ctypes.CDLL(path)
        except OSError:
            continue  # of another processor
    path = chosen or NAME
    try:
        return path, ctypes.CDLL(path)
    except OSError as error:
        hint = 'FRAMEBUS_LIBRARY names a file that cannot be loaded' if chosen else \
            'install framebus, or set FRAMEBUS_LIBRARY to the path of the library'
        raise ImportError(f'{error}: {hint}', name='framebus', path=path) from None


def check_version(path: str, running: str) -> None:
    """The library is as new as this module or newer, and of the same series: within 0.x structs may change."""
    have, need = ([int(part) for part in text.split('.')] for text in (running, VERSION))
    if have[0] != need[0] or (need[0] == 0 and have[1] != need[1]) or have < need:
        raise ImportError(f'{path} is framebus {running}, this Python module belongs to {VERSION}: install both from '
                          'the same release, or set FRAMEBUS_LIBRARY', name='framebus', path=path)


def load() -> SimpleNamespace:
    path, library = find()
    # The same once more, with functions that keep the interpreter's lock while they run.
    brief = ctypes.PyDLL(path, handle=library._handle)
    functions = {name: library[f'framebus_{name}'] for name in FUNCTIONS}
    functions.update((name, brief[f'framebus_{symbol}']) for name, symbol in BRIEF.items())
    for name, function in functions.items():
        function.restype, function.argtypes = FUNCTIONS[BRIEF.get(name, name)]
    check_version(path, functions['version']().decode())
    return SimpleNamespace(**{name: again(function) if function.restype is c_int else function
                              for name, function in functions.items()}, path=path)


INTERRUPTED = -errno.EINTR
check_signals = ctypes.pythonapi.PyErr_CheckSignals


def again(function: Callable[..., int]) -> Callable[..., int]:
    """Makes a call anew that a signal handler interrupted, after Python's handlers, of which one may raise."""
    def call(*arguments: Any) -> int:
        while (result := function(*arguments)) == INTERRUPTED:
            check_signals()
        return result
    return call


lib = load()


# ---- Errors ----------------------------------------------------------------------------------------

class InvalidArgument(OSError, ValueError):
    """A name, option, size or format that cannot be (EINVAL)."""


class EndOfStream(OSError):
    """The writer has ended the stream in good order (ENODATA). A reader may go on with the next one."""


SPECIAL = {errno.EINVAL: InvalidArgument, errno.ENODATA: EndOfStream}


def fail(number: int, text: str = '') -> NoReturn:
    """Raises what Python has for a negative errno: FileNotFoundError for ENOENT and so on."""
    text = text or lib.last_error().decode(errors='replace') or os.strerror(-number)
    raise SPECIAL.get(-number, OSError)(-number, text)


def check(result: int) -> int:
    if result < 0:
        fail(result)
    return result


def check_again(function: Callable[..., int], *arguments: Any) -> int:
    """Calls until no signal ends the call: Python runs its handlers in between, and what they raise comes out."""
    while (result := function(*arguments)) == -errno.EINTR:
        pass
    return check(result)


# ---- Arguments: ctypes would cut what does not fit -------------------------------------------------

def wrong(what: str, value: object, needed: str) -> NoReturn:
    raise TypeError(f'{what} must be {needed}, not {value!r}')


def text(what: str, value: str | os.PathLike[str]) -> bytes:
    try:
        data = os.fsencode(value)
    except TypeError:
        wrong(what, value, 'a string')
    if b'\0' in data:
        fail(-errno.EINVAL, f'{what} {value!r} has a zero byte in it')
    return data


def number(what: str, value: int, top: int = 2**32 - 1, *, such_as: str = '') -> int:
    try:
        value = operator.index(value)
    except TypeError:
        wrong(what, value, f'a whole number{such_as and ", such as "}{such_as}')
    if not 0 <= value <= top:
        fail(-errno.EINVAL, f'{what} {value} is outside 0..{top}')
    return value


def nanoseconds(what: str, seconds: float | None) -> int:
    """-1, the library's "for ever", for None."""
    if seconds is None:
        return -1
    if not isinstance(seconds, numbers.Real):
        wrong(what, seconds, 'a number of seconds, or None for ever')
    if not 0 <= seconds < 2**33:
        fail(-errno.EINVAL, f'{what} {seconds} is no number of seconds; for ever is None')
    return round(seconds * 1e9)


def millihertz(what: str, rate: float) -> int:
    if not isinstance(rate, numbers.Real) or not 0.001 <= rate <= 4e6:
        wrong(what, rate, 'a number of frames a second, from 0.001 on, or None for all')
    return round(rate * 1000)


Choice = TypeVar('Choice', bound=enum.IntEnum)


def choice(kind: type[Choice], value: Choice | str) -> Choice:
    """A member, or its name in any case."""
    member = kind.__members__.get(value.upper()) if isinstance(value, str) else value
    if not isinstance(member, kind):
        names = ', '.join(repr(name.lower()) for name in kind.__members__)
        fail(-errno.EINVAL, f'{kind.__name__.lower()} {value!r} is none of {names}')
    return member


def numpy_module() -> Any:
    try:
        import numpy
    except ImportError:
        raise ImportError('arrays need NumPy (python3-numpy); without it planes[i].data and payload are memoryviews',
                          name='numpy') from None
    return numpy
