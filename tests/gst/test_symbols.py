# SPDX-License-Identifier: MIT
"""What a program that links library and plugin gets of names: those that have the project's, and no other."""
import re
import subprocess

import pytest


def names(path, *options):
    out = subprocess.run(['nm', '--defined-only', '--extern-only', *options, path], capture_output=True, text=True, check=True)
    return {line.split()[-1].partition('@')[0] for line in out.stdout.splitlines() if re.match(r'[0-9a-f]+ \w ', line)}


def built(build_dir, path):
    return build_dir / path if (build_dir / path).exists() else pytest.skip(f'{path} was not built')


def test_the_static_plugin_has_no_names_but_its_own(build_dir):
    plugin = names(built(build_dir, 'gst-plugin/libgstframebus.a'))
    assert plugin >= {'gst_plugin_framebus_register', 'gst_plugin_framebus_get_desc', 'gst_element_register_framebussink',
                      'gst_element_register_framebussrc', 'gst_device_provider_register_framebusdeviceprovider'}
    assert [name for name in plugin if not re.match('gst_(plugin|element_register|device_provider_register)_framebus|'
                                                    'gst_framebus_', name)] == []


def test_the_static_library_has_the_names_of_the_shared_one(build_dir):
    shared = names(build_dir / 'lib' / 'libframebus.so', '--dynamic') - {'FRAMEBUS_0.9'}
    assert names(built(build_dir, 'lib/libframebus.a')) == {name for name in shared if name.startswith('framebus_')}


def test_the_plugin_exports_what_gstreamer_asks_for(build_dir):
    assert names(build_dir / 'gst-plugin' / 'libgstframebus.so', '--dynamic') == {
        'gst_plugin_framebus_register', 'gst_plugin_framebus_get_desc'}
