# SPDX-License-Identifier: MIT
"""What the benchmarks in Python have in common: samples, rows of a result, and the file they go to (README.md)."""
import json
import os
from pathlib import Path


def machine():
    info = Path('/proc/cpuinfo').read_text()
    cpu = next((line.split(':')[1].strip() for line in info.splitlines() if line.startswith('model name')), 'unknown')
    return {'cpu': cpu, 'virtual': ' hypervisor' in info, 'cpus': os.cpu_count(), 'kernel': os.uname().release,
            'architecture': os.uname().machine, 'load': os.getloadavg()[0]}


def percentile(values, p):
    return sorted(values)[int(p / 100 * (len(values) - 1))]


class Result:
    """What was measured, by situation, quantity and contestant.

    limits: (quantity, contestant, reference, limit): an aim for the contestant's p50, `limit` times the reference's; without
    a reference (None) the limit itself. All others are compared with `reference`, if it took part."""

    def __init__(self, name, quick, reference, limits=()):
        self.name, self.quick, self.reference, self.limits = name, quick, reference, limits
        self.machine = machine()
        self.samples = {}

    def add(self, situation, contestant, quantity, unit, values):
        if values:
            self.samples.setdefault((situation, quantity, unit), {}).setdefault(contestant, []).extend(values)

    def rows(self):
        for (situation, quantity, unit), by_contestant in self.samples.items():
            for contestant, values in by_contestant.items():
                row = {'benchmark': self.name, 'case': f'{situation}, {quantity}', 'contestant': contestant, 'unit': unit,
                       'samples': len(values)}
                row |= {f'p{p}': percentile(values, p) for p in (50, 90, 99)}
                yield from self.compared(row, quantity, by_contestant)

    def compared(self, row, quantity, by_contestant):
        """The row; once more for each further aim that it is held against."""
        wanted = [(reference, limit) for what, who, reference, limit in self.limits
                  if (what, who) == (quantity, row['contestant']) and (reference is None or reference in by_contestant)]
        if not wanted:
            wanted = [(self.reference if self.reference in by_contestant else None, None)]
        for reference, limit in wanted:
            full, unit = dict(row), 1
            if reference is not None:
                unit = percentile(by_contestant[reference], 50)
            if reference is not None and unit:
                full |= {'reference': reference, 'ratio': row['p50'] / unit}
            if limit is not None:
                full['aim'] = f'<= {limit}' + (f' x {reference}' if reference else '')
                full['met'] = row['p50'] <= limit * unit
            yield full

    def close(self):
        """Prints the table and writes $FRAMEBUS_BENCH/NAME.json."""
        rows = list(self.rows())
        print_table(rows)
        target = Path(os.environ.get('FRAMEBUS_BENCH', '.')) / f'{self.name}.json'
        partial = target.with_suffix('.tmp')
        partial.write_text(json.dumps({'benchmark': self.name, 'quick': self.quick, 'machine': self.machine, 'rows': rows},
                                      indent=1) + '\n')
        partial.rename(target)


def print_table(rows):
    case = None
    for row in rows:
        if row['case'] != case:
            case = row['case']
            print(f"\n{case + ', ' + row['unit']:<58}{'p50':>10}{'p90':>10}{'p99':>10}{'samples':>9}{'ratio':>8}")
        ratio = f"{row['ratio']:8.2f}" if 'ratio' in row else ' ' * 8
        aim = f"  {row['aim']}: {'met' if row['met'] else 'missed'}" if 'aim' in row else ''
        print(f"  {row['contestant']:<56}{row['p50']:10.2f}{row['p90']:10.2f}{row['p99']:10.2f}{row['samples']:9}{ratio}{aim}",
              flush=True)
