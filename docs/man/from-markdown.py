#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a man page of a page of docs/: from-markdown.py PAGE.md 'title(5) "" "Manual"' 'name - what' 'see also' >PAGE.scd

Knows what those pages are made of: headings, paragraphs, tables, `code`, **strong** words, links.
"""
import pathlib
import re
import sys


def text(line):
    """A line of Markdown as scdoc writes it."""
    line = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', line)
    parts = re.split(r'(\*\*`.*?`\*\*|\*\*.*?\*\*|`.*?`)', line)
    for i, part in enumerate(parts):
        plain = re.sub(r'([\\*_])', r'\\\1', part.strip('*`') if i % 2 else part)
        parts[i] = f'*{plain}*' if i % 2 else plain
    return ''.join(parts)


def table(lines):
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    head, body = rows[0], rows[2:]
    for row in [[f'*{cell}*' for cell in head], *([text(cell) for cell in row] for row in body)]:
        for i, cell in enumerate(row):
            yield f'{":" if i else "|"}[ {cell}'


def page(markdown, title, name, see_also):
    _, *blocks = re.split(r'\n\n+', markdown.strip())  # the first is the heading
    yield from (title, '', '# NAME', '', text(name), '', '# DESCRIPTION')
    for block in blocks:
        yield ''
        lines = block.splitlines()
        if block.startswith('#'):
            yield f'# {block.lstrip("# ").upper()}'
        elif block.startswith('|'):
            yield from table(lines)
        else:
            yield from map(text, lines)
    yield from ('', '# SEE ALSO', '', see_also)


print('\n'.join(page(pathlib.Path(sys.argv[1]).read_text(), *sys.argv[2:])))
