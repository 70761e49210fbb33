# SPDX-License-Identifier: MIT
"""What the shells complete: commands, options, names of buses, in real shells."""
import os
import pathlib
import pty
import shutil
import subprocess

import pytest

FILES = pathlib.Path(__file__).resolve().parents[2] / 'tools' / 'completions'


@pytest.fixture
def path(build_dir, monkeypatch, tmp_path, bus_dir):
    """The shells find the command that was built, and nothing of the user's."""
    monkeypatch.setenv('PATH', f'{build_dir / "tools"}:{os.environ["PATH"]}')
    for name in ('HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'ZDOTDIR'):
        monkeypatch.setenv(name, str(tmp_path))


def bash(*words):
    script = f'source {FILES / "framebus.bash"}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _framebus; ' \
             'printf "%s\\n" "${COMPREPLY[@]}"'
    return subprocess.run(['bash', '--norc', '-c', script, 'bash', *words], check=True, capture_output=True,
                          text=True, timeout=60).stdout.split()


def fish(*words):
    line = ' '.join(words)
    result = subprocess.run(['fish', '-c', f'source {FILES / "framebus.fish"}; complete -C "{line}"'], check=True,
                            capture_output=True, text=True, timeout=60)
    return [row.split('\t')[0] for row in result.stdout.splitlines()]


@pytest.mark.parametrize('shell', [bash, fish])
def test_words_of_every_kind_are_offered(shell, path, peer, wait_for):
    if not shutil.which(shell.__name__):
        pytest.skip(f'there is no {shell.__name__}')
    for name in ('front-door', 'front-yard', 'garage'):
        peer('write', name)
    assert shell('framebus', 'in') == ['info']
    assert {'ls', 'info', 'rm', 'test', 'check', 'mon', 'doctor'} <= set(shell('framebus', ''))
    assert shell('framebus', 'help', 'doc') == ['doctor']
    assert shell('framebus', 'info', 'front') == ['front-door', 'front-yard']
    assert shell('framebus', 'ls', '--n') == ['--names']
    assert {'--min-fps', '--max-age', '--not-frozen'} <= set(shell('framebus', 'check', '--'))


def test_bash_knows_values_of_options(path):
    assert bash('framebus', 'test', '--format', 'P01') == ['P010_10LE', 'P012_LE', 'P016_LE']
    for command in ('camera', 'test'):
        assert bash('framebus', command, '--memory', '') == ['memfd', 'posix', 'sysv']
    assert bash('framebus', 'camera', '--io', 'u') == ['userptr']
    assert bash('framebus', 'camera', '--l') == ['--list', '--lossless']


def test_zsh_completes_as_one_types(path, peer, wait_for, tmp_path):
    if not shutil.which('zsh'):
        pytest.skip('there is no zsh')
    peer('write', 'garage')
    end, other = pty.openpty()
    os.set_blocking(end, False)
    shell = subprocess.Popen(['zsh', '-f', '-i'], stdin=other, stdout=other, stderr=other, start_new_session=True,
                             env={**os.environ, 'TERM': 'dumb'})
    text = ['']

    def out():
        try:
            text[0] += os.read(end, 65536).decode(errors='replace')
        except BlockingIOError:
            pass
        return text[0].replace('\a', '')

    def answer(line, what):
        os.write(end, line.encode())
        wait_for(lambda: what in out(), limit=30, what=what)

    try:
        answer(f'fpath=({FILES} $fpath); autoload -U compinit; compinit -D -u; echo rea""dy\n', 'ready')
        answer('framebus inf\t', 'framebus info')
        answer('gar\t', 'garage')
        answer('\nframebus ls --na\t', '--names')
        answer('\nframebus test --memory po\t', 'posix')
        answer('\nframebus camera --io us\t', 'userptr')
    finally:
        shell.kill()
        shell.wait(10)
        os.close(end)
        os.close(other)
