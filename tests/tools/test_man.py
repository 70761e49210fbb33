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


def test_what_the_first_page_names_is_there():
    named = set(re.findall(r'^\*framebus-(\w+)\*\(1\)$', (MAN / 'framebus.1.scd').read_text(), re.MULTILINE))
    assert {'ls', 'top', 'doctor'} <= named <= set(PAGES)


def test_pages_are_built(build_dir):
    if not shutil.which('scdoc'):
        pytest.skip('there is no scdoc')
    for name in ['framebus', *(f'framebus-{command}' for command in PAGES)]:
        [page] = (build_dir / 'tools').rglob(f'{name}.1')
        text = page.read_text()
        assert re.search(rf'^\.TH "{name}" "1"', text, re.MULTILINE)
        assert '.SH SYNOPSIS' in text
