#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up single test cases: summary.py [BUILD_DIRECTORY | FILE.tap]...

Reads what `meson test` left in each build directory: the log with the output of every test, in which the
cases of C programs are TAP lines, and the lists of cases that conftest.py had pytest write. Names what failed
and what was skipped, then prints "N passed, N failed" (", N skipped" if any). The status is 1 if a case
failed or there was none at all. Needs nothing but Python.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'
TAP_LINE = re.compile(r'^(not )?ok\b *\d* *-? *([^#]*)(?:# *(\w+)(.*))?')


def tap_cases(text):
    """A list of (name, result, reason) of a TAP report. Comments after a failure are its reason."""
    cases = []
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if match:
            bad, name, directive, reason = (group or '' for group in match.groups())
            result = FAILED if bad else PASSED
            if directive.lower().startswith('skip'):
                result = SKIPPED
                name, reason = (name, reason) if name.strip() else (reason, '')  # cmocka names it there
            cases.append((name.strip(), result, reason.strip()))
        elif line.startswith('#') and cases and cases[-1][1] == FAILED:
            name, result, reason = cases[-1]
            cases[-1] = name, result, f'{reason} {line[1:].strip()}'.strip()
    return cases


def pytest_cases(path):
    """The same for a JUnit file of pytest. A case whose clean-up failed is in it twice, and has failed."""
    cases = {}
    for case in xml.etree.ElementTree.parse(path).iter('testcase'):
        key = case.get('classname'), case.get('name')
        outcome = PASSED, ''
        for kind, result in (('skipped', SKIPPED), ('failure', FAILED), ('error', FAILED)):
            found = case.find(kind)
            if found is not None:
                outcome = result, found.get('message', '').partition('\n')[0]
        if key not in cases or cases[key][0] != FAILED:
            cases[key] = outcome
    return [(name, *outcome) for (_, name), outcome in cases.items()]


def test_cases(record, results):
    """The cases of one entry of meson's log."""
    script = next((pathlib.Path(word) for word in record['command'] if word.endswith('.py')), None)
    report = script and results / f'{script.parent.name}-{script.stem}.xml'
    if report and report.exists():
        cases = pytest_cases(report)
    else:
        cases = tap_cases(record.get('stdout') or '')
    outcome = {'OK': PASSED, 'EXPECTEDFAIL': PASSED, 'SKIP': SKIPPED}.get(record['result'], FAILED)
    failed = any(result == FAILED for _, result, _ in cases)
    # cmocka says "not ok # SKIP" of what it skips, and meson takes the first half for the whole.
    if record['result'] == 'FAIL' and record['returncode'] == 0 and not failed:
        outcome = PASSED
    # A program of one case; or one that failed in a way its cases do not tell, a crash at exit for instance.
    if (not cases and not report) or (outcome == FAILED and not failed):
        cases.append((record['result'].lower(), outcome, ''))
    test = record['name'].rpartition(' / ')[2]  # without project and suite
    return [(f'{test}: {name}', result, reason) for name, result, reason in cases]


def records(build):
    """What meson logged about each test; None if there is no log."""
    log = build / 'meson-logs' / 'testlog.json'
    return [json.loads(line) for line in log.read_text(errors='replace').splitlines()] if log.exists() else None


def figures(build):
    lines = []
    for record in records(build) or []:
        output = (record.get('stdout') or '') + '\n' + (record.get('stderr') or '')
        lines += [line.partition('# figure: ')[2] for line in output.splitlines() if line.startswith('# figure: ')]
    return lines


def directory_cases(build):
    entries = records(build)
    if entries is None:
        return [(f'{build.name}: the tests did not run', FAILED, '')]
    cases = []
    for record in entries:
        cases += test_cases(record, build / 'tests' / 'results')
    return [(f'{build.name}: {name}', *rest) for name, *rest in cases]


def main(arguments):
    cases = []
    for path in map(pathlib.Path, arguments):
        cases += directory_cases(path) if path.is_dir() else tap_cases(path.read_text())
    for kind in (SKIPPED, FAILED):
        for name, result, reason in cases:
            if result == kind:
                print(f'{kind}: {name}{": " + reason if reason else ""}')
    for path in map(pathlib.Path, arguments):
        for figure in figures(path) if path.is_dir() else []:
            print(f'{path.name}: {figure}')
    count = {kind: sum(result == kind for _, result, _ in cases) for kind in (PASSED, FAILED, SKIPPED)}
    if not cases:
        print('nothing ran')
    print()
    print(', '.join(f'{count[kind]} {kind}' for kind in count if kind != SKIPPED or count[kind]))
    return 1 if count[FAILED] or not count[PASSED] else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
