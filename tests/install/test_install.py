# SPDX-License-Identifier: MIT
"""What is installed as docs/using/install.md says works from there, and goes away again."""
import os
import re
import shlex
import shutil
import signal
import subprocess

import documents
import pytest
from pages import ROOT, blocks, files_below, run, tool


PAGE = 'docs/using/install.md'
CAMERA = documents.commands(PAGE, 'A camera at every login')
EVERYBODY = 'For everybody on this machine'


def compile_with_pkg_config(env, source, program, *options, of='framebus'):
    flags = shlex.split(run('pkg-config', '--cflags', '--libs', *options, of, env=env))
    run(env.get('CC', 'cc'), ROOT / 'examples' / source, '-o', program, *flags)


def frames_cross(spawn, directory, env):
    writer = spawn(directory / 'hello-writer', 'hi', env=env)
    reader = spawn(directory / 'hello-reader', 'hi', '10', env=env)
    assert reader.finish(30) == 0, reader.report()
    assert reader.out().count('RGBx 640x480') == 10
    assert writer.stop() == 0


def needed(program):
    return re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', program))


# ---- For programmers -------------------------------------------------------------------------------

@documents.runs(PAGE, documents.commands(PAGE, 'For yourself'))
def test_programs_are_compiled_by_pkg_config_alone(env, spawn, tmp_path):
    for name in ('hello-writer', 'hello-reader'):
        compile_with_pkg_config(env, f'{name}.c', tmp_path / name)
    assert 'libframebus.so.0' in needed(tmp_path / 'hello-writer')
    frames_cross(spawn, tmp_path, env)
    assert run('pkg-config', '--modversion', 'framebus', env=env).strip() in run('framebus', '--version', env=env)


PROGRAM_WITH_PLUGIN = '''
#include <gst/gst.h>

GST_PLUGIN_STATIC_DECLARE(framebus);

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    GST_PLUGIN_STATIC_REGISTER(framebus);
    return !gst_parse_launch("framebussrc bus=b ! framebussink bus=c", NULL);
}
'''


def test_a_static_library_and_plugin_need_no_other(tree, env, spawn, tmp_path):
    prefix = tmp_path / 'prefix'
    parts = [f'-D{part}=disabled' for part in ('viewer', 'tools', 'rtsp', 'python', 'man', 'api', 'tests')]
    run('meson', 'setup', tmp_path / 'build', tree, f'--prefix={prefix}', '--libdir=lib', '-Ddefault_library=static',
        '-Dgst=enabled', '-Dexamples=false', *parts, env=env)
    run('meson', 'install', '-C', tmp_path / 'build', '--quiet', env=env)
    env = {**env, 'PKG_CONFIG_PATH': str(prefix / 'lib' / 'pkgconfig')}
    for name in ('hello-writer', 'hello-reader'):
        compile_with_pkg_config(env, f'{name}.c', tmp_path / name, '--static')
        assert not any('framebus' in library for library in needed(tmp_path / name))
    frames_cross(spawn, tmp_path, env)
    assert not list(prefix.rglob('*.so*'))

    (tmp_path / 'program.c').write_text(PROGRAM_WITH_PLUGIN)
    env['PKG_CONFIG_PATH'] += f':{prefix}/lib/gstreamer-1.0/pkgconfig'
    compile_with_pkg_config(env, tmp_path / 'program.c', tmp_path / 'program', '--static', of='gstframebus')
    assert not any('framebus' in library for library in needed(tmp_path / 'program'))
    run(tmp_path / 'program', env={**os.environ, 'GST_PLUGIN_PATH': '', 'GST_REGISTRY': f'{tmp_path}/registry.bin'})


def test_a_project_has_it_as_a_subproject(tree, bus_dir, spawn, tmp_path):
    (tmp_path / 'subprojects').mkdir()
    (tmp_path / 'subprojects' / 'framebus').symlink_to(tree)
    names = ('hello-writer', 'hello-reader')
    for name in names:
        shutil.copy(ROOT / 'examples' / f'{name}.c', tmp_path)
    (tmp_path / 'meson.build').write_text(
        "project('mine', 'c')\n"
        "framebus = dependency('framebus', fallback: 'framebus')\n" +
        ''.join(f"executable('{name}', '{name}.c', dependencies: framebus)\n" for name in names))
    run('meson', 'setup', tmp_path / 'build', tmp_path, '--wrap-mode=forcefallback', '-Dauto_features=disabled')
    run('ninja', '-C', tmp_path / 'build')
    frames_cross(spawn, tmp_path / 'build', None)


def test_library_and_plugin_compile_as_one_file_each(tree, tmp_path):
    run('meson', 'setup', tmp_path, tree, '-Dunity=on', '-Dunity_size=1000', '-Dauto_features=disabled', '-Dgst=enabled')
    run('ninja', '-C', tmp_path)


