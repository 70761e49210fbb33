# SPDX-License-Identifier: MIT
"""Nothing in the products is written twice: no two places share this many tokens in a row, names included."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = ('cli', 'examples', 'gateway', 'gst-plugin', 'lib', 'pixels', 'tools', 'viewer')
# Tokens. At 50 there is one pair: the fields of a frame that fbr-sink.c writes, and fbr-source.c reads.
LENGTH = 60

SKIPPED = re.compile(r'/\*.*?\*/|//[^\n]*|^#\s*include[^\n]*', re.DOTALL | re.MULTILINE)
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\w+|[^\w\s]')


def tokens(path):
    """[(token, line)] of a C file without comments and includes."""
    text = SKIPPED.sub(lambda match: '\n' * match[0].count('\n'), path.read_text())
    found, line, at = [], 1, 0
    for match in TOKEN.finditer(text):
        line += text.count('\n', at, match.start())
        at = match.start()
        found.append((match[0], line))
    return found


def clones(files):
    """Yields (file, line, file, line, tokens) for each pair of places, the longest run that they share."""
    seen, length = {}, {}
    for path in files:
        words = tokens(path)
        run = None
        for i in range(len(words) - LENGTH + 1):
            key = tuple(word for word, _ in words[i:i + LENGTH])
            there = seen.setdefault(key, (path, words[i][1]))
            if there != (path, words[i][1]) and run is None:
                run = (there, words[i][1], i)
            elif there == (path, words[i][1]) and run:
                yield (*run[0], path, run[1], i - run[2] + LENGTH - 1)
                run = None
        if run:
            yield (*run[0], path, run[1], len(words) - run[2])


def test_nothing_is_written_twice():
    files = sorted(path for room in ROOMS for path in (ROOT / room).rglob('*.[ch]'))
    assert len(files) > 100
    found = [f'{a.relative_to(ROOT)}:{m} and {b.relative_to(ROOT)}:{n}: {count} tokens'
             for a, m, b, n, count in clones(files)]
    assert not found, '\n'.join(found)


def test_what_is_written_twice_is_found(tmp_path):
    lines = ''.join(f'int f{i}(int a) {{ return a + {i}; }} /* number {i} */\n' for i in range(6))
    (tmp_path / 'a.c').write_text(f'#include <a.h>\n{lines}')
    (tmp_path / 'b.c').write_text(f'int b;\n{lines}')
    [(_, one, _, other, count)] = clones([tmp_path / 'a.c', tmp_path / 'b.c'])
    assert (one, other) == (2, 2) and count >= LENGTH
