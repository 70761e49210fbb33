# SPDX-License-Identifier: MIT
"""Real drivers in a virtual machine: one boot, in which `cases` runs everything; here the results are read."""
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CASES = subprocess.run([HERE / 'cases', '--list'], stdout=subprocess.PIPE, text=True, check=True).stdout.split()

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def guest(build_dir, tmp_path_factory):
    """The directory with what the cases left, once the guest has ended."""
    # Else the slow guest would have to load every plugin there is.
    subprocess.run(['gst-inspect-1.0', '--exists', 'framebussink'], check=False)
    scratch = tmp_path_factory.mktemp('vm')
    run = subprocess.run([HERE / 'run', '--scratch', scratch, '--timeout', '600', '--', HERE / 'cases'],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode == 77:
        pytest.skip(run.stderr.strip().splitlines()[-1])
    print(run.stdout, run.stderr)
    return scratch


@pytest.mark.parametrize('case', CASES)
def test_in_guest(guest, case):
    log = guest / f'{case}.log'
    status = guest / f'{case}.status'
    assert status.exists(), f'the guest ended before it: {(guest / "vm.console").read_text(errors="replace")[-2000:]}'
    text = log.read_text(errors='replace')
    number = int(status.read_text())
    if number == 77:
        pytest.skip(text.strip().splitlines()[-1])
    assert number == 0, f'status {number}: {text[-4000:]}'
