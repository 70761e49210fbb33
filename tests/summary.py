#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up single test cases: summary.py [BUILD_DIRECTORY | FILE.tap]...
Or names the tests that failed, a line each: summary.py --failed BUILD_DIRECTORY/meson-logs/LOG.json

Reads what `meson test` left in each build directory: the logs with the output of every test, in which the
cases of C programs are TAP lines, and the lists of cases that conftest.py had pytest write; and checks.tap in
it, which run.sh leaves when it runs on another machine. Names what failed and what was skipped, then prints
"N passed, N failed" (", N skipped" if any). Of a test that was run again (tests/again) the second try counts;
a line "unsteady" says what failed in the first. The status is 1 if a case failed or there was none at all.
Needs nothing but Python.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'
TAP_LINE = re.compile(r'^(not )?ok\b *\d* *-? *([^#]*)(?:# *(\w+)(.*))?')
TAP_NONE = re.compile(r'^1\.\.0 *# *skip\w*(.*)', re.IGNORECASE)  # a program of which nothing can run
TAP_NOISE = re.compile(r'# (not )?ok - |  (---|\.\.\.$|severity:)')


def tap_cases(text):
    """A list of (name, result, reason) of a TAP report. Comments and YAML after a failure are its reason."""
    cases = []
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        none = TAP_NONE.match(line)
        if none:
            cases.append(('all', SKIPPED, none[1].strip()))
        elif match:
            bad, name, directive, reason = (group or '' for group in match.groups())
            result = FAILED if bad else PASSED
            if directive.lower().startswith('skip'):
                result = SKIPPED
                name, reason = (name, reason) if name.strip() else (reason, '')  # cmocka names it there
            cases.append((name.strip(), result, reason.strip()))
        elif line.startswith(('#', '  ')) and not TAP_NOISE.match(line) and cases and cases[-1][1] == FAILED:
            name, result, reason = cases[-1]
            more = re.sub(r"^  message: (\|-)?|^#|'$", '', line).strip(" '")
            cases[-1] = name, result, f'{reason} {more}'.strip()
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
                whole_file = re.search(r"Skipped: (.*)'\)$", found.text or '')
                outcome = result, whole_file[1] if whole_file else found.get('message', '').partition('\n')[0]
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
        said = [line for key in ('stdout', 'stderr') for line in (record.get(key) or '').splitlines() if line.strip()]
        cases.append((record['result'].lower(), outcome, said[-1].strip() if said else ''))
    return [(f'{test_name(record)}: {name}', result, reason) for name, result, reason in cases]


def test_name(record):
    """Without project and suite."""
    return re.split(' / |:', record['name'])[-1]


def has_failed(record, results):
    return any(result == FAILED for _, result, _ in test_cases(record, results))


def first_failures(record):
    """What failed in a test that was run again since, so that its JUnit file tells of the second try."""
    output = record.get('stdout') or ''
    cases = [f'{name}: {reason}' for name, result, reason in tap_cases(output) if result == FAILED]
    cases = cases or re.findall(r'^(?:FAILED|ERROR) (\S+::.*)', output, re.MULTILINE) or [record['result'].lower()]
    return [f'{test_name(record)}: {case}' for case in cases]


def read_log(log):
    return [json.loads(line) for line in log.read_text(errors='replace').splitlines()] if log.exists() else []


def tries(build):
    """What meson logged about each test: pairs of its first and its last try, which are one unless it was run again.
    Slow tests and valgrind have logs of their own."""
    for log in sorted(build.glob('meson-logs/*.json')):
        if not log.stem.endswith('-again'):
            again = {record['name']: record for record in read_log(log.with_name(f'{log.stem}-again.json'))}
            yield from ((record, again.get(record['name'], record)) for record in read_log(log))


def unsteady(build):
    return [failure for first, last in tries(build)
            if first is not last and not has_failed(last, build / 'tests' / 'results')
            for failure in first_failures(first)]


def figures(build):
    lines = []
    for _, record in tries(build):
        output = (record.get('stdout') or '') + '\n' + (record.get('stderr') or '')
        lines += [line.partition('# figure: ')[2] for line in output.splitlines() if line.startswith('# figure: ')]
    return lines


def directory_cases(build):
    checks = build / 'checks.tap'
    cases = tap_cases(checks.read_text()) if checks.exists() else []
    if not any(build.glob('meson-logs/*.json')):
        cases.append(('the tests did not run', FAILED, ''))
    for _, record in tries(build):
        cases += test_cases(record, build / 'tests' / 'results')
    return [(f'{build.name}: {name}', *rest) for name, *rest in cases]


def main(arguments):
    if arguments[:1] == ['--failed']:
        log = pathlib.Path(arguments[1])
        results = log.parent.parent / 'tests' / 'results'
        for record in read_log(log):
            if has_failed(record, results):
                print(test_name(record))
        return 0
    cases = []
    for path in map(pathlib.Path, arguments):
        cases += directory_cases(path) if path.is_dir() else tap_cases(path.read_text())
    for kind in (SKIPPED, FAILED):
        for name, result, reason in cases:
            if result == kind:
                print(f'{kind}: {name}{": " + reason if reason else ""}')
    for path in map(pathlib.Path, arguments):
        if path.is_dir():
            for figure in figures(path):
                print(f'{path.name}: {figure}')
            for failure in unsteady(path):
                print(f'unsteady: {path.name}: {failure}')
    count = {kind: sum(result == kind for _, result, _ in cases) for kind in (PASSED, FAILED, SKIPPED)}
    if not cases:
        print('nothing ran')
    print()
    print(', '.join(f'{count[kind]} {kind}' for kind in count if kind != SKIPPED or count[kind]))
    return 1 if count[FAILED] or not count[PASSED] else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
