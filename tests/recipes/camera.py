# SPDX-License-Identifier: MIT
"""A camera for test_mirror.py: its moments of capture are irregular, and each picture has its number in it.

The number stands at the top as 20 squares, black or white, the lowest bit first. A frame was captured 5 to 20 ms before
it is published.
"""
import random
import time

import framebus

WIDTH, BITS, PERIOD = 640, 20, 33_333_333
SQUARE = WIDTH // BITS


def number_in(frame):
    row = frame.planes[0].array[SQUARE]
    return sum(int(row[bit * SQUARE + SQUARE // 2] > 128) << bit for bit in range(BITS))


def draw(frame, number):
    luma, *chroma = (plane.array for plane in frame.planes)
    for plane in chroma:
        plane[:] = 128
    luma[:] = 60
    luma[:, number * 4 % (WIDTH - 40):][:, :40] = 180
    for bit in range(BITS):
        luma[:2 * SQUARE, bit * SQUARE:(bit + 1) * SQUARE] = 235 if number >> bit & 1 else 16


def main():
    with framebus.Writer('cam0', framebus.Format('I420', WIDTH, 480, rate=30)) as writer:
        begin = time.monotonic_ns()
        for number in range(1, 1 << BITS):
            due = begin + number * PERIOD
            while (left := due - time.monotonic_ns()) > 0:
                writer.serve(min(left / 1e9, 0.01))
            with writer.frame() as frame:
                draw(frame, number)
                frame.capture_ns = time.monotonic_ns() - random.randrange(5_000_000, 20_000_000)


if __name__ == '__main__':
    main()
