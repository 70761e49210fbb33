# SPDX-License-Identifier: MIT
"""What publish-picture publishes, and how far a screenshot is from it."""
import subprocess

BARS = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
LUMA = {'bt601': (0.299, 0.114), 'bt709': (0.2126, 0.0722), 'bt2020': (0.2627, 0.0593), 'unknown': (0.299, 0.114)}
BACKGROUND = (16, 18, 22)


class Image:
    """Rows of (r, g, b), read from any file that ImageMagick reads."""

    def __init__(self, path):
        size = subprocess.run(['identify', '-format', '%w %h', str(path)], check=True, capture_output=True, text=True)
        self.width, self.height = map(int, size.stdout.split())
        self.data = subprocess.run(['convert', str(path), '-depth', '8', 'rgb:-'], check=True,
                                   capture_output=True).stdout
        assert len(self.data) == self.width * self.height * 3

    def at(self, x, y):
        offset = (y * self.width + x) * 3
        return tuple(self.data[offset:offset + 3])

    def colors(self):
        return {self.data[i:i + 3] for i in range(0, len(self.data), 3)}


COARSE_CHROMA = ('YUV9', 'YVU9', 'Y41B')  # one sample for four pixels


def published(x, y, width, height, gray=None):
    """The colour of a pixel of the published picture, 0..255 each; gray: names the luma's matrix."""
    if y < height * 3 // 4:
        color = BARS[x * 8 // width]
    else:
        color = (x / (width - 1),) * 3
    if gray:
        kr, kb = LUMA[gray]
        color = (kr * color[0] + (1 - kr - kb) * color[1] + kb * color[2],) * 3
    return tuple(255 * c for c in color)


def near_an_edge(x, y, width, height, margin):
    """Where subsampled chroma, or scaling, rightly mixes what lies side by side."""
    if abs(y - height * 3 // 4 + 0.5) < margin:
        return True
    return y < height * 3 // 4 and any((x + d) * 8 // width != x * 8 // width for d in (-margin, margin)
                                       if 0 <= x + d < width)


def difference(image, width, height, gray=None, margin=2, left=0, top=0, scale_x=1, scale_y=1):
    """The largest difference of a component, over all pixels (of large pictures: every nth) that are
    not near an edge. The image is the part of the picture that begins at (left, top), enlarged by
    the scales."""
    worst, looked = 0, 0
    step = 1 + int((image.width * image.height / 20000) ** 0.5)
    for y in range(0, image.height, step):
        for x in range(0, image.width, step):
            px, py = int((x + 0.5) / scale_x) + left, int((y + 0.5) / scale_y) + top
            if near_an_edge(px, py, width, height, margin):
                continue
            looked += 1
            worst = max(worst, *(abs(a - b) for a, b in
                                 zip(image.at(x, y), published(px, py, width, height, gray))))
    assert looked > image.width * image.height / step ** 2 / 3 or width < 32, 'too little was compared'
    return worst
