# SPDX-License-Identifier: MIT
"""summary.py: whatever goes wrong in a test must show in the sum."""
import json
import os
import pathlib
import re
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


def again(build, *records):
    log = build / 'meson-logs' / 'testlog-again.json'
    log.write_text(''.join(json.dumps(record) + '\n' for record in records))
    return build


@pytest.mark.parametrize('records, line', [
    ([entry()], '1 passed, 0 failed'),
    ([entry('FAIL')], '0 passed, 1 failed'),
    ([entry('SKIP'), entry()], '1 passed, 0 failed, 1 skipped'),
    ([entry('TIMEOUT')], '0 passed, 1 failed'),
    ([entry('OK', '1..2\nok 1 - a\nok 2 - b\n')], '2 passed, 0 failed'),
    ([entry('FAIL', '1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP why\n')], '1 passed, 1 failed, 1 skipped'),
    ([entry('ERROR', '1..3\nok 1 - a\n')], '1 passed, 1 failed'),
    ([entry('FAIL', '1..2\nok 1 - a\nnot ok 2 # SKIP b\n', status=0)], '1 passed, 0 failed, 1 skipped'),
    ([entry('SKIP', '1..0 # SKIP no such thing\n', status=0), entry()], '1 passed, 0 failed, 1 skipped'),
    ([entry('FAIL', '1..2\nok 1 - a\nnot ok 2 # SKIP b\n', status=1)], '1 passed, 1 failed, 1 skipped'),
    ([entry('OK', 'ok 1 - a\n', name=str(i)) for i in range(5)], '5 passed, 0 failed'),
], ids=['one', 'failed', 'skipped', 'timed out', 'tap', 'tap with all', 'tap cut short', 'cmocka skips', 'all of tap skipped', 'cmocka skips, crash', 'several'])
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


def test_a_whole_file_is_skipped_with_its_reason(build):
    case = '<testcase name="f"><skipped message="collection skipped">(\'f.py\', 3, \'Skipped: no x\')</skipped></testcase>'
    log = entry(command='pytest-3 /x/tests/gst/test_it.py', name='gst-it')
    assert 'skipped: build: gst-it: f: no x\n' in summary(build(log, gst_test_it=case))[2]


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


# What the same program printed with each version of cmocka.
CMOCKA = {
    '1.1.5': '1..4\nok 1 - a\nnot ok 2 # SKIP b\nnot ok 3 - c\n# 0x1 != 0x2\n# x.c:8: error: Failure!\n'
             'not ok 4 - d Could not run test: Test setup failed\n# not ok - tests\n',
    '1.1.7': 'TAP version 13\n1..4\nok 1 - a\nok 2 # SKIP b\nnot ok 3 - c\n# 0x1 != 0x2\n# x.c:8: error: Failure!\n'
             'not ok 4 - d Could not run test: Test setup failed\n# not ok - tests\n',
    '2.0.2': "TAP version 14\n1..4\nok 1 - a\nok 2 - b # SKIP\nnot ok 3 - c\n  ---\n  message: |-\n    1 != 2\n"
             "    x.c:8: error: Failure!\n  severity: fail\n  ...\nnot ok 4 - d\n  ---\n"
             "  message: 'Could not run test: Test setup failed'\n  severity: error\n  ...\n# not ok - tests\n",
}


@pytest.mark.parametrize('version', CMOCKA)
def test_every_cmocka_is_understood(build, version):
    last, _, text = summary(build(entry('FAIL', CMOCKA[version], status=2)))
    assert last == '1 passed, 2 failed, 1 skipped'
    first, second, third = text.splitlines()[:3]
    assert first == 'skipped: build: one: b'
    assert re.fullmatch(r'failed: build: one: c: \S+ != \S+ x\.c:8: error: Failure!', second)
    assert re.fullmatch('failed: build: one: d:? Could not run test: Test setup failed', third)


def run_reasons(*arguments):
    return subprocess.run([pathlib.Path(os.environ['FRAMEBUS_BUILD']) / 'tests' / 'reasons', *arguments],
                          capture_output=True, text=True, timeout=30)


