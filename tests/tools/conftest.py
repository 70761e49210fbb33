# SPDX-License-Identifier: MIT
import ctypes
import errno
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

import pytest


@pytest.fixture
def framebus(build_dir, bus_dir):
    """Runs `framebus ARGUMENTS`; the result has returncode, stdout and stderr."""
    def run(*arguments, **more):
        return subprocess.run([build_dir / 'tools' / 'framebus', *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, **more)
    return run


@pytest.fixture
def framebus_json(framebus):
    """What `framebus ARGUMENTS --json` prints, parsed."""
    def run(*arguments):
        result = framebus(*arguments, '--json')
        assert result.returncode == 0, result.stderr
        assert result.stderr == ''
        return json.loads(result.stdout)
    return run


@pytest.fixture
def rows(framebus):
    """The table of `framebus ls` as a list of dictionaries."""
    def run(**more):
        result = framebus('ls', **more)
        assert result.returncode == 0, result.stderr
        head, *lines = result.stdout.splitlines()
        keys = head.split()
        return [dict(zip(keys, split_row(line, len(keys)))) for line in lines]
    return run


def split_row(line, count):
    """Memory is the last cell and has a blank in it: 1.5 MiB."""
    return line.split(None, count - 1)


@pytest.fixture
def peer(spawn, build_dir):
    """Starts a writer or a reader and waits until frames flow: peer('write', 'cam0', memory=1)."""
    def start(role, name, **options):
        process = spawn(build_dir / 'tests' / 'tools' / 'tools-peer', role, name,
                        *(f'{key}={value}' for key, value in options.items()))
        process.until(lambda: 'ready' in process.out(), what='the first frame')
        return process
    return start


@pytest.fixture
def as_nobody(build_dir):
    """Arguments that make subprocess.run() run something as another user, who may execute what we built."""
    if os.geteuid() != 0:
        pytest.skip('only root can become another user')
    nobody = {'user': 65534, 'group': 65534, 'extra_groups': []}
    try:
        tried = subprocess.run(['test', '-x', build_dir / 'tools' / 'framebus'], **nobody)
    except (OSError, subprocess.SubprocessError) as error:  # in a user namespace
        pytest.skip(f'root is no other user here: {error}')
    if tried.returncode:
        pytest.skip(f'another user cannot get into {build_dir}')
    return nobody


@pytest.fixture
def sandbox():
    """What subprocess.run() takes as preexec_fn, to run something without these system calls."""
    try:
        seccomp = ctypes.CDLL('libseccomp.so.2')
    except OSError:
        pytest.skip('libseccomp is not there')
    seccomp.seccomp_init.restype = ctypes.c_void_p
    allow, refuse = 0x7fff0000, 0x00050000 | errno.EPERM

    def without(*calls):
        def forbid():
            rules = ctypes.c_void_p(seccomp.seccomp_init(allow))
            for name in calls:
                seccomp.seccomp_rule_add(rules, refuse, seccomp.seccomp_syscall_resolve_name(name.encode()), 0)
            if seccomp.seccomp_load(rules):
                os._exit(77)
        if subprocess.run(['true'], preexec_fn=forbid).returncode:
            pytest.skip('no system call can be forbidden here')
        return forbid
    return without


class Terminal:
    """A command that runs on a terminal of its own: type() and read what it writes with out()."""

    def __init__(self, argv, env):
        self.text = b''
        self.end, other = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
        os.set_blocking(self.end, False)
        self.process = subprocess.Popen(argv, stdin=other, stdout=other, stderr=other, env=env)
        self.settings = lambda: termios.tcgetattr(self.end)
        self.other = other

    def out(self):
        try:
            while more := os.read(self.end, 65536):
                self.text += more
        except OSError:
            pass
        return self.text.decode(errors='replace')

    def type(self, text):
        os.write(self.end, text.encode())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self.end)
        os.close(self.other)


@pytest.fixture
def terminal(build_dir, bus_dir):
    """Starts `framebus ARGUMENTS` on a terminal."""
    started = []

    def start(*arguments, **env):
        environment = {**os.environ, 'TERM': 'xterm', **env}
        if 'NO_COLOR' not in env:
            environment.pop('NO_COLOR', None)
        started.append(Terminal([build_dir / 'tools' / 'framebus', *arguments], environment))
        return started[-1]

    yield start
    for one in started:
        one.close()
