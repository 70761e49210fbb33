# SPDX-License-Identifier: MIT
"""examples/packages.sh, with an apt of our own: no set is given up because of one package."""
import os
import pathlib
import re
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / 'examples' / 'packages.sh'
VM = set(re.search(r'^vm=\((.*)\)$', SCRIPT.read_text(), re.MULTILINE)[1].split())
FAKE = {
    'dpkg-query': 'grep -qx "$4" {0}/installed && printf installed || exit 1',
    'apt-cache': 'grep -qx "$3" {0}/known && printf "Package: %s\\nVersion: %s\\n" "$3" "$(cat {0}/version)" || true',
    'apt-get': 'for word in "$@"; do grep -qx -- "$word" {0}/refused && exit 100; done\n'
               'for word in "$@"; do grep -x -- "$word" {0}/known >>{0}/installed; done\nexit 0',
    'id': 'echo 0',
}


@pytest.fixture
def packages(tmp_path):
    """Runs it where these packages are installed, known and refused; returns what ran and what is installed then."""
    def run(*arguments, installed=(), known=VM, refused=(), version='1'):
        (tmp_path / 'version').write_text(version)
        for name, lines in (('installed', installed), ('known', known), ('refused', refused)):
            (tmp_path / name).write_text(''.join(f'{line}\n' for line in lines))
        for name, script in FAKE.items():
            (tmp_path / name).write_text('#!/bin/sh\n' + script.replace('{0}', str(tmp_path)))
            (tmp_path / name).chmod(0o755)
        done = subprocess.run([SCRIPT, *arguments], env={'PATH': f'{tmp_path}:{os.environ["PATH"]}'}, timeout=60,
                              capture_output=True, text=True)
        return done, set((tmp_path / 'installed').read_text().split())
    return run


def test_what_is_there_is_not_installed_again(packages):
    done, _ = packages('--list', 'vm', installed=VM - {'kmod', 'make'})
    assert (done.returncode, done.stdout) == (0, 'kmod\nmake\n')
    done, _ = packages('vm', installed=VM, refused=['update'])
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_what_the_release_has_not_is_named_and_the_rest_installed(packages):
    done, installed = packages('vm', known=VM - {'zstd'})
    assert (done.returncode, installed) == (0, VM - {'zstd'})
    assert done.stderr == 'packages.sh: this release has no package zstd; going on without it\n'


def test_what_cannot_be_installed_is_named_and_the_rest_installed(packages):
    done, installed = packages('vm', refused=['make'])
    assert (done.returncode, installed) == (1, VM - {'make'})
    assert done.stderr.endswith('packages.sh: apt-get could not install make\n')


@pytest.mark.parametrize('known, missing', [(['ffmpeg', 'ffplay'], {'ffmpeg', 'ffplay'}), (['ffmpeg'], {'ffmpeg'}),
                                            ([], {'ffmpeg'})])
def test_a_package_of_newer_releases_is_looked_for_in_its_place_in_older_ones(packages, known, missing):
    done, _ = packages('--list', 'test', known=known)
    assert {name for name in done.stdout.split() if name.startswith('ff')} == missing


@pytest.mark.parametrize('version, is_missing', [('1.22.0-4+deb12u5', False), ('1.24.0-1', True), ('1.26.2-3', True)])
def test_a_package_that_is_of_use_in_newer_versions_only_is_left_alone_in_older_ones(packages, version, is_missing):
    name = 'libgstreamer-plugins-bad1.0-dev'
    done, _ = packages('--list', 'test', known=[name], version=version)
    assert (name in done.stdout.split()) == is_missing
    assert '>=' not in done.stdout
