#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds what moves on one bus, and publishes the picture with frames around it on another: detector.py [FROM [TO]]

The frame it reads is seen in place; the picture it publishes is made in a slot of the second bus. Where things are
goes along as metadata, "objs": x, y, width and height of each, 32 bits, little-endian. Watch it: framebus-view TO
"""
import struct
import sys

import cv2
import framebus

BGR = {'BGR': None, 'BGRx': cv2.COLOR_BGRA2BGR, 'BGRA': cv2.COLOR_BGRA2BGR, 'RGB': cv2.COLOR_RGB2BGR,
       'GRAY8': cv2.COLOR_GRAY2BGR, 'YUY2': cv2.COLOR_YUV2BGR_YUY2, 'NV12': cv2.COLOR_YUV2BGR_NV12}


def draw(frame, picture):
    """The frame as BGR, straight into `picture`."""
    code = BGR[frame.format.name]
    if code is None:
        picture[:] = frame.array
    elif len(frame.planes) == 2:
        cv2.cvtColorTwoPlane(frame.planes[0].array, frame.planes[1].array, code, dst=picture)
    else:
        cv2.cvtColor(frame.array, code, dst=picture)


def main():
    source, target = (sys.argv[1:] + ['cam0', 'objects'][len(sys.argv) - 1:])[:2]
    detector = cv2.createBackgroundSubtractorMOG2(history=100, detectShadows=False)
    with framebus.Reader(source, wait=None) as reader, framebus.Writer(target) as writer:
        for frame in reader:
            if frame.format.name not in BGR:
                sys.exit(f'detector.py: cannot read {frame.format}; use one of {", ".join(BGR)}')
            writer.set_format(framebus.Format('BGR', frame.width, frame.height, rate=frame.format.rate))
            with writer.frame() as out:
                picture = out.array
                draw(frame, picture)
                contours = cv2.findContours(detector.apply(picture), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
                boxes = [cv2.boundingRect(contour) for contour in contours if cv2.contourArea(contour) > 50][:100]
                for x, y, width, height in boxes:
                    cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 255, 0), 2)
                out.add_meta('objs', b''.join(struct.pack('<4I', *box) for box in boxes))
                out.capture_ns = frame.capture_ns  # of the picture, not of what was found in it


if __name__ == '__main__':
    main()
