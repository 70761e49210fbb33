# SPDX-License-Identifier: MIT
"""summary.py: whatever goes wrong in a test must show in the sum."""
import json
import pathlib
import subprocess
import sys

import pytest

SUMMARY = pathlib.Path(__file__).resolve().parent / 'summary.py'


@pytest.fixture
def build(tmp_path):
    """Writes what meson and pytest would leave in a build directory; returns that directory."""
    def write(*records, **reports):
        directory = tmp_path / 'build'
        (directory / 'meson-logs').mkdir(parents=True)
        (directory / 'tests' / 'results').mkdir(parents=True)
        (directory / 'meson-logs' / 'testlog.json').write_text(''.join(json.dumps(r) + '\n' for r in records))
        for name, cases in reports.items():
            text = f'<testsuites><testsuite>{cases}</testsuite></testsuites>'
            (directory / 'tests' / 'results' / f'{name.replace("_test", "-test")}.xml').write_text(text)
        return directory
    return write


def entry(result='OK', stdout='', command='./program', name='one', status=1):
    return {'name': name, 'result': result, 'stdout': stdout, 'command': command.split(), 'returncode': status}


def summary(*paths):
    result = subprocess.run([sys.executable, SUMMARY, *paths], stdout=subprocess.PIPE, text=True, timeout=30)
    return result.stdout.splitlines()[-1], result.returncode, result.stdout


@pytest.mark.parametrize('records, line', [
    ([entry()], '1 passed, 0 failed'),
    ([entry('FAIL')], '0 passed, 1 failed'),
    ([entry('SKIP'), entry()], '1 passed, 0 failed, 1 skipped'),
    ([entry('TIMEOUT')], '0 passed, 1 failed'),
    ([entry('OK', '1..2\nok 1 - a\nok 2 - b\n')], '2 passed, 0 failed'),
    ([entry('FAIL', '1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP why\n')], '1 passed, 1 failed, 1 skipped'),
    ([entry('ERROR', '1..3\nok 1 - a\n')], '1 passed, 1 failed'),
    ([entry('FAIL', '1..2\nok 1 - a\nnot ok 2 # SKIP b\n', status=0)], '1 passed, 0 failed, 1 skipped'),
    ([entry('FAIL', '1..2\nok 1 - a\nnot ok 2 # SKIP b\n', status=1)], '1 passed, 1 failed, 1 skipped'),
    ([entry('OK', 'ok 1 - a\n', name=str(i)) for i in range(5)], '5 passed, 0 failed'),
], ids=['one', 'failed', 'skipped', 'timed out', 'tap', 'tap with all', 'tap cut short', 'cmocka skips', 'cmocka skips, crash', 'several'])
def test_programs(build, records, line):
    last, status, _ = summary(build(*records))
    assert last == line
    assert status == (0 if ' 0 failed' in line else 1)


@pytest.mark.parametrize('result, cases, line', [
    ('OK', '<testcase name="a"/><testcase name="b"><skipped message="why"/></testcase>',
     '1 passed, 0 failed, 1 skipped'),
    ('FAIL', '<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>', '1 passed, 1 failed'),
    ('FAIL', '<testcase name="a"/><testcase name="a"><error message="left"/></testcase>', '0 passed, 1 failed'),
    ('FAIL', '<testcase name="a"/>', '1 passed, 1 failed'),
    ('OK', '', '1 passed, 0 failed'),
], ids=['skipped', 'failed', 'failed in clean-up', 'crashed at exit', 'all left out'])
def test_pytest(build, result, cases, line):
    """The last one is a file of slow tests only in a quick run: nothing in it counts, and nothing is wrong."""
    log = [entry(result, command='pytest-3 /x/tests/gst/test_it.py'), *([entry()] if not cases else [])]
    assert summary(build(*log, gst_test_it=cases))[0] == line


def test_pytest_that_left_no_report_has_failed(build):
    assert summary(build(entry('TIMEOUT', command='pytest-3 /x/tests/gst/test_it.py')))[0] == '0 passed, 1 failed'


def test_nothing_is_no_success(build, tmp_path):
    assert summary(build())[:2] == ('0 passed, 0 failed', 1)
    assert summary(tmp_path)[:2] == ('0 passed, 1 failed', 1)


def test_a_tap_case_that_failed_is_named_with_the_reason(build):
    text = summary(build(entry('FAIL', 'not ok 1 - a\n# 1 != 2\n', name='unit-x')))[2]
    assert 'failed: build: unit-x: a: 1 != 2\n' in text


def test_two_pytest_cases_that_failed_are_named_with_the_reason(build):
    log = entry('FAIL', command='pytest-3 /x/tests/gst/test_it.py', name='gst-it')
    cases = '<testcase name="a"><failure message="no"/></testcase><testcase name="b"><error message="oh&#10;x"/></testcase>'
    last, _, text = summary(build(log, gst_test_it=cases))
    assert last == '0 passed, 2 failed'
    assert 'failed: build: gst-it: a: no\nfailed: build: gst-it: b: oh\n' in text


def test_tap_files_and_directories_add_up(build, tmp_path):
    (tmp_path / 'checks.tap').write_text('ok - one\nnot ok - two\n')
    assert summary(tmp_path / 'checks.tap', build(entry()))[0] == '2 passed, 1 failed'


def test_figures_are_repeated(build):
    directory = build({**entry('OK', '# figure: 5 frames\n# 6 spoons\nok 1 - a\n'), 'stderr': '# figure: 7 knives\n'})
    lines = summary(directory)[2].splitlines()
    assert 'build: 5 frames' in lines and 'build: 7 knives' in lines
    assert not any('spoons' in line for line in lines)
