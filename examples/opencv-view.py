#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows a bus of any format in a window of OpenCV: opencv-view.py [BUS]; q ends it."""
import sys

import cv2
import framebus

bus = sys.argv[1] if len(sys.argv) > 1 else 'cam0'
for frame in framebus.Reader(bus, wait=None, delivery='latest'):
    cv2.imshow(bus, frame.bgr)
    if cv2.waitKey(1) == ord('q'):
        break
