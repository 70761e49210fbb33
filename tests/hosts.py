# SPDX-License-Identifier: MIT
"""Two hosts for a test: network namespaces, at both ends of a wire."""
import contextlib
import os
import shutil
import subprocess

import pytest


class Host:
    """`inside` goes before a command that is to run on this host."""

    def __init__(self, spawn, address, namespaces, inside=()):
        self.holder = spawn(*inside, 'unshare', *namespaces, 'sleep', 'infinity')
        self.inside = ['nsenter', '-t', str(self.holder.pid), '-n', *(['-U', '--preserve-credentials'] if os.geteuid() else [])]
        self.address = address
        self.holder.until(lambda: self.namespace() != os.readlink('/proc/self/ns/net'), what='its namespace')

    def namespace(self):
        with contextlib.suppress(OSError):
            return os.readlink(f'/proc/{self.holder.pid}/ns/net')
        return os.readlink('/proc/self/ns/net')

    def run(self, *argv):
        subprocess.run([*self.inside, *argv], check=True, timeout=20)

    def up(self):
        self.run('ip', 'address', 'add', f'{self.address}/24', 'dev', 'wire')
        for device in ('wire', 'lo'):
            self.run('ip', 'link', 'set', device, 'up')


def connect(spawn, *addresses):
    """One host of each of the two addresses. Skips the test where there cannot be any."""
    for program in ('unshare', 'nsenter', 'ip'):
        if not shutil.which(program):
            pytest.skip(f'there is no {program}')
    namespaces = ['--net'] if os.geteuid() == 0 else ['--net', '--user', '--map-root-user']
    tried = subprocess.run(['unshare', *namespaces, 'ip', 'link', 'add', 'wire', 'type', 'veth'], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f'no network namespaces here: {tried.stderr.strip()}')
    near = Host(spawn, addresses[0], namespaces)
    # Without root both must be in the same user namespace for the wire to be laid.
    far = Host(spawn, addresses[1], ['--net'], near.inside if os.geteuid() else ())
    near.run('ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', str(far.holder.pid))
    near.up()
    far.up()
    return near, far
