#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds moving things on one bus, and publishes the picture with boxes on another: detector.py [FROM [TO]]

The frame is read in place, and the picture is made in a slot of the second bus. The metadata block "objs" has x, y,
width and height of each thing: 32 bits each, little-endian. Watch it: framebus-view TO
"""
import struct
import sys

import cv2
import framebus


def main():
    source, target = (sys.argv[1:] + ['cam0', 'objects'][len(sys.argv) - 1:])[:2]
    detector = cv2.createBackgroundSubtractorMOG2(history=100, detectShadows=False)
    with framebus.Reader(source, wait=None) as reader, framebus.Writer(target) as writer:
        for frame in reader:
            writer.set_format(framebus.Format('BGR', frame.width, frame.height, rate=frame.format.rate))
            with writer.frame() as out:
                picture = out.array
                frame.to_ndarray('BGR', out=picture)
                contours = cv2.findContours(detector.apply(picture), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
                boxes = [cv2.boundingRect(contour) for contour in contours if cv2.contourArea(contour) > 50][:100]
                for x, y, width, height in boxes:
                    cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 255, 0), 2)
                out.add_meta('objs', b''.join(struct.pack('<4I', *box) for box in boxes))
                out.capture_ns = frame.capture_ns  # the published picture was captured when the frame was


if __name__ == '__main__':
    main()
