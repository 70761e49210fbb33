# SPDX-License-Identifier: MIT
"""Pictures in tiles, which a modifier tells, are bytes to Python and to the tools, never rows of pixels."""
import errno
import os
import subprocess

import framebus
import pytest

MODIFIER = 0x0100000000000002


@pytest.fixture
def tiled(bus_dir, served):
    """A frame of such a picture as a reader gets it."""
    rows = framebus.Format('BGR', 64, 48)
    restore, (fourcc, width, height, rate, aspect, color, _, *rest) = rows.__reduce__()
    form = restore(fourcc, width, height, rate, aspect, color, MODIFIER, *rest)
    writer = served(framebus.Writer('cam0', form))
    reader = framebus.Reader('cam0')
    writer.write(bytes(form.size))
    yield reader.next(10)
    reader.close()
    writer.close()


def test_it_is_bytes(tiled):
    assert tiled.format.modifier == MODIFIER
    assert tiled.planes[0].array.ndim == 1


@pytest.mark.skipif(not os.path.exists(os.environ['FRAMEBUS_PIXELS']), reason='built without libyuv')
def test_it_is_not_converted(tiled):
    with pytest.raises(OSError, match='modifier is 0x100000000000002') as refused:
        _ = tiled.bgr
    assert refused.value.errno == errno.ENOTSUP


def test_it_is_not_saved(tiled, build_dir, tmp_path):
    tool = build_dir / 'tools' / 'framebus'
    if not tool.exists():
        pytest.skip('built without the command')
    done = subprocess.run([tool, 'snap', 'cam0', tmp_path / 'a.png'], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert 'modifier 0x100000000000002' in done.stderr and 'vapostproc' in done.stderr
    assert not (tmp_path / 'a.png').exists()
