# SPDX-License-Identifier: MIT
"""Fixtures for tests that run real processes.

build_dir   the build under test (FRAMEBUS_BUILD, else build/ beside tests/)
bus_dir     a runtime directory of this test's own, already FRAMEBUS_DIR for everything it starts
spawn       starts a program: p = spawn(path, 'arg', ...); its output goes to files; killed at the end
wait_for    waits for something to become true: wait_for(lambda: ..., limit=10, what='a frame')
display     the name of an X server of our own
alone       for a test that looks at, or clears away, whatever shared memory there is on this machine
posix_objects   the names of the shared memory of our buses: posix_objects()

After every test: no process, shared memory object or System V segment may be left behind. Where that is
allowed, a run has a /dev/shm and a System V memory of its own, so that others' are not taken for ours.
"""
import contextlib
import ctypes
import os
import pathlib
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest

CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)
RUN = f'fb-{secrets.token_hex(3)}-'  # the name of every runtime directory of this run begins so
ROOT = pathlib.Path(__file__).resolve().parent.parent
LEVELS = ('quick', 'full', 'soak')
MARKERS = {'full': 'slow', 'soak': 'soak'}  # what a test is marked with that runs from that level on


# ---- Which tests run, and where their results go ---------------------------------------------------

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    results = os.environ.get('FRAMEBUS_RESULTS')
    files = [pathlib.Path(arg.split('::')[0]).resolve() for arg in config.args]
    if results and files and files[0].suffix == '.py' and not config.option.xmlpath:
        name = f'{files[0].parent.name}-{files[0].stem}.xml'  # summary.py looks for it
        config.option.xmlpath = str(pathlib.Path(results) / name)
    # Orphans of what we start become our children, so that none can get away unseen.
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The / of a chroot is not a mount point and cannot be made private; then what is mounted in it must be.
    config.stash[is_alone] = (
        LIBC.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0
        and any(LIBC.mount(b'none', place, None, MS_REC | MS_PRIVATE, None) == 0 for place in (b'/', b'/dev/shm'))
        and LIBC.mount(b'tmpfs', b'/dev/shm', b'tmpfs', 0, b'mode=1777') == 0)


def pytest_collection_modifyitems(config, items):
    name = os.environ.get('FRAMEBUS_TESTS', 'full')
    if name not in LEVELS:
        raise pytest.UsageError(f'FRAMEBUS_TESTS={name}: must be one of {", ".join(LEVELS)}')
    level = LEVELS.index(name)
    above = LEVELS[level + 1:]
    beyond = [item for item in items if any(item.get_closest_marker(MARKERS[name]) for name in above)]
    config.hook.pytest_deselected(items=beyond)
    items[:] = [item for item in items if item not in beyond]
    config.stash[left_out] = len(beyond)


left_out = pytest.StashKey[int]()
is_alone = pytest.StashKey[bool]()


def pytest_sessionfinish(session, exitstatus):
    skipped = session.config.pluginmanager.get_plugin('terminalreporter').stats.get('skipped')  # a whole file
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and (skipped or session.config.stash.get(left_out, 0)):
        session.exitstatus = pytest.ExitCode.OK


# ---- Waiting ---------------------------------------------------------------------------------------

def wait_until(predicate, limit=10.0, what='the condition'):
    """Calls predicate until it is true, for `limit` seconds at the most; returns what it returned."""
    end = time.monotonic() + limit
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'waited {limit:g} s in vain for {what}')
        time.sleep(0.01)


@pytest.fixture
def wait_for():
    return wait_until


# ---- Places ----------------------------------------------------------------------------------------

@pytest.fixture(scope='session')
def build_dir():
    path = pathlib.Path(os.environ.get('FRAMEBUS_BUILD', ROOT / 'build')).resolve()
    if not (path / 'build.ninja').exists():
        pytest.fail(f'{path} is no build directory: set FRAMEBUS_BUILD', pytrace=False)
    os.environ.setdefault('GST_PLUGIN_PATH', str(path / 'gst-plugin'))
    os.environ.setdefault('GST_REGISTRY', str(path / 'tests' / 'gst-registry.bin'))
    return path


@pytest.fixture
def processes():
    """Everything that spawn started in this test."""
    return []


@pytest.fixture
def bus_dir(monkeypatch, processes):
    """Short, because the path of a unix socket has room for 107 characters only."""
    watch = LIBC.inotify_init1(os.O_CLOEXEC)
    if watch < 0:
        pytest.skip(f'no inotify for us here: {os.strerror(ctypes.get_errno())}')
    os.close(watch)
    path = pathlib.Path(tempfile.mkdtemp(prefix=RUN, dir='/tmp'))
    monkeypatch.setenv('FRAMEBUS_DIR', str(path))
    yield path
    # A writer that is killed cannot take its socket along; the next one of that name replaces it.
    killed = any(process.returncode == -signal.SIGKILL for process in processes)
    left = sorted(entry.name for entry in path.iterdir()
                  if not is_lock(entry) and not (killed and is_dead_socket(entry)))
    shutil.rmtree(path)
    assert not left, f'left in the runtime directory: {", ".join(left)}'


def is_lock(entry):
    return entry.name.startswith('.') and entry.name.endswith('.lock')


def is_dead_socket(entry):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(1)
        try:
            sock.connect(str(entry))
        except OSError:
            return stat.S_ISSOCK(entry.lstat().st_mode)
    return False


