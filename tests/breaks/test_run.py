# SPDX-License-Identifier: MIT
"""run: a break that does not fit, does not build or is not noticed must show."""
import importlib.machinery
import importlib.util
import json
import pathlib

import pytest

loader = importlib.machinery.SourceFileLoader('run', str(pathlib.Path(__file__).with_name('run')))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader('run', loader))
loader.exec_module(run)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / 'lib' / 'below').mkdir(parents=True)
    (tmp_path / 'lib' / 'a.c').write_text('int once;\nint twice;\n')
    (tmp_path / 'lib' / 'below' / 'b.h').write_text('int twice;\n')
    return tmp_path


def broken(tree, script, keys='# fails: one two\n'):
    path = tree / 'it.break'
    path.write_text(f'# It breaks: here.\n{keys}{script}\n')
    return run.Break(path)


def test_a_break_edits_one_file(tree):
    file, text = broken(tree, 's/once/never/').edit(tree)
    assert (file, text) == (tree / 'lib' / 'a.c', b'int never;\nint twice;\n')


@pytest.mark.parametrize('script, fits', [('s/gone/x/', 'none'), ('s/twice/x/', 'lib/a.c, lib/below/b.h')])
def test_a_break_that_does_not_fit_has_failed(tree, script, fits):
    with pytest.raises(run.Unnoticed, match=f'fits {fits}$'):
        broken(tree, script).edit(tree)


@pytest.mark.parametrize('keys', ['', '# fails: x\n# command: y\n', '# fials: x\n', '# fails: x\n# build: y\n'])
def test_a_break_that_says_nonsense_is_refused(tree, keys):
    with pytest.raises(SystemExit):
        broken(tree, 's/once/x/', keys)


GOOD, BAD, LEFT_OUT = 'ok 1 - a\n', 'not ok 1 - a\n', 'ok 1 - a # SKIP why\n'


@pytest.fixture
def verdict(tree, monkeypatch):
    """What is said when meson ends with this status, and these tests with these outcomes."""
    def judge(status, tests, *expected):
        def run_tests(command, env):
            records = [{'name': name, 'command': ['x'], 'result': 'FAIL' if text == BAD else 'OK', 'stdout': text,
                        'returncode': int(text == BAD)} for name, text in tests.items()]
            (tree / 'meson-logs').mkdir()
            (tree / 'meson-logs' / 'testlog.json').write_text(''.join(json.dumps(one) + '\n' for one in records))
            return status, ['x.c: error: y', 'the last line']
        monkeypatch.setattr(run, 'run', run_tests)
        try:
            broken(tree, '').demand(tree, None, expected, 'does not')
        except (run.Unnoticed, run.Skipped) as why:
            return f'{type(why).__name__}: {why}'
        return None
    return judge


@pytest.mark.parametrize('status, tests, said', [
    (1, {'one': BAD, 'two': BAD}, None),
    (0, {'one': GOOD, 'two': GOOD}, 'Unnoticed: one does not'),
    (1, {'one': BAD, 'two': GOOD}, 'Unnoticed: two does not'),
    (1, {'one': BAD, 'two': LEFT_OUT}, 'Skipped: two: a: why'),
    (1, {'one': BAD}, 'Unnoticed: two did not run: the last line'),
    (125, {'one': BAD, 'two': BAD}, 'Unnoticed: it does not build: x.c: error: y'),
], ids=['noticed', 'not noticed', 'half noticed', 'skipped', 'half run', 'not built'])
def test_each_test_has_to_fail(verdict, status, tests, said):
    assert verdict(status, tests, run.summary.FAILED) == said


def test_a_test_that_fails_anyway_proves_nothing(verdict):
    assert verdict(1, {'one': LEFT_OUT, 'two': BAD}, run.summary.PASSED, run.summary.SKIPPED) == 'Unnoticed: two does not'


def test_a_sample_has_others_every_day_and_each_in_its_turn(tree, monkeypatch):
    breaks = [broken(tree, '', f'# fails: x\n{"# takes: 2 min" if slow else "#"}\n') for slow in [1, *[0] * 10]]
    seen = []
    for day in range(4):
        monkeypatch.setattr(run.time, 'time', lambda: (20000 + day) * 86400)
        sample = run.choose(breaks, 3)
        assert len(set(map(id, sample))) == 3
        seen += sample
    assert set(map(id, seen)) == set(map(id, breaks[1:]))
