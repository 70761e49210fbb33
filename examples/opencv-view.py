#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows a bus in a window of OpenCV, without a copy where it is BGR: opencv-view.py [BUS]; q ends it."""
import sys

import cv2
import framebus

# What imshow() does not take by itself; each of these makes a new picture.
CONVERT = {
    'NV12': lambda frame: cv2.cvtColorTwoPlane(*(p.array for p in frame.planes), cv2.COLOR_YUV2BGR_NV12),
    'NV21': lambda frame: cv2.cvtColorTwoPlane(*(p.array for p in frame.planes), cv2.COLOR_YUV2BGR_NV21),
    'YUY2': lambda frame: cv2.cvtColor(frame.array, cv2.COLOR_YUV2BGR_YUY2),
    'UYVY': lambda frame: cv2.cvtColor(frame.array, cv2.COLOR_YUV2BGR_UYVY),
    'RGB': lambda frame: cv2.cvtColor(frame.array, cv2.COLOR_RGB2BGR),
    'RGBx': lambda frame: cv2.cvtColor(frame.array, cv2.COLOR_RGBA2BGR),
    'RGBA': lambda frame: cv2.cvtColor(frame.array, cv2.COLOR_RGBA2BGR),
    'image/jpeg': lambda frame: cv2.imdecode(frame.array, cv2.IMREAD_COLOR),
    **dict.fromkeys(['BGR', 'BGRx', 'BGRA', 'GRAY8'], lambda frame: frame.array),
}

bus = sys.argv[1] if len(sys.argv) > 1 else 'cam0'
for frame in framebus.Reader(bus, wait=None, delivery='latest'):
    if frame.format.name not in CONVERT:
        sys.exit(f'opencv-view.py: no way to show {frame.format}; in a pipeline: videoconvert ! video/x-raw,format=BGR')
    cv2.imshow(bus, CONVERT[frame.format.name](frame))
    if cv2.waitKey(1) == ord('q'):
        break
