# SPDX-License-Identifier: MIT
"""Which buses there are."""
from __future__ import annotations

import ctypes
import enum
import os
from typing import NamedTuple, TypeVar

from ._format import Format
from ._library import CBusInfo, RemovedHandler, check, lib, text


class Delivery(enum.IntEnum):
    """How frames reach a reader that is slower than the writer."""
    LIVE = 0      #: it misses the oldest
    LATEST = 1    #: it gets the newest only
    LOSSLESS = 2  #: the writer waits for it; the writer must be lossless, too


class Memory(enum.IntEnum):
    """Where a writer's slots come from."""
    MEMFD = 0  #: sealed memfd: readers cannot write, nothing can be left behind
    POSIX = 1  #: shm_open, visible in /dev/shm; not sealed
    SYSV = 2   #: shmget, visible to ipcs; not sealed


class BusState(enum.IntEnum):
    """What can be known of a bus."""
    LIVE = 0    #: a writer answered
    SILENT = 1  #: a writer has the name and does not answer
    STALE = 2   #: left behind by a writer that died; remove() clears it away
    DENIED = 3  #: we may not connect to it
    INCOMPATIBLE = 4  #: its writer speaks another version of the protocol


class PeerInfo(NamedTuple):
    """A reader, as its writer sees it."""
    id: int             #: no other reader of this writer has or had it
    pid: int            #: its process; 0: the writer cannot see it, from another PID namespace
    uid: int            #: its user
    label: str          #: what it calls itself
    delivery: Delivery  #: how frames reach it
    quota: int          #: frames that it may hold
    held: int           #: frames that it holds
    taken: int          #: frames that it got
    missed: int         #: frames that it did not get


class BusInfo(NamedTuple):
    """A bus. What follows `uid` is empty unless it is live."""
    name: str              #: as readers ask for it
    path: str              #: of its socket
    state: BusState        #: what can be known of it
    has_writer: bool       #: a process serves it, as far as we can see
    pid: int               #: that process; 0: there is none, or it cannot be seen from here
    uid: int               #: its user
    label: str             #: what the writer calls itself
    format: Format | None  #: None: none yet
    lossless: bool         #: it waits for lossless readers
    memory: Memory         #: where its slots come from
    history: int           #: frames kept for readers
    max_slots: int         #: slots at the most
    max_lends: int         #: frames lent at once at the most
    lent: int              #: frames lent now
    slots_used: int        #: slots that have memory
    memory_bytes: int      #: what they take
    published: int         #: frames since the bus began
    evicted: int           #: readers thrown out
    last_publish_ns: int   #: 0: never
    rate: float            #: frames a second, lately
    readers: tuple[PeerInfo, ...]  #: all of them


Kind = TypeVar('Kind', bound=enum.IntEnum)


def known(kind: type[Kind], value: int) -> Kind:
    """A member; of what another process says and we do not know, the first."""
    return kind(value) if value in set(kind) else kind(0)


def bus_info(c: CBusInfo) -> BusInfo:
    readers = tuple(
        PeerInfo(r.id, r.pid, r.uid, r.label.decode(), known(Delivery, r.delivery), r.quota, r.held, r.taken,
                 r.missed)
        for r in c.reader[:c.readers])
    return BusInfo(
        os.fsdecode(c.name), os.fsdecode(c.path), BusState(c.state), c.has_writer, c.pid, c.uid,
        c.label.decode(),
        Format._from_c(c.format) if c.has_format else None, c.lossless, known(Memory, c.memory), c.history, c.max_slots,
        c.max_lends, c.lent, c.slots_used, c.memory_bytes, c.published, c.evicted, c.last_publish_ns,
        c.rate_millihertz / 1000, readers)


def take_infos(infos: ctypes._Pointer[CBusInfo], count: int) -> list[BusInfo]:
    """Converts an array of the library's, and frees it."""
    try:
        return [bus_info(c) for c in infos[:count]]
    finally:
        lib.info_free(infos, count)


def list_buses() -> list[BusInfo]:
    """All buses in the runtime directory, by name. Blocks at most 250 ms for each writer that does not answer."""
    infos, count = ctypes.POINTER(CBusInfo)(), ctypes.c_size_t()
    check(lib.list(infos, count))
    return take_infos(infos, count.value)


def query(name: str | os.PathLike[str]) -> BusInfo:
    """One bus, by name or path. FileNotFoundError: there is none."""
    infos = ctypes.POINTER(CBusInfo)()
    check(lib.query(text('name', name), infos))
    return take_infos(infos, 1)[0]


def remove(name: str | os.PathLike[str]) -> list[str]:
    """Removes what a dead writer of this name left, and says what that was. OSError with errno EBUSY: it lives."""
    removed: list[str] = []
    handler = RemovedHandler(lambda what, _: removed.append(os.fsdecode(what)))
    check(lib.remove(text('name', name), handler, None))
    return removed


def directory() -> str:
    """Where buses live, as the environment and the user say. It may not exist yet."""
    room = ctypes.create_string_buffer(4096)
    check(lib.directory(room, len(room)))
    return os.fsdecode(room.value)
