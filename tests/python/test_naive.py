# SPDX-License-Identifier: MIT
"""Programs as people write them first, who have read the README and no more."""
import framebus
import pytest


def lines_of(process):
    assert process.finish(120) == 0, process.err()
    return process.out().splitlines()


def test_a_select_loop_with_one_look_for_each_wake_up(writer, python):
    writer('cam0', 'NV12')
    assert lines_of(python('''
import select
reader = framebus.Reader('cam0', wait=None)
count = 0
while count < 20:
    select.select([reader], [], [])
    try:
        frame = reader.next(0)
    except TimeoutError:
        continue
    count += 1
    luma = frame.planes[0].array.mean()
print(count)
reader.close()
''')) == ['20']


@pytest.mark.parametrize('method', ['spawn', 'fork', 'forkserver'])
def test_workers_of_multiprocessing(writer, python, method):
    writer('cam0', 'BGR')
    assert lines_of(python('''
import multiprocessing

def work(name):
    with framebus.Reader(name, wait=None) as reader:
        return [(frame.missed, frame.format) for frame, _ in zip(reader, range(10))]

if __name__ == '__main__':
    with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
        for told in pool.map(work, ['cam0'] * 3):
            print(len(told), told[0][1])
''', method)) == ['10 BGR 64x48 100/1'] * 3


def test_a_writer_that_sleeps(python):
    pytest.importorskip('cv2')
    python('''
import cv2
picture = numpy.zeros((480, 640, 3), 'uint8')
with framebus.Writer('cam0', framebus.Format('I420', 640, 480, rate=60)) as writer:
    while True:
        cv2.circle(picture, (320, 240), 100, (0, 0, 255), -1)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))
        time.sleep(1 / 60)
''')
    assert lines_of(python('''
frame = framebus.snap('cam0', wait=30)
if os.path.exists(os.environ['FRAMEBUS_PIXELS']):
    b, g, r = (int(value) for value in frame.bgr[240, 320])
    assert r > 240 and g < 15 and b < 15, (b, g, r)
print(frame.format)
''')) == ['I420 640x480 60/1']


def test_pairs_of_two_cameras(writer, python):
    for name in ('left', 'right'):
        writer(name)
    [gap] = lines_of(python('''
left, right = framebus.Reader('left', wait=None), framebus.Reader('right', wait=None)
gaps = []
b = right.next()
for a in left:
    while b.capture_ns < a.capture_ns:
        b = right.next()
    gaps.append(b.capture_ns - a.capture_ns)
    if len(gaps) == 30:
        break
print(sorted(gaps)[15] / 1e6)
left.close()
right.close()
'''))
    assert 0 <= float(gap) < 1000  # 10 ms at the most, but for busy machines


def test_the_newest_picture_now_and_then(writer, python):
    writer('cam0', 'NV12')
    first, second, third = (int(number) for number in lines_of(python('''
for _ in range(3):
    print(framebus.snap('cam0', wait=30).sequence)
    time.sleep(0.2)
''')))
    assert first < second < third


def test_pictures_of_a_jpeg_camera(spawn, build_dir, tmp_path):
    """The writer is what a C programmer writes first: one slot for each JPEG, whatever its size is."""
    program = build_dir / 'tests' / 'examples' / 'naive-jpeg'
    if not program.exists():
        pytest.skip('no libjpeg to build the writer with')
    image = pytest.importorskip('PIL.Image')
    sizes = {str(tmp_path / f'{i}.jpg'): size for i, size in enumerate([(64, 48), (33, 17)])}
    for path, size in sizes.items():
        image.new('RGB', size, (200, 40, 90)).save(path, quality=95)
    spawn(program, 'cam0', *sizes)
    with framebus.Reader('cam0', wait=10) as reader:
        for _ in range(6):
            with reader.next(10) as frame:
                assert (frame.width, frame.height) == sizes[frame.get_meta('file').decode()]
                assert frame.capture_ns <= frame.publish_ns
                assert abs(frame.to_ndarray('RGB').astype(int) - (200, 40, 90)).max() < 6
