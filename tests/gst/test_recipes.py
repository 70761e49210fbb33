# SPDX-License-Identifier: MIT
"""The commands of docs/using/gstreamer.md and README.md, run as they stand there.

One test a heading. Its commands are started one after the other in an empty directory; frames have to flow through
each before the next is started. What names num-buffers ends by itself, the others are ended at the end; a command
that serves a bus again takes the place of the one before. Differences from what is written:

- without /dev/video0 a live videotestsrc stands in for v4l2src, and `framebus test` for `framebus camera`;
- windows open on a display of the test's own;
- network ports and the sockets of other elements are ones that nobody else uses.
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import documents
import needs
import pipewire
import pytest
from pipelines import frames_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = 'docs/using/gstreamer.md'
DOCUMENT = (ROOT / PAGE).read_text()
README = documents.commands('README.md', 'Use it')
LANGUAGES = ('sh', 'python')
FEW = 10  # frames that show that a pipeline runs
FRAMES_OF = {'all.mkv': 100, 'film0.mp4': 300}  # recordings that must be complete


# ---- What the pages say ----------------------------------------------------------------------------

def recipes(page):
    """The code blocks under each heading, as (language, commands)."""
    found = {}
    for heading, language, code in documents.blocks(page):
        if language in LANGUAGES:
            found.setdefault(heading, []).append((language, documents.split(language, code)))
    return found


def rows(heading):
    """The cells of the first table under a heading, without its own head."""
    part = re.split(rf'^##+ {heading}\n', DOCUMENT, flags=re.MULTILINE)[1]
    table = re.search(r'^\|.*?(?=\n\n)', part, re.MULTILINE | re.DOTALL).group()
    return [[cell.strip() for cell in line.strip('| ').split(' | ')] for line in table.splitlines()[2:]]


# ---- Running them ----------------------------------------------------------------------------------

def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Kitchen:
    def __init__(self, spawn, build_dir, display, directory):
        self.spawn, self.build_dir, self.directory = spawn, build_dir, directory
        path = f'{build_dir / "tools"}:{build_dir / "viewer"}:/usr/bin:/bin'
        self.env = {'DISPLAY': f'{display}', 'PATH': path, 'G_DEBUG': 'fatal-criticals', 'GST_DEBUG_NO_COLOR': '1'}
        self.port = str(free_port())
        self.running = []  # (command, process), in the order of their start
        self.servers = {}  # process by bus

    def adapt(self, command):
        if not pathlib.Path('/dev/video0').exists():
            command = command.replace('v4l2src ! image/jpeg', 'videotestsrc is-live=true ! jpegenc ! image/jpeg')
            command = command.replace('v4l2src', 'videotestsrc is-live=true').replace('framebus camera', 'framebus test')
        return command.replace('5004', self.port)

    def need(self, commands):
        for command in commands:
            needs.elements(*needs.elements_of(self.adapt(command).partition('gst-launch-1.0 ')[2]))

    def info(self, bus):
        answer = subprocess.run([self.build_dir / 'tools' / 'framebus', 'info', '--json', bus], capture_output=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def serves(self, process, bus):
        info = self.info(bus)
        return info and info['state'] == 'live' and info['writer']['pid'] == process.pid and \
            info['stream']['published'] >= FEW

    def reads(self, process, bus):
        info = self.info(bus)
        return info and any(reader['pid'] == process.pid and reader['taken'] >= FEW for reader in info.get('readers') or [])

    def start(self, command):
        buses = re.findall(r'(?:framebussink bus=|framebus camera )([\w.-]+)', command)
        for bus in buses:
            if bus in self.servers:
                self.end(self.servers[bus])
        process = self.spawn('sh', '-c', f'exec env {self.adapt(command)}', env=self.env, cwd=self.directory)
        self.running.append((command, process))
        self.servers.update((bus, process) for bus in buses)
        if 'num-buffers=' in command or not re.match('gst-launch|framebus-view|framebus camera', command):
            if 'wait-for-connection=true' not in command:
                assert process.finish(60) == 0, process.report()
            return
        if 'wait-for-connection=true' not in command:
            for bus in buses:
                process.until(lambda: self.serves(process, bus), 30, f'frames on bus {bus}')
        for bus in re.findall(r'(?:framebussrc bus=|framebus://|framebus-view )([\w.-]+)', command):
            # A reader of a stream that ends has ended well.
            process.until(lambda: self.reads(process, bus) or process.poll() == 0, 30, f'frames from bus {bus}')

    def script(self, code):
        assert subprocess.run([sys.executable, '-c', code], env={**os.environ, **self.env}, timeout=60,
                              cwd=self.directory).returncode == 0

    def end(self, process):
        """As Ctrl+C does."""
        assert process.stop(limit=60) == 0, process.report()
        self.running = [pair for pair in self.running if pair[1] is not process]

    def finish(self):
        for command, process in list(self.running):
            if 'num-buffers=' in command:
                assert process.finish(60) == 0, process.report()
        for _, process in reversed(list(self.running)):
            self.end(process)


@pytest.fixture
def kitchen(spawn, build_dir, display, tmp_path):
    return Kitchen(spawn, build_dir, display, tmp_path)


@pytest.mark.parametrize('title', [pytest.param(title, marks=documents.runs(PAGE, documents.commands(PAGE, title, LANGUAGES)))
                                   for title in recipes(PAGE)])
def test_recipe(kitchen, sums, title, tmp_path):
    files = []
    for language, commands in recipes(PAGE)[title]:
        if language == 'python':
            [code] = commands
            for module in re.findall(r'^import (\w+)', code, re.MULTILINE):
                pytest.importorskip(module)
            kitchen.script(code)
            continue
        kitchen.need(commands)
        for command in commands:
            kitchen.start(command)
            files += re.findall(r'filesink location=(\S+)', command)
    kitchen.finish()
    for name in files:
        assert (tmp_path / name).stat().st_size > 1000
        replay = sums(f'filesrc location={tmp_path / name} ! decodebin ! fakesink sync=false')
        assert replay.finish(60) == 0, replay.err()
        assert len(frames_of(replay)) == FRAMES_OF.get(name, len(frames_of(replay))) > 0


@documents.runs('README.md', README)
def test_readme(kitchen):
    assert len(README) >= 4
    kitchen.need(README)
    for command in README:
        kitchen.start(command)
    kitchen.finish()


# ---- The tables ------------------------------------------------------------------------------------

COMING = rows('Coming from other elements')
RAW = 'video/x-raw,format=I420,width=320,height=240,framerate=30/1'


def is_offered(sink):
    """True if what another element offers can be read by now: it has its socket, or PipeWire knows it."""
    name = re.search(r'(?:socket-path|client-name)=(\S+)', sink)[1]
    return pathlib.Path(name).exists() if 'socket-path=' in sink else name in dict(pipewire.nodes())


@pytest.mark.parametrize('column', ('before', 'after'))
@pytest.mark.parametrize('sink, source', list(zip(COMING[::2], COMING[1::2])), ids=lambda row: row[0])
def test_coming_from(launch, sums, bus_dir, request, sink, source, column):
    if column == 'before':
        needs.elements(sink[0], source[0])
    if column == 'before' and sink[0] == 'pipewiresink':
        request.getfixturevalue('session')
    pair = [row[1 if column == 'before' else 2].strip('`').replace('/tmp/', f'{bus_dir}/') for row in (sink, source)]
    writer = launch(pair[0].replace('…', f'videotestsrc is-live=true ! capsfilter caps={RAW}'), eos=False)
    if column == 'before':  # a reader fails when it comes first
        writer.until(lambda: is_offered(pair[0]), 30, 'its being offered')
    reader = sums(pair[1].replace('…', 'videoconvert ! fakesink num-buffers=20'))
    assert reader.finish(20) == 0, reader.err()
    assert len(frames_of(reader)) == 20
    status = writer.stop()
    assert column == 'before' or status == 0, writer.report()  # shmsink may end badly after its last reader


def properties(element):
    text = subprocess.run(['gst-inspect-1.0', '--no-colors', element], capture_output=True, text=True).stdout
    return set(re.findall(r'^  ([a-z-]+) +: ', text.partition('Element Properties:')[2], re.MULTILINE))


@pytest.mark.parametrize('element, plain', (('framebussink', 'fakesink'), ('framebussrc', 'fakesrc')))
def test_every_property_is_explained(build_dir, element, plain):
    explained = {row[0].strip('`') for row in rows(element)}
    assert explained <= properties(element)
    assert explained >= properties(element) - properties(plain)
