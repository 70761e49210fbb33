# SPDX-License-Identifier: MIT
"""What readers and writers have in common: being open, closed and forked."""
from __future__ import annotations

import ctypes
import os
import sys
import threading
import warnings
import weakref
from typing import Any, Callable, NoReturn

from ._format import Format
from ._library import CFrame, text

WAIT_SLICE = 0.2  # seconds between two looks at what else may have happened: a signal, a close() by another thread
FramePointer = ctypes.POINTER(CFrame)
handles: weakref.WeakSet[Handle] = weakref.WeakSet()


class Handle:
    """A struct of the library that threads, and signal handlers, may call on and close at the same time."""

    def __init__(self, name: str | os.PathLike[str], label: str | None) -> None:
        self._handle: int | None = None
        self._doomed: int | None = None  # closed, and not freed yet
        self._calls = 0                  # under way
        self._renew_locks()
        self._formats: tuple[int, Format | None] = (-1, None)
        self.name = os.fsdecode(text('name', name))
        self._label = text('label', program_name() if label is None else label)

    def _opened(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle.value
        handles.add(self)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError(f'the {type(self).__name__.lower()} of bus "{self.name}" is closed')
        return self._handle

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls on the handle; if it is closed meanwhile, the last call that is under way frees it."""
        with self._lock:
            self._calls += 1
        try:
            return function(self._open_handle(), *arguments)
        finally:
            with self._lock:
                self._calls -= 1
            if self._handle is None:
                self._free()

    def _free(self) -> None:
        with self._lock:
            handle, self._doomed = (None, self._doomed) if self._calls else (self._doomed, None)
        if handle is not None:
            self._close(handle)

    def _renew_locks(self) -> None:
        self._lock = threading.RLock()  # of the three above; a signal may come while we have it

    def _close(self, handle: int) -> None:
        raise NotImplementedError

    def _format_of(self, c: CFrame) -> Format:
        """The same object for all frames that have the same format."""
        serial, form = self._formats
        if form is None or serial != c.format_serial:
            form = Format._from_c(c.format.contents)
            self._formats = c.format_serial, form
        return form

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._handle is None

    def close(self) -> None:
        """Leaves the bus. Frames and views that are still held stay valid. Any thread; may be repeated."""
        with self._lock:
            if self._handle is not None:
                self._doomed, self._handle = self._handle, None
        self._free()

    def __del__(self) -> None:
        if getattr(self, '_handle', None) is not None:
            warnings.warn(f'{self!r} was not closed', ResourceWarning, source=self)
            self.close()

    def __repr__(self) -> str:
        form = f', {self._formats[1]}' if self._formats[1] else ''
        return f'<framebus.{type(self).__name__} {self.name!r}{form}{", closed" if self.closed else ""}>'

    def __reduce__(self) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(f'a {kind.lower()} cannot be pickled: open one in the process that needs it, '
                        f'framebus.{kind}({self.name!r})')


def program_name() -> str:
    name = os.path.basename(sys.argv[0]) if sys.argv else ''
    return name if name not in ('', '-c', '-m') else 'python'


def mend_locks() -> None:
    """A thread that held one in the parent is not there in the child."""
    for handle in handles:
        handle._calls = 0
        handle._renew_locks()


os.register_at_fork(after_in_child=mend_locks)