# ---- Processes -------------------------------------------------------------------------------------

class Process(subprocess.Popen):
    """A running program. What it prints can be read at any time with out() and err()."""

    def __init__(self, argv, stem, env, cwd):
        self.stdout_path = stem.with_suffix('.out')
        self.stderr_path = stem.with_suffix('.err')
        with open(self.stdout_path, 'wb') as out, open(self.stderr_path, 'wb') as err:
            super().__init__(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=cwd,
                             preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))

    def out(self):
        return self.stdout_path.read_text(errors='replace')

    def err(self):
        return self.stderr_path.read_text(errors='replace')

    def running(self):
        return self.poll() is None

    def finish(self, limit=10.0):
        """Waits for the program to end by itself; returns its exit status."""
        try:
            return self.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self} did not end within {limit:g} s') from None

    def stop(self, number=signal.SIGINT, limit=10.0):
        """Asks the program to end; returns its exit status."""
        if self.running():
            self.send_signal(number)
        return self.finish(limit)

    def kill(self):
        """SIGKILL, and waits for it to be gone."""
        if self.running():
            super().kill()
        return self.wait(10)

    def until(self, predicate, limit=10.0, what='the condition'):
        """wait_for() that fails at once when the program ends."""
        def check():
            ended = not self.running()
            value = predicate()
            assert value or not ended, f'{self} ended with {self.returncode}, before {what}: {self.err()}'
            return value
        return wait_until(check, limit, f'{what} from {self}')

    def report(self):
        lines = [f'--- {self} -> {self.returncode}']
        for name, text in (('out', self.out()), ('err', self.err())):
            lines += [f'{name}: {line}' for line in text.splitlines()[-60:]]
        return '\n'.join(lines)

    def __str__(self):
        return f'{pathlib.Path(str(self.args[0])).name}[{self.pid}]'


@pytest.fixture(scope='session')
def display():
    for program in ('Xvfb', 'xdotool'):
        if not shutil.which(program):
            pytest.skip(f'there is no {program}')
    first = 100 + os.getpid() % 1000
    for number in range(first, first + 20):
        server = subprocess.Popen(
            ['Xvfb', f':{number}', '-screen', '0', '1400x900x24', '-nolisten', 'tcp', '-noreset'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: server.poll() is not None or serves(server, number), 60, 'an X server')
        if server.poll() is None:
            break
    else:
        pytest.fail('no X server can be started', pytrace=False)
    yield f':{number}'
    server.terminate()
    server.wait(10)


def serves(server, number):
    """True if display `number` answers, and it is this server that does, not somebody else's."""
    try:
        owner = int(pathlib.Path(f'/tmp/.X{number}-lock').read_text())
    except (OSError, ValueError):
        return False
    return owner == server.pid and subprocess.run(
        ['xdotool', 'getdisplaygeometry'], env={**os.environ, 'DISPLAY': f':{number}'},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture
def spawn(bus_dir, build_dir, processes, tmp_path):
    def start(*argv, env=None, cwd=None):
        process = Process([str(arg) for arg in argv], tmp_path / f'process-{len(processes)}',
                          {**os.environ, **(env or {})}, cwd)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        print(process.report())  # pytest shows it if the test failed


# ---- Leaks -----------------------------------------------------------------------------------------

def children():
    """Pids of the child processes we have; those that are dead already are reaped on the way."""
    found = set()
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / 'stat').read_text().rpartition(')')[2].split()[:2]
        except OSError:
            continue
        if int(parent) != os.getpid():
            continue
        if state == 'Z':
            try:
                os.waitpid(int(entry.name), os.WNOHANG)
            except ChildProcessError:
                pass
        else:
            found.add(int(entry.name))
    return found


def find_posix_objects():
    """Names of shared memory of buses in our runtime directories: its header has the path of the socket in it."""
    found = set()
    for entry in pathlib.Path('/dev/shm').glob('framebus-*'):
        with contextlib.suppress(OSError), entry.open('rb') as file:
            if f'/{RUN}'.encode() in file.read(4096):
                found.add(entry.name)
    return found


@pytest.fixture
def posix_objects():
    return find_posix_objects


@pytest.fixture
def alone(pytestconfig):
    if not pytestconfig.stash[is_alone]:
        pytest.skip('needs a /dev/shm and a System V memory of its own')


def sysv_segments():
    """Ids of this user's segments with our kind of key, and how many processes are attached."""
    rows = [line.split() for line in pathlib.Path('/proc/sysvipc/shm').read_text().splitlines()[1:]]
    return {int(row[1]): int(row[6]) for row in rows
            if int(row[0]) & 0xff000000 == 0xfb000000 and int(row[9]) == os.getuid()}


@pytest.fixture(autouse=True)
def leaks():
    before = children(), find_posix_objects(), sysv_segments().keys()
    yield

    def left():
        return ([f'process {pid}' for pid in children() - before[0]] +
                [f'/dev/shm/{name}' for name in find_posix_objects() - before[1]] +
                [f'System V segment {number}' for number, users in sysv_segments().items()
                 if number not in before[2] and not users])

    # Others on this machine may be just removing theirs, and the kernel takes its time with a killed process.
    try:
        wait_until(lambda: not left(), 5)
    except AssertionError:
        found = left()
        for pid in children() - before[0]:
            os.kill(pid, signal.SIGKILL)
        pytest.fail(f'left behind: {", ".join(found)}', pytrace=False)
