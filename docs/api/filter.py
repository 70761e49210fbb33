#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""framebus.h as Doxygen wants to see it, line for line, so that the header can be written for people.

The comment at the head is the first page, each section is a topic, and a comment before or behind a member, constant or
macro belongs to it; behind several members of one line, to each of them.
"""
import pathlib
import re
import sys

MEMBERS = re.compile(r'( +)((?:struct |enum |const )*\w+ )(\w+(?:\[\w+\])?(?:, \w+(?:\[\w+\])?)+); +/\* (.*)')
BEFORE = re.compile(r' +/\* (.*) \*/$')
BEHIND = re.compile(r'([;,]|^#define \w+ +\S+|^    [A-Z_]+ = \d+,) +/\* ')
SECTION = re.compile(r'/\* -+ (.*?) -+ \*/$')


def each(match):
    indent, kind, names, comment = match.groups()
    return indent + ' '.join(f'{kind}{name}; /**< {comment}' for name in names.split(', '))


sections = 0
for number, line in enumerate(pathlib.Path(sys.argv[1]).read_text().splitlines()):
    section = SECTION.match(line)
    if number == 1 and line == '/*':
        line = '/** @mainpage The C interface'
    elif section:
        end = '/** @} */ ' if sections else ''
        sections += 1
        line = f'{end}/** @defgroup part{sections} {section[1]} */ /** @{{ */'
    elif MEMBERS.match(line) and line.endswith('*/'):
        line = MEMBERS.sub(each, line)
    elif BEFORE.match(line):
        line = BEFORE.sub(r'/** \1 */', line)
    else:
        line = BEHIND.sub(r'\1 /**< ', line)
    print(line)
print('/** @} */')
