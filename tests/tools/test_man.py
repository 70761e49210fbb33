# SPDX-License-Identifier: MIT
"""Man pages say what the help says."""
import pathlib
import re
import shutil

import pytest

MAN = pathlib.Path(__file__).resolve().parents[2] / 'tools' / 'man'
PAGES = sorted(path.name[len('framebus-'):-len('.1.scd')] for path in MAN.glob('framebus-*.1.scd'))


def options_of(text):
    return set(re.findall(r'--[a-z][a-z-]*', text))


@pytest.mark.parametrize('command', PAGES)
def test_a_page_has_the_options_of_the_command_and_its_summary(framebus, command):
    text = (MAN / f'framebus-{command}.1.scd').read_text()
    result = framebus('help', command)
    assert result.returncode == 0
    terms = set()
    for line in text.splitlines():
        if line.startswith('*-'):
            terms |= options_of(line)
    told = {option for line in result.stdout.splitlines() if re.match(r' +-', line) for option in options_of(line)}
    assert terms == told
    overview = framebus('help').stdout
    summary = re.search(rf'^  {command} +(.*)$', overview, re.MULTILINE).group(1)
    assert f'framebus-{command} - {summary}\n' in text


def test_the_first_page_has_every_command_as_the_help_does(framebus):
    text = (MAN / 'framebus.1.scd').read_text()
    told = re.findall(r'^  (\w+) +(.*)$', framebus('help').stdout.split('\n\n')[1], re.MULTILINE)
    assert re.findall(r'^\*framebus-(\w+)\*\(1\)\n\t(.*)$', text, re.MULTILINE) == told[:-1]
    assert told[-1][0] == 'help' and sorted(name for name, _ in told[:-1]) == PAGES


def test_pages_are_built(build_dir):
    if not shutil.which('scdoc'):
        pytest.skip('there is no scdoc')
    for name in ['framebus', *(f'framebus-{command}' for command in PAGES)]:
        [page] = (build_dir / 'docs').rglob(f'{name}.1')
        text = page.read_text()
        assert re.search(rf'^\.TH "{name}" "1"', text, re.MULTILINE)
        assert '.SH SYNOPSIS' in text
