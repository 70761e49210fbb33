# SPDX-License-Identifier: MIT
"""Pictures in tiles, which only a graphics driver can read, are not shown as if their rows were pixels."""


def test_tiles_are_named_instead_of_shown(publish, shoot):
    publish('cam0', format='NV12', size='320x240', modifier='0x0100000000000002')
    status, image, said = shoot('cam0')
    assert status == 1 and image is None
    assert 'NV12' in said and '0x100000000000002' in said
    assert 'gst-launch-1.0 framebussrc bus=cam0 ! vapostproc ! videoconvert ! autovideosink' in said