def test_the_snippet_of_the_readme_compiles_as_it_stands(env, tmp_path):
    [snippet] = [code for _, language, code in documents.blocks('README.md') if language == 'c']
    (tmp_path / 'a.c').write_text('#include <drm_fourcc.h>\n#include <framebus.h>\nint main(void)\n{\n'
                                  'struct framebus_format format; struct framebus_frame *frame; int64_t timeout_ns = 0;\n'
                                  f'{snippet}\nreturn format.fourcc != DRM_FORMAT_NV12;\n}}\n')
    run(env.get('CC', 'cc'), '-Wall', '-Wextra', '-Werror', '-fsyntax-only',
        *shlex.split(run('pkg-config', '--cflags', 'framebus', env=env)), tmp_path / 'a.c')


def test_the_snippet_for_cplusplus_compiles_as_it_stands(env, tmp_path):
    [snippet] = [code for _, language, code in documents.blocks('README.md') if language == 'cpp']
    (tmp_path / 'a.cpp').write_text('#include <framebus.hpp>\nvoid look_at(framebus::plane_view, framebus::time_point);\n'
                                    f'int main()\n{{\n{snippet}}}\n')
    run(tool('c++'), '-std=c++17', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only',
        *shlex.split(run('pkg-config', '--cflags', 'framebus', env=env)), tmp_path / 'a.cpp')


def test_the_header_is_taken_by_cplusplus(env, tmp_path):
    (tmp_path / 'a.cc').write_text('#include <framebus.h>\nint main() { return framebus_version() == nullptr; }\n')
    run(tool('c++'), '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-std=c++11', '-fsyntax-only',
        *shlex.split(run('pkg-config', '--cflags', 'framebus', env=env)), tmp_path / 'a.cc')


def test_python_finds_module_and_library(home, env, spawn):
    writer = spawn('framebus', 'test', 'cam0', env=env)
    out = run('/usr/bin/python3', '-c', 'import framebus\nwith framebus.Reader("cam0", wait=20) as reader:\n'
              '    print(framebus.__file__, next(iter(reader)).format.width)', env=env)
    [module] = home.rglob('framebus/__init__.py')
    assert out.split() == [str(module), '1280']
    assert writer.stop() == 0


# ---- For users -------------------------------------------------------------------------------------

def test_elements_command_and_viewer_work_from_there(env, spawn, tmp_path):
    assert env['GST_PLUGIN_PATH'] in run('gst-inspect-1.0', 'framebussink', env=env)
    writer = spawn('gst-launch-1.0', *'videotestsrc is-live=true ! framebussink bus=cam0'.split(), env=env)
    writer.until(lambda: 'cam0' in run('framebus', 'ls', '--names', env=env), 60, 'the bus')
    picture = tmp_path / 'now.png'
    run('framebus-view', 'cam0', '--screenshot', picture, env=env)
    assert picture.read_bytes().startswith(b'\x89PNG')
    assert writer.stop(limit=30) == 0


def test_the_desktop_file_is_valid_and_its_parts_are_there(home):
    [file] = home.rglob('*.desktop')
    assert run(tool('desktop-file-validate'), file) == ''
    entries = dict(line.split('=', 1) for line in file.read_text().splitlines() if '=' in line)
    assert (home / '.local' / 'bin' / entries['Exec'].split()[0]).exists()
    assert list((home / '.local' / 'share' / 'icons' / 'hicolor').rglob(f'{entries["Icon"]}.svg'))


def test_man_finds_the_pages(home, env):
    if not shutil.which('scdoc'):
        pytest.skip('there is no scdoc')
    for page in ('framebus', 'framebus-record', 'framebus-view', 'framebussink', 'framebussrc', 'fbr'):
        assert run(tool('man'), '-M', home / '.local' / 'share' / 'man', '-w', page, env=env).startswith(str(home))
    assert run('man', '-M', home / '.local' / 'share' / 'man', 'framebussrc', env={**env, 'MANPAGER': 'cat'}).strip()


def test_completions_are_where_the_shells_look(home, env):
    share = home / '.local' / 'share'
    assert (share / 'zsh' / 'site-functions' / '_framebus').exists()
    assert (share / 'fish' / 'vendor_completions.d' / 'framebus.fish').exists()
    assert '_framebus' in run('bash', '-c', f'source {share}/bash-completion/completions/framebus; complete -p framebus',
                              env=env)


def test_licence_and_documents_are_there_and_their_links_hold(home):
    place = home / '.local' / 'share' / 'doc' / 'framebus'
    assert 'MIT License' in (place / 'LICENSE').read_text()
    assert not list(place.rglob('meson.build'))
    for page in place.glob('docs/*/*.md'):
        text = re.sub('```.*?```', '', page.read_text(), flags=re.DOTALL)
        for link in re.findall(r'\]\((?!https?:|#|\.\./\.\./)([^)#]+)', text):
            assert (page.parent / link).exists(), f'{page.name}: {link}'


