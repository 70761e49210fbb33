#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints docs/using/python-reference.md, made of the module's docstrings: reference.py >docs/using/python-reference.md

Reads the sources and runs nothing, so that the page does not depend on the Python that makes it.
"""
import ast
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
PARTS = [
    ('Reading', ['Reader', 'snap', 'VideoCapture', 'ReaderStats', 'Delivery']),
    ('Frames', ['Frame', 'CopiedFrame', 'Plane', 'Rect', 'FrameFlags', 'ClockTime', 'Clock']),
    ('Writing', ['Writer', 'WritableFrame', 'Memory']),
    ('Formats', ['Format', 'formats', 'Color', 'Orientation', 'PlaneLayout']),
    ('Buses', ['list', 'query', 'remove', 'directory', 'BusInfo', 'PeerInfo', 'BusState']),
    ('Errors', ['InvalidArgument', 'EndOfStream']),
]
RENAMED = {'list': 'list_buses'}
HEAD = """# The Python module: reference

Made of the docstrings of [`python/framebus`](../../python/framebus) by
[`python/reference.py`](../../python/reference.py): change those. [Python](python.md) explains and has programs.

Times are nanoseconds of CLOCK_MONOTONIC (`time.monotonic_ns()`) where a name ends in `_ns`, and seconds elsewhere.
Errors are `OSError`, of the subclass that Python has for the errno, with a sentence that says what was wrong;
arguments of a wrong type are `TypeError`; what is closed or released is `ValueError`. [All of
them](python.md#ends-and-errors). Where a method says nothing else, it does not block.
"""


def tidy(text):
    """A docstring as Markdown: indented programs, and tables of what stood in columns."""
    lines, out, table = text.splitlines(), [], False
    for line in lines:
        row = re.match(r'^(\w+(?: (?=\())?\S*) {2,}(\S.*)$', line)
        if row:
            out += [] if table else ['', '| | |', '|---|---|']
            out.append(f'| `{row[1]}` | {row[2]} |')
            table = True
        elif table and line.startswith('      '):
            out[-1] = f'{out[-1][:-2]} {line.strip()} |'
        else:
            table = False
            out.append(line)
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(out)).strip()


def docstring(node):
    return tidy(ast.get_docstring(node) or '')


def signature(function):
    """Without self, and without the types, which are in the text."""
    arguments = function.args
    arguments.posonlyargs = []
    names = [one.arg for one in arguments.args]
    defaults = [None] * (len(names) - len(arguments.defaults)) + [ast.unparse(one) for one in arguments.defaults]
    shown = [name if default is None else f'{name}={default}' for name, default in zip(names, defaults)
             if name not in ('self', 'cls')]
    if arguments.kwonlyargs:
        shown.append('*')
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        shown.append(one.arg if default is None else f'{one.arg}={ast.unparse(default)}')
    return f'({", ".join(shown)})'


def cell(text):
    return ' '.join(text.replace('|', '\\|').split())


class Module:
    """Everything that the sources define, by name."""

    def __init__(self):
        self.nodes, self.lines = {}, {}
        for path in sorted((HERE / 'framebus').glob('_*.py')):
            text = path.read_text()
            for node in ast.parse(text).body:
                if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                    self.nodes[node.name], self.lines[node.name] = node, text.splitlines()

    def fields(self, name):
        """Of a tuple or an enumeration: (name, type or value, what the comment says)."""
        for node in self.nodes[name].body:
            if isinstance(node, ast.AnnAssign):
                field, kind = node.target.id, ast.unparse(node.annotation)
            elif isinstance(node, ast.Assign) and not node.targets[0].id.startswith('_'):
                field, kind = node.targets[0].id, ast.unparse(node.value)
            else:
                continue
            comment = re.search(r'#: ?(.*)$', self.lines[name][node.end_lineno - 1])
            yield field, kind, comment[1] if comment else ''

    def members(self, name):
        """Public methods and properties of a class and of those of ours that it is made of; the nearest ones count."""
        node, found = self.nodes[name], {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.nodes:
                found.update(self.members(base.id))
        for one in node.body:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and not one.name.startswith('_'):
                setter = any(ast.unparse(mark).endswith('.setter') for mark in one.decorator_list)
                told = found.get(one.name)
                found[one.name] = (told[0] if setter and told else one, setter)
        return found


def is_property(node):
    return any(ast.unparse(mark) == 'property' for mark in node.decorator_list)


def describe_class(module, name, shown):
    """A class, without members that another part of the page has told of."""
    node = module.nodes[name]
    yield docstring(node)
    fields = list(module.fields(name))
    if fields:
        values = any(ast.unparse(base).startswith('enum') for base in node.bases)
        yield '\n'.join([f'| | {"value" if values else "type"} | |', '|---|---|---|'] +
                        [f'| `{field}` | `{cell(kind)}` | {cell(said)} |' for field, kind, said in fields])
    members = module.members(name)
    properties = {key: one for key, one in members.items() if is_property(one[0]) and shown.get(key) != one}
    if properties:
        yield '\n'.join(['| property | type | |', '|---|---|---|'] + [
            f'| `{key}`{", can be set" if setter else ""} | `{cell(ast.unparse(one.returns))}` | {cell(docstring(one))} |'
            for key, (one, setter) in properties.items()])
    for key, (one, _) in members.items():
        if not is_property(one) and shown.get(key) != (one, False):
            kind = ', a coroutine' if isinstance(one, ast.AsyncFunctionDef) else ''
            kind += ', of the class' if any(ast.unparse(mark) == 'classmethod' for mark in one.decorator_list) else ''
            yield f'**`{key}{signature(one)}`**{kind}'
            yield docstring(one)


def page():
    module = Module()
    yield HEAD.strip()
    for title, names in PARTS:
        yield f'## {title}'
        for name in names:
            node = module.nodes[RENAMED.get(name, name)]
            if isinstance(node, ast.FunctionDef):
                yield f'### {name}\n\n**`framebus.{name}{signature(node)}`**'
                yield docstring(node)
                continue
            start = next((one for one in node.body if getattr(one, 'name', '') == '__init__'), None)
            taken = name in ('Frame', 'CopiedFrame', 'WritableFrame', 'Plane') or start is None
            yield f'### {name}' if taken else f'### {name}\n\n**`framebus.{name}{signature(start)}`**'
            shown = module.members('Frame') if name in ('CopiedFrame', 'WritableFrame') else {}
            yield from describe_class(module, name, shown)


if __name__ == '__main__':
    sys.stdout.write('\n\n'.join(part for part in page() if part) + '\n')
