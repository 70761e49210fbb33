# SPDX-License-Identifier: MIT
"""What pip asks to be built in this directory is built by meson-python in the one above, where meson's project is."""
import functools
import os

import mesonpy

ABOVE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOOKS = ('build_wheel', 'build_sdist', 'build_editable', 'get_requires_for_build_wheel', 'get_requires_for_build_sdist',
         'get_requires_for_build_editable')


def above(hook):
    @functools.wraps(hook)
    def call(*arguments, **more):
        arguments = [os.path.abspath(one) if isinstance(one, str) else one for one in arguments]  # directories
        here = os.getcwd()
        os.chdir(ABOVE)
        try:
            return hook(*arguments, **more)
        finally:
            os.chdir(here)
    return call


globals().update({name: above(getattr(mesonpy, name)) for name in HOOKS if hasattr(mesonpy, name)})
