#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a man page of what a program says of itself: from-usage.py SOURCE.c [OPTION...] >PAGE.scd

Reads the tables of cli/options.h out of the source, for a program that was compiled for another machine cannot be
asked. Hence all texts there are literals.
"""
import argparse
import pathlib
import re

TOKEN = re.compile(r'/\*.*?\*/|^#[^\n]*|"(?P<text>(?:\\.|[^"\\])*)"|(?P<word>\'\\?.\'|\w+|\S)', re.S | re.M)
SHARED = pathlib.Path(__file__).parents[2] / 'cli' / 'options.c'


class Text(str):
    """A string literal of the source."""


def tokens(path):
    """Words and literals of a file; literals in a row are one."""
    text = None
    for match in TOKEN.finditer(path.read_text()):
        if match['text'] is not None:
            text = (text or '') + re.sub(r'\\(.)', lambda escaped: {'n': '\n'}.get(escaped[1], escaped[1]), match['text'])
        elif match['word']:
            if text is not None:
                yield Text(text)
            text = None
            yield match['word']


def initialiser(words):
    """{name or place of a member: value} of what follows a brace."""
    members, value, key, depth = {}, [], None, 0
    for word in words:
        if isinstance(word, Text) or depth or word not in '{,=}':
            value.append(word)
            depth += (word == '(') - (word == ')')
        elif word == '{':
            value = [initialiser(words)]
        elif word == '=':
            key, value = value[-1], []
        else:
            if value:
                members[len(members) if key is None else key] = value[0]
            value, key = [], None
            if word == '}':
                return members


def tables(path):
    """{name: members} of every struct and array that a file defines."""
    words, found = tokens(path), {}
    before = []
    for word in words:
        if word == '{' and before[-1:] == ['=']:
            found[[name for name in before if name not in '[]='][-1]] = initialiser(words)
            before = []
        before = [] if word in (';', '}') else before + [word]
    return found


def usage_of(path):
    """The usage in a file, with its tables put in."""
    defined = {**tables(SHARED), **tables(path)}
    [usage] = [table.get('usage', table) for table in defined.values() if {'usage', 'arguments'} & table.keys()]
    return {key: value if isinstance(value, Text) else defined.get(value) for key, value in usage.items()
            if isinstance(value, str)} | {'version': 'version' in usage}


def escape(text):
    assert isinstance(text, Text), f'not a literal: {text}'
    return '\n\n'.join(re.sub(r'^([-.#|[\]:])', r'\\\1', re.sub(r'([\\*_`<>])', r'\\\1', paragraph))
                       for paragraph in text.split('\n\n'))


def entry(term, text):
    return f'{term}\n\t{escape(text)}\n'


def term(row):
    if row[0] == 'NULL':
        return escape(row[1]) + ':\n'
    return entry(f'*{escape(row[0])}*', row[1])


def option(row):
    if 'help' in row:
        return f'## {row["help"]}\n'
    letter, value = row[1].strip("'"), row[2]
    if value != 'NULL':
        value = re.sub('([A-Za-z]+)', r'_\1_', value if value[0] == '[' else ' ' + value)
    return entry(('' if letter == '0' else f'*-{letter}*, ') + f'*--{row[0]}*' + ('' if value == 'NULL' else value), row[5])


def rows(table, one):
    return [one(row) for row in table.values() if row != {0: '0'}]


def page(usage, commands, more, see):
    synopsis = re.sub('([A-Z]{2,})', r'_\1_', re.sub('(--[a-z]+)', r'*\1*', usage['arguments']))
    name = usage['name'].replace(' ', '-')
    sections = {
        'NAME': [f'{name} - {escape(usage["summary"])}\n'],
        'SYNOPSIS': [f'*{usage["name"]}* {synopsis}\n'],
        'DESCRIPTION': [escape(usage['text']) + '\n', *rows(usage.get('terms', {}), term)],
        'COMMANDS': [entry(f'*{command["name"].replace(" ", "-")}*(1)', command['summary']) for command in commands],
        'OPTIONS': rows(usage['options'], option) + [entry('*-h*, *--help*', Text('show this text'))] +
                   [entry('*-V*, *--version*', Text('show the version'))] * usage['version'],
        'EXIT STATUS': rows(usage.get('statuses') or tables(SHARED)['usage_statuses'], term),
        None: [more],
        'EXAMPLES': [f'```\n{usage["examples"].rstrip()}\n```\n'] if 'examples' in usage else [],
        'SEE ALSO': [', '.join(re.sub(r'(.*)(\(\d\))', r'*\1*\2', other) for other in see) + '\n'],
    }
    if 'notes' in usage:
        sections['OPTIONS'].append(escape(usage['notes']) + '\n')
    yield f'{name}(1) "" "User commands"\n'
    for head, parts in sections.items():
        yield from [f'# {head}\n'] if head and parts else []
        yield from parts


parser = argparse.ArgumentParser()
parser.add_argument('source', type=pathlib.Path)
parser.add_argument('--more', type=pathlib.Path, help='further sections, before the examples')
parser.add_argument('--command', type=pathlib.Path, action='append', default=[], help='source of a command of the program')
parser.add_argument('--see', action='append', default=[], help='a page to see also, such as framebus(1)')
given = parser.parse_args()
print('\n'.join(page(usage_of(given.source), map(usage_of, given.command), given.more.read_text() if given.more else '',
                     given.see)))
