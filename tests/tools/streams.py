# SPDX-License-Identifier: MIT
"""Streams and pictures for the tests of send, recv, record and play."""
import random
import struct
import subprocess

# Every format of the bus's table, with how GStreamer lays out one of its pictures: planes of
# (pixels in a group, bytes of a group, horizontal and vertical subsampling).
PACKED = {
    'GRAY8': (1, 1), 'GRAY10_LE16': (1, 2), 'R12': (1, 2), 'GRAY16_LE': (1, 2), 'GRAY16_BE': (1, 2),
    'RGB15': (1, 2), 'BGR15': (1, 2), 'RGB16': (1, 2), 'BGR16': (1, 2), 'BGR': (1, 3), 'RGB': (1, 3),
    'BGRx': (1, 4), 'RGBx': (1, 4), 'xBGR': (1, 4), 'xRGB': (1, 4), 'BGRA': (1, 4), 'RGBA': (1, 4),
    'ABGR': (1, 4), 'ARGB': (1, 4), 'BGR10x2_LE': (1, 4), 'RGB10x2_LE': (1, 4), 'BGR10A2_LE': (1, 4),
    'RGB10A2_LE': (1, 4), 'r210': (1, 4), 'XRGB16161616': (1, 8), 'XBGR16161616': (1, 8), 'BGRA64_LE': (1, 8),
    'RGBA64_LE': (1, 8), 'ARGB64_BE': (1, 8), 'ABGR64_BE': (1, 8), 'YUY2': (2, 4), 'YVYU': (2, 4),
    'UYVY': (2, 4), 'VYUY': (2, 4), 'Y210': (2, 8), 'Y212_LE': (2, 8), 'Y216_LE': (2, 8), 'v308': (1, 3),
    'AYUV': (1, 4), 'VUYA': (1, 4), 'XYUV8888': (1, 4), 'Y410': (1, 4), 'XVYU2101010': (1, 4),
    'Y412_LE': (1, 8), 'Y416_LE': (1, 8),
}
SEMI = {'NV12': (1, 2, 2), 'NV21': (1, 2, 2), 'NV16': (1, 2, 1), 'NV61': (1, 2, 1), 'NV24': (1, 1, 1),
        'NV42': (1, 1, 1), 'P010_10LE': (2, 2, 2), 'P012_LE': (2, 2, 2), 'P016_LE': (2, 2, 2), 'P210': (2, 2, 1)}
TILED = {'NV12_10LE40': (2, 2), 'NV16_10LE40': (2, 1)}
PLANAR = {'YUV9': (1, 4, 4), 'YVU9': (1, 4, 4), 'Y41B': (1, 4, 1), 'I420': (1, 2, 2), 'YV12': (1, 2, 2),
          'Y42B': (1, 2, 1), 'YVU422': (1, 2, 1), 'Y444': (1, 1, 1), 'YVU444': (1, 1, 1),
          'I420_10LE': (2, 2, 2), 'I422_10LE': (2, 2, 1), 'Y444_10LE': (2, 1, 1), 'I420_12LE': (2, 2, 2),
          'I422_12LE': (2, 2, 1), 'Y444_12LE': (2, 1, 1), 'Y444_16LE': (2, 1, 1)}
FORMATS = [*PACKED, *SEMI, *TILED, *PLANAR]


def up(value, by):
    return -(-value // by)


def raw_size(name, width, height):
    """Bytes of a picture without padding."""
    if name in PACKED:
        pixels, size = PACKED[name]
        return up(width, pixels) * size * height
    if name in SEMI:
        size, sub_x, sub_y = SEMI[name]
        return width * size * height + up(width, sub_x) * 2 * size * up(height, sub_y)
    if name in TILED:
        sub_x, sub_y = TILED[name]
        return up(width, 4) * 5 * height + up(up(width, sub_x), 2) * 5 * up(height, sub_y)
    size, sub_x, sub_y = PLANAR[name]
    return width * size * height + 2 * up(width, sub_x) * size * up(height, sub_y)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def y4m(tag, sizes, frames=5, width=66, height=50, head='F100:1 Ip A1:1', depth=8):
    """A stream of noise; sizes are bytes of a frame."""
    out = [f'YUV4MPEG2 W{width} H{height} {head} C{tag}\n'.encode()]
    for i in range(frames):
        data = noise(sizes, i)
        if depth > 8:  # values of that many bits
            mask = (1 << depth) - 1 >> 8
            data = bytes(byte & mask if at & 1 else byte for at, byte in enumerate(data))
        out += [b'FRAME\n', data]
    return b''.join(out)


def run(argv, data=b'', limit=60):
    result = subprocess.run([str(arg) for arg in argv], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=limit)
    assert b'Sanitizer' not in result.stderr and b'runtime error' not in result.stderr, result.stderr
    return result


def parse_fbr(data):
    """A .fbr file as docs/using/fbr.md describes it: [(format record without offsets, frame head, meta, bytes)], index."""
    assert data[:8] == b'\x89FBR\r\n\x1a\n'
    version, at = struct.unpack_from('<II', data, 8)
    assert version == 1
    frames, index, form, form_at, places = [], None, None, None, []
    while at < len(data):
        kind, head, size = struct.unpack_from('<4sIQ', data, at)
        assert size % 8 == 0 and at + size <= len(data)
        if kind == b'FRMT':
            form, form_at = data[at + 16:at + head], at
            caps_bytes, = struct.unpack_from('<I', data, at + 68)
            form += data[at + head:at + head + caps_bytes]
        elif kind == b'FRAM':
            fields = struct.unpack_from('<QQqqqIIIIIIQ', data, at + 16)
            meta = data[at + head:at + head + fields[6]]
            start = at + head + fields[6]
            frames.append((form, fields, meta, data[start:start + fields[11]]))
            places.append((at, form_at, fields[3]))
        elif kind == b'INDX':
            count, = struct.unpack_from('<Q', data, at + 16)
            index = [struct.unpack_from('<QQq', data, at + head + 24 * i) for i in range(count)]
            index_at = at
        elif kind == b'END.':
            assert at + size == len(data)
            assert struct.unpack_from('<Q8s', data, at + 16) == (index_at, b'\x89FBR\r\n\x1a\n')
        at += size
    assert index is None or index == places
    return frames, index
