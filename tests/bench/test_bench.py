# SPDX-License-Identifier: MIT
"""Each benchmark runs, with very few samples, and leaves a complete result. What it measures is not looked at."""
import importlib.util
import json
import os
import pathlib
import subprocess

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / 'bench'
PROGRAMS = os.environ['FRAMEBUS_BENCHMARKS'].split()
SCRIPTS = [path.stem for path in sorted(BENCH.glob('*.py')) if os.access(path, os.X_OK)]
KEYS = {'benchmark', 'case', 'contestant', 'unit', 'p50', 'p90', 'p99', 'samples'}


def run(build_dir, directory, name):
    program = BENCH / f'{name}.py' if name in SCRIPTS else build_dir / 'bench' / f'bench-{name}'
    env = dict(os.environ, FRAMEBUS_BENCH=str(directory))
    done = subprocess.run([program, '--quick'], env=env, capture_output=True, text=True, timeout=120)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f'{done.stdout}\n{done.stderr}'
    return json.loads((directory / f'{name}.json').read_text()), done.stdout


def check(row, result):
    assert KEYS <= set(row), row
    assert row['benchmark'] == result['benchmark']
    assert row['samples'] >= 1
    assert row['p50'] <= row['p90'] <= row['p99'], row
    assert ('ratio' in row) == ('reference' in row)
    assert ('aim' in row) == ('met' in row)
    if 'reference' in row:
        assert any(other['case'] == row['case'] and other['contestant'] == row['reference'] for other in result['rows'])


@pytest.mark.parametrize('name', PROGRAMS + SCRIPTS)
def test_benchmark_leaves_a_complete_result(build_dir, bus_dir, tmp_path, name):
    result, printed = run(build_dir, tmp_path, name)
    assert result['benchmark'] == name
    assert result['quick']
    assert result['machine']['cpus'] >= 1
    assert result['rows']
    for row in result['rows']:
        check(row, result)
        assert row['contestant'] in printed
    assert [path.name for path in tmp_path.iterdir()] == [f'{name}.json']


def test_unknown_option_is_refused(build_dir, tmp_path):
    done = subprocess.run([build_dir / 'bench/bench-idle', '--slow'], cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_result_that_cannot_be_written_is_a_failure(build_dir, tmp_path):
    env = dict(os.environ, FRAMEBUS_BENCH=str(tmp_path / 'nowhere'))
    done = subprocess.run([build_dir / 'bench/bench-idle', '--quick'], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'nowhere' in done.stderr


@pytest.fixture
def report():
    spec = importlib.util.spec_from_file_location('report', BENCH / 'report.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_report_tells_which_aims_are_missed(report):
    row = {'benchmark': 'b', 'case': 'c', 'unit': 'us', 'p50': 2.0, 'p90': 3.0, 'p99': 4.0, 'samples': 9}
    rows = [dict(row, contestant='limit'),
            dict(row, contestant='good', ratio=1.0, reference='limit', aim='ratio <= 1.15', met=True),
            dict(row, contestant='bad', ratio=1.5, reference='limit', aim='ratio <= 1.15', met=False)]
    results = [{'benchmark': 'b', 'machine': {}, 'rows': rows}]
    first, *missed = report.verdicts(results)
    assert first == '1 of 2 aims met.'
    assert len(missed) == 1 and 'bad' in missed[0] and '1.5' in missed[0]
    assert '| bad | 2 | 3 | 4 | us | 9 | 1.5 x limit | ratio <= 1.15 | missed |' in list(report.markdown(results))
