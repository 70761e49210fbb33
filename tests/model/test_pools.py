# SPDX-License-Identifier: MIT
"""Pools change, streams end, and nothing is lost or left over; see pools.pml."""
import models
import pytest

pytestmark = models.needs_spin


@pytest.mark.parametrize('flags', [
    'FRAMES=2',
    'FRAMES=3 HISTORY=2 POOLS=2',
    'FRAMES=2 POOLS=2 READER_DIES',
    'FRAMES=2 POOLS=2 WRITER_DIES',
    'LOSSLESS FRAMES=3',
    'LOSSLESS FRAMES=4 POOLS=2 ENDS=0',
    'LOSSLESS FRAMES=3 POOLS=2 LENDS=2',
    'LOSSLESS FRAMES=2 POOLS=2 DEMOTE',
    'LOSSLESS FRAMES=2 POOLS=2 READER_DIES',
    'LOSSLESS FRAMES=2 POOLS=2 WRITER_DIES',
])
def test_holds(flags, tmp_path):
    models.check('pools', flags, tmp_path)


@pytest.mark.parametrize('flags', [
    'FRAMES=3 NO_STRAGGLERS',
    'FRAMES=3 LENDS=2 LATE_PUBLISH',
    'FRAMES=3 NO_SECOND_LOOK',
    'FRAMES=3 NO_RING',
    'FRAMES=3 LENDS=2 NEWEST_START',
    'FRAMES=3 LENDS=2 NARROW_WINDOW',
    'FRAMES=4 POOLS=2 ENDS=0 ONLY_PRESENT_POOL',
    'FRAMES=3 NO_OFFER',
])
def test_break_is_caught(flags, tmp_path):
    models.catch('pools', 'LOSSLESS ' + flags, tmp_path)
