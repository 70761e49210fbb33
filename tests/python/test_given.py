# SPDX-License-Identifier: MIT
"""A reader whose socket somebody else has connected."""
import os
import socket

import framebus
import pytest


@pytest.fixture
def connected(writer, bus_dir, wait_for):
    """A connection to a bus with a writer."""
    writer('cam0')
    wait_for(lambda: [bus.name for bus in framebus.list() if bus.state == framebus.BusState.LIVE], what='the writer')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as there:
        there.connect(str(bus_dir / 'cam0'))
        yield there


@pytest.mark.parametrize('number', (False, True))
def test_a_connection_leads_to_the_bus(connected, number):
    with framebus.Reader(fd=connected.fileno() if number else connected) as reader:
        connected.close()  # it has been duplicated
        assert reader.next(10).sequence >= 0
        assert reader.stats.connected


def test_what_is_no_connection_is_refused(connected):
    with pytest.raises(ValueError, match='give one of the two'):
        framebus.Reader('cam0', fd=connected)
    with pytest.raises(ValueError, match='follow'):
        framebus.Reader(fd=connected, follow=True)
    with socket.socket() as wrong, pytest.raises(ValueError, match='not a Unix socket'):
        framebus.Reader(fd=wrong)
    with open(os.devnull) as wrong, pytest.raises(ValueError, match='not a Unix socket'):
        framebus.Reader(fd=wrong.fileno())
    with pytest.raises(ValueError, match=r'fd -1 is outside'):
        framebus.Reader(fd=-1)
    with pytest.raises(TypeError, match='fd'):
        framebus.Reader(fd='3')
