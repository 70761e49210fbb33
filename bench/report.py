# SPDX-License-Identifier: MIT
"""Makes one table (table.txt, table.md) and plots (NAME.svg, by gnuplot if it is there) of all results in a directory.

python3 report.py DIRECTORY
"""
import json
import pathlib
import shutil
import subprocess
import sys

COLUMNS = 2
LOGARITHMIC = 30  # from this ratio between the largest and the smallest on
COLOUR, MARK_COLOUR = '#4878a8', '#c04040'


def number(value):
    return f'{value:.4g}' if abs(value) < 10000 else f'{value:.0f}'


def cells(row):
    aim = row.get('aim', '')
    verdict = '' if not aim else 'met' if row.get('met') else 'missed'
    ratio = f'{row["ratio"]:.3g} x {row["reference"]}' if 'ratio' in row else ''
    return [row['contestant'], *(number(row[key]) for key in ('p50', 'p90', 'p99')), row['unit'], str(row['samples']),
            ratio, aim, verdict]


HEAD = ['contestant', 'p50', 'p90', 'p99', 'unit', 'samples', 'ratio', 'aim', '']


def cases(result):
    """Rows by case, in the order in which the cases came."""
    found = {}
    for row in result['rows']:
        found.setdefault(row['case'], []).append(row)
    return found


def describe(machine):
    text = f'{machine.get("cpu", "unknown processor")}, {machine.get("cpus", "?")} processors'
    text += ' (virtual)' if machine.get('virtual') else ''
    return f'{text}, Linux {machine.get("kernel", "?")}, load before {machine.get("load", "?")}'


def markdown(results):
    for result in results:
        yield f'## {result["benchmark"]}\n'
        yield describe(result.get('machine', {})) + ('. Few samples (--quick).\n' if result.get('quick') else '\n')
        for case, rows in cases(result).items():
            yield f'**{case}**\n'
            yield '| ' + ' | '.join(HEAD) + ' |'
            yield '|---' + '|--:' * 3 + '|---|--:|---|---|---|'
            yield from ('| ' + ' | '.join(cells(row)) + ' |' for row in rows)
            yield ''


def text(results):
    for result in results:
        yield f'==== {result["benchmark"]}: {describe(result.get("machine", {}))}'
        for case, rows in cases(result).items():
            table = [[case, *HEAD[1:]]] + [cells(row) for row in rows]
            widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
            for line in table:
                yield '  '.join(cell.rjust(width) if 1 <= i <= 3 or i == 5 else cell.ljust(width)
                                for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
            yield ''


def verdicts(results):
    aimed = [row for result in results for row in result['rows'] if 'aim' in row]
    missed = [row for row in aimed if not row['met']]
    yield f'{len(aimed) - len(missed)} of {len(aimed)} aims met.'
    for row in missed:
        yield (f'missed: {row["benchmark"]}, {row["case"]}, {row["contestant"]}: aim {row["aim"]}, p50 '
               f'{number(row["p50"])} {row["unit"]}' + (f', ratio {row["ratio"]:.3g}' if 'ratio' in row else ''))


def quoted(string):
    return "'" + string.replace("'", "''") + "'"


def plot_case(case, rows):
    largest, least = max(row['p99'] for row in rows), min(row['p50'] for row in rows)
    if largest <= 0:
        least, largest = 0, 1
    logarithmic = least > 0 and largest > LOGARITHMIC * least
    start, scale = (least / 2, 'set logscale x') if logarithmic else (0, 'unset logscale x')
    data = '\n'.join(f'"{row["contestant"]}" {row["p50"]} {row["p90"]} {row["p99"]}' for row in rows)
    return f'''
$data << end
{data}
end
set title {quoted(case)}
set xlabel {quoted(rows[0]["unit"])}
{scale}
set xrange [{start}:{largest * (1.5 if logarithmic else 1.05)}]
set yrange [{len(rows) - 0.5}:-0.5]
plot $data using ({start}):0:({start}):2:($0-0.33):($0+0.33):ytic(1) with boxxyerror linetype 1, \
    $data using 2:0:2:4 with xerrorbars linetype 2, $data using 3:0 with points linetype 3
'''


def plot(result, path):
    """One picture a benchmark, one diagram a case."""
    found = {case: rows for case, rows in cases(result).items() if rows}
    lines = -(-len(found) // COLUMNS)
    most = max(len(rows) for rows in found.values())
    script = f'''
set terminal svg size {COLUMNS * 620},{lines * (110 + 22 * most) + 40} noenhanced background "white" font "sans,11"
set output {quoted(str(path))}
set multiplot layout {lines},{COLUMNS} title {quoted(f'{result["benchmark"]}: bar p50, mark p90, line to p99')}
set style fill solid 0.6 noborder
set bars small
set lmargin 34
set ytics scale 0
set xtics nomirror
set border 3
unset key
set linetype 1 linecolor rgb "{COLOUR}"
set linetype 2 linecolor rgb "black" pointtype 0
set linetype 3 linecolor rgb "{MARK_COLOUR}" pointtype 5 pointsize 0.4
'''
    script += ''.join(plot_case(case, rows) for case, rows in found.items()) + '\nunset multiplot\n'
    return subprocess.run(['gnuplot'], input=script, text=True, check=False).returncode == 0


def main():
    directory = pathlib.Path(sys.argv[1])
    results = [json.loads(path.read_text()) for path in sorted(directory.glob('*.json'))]
    if not results:
        print(f'report.py: there are no results in {directory}', file=sys.stderr)
        return 1
    (directory / 'table.md').write_text('\n'.join(markdown(results)) + '\n')
    (directory / 'table.txt').write_text('\n'.join(text(results)) + '\n')
    print('\n'.join(verdicts(results)))
    if not shutil.which('gnuplot'):
        print('no plots: gnuplot is not installed (gnuplot-nox)')
        return 0
    return 0 if all([plot(result, directory / f'{result["benchmark"]}.svg') for result in results]) else 1


if __name__ == '__main__':
    sys.exit(main())