def test_a_c_test_says_why_it_was_skipped_or_failed(build):
    done = run_reasons()
    last, _, text = summary(build(entry('FAIL', done.stdout, status=done.returncode)))
    assert 'not ok 2' not in done.stdout and 'not ok 3' not in done.stdout  # meson counts these itself
    assert last == '1 passed, 2 failed, 2 skipped'
    assert text.startswith('skipped: build: one: skips: there is no luck\n'
                           'skipped: build: one: skips_in_a_child: the child has no luck\n'
                           'failed: build: one: fails: there is bad luck at here.c:5: error: Failure!\n'
                           'failed: build: one: differs: ')


def test_a_c_test_that_is_chosen_is_the_one_that_runs():
    assert 'ok 1 - skips # SKIP there is no luck\n' in run_reasons('skips').stdout


@pytest.mark.parametrize('name', ['framebus:unit / unit-x', 'unit - framebus:unit-x', 'unit-x'])
def test_every_meson_has_its_way_to_name_tests(build, name):
    assert 'failed: build: unit-x: fail\n' in summary(build(entry('FAIL', name=name)))[2]


@pytest.mark.parametrize('output', ['1..0 # SKIP no luck', 'what for?\nno luck\n'])
def test_a_program_that_skips_as_a_whole_says_why(build, output):
    assert re.search('^skipped: build: one: .*: no luck$', summary(build(entry('SKIP', output, status=77)))[2], re.MULTILINE)


def test_tap_files_and_directories_add_up(build, tmp_path):
    (tmp_path / 'checks.tap').write_text('ok - one\nnot ok - two\n')
    assert summary(tmp_path / 'checks.tap', build(entry()))[0] == '2 passed, 1 failed'


def test_figures_are_repeated(build):
    directory = build({**entry('OK', '# figure: 5 frames\n# 6 spoons\nok 1 - a\n'), 'stderr': '# figure: 7 knives\n'})
    lines = summary(directory)[2].splitlines()
    assert 'build: 5 frames' in lines and 'build: 7 knives' in lines
    assert not any('spoons' in line for line in lines)


TAP_THAT_FAILED = entry('FAIL', '1..2\nok 1 - a\nnot ok 2 - b\n# 1 != 2\n', name='framebus:unit / x')


def test_the_second_try_counts_and_the_first_is_told(build):
    directory = again(build(TAP_THAT_FAILED, entry(name='y')), entry('OK', '1..2\nok 1 - a\nok 2 - b\n', name='framebus:unit / x'))
    last, status, text = summary(directory)
    assert (last, status) == ('3 passed, 0 failed', 0)
    assert 'unsteady: build: x: b: 1 != 2\n' in text


def test_what_fails_twice_has_failed(build):
    last, status, text = summary(again(build(TAP_THAT_FAILED), TAP_THAT_FAILED))
    assert (last, status) == ('1 passed, 1 failed', 1)
    assert 'unsteady' not in text


def test_a_pytest_that_passes_again_is_told(build):
    log = entry('FAIL', 'FAILED ../tests/gst/test_it.py::test_a - AssertionError: no\n', name='gst-it',
                command='pytest-3 /x/tests/gst/test_it.py')
    directory = build(log, gst_test_it='<testcase name="a"/>')
    text = summary(again(directory, {**log, 'result': 'OK', 'returncode': 0, 'stdout': ''}))[2]
    assert 'unsteady: build: gst-it: ../tests/gst/test_it.py::test_a - AssertionError: no\n' in text


@pytest.mark.parametrize('records, names', [
    ([TAP_THAT_FAILED, entry(name='y'), entry('TIMEOUT', name='framebus:gst / z')], 'x\nz\n'),
    ([entry(name='y')], ''),
], ids=['some', 'none'])
def test_tests_that_failed_are_named(build, records, names):
    log = build(*records) / 'meson-logs' / 'testlog.json'
    result = subprocess.run([sys.executable, SUMMARY, '--failed', log], stdout=subprocess.PIPE, text=True, timeout=30)
    assert result.stdout == names
