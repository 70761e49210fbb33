# SPDX-License-Identifier: MIT
"""The Debian packages: built, looked over by lintian, and installed as docs/using/install.md says in a root that has nothing
else, where an ordinary user runs what the README says."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import documents
import pytest
from pages import ROOT, run, tool

PAGE = 'docs/using/install.md'
PACKAGES = documents.commands(PAGE, 'Debian packages')
DEBIAN = ROOT / 'packaging' / 'debian'
FEW = 10  # frames that show that a pipeline runs
UID = 1000
# A test that waits for these has no network: the packages are not at fault.
OFFLINE = re.compile(r'Could not (resolve|connect)|Temporary failure|Unable to connect|Failed to fetch')


@pytest.fixture(scope='session')
def debs(tmp_path_factory):
    """The packages: {name: file}, all in one directory."""
    for name in ('dpkg-buildpackage', 'dh', 'scdoc', 'doxygen'):
        tool(name)
    out = tmp_path_factory.mktemp('debs') / 'build-debs'
    files = run(ROOT / 'packaging' / 'build-debs.sh', out).splitlines()
    return {pathlib.Path(file).name.split('_')[0]: pathlib.Path(file) for file in files}


def test_every_package_is_built(debs):
    named = re.findall(r'^Package: (.*)$', (DEBIAN / 'control').read_text(), re.MULTILINE)
    assert {name for name in debs if not name.endswith('-dbgsym')} == set(named)


def test_lintian_finds_nothing(debs):
    # No bug asks for a first upload to Debian, since there was none.
    run(tool('lintian'), '--allow-root', '--fail-on', 'error,warning', '--suppress-tags', 'initial-upload-closes-no-bugs',
        *debs.values())


# ---- In a root of their own ------------------------------------------------------------------------

@pytest.fixture(scope='session')
def root(debs, tmp_path_factory):
    """A Debian with nothing but what these packages ask for."""
    if os.getuid():
        pytest.skip('needs root')
    tool('mmdebstrap')
    if subprocess.run(['unshare', '--mount', 'true'], capture_output=True).returncode:
        pytest.skip('needs a mount namespace')
    release = dict(line.split('=', 1) for line in pathlib.Path('/etc/os-release').read_text().splitlines() if '=' in line)
    path = tmp_path_factory.mktemp('clean') / 'root'
    (path.parent / 'apt.conf').write_text(run('apt-config', 'dump', 'Acquire'))  # proxies, and what is trusted
    _, install = PACKAGES
    packages = next(iter(debs.values())).parent
    result = subprocess.run(
        ['mmdebstrap', '--mode=root', '--variant=apt', '--include=sudo,passwd', release['VERSION_CODENAME'], path,
         f'--aptopt={path.parent / "apt.conf"}', '--aptopt=APT::Install-Recommends "true"',  # as everywhere else
         '--customize-hook=mkdir "$1/src"', f'--customize-hook=copy-in {packages} /src',
         f'--customize-hook=chroot "$1" sh -c {shlex.quote(f"cd /src && {install}")}',
         f'--customize-hook=chroot "$1" useradd --create-home --uid {UID} somebody'],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
        env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'})
    if result.returncode and OFFLINE.search(result.stderr):
        pytest.skip(f'no packages to be had: {OFFLINE.search(result.stderr)[0]}')
    assert result.returncode == 0, result.stderr[-4000:]
    yield path
    shutil.rmtree(path)


@pytest.fixture
def inside(root):
    """The command line that runs a command in the root as its ordinary user."""
    # Without a display autovideosink tries DirectFB's sink, if that is there, which crashes.
    script = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot --userspec="$1:$1" "$0" ' \
             'env -i PATH=/usr/bin:/bin HOME=/home/somebody SDL_VIDEODRIVER=dummy GST_PLUGIN_FEATURE_RANK=dfbvideosink:NONE ' \
             'sh -c "cd && exec $2"'
    return lambda command: ['unshare', '--mount', 'sh', '-c', script, root, UID, command]


@documents.runs(PAGE, PACKAGES)
def test_an_ordinary_user_runs_the_pipelines_of_the_readme(inside, spawn):
    writer, *others = documents.commands('README.md', 'Use it')
    readers = [line for line in others if re.match('gst-launch-1.0 framebussrc|framebus-view', line)]
    assert 'framebussink bus=cam0' in writer and len(readers) == 2 and 'framebus ls' in others

    def info():
        answer = subprocess.run([str(arg) for arg in inside('framebus info --json cam0')], capture_output=True, text=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else {'readers': [], 'stream': {'published': 0}}

    source = spawn(*inside(writer))
    source.until(lambda: info()['stream']['published'] >= FEW, 60, 'frames')
    for command in readers:
        reader = spawn(*inside(command))
        reader.until(lambda: any(peer['pid'] == reader.pid and peer['taken'] >= FEW for peer in info()['readers']),
                     60, f'frames by {command}')
        assert reader.stop(limit=30) == 0, reader.report()
    assert 'cam0' in run(*inside('framebus ls'))
    snap = 'import framebus; print(framebus.snap(\'cam0\', wait=20).bgr.shape[1])'
    assert run(*inside(f'python3 -c "{snap}"')) == '1920\n'
    assert source.stop(limit=30) == 0, source.report()


def test_purged_packages_leave_nothing(root, debs):
    run('chroot', root, 'apt-get', 'purge', '-y', *debs)
    assert [path for place in ('etc', 'usr', 'var/lib/systemd') for path in (root / place).rglob('*framebus*')] == []