# ---- For systemd -----------------------------------------------------------------------------------

@pytest.fixture
def unit(home, tmp_path):
    """The unit for one camera, as systemd makes it of the template."""
    [template] = home.rglob('framebus-camera@.service')
    file = tmp_path / 'framebus-camera@video0.service'
    shutil.copy(template, file)
    return file


def test_systemd_takes_the_unit(unit, env):
    result = subprocess.run([tool('systemd-analyze'), 'verify', '--user', '--man=no', unit], text=True,
                            capture_output=True, timeout=120, env={**env, 'XDG_RUNTIME_DIR': str(unit.parent)})
    if 'Failed to initialize manager' in result.stderr:
        pytest.skip(result.stderr.strip())
    assert (result.returncode, [line for line in result.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_command_of_the_unit_publishes_the_camera(unit, env, spawn):
    entries = dict(line.split('=', 1) for line in unit.read_text().splitlines() if re.match(r'\w+=', line))
    command = re.sub('%[iI]', 'video0', entries['ExecStart'])
    if not os.path.exists('/dev/video0'):
        command = command.replace('camera --device /dev/video0', 'test')
    writer = spawn('env', '-i', f'FRAMEBUS_DIR={env["FRAMEBUS_DIR"]}', *shlex.split(command))
    writer.until(lambda: 'video0' in run('framebus', 'ls', '--names', env=env), 60, 'the bus')
    assert writer.stop(signal.SIGTERM, limit=30) == 0


@documents.runs(PAGE, CAMERA)
def test_the_unit_is_enabled_by_the_command_of_the_page(home, tmp_path):
    """Without a manager, which would take the machine's processes into groups of its own."""
    own = tmp_path / '.config' / 'systemd' / 'user'
    own.mkdir(parents=True)
    shutil.copy(next(home.rglob('framebus-camera@.service')), own)
    tool('systemctl')
    run('bash', '-ec', '\n'.join(CAMERA), env={'HOME': str(tmp_path), 'PATH': '/usr/bin:/bin', 'SYSTEMD_OFFLINE': '1',
                                              'XDG_RUNTIME_DIR': str(tmp_path)})
    link = own / 'default.target.wants' / 'framebus-camera@video0.service'
    assert link.is_symlink() and link.resolve().name == 'framebus-camera@.service'


def test_the_directory_of_services_is_made_at_boot(home, tmp_path):
    if os.getuid():
        pytest.skip('needs root')
    [file] = home.rglob('tmpfiles.d/*.conf')
    run(tool('systemd-tmpfiles'), f'--root={tmp_path}', '--create', file)
    status = (tmp_path / 'run' / 'framebus').stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o755, 0)


# ---- For everybody, and away again -----------------------------------------------------------------

def test_destdir_gets_the_same_files(home, tree, env, tmp_path):
    run('meson', 'install', '-C', tree / 'build-home', '--no-rebuild', '--quiet', f'--destdir={tmp_path}', env=env)
    assert files_below(tmp_path / home.relative_to('/') / '.local') == files_below(home / '.local')


@documents.runs(PAGE, documents.commands(PAGE, EVERYBODY))
def test_in_usr_everything_is_found_and_uninstall_takes_all_away(tree, tmp_path):
    """The lines of the page write to layers above /usr and /etc, which nobody else sees."""
    if os.getuid():
        pytest.skip('needs root')
    for name in ('usr', 'etc', 'work-usr', 'work-etc', 'bin'):
        (tmp_path / name).mkdir()
    (tmp_path / 'bin' / 'sudo').write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / 'bin' / 'sudo').chmod(0o755)
    layers = ' && '.join(f'mount -t overlay overlay -o lowerdir=/{name},upperdir={tmp_path}/{name},workdir='
                         f'{tmp_path}/work-{name} /{name}' for name in ('usr', 'etc'))
    if subprocess.run(['unshare', '--mount', 'sh', '-c', layers], capture_output=True).returncode:
        pytest.skip('needs a mount namespace and overlays')
    install, uninstall = blocks(PAGE, EVERYBODY)
    found = 'gst-inspect-1.0 framebussrc\nframebus --version\npython3 -c "import framebus"\nman -w framebussink\n'
    out = run('unshare', '--mount', 'bash', '-ec', f'{layers}\n{install}{found}find /usr -name "*framebus*" | wc -l\n{uninstall}',
              cwd=tree, env={'PATH': f'{tmp_path}/bin:/usr/bin:/bin:/usr/sbin', 'HOME': str(tmp_path),
                             'PYTHONDONTWRITEBYTECODE': '1', 'GST_REGISTRY': f'{tmp_path}/registry.bin'})
    assert re.search(r'^framebus \d', out, re.MULTILINE) and '/usr/share/man/man7/framebussink.7' in out
    left = [path for path in files_below(tmp_path / 'usr')
            if 'framebus' in str(path) and (tmp_path / 'usr' / path).is_file()]
    assert left == []
