#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian or Ubuntu packages that are missing. If none is missing, it does nothing and needs no network.
set -eu

usage='Usage: packages.sh [--list] SET...
Installs the missing packages of these sets (by apt-get, with sudo if needed):
  build  to compile everything
  view   to see a picture: GStreamer tools and plugins, a font
  test   for the tests
  deb    for Debian packages, and their test
  vm     for the tests in a virtual machine
  cross  for the tests of other releases and of other processors
  bench  for the benchmarks: plots, and iceoryx to compare with
With --list it prints the missing packages, and installs nothing.'

# a|b stands for the first of the two that this release has. Newer releases have some programs in packages of their own.
# a>=1 stands for a where this release has it in that version, and else for nothing.
build=(gcc libc6-dev libdrm-dev libfontconfig-dev libgstreamer-plugins-base1.0-dev libgstreamer1.0-dev
    libgstrtspserver-1.0-dev libjpeg-dev libjson-c-dev libpng-dev libsdl2-dev libsdl2-ttf-dev libyuv-dev meson
    ninja-build pkg-config scdoc)
view=(fonts-dejavu-core gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-tools)
test=(abigail-tools chromium-headless-shell clang clang-format clang-tidy cppcheck dbus desktop-file-utils doxygen
    ffmpeg 'ffplay|ffmpeg' fish g++ gcc-multilib gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0
    gstreamer1.0-gl gstreamer1.0-libav gstreamer1.0-nice gstreamer1.0-pipewire gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-base-apps gstreamer1.0-plugins-ugly gstreamer1.0-x 'herdtools7|spin' imagemagick iproute2
    libc6-dbg libclang-rt-dev libcmocka-dev libgl1 libgl1-mesa-dri 'libgstreamer-plugins-bad1.0-dev>=1.24'
    libopencv-core-dev libopencv-imgproc-dev libseccomp-dev libuv1-dev man-db mandoc mpv musl-tools obs-plugins obs-studio
    openbox patchelf pipewire pipewire-bin procps python3 python3-gi python3-mesonpy python3-numpy python3-opencv python3-pil
    python3-pip python3-pytest python3-venv socat spin util-linux valgrind vlc-bin vlc-plugin-base
    vlc-plugin-video-output weston
    wireplumber x11-utils xauth xdotool xvfb zsh)
deb=(build-essential ca-certificates debhelper dh-python dpkg-dev lintian mmdebstrap)
vm=(busybox-static cpio gcc kmod make python3 qemu-system-x86 xz-utils zstd)
cross=(mmdebstrap uidmap)
bench=(ffmpeg gnuplot-nox gstreamer1.0-pipewire iceoryx libiceoryx-binding-c-dev pipewire pipewire-bin)

die()
{
    printf 'packages.sh: %s\n' "$*" >&2
    exit 1
}

is_known()
{
    [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]
}

# is_as_new PACKAGE VERSION
is_as_new()
{
    local version
    version=$(apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
    [ -n "$version" ] && dpkg --compare-versions "$version" ge "$2"
}

# Prints those of its arguments that are not installed.
missing()
{
    local package
    for package in "$@"; do
        while [ "$package" != "${package#*|}" ] && ! is_known "${package%%|*}"; do package=${package#*|}; done
        package=${package%%|*}
        if [ "$package" != "${package%%>=*}" ]; then
            is_as_new "${package%%>=*}" "${package#*>=}" || continue
            package=${package%%>=*}
        fi
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed*) ;;
        *) printf '%s\n' "$package" ;;
        esac
    done
}

# Runs apt-get without showing its output; shows the end of it if apt-get fails.
apt_get()
{
    local log
    log=$(mktemp)
    if "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
        return 0
    fi
    tail -n 30 "$log" >&2
    rm -f "$log"
    return 1
}

if [ "$(id -u)" = 0 ]; then
    sudo=()
elif [ -t 0 ]; then
    sudo=(sudo)
else
    sudo=(sudo -n) # without a terminal no password can be typed
fi

list=no
wanted=()
for argument in "$@"; do
    case $argument in
    build) wanted+=("${build[@]}") ;;
    view) wanted+=("${view[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    deb) wanted+=("${deb[@]}") ;;
    vm) wanted+=("${vm[@]}") ;;
    cross) wanted+=("${cross[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    --list) list=yes ;;
    --help | -h)
        printf '%s\n' "$usage"
        exit 0
        ;;
    *) die "there is no set $argument"$'\n'"$usage" ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || die "name a set"$'\n'"$usage"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'packages.sh: this is not Debian or Ubuntu: please install the contents of these packages yourself: %s\n' \
        "${wanted[*]}" >&2
    exit 0
fi

mapfile -t packages < <(missing "${wanted[@]}" | sort -u)
if [ "$list" = yes ]; then
    [ ${#packages[@]} = 0 ] || printf '%s\n' "${packages[@]}"
    exit 0
fi
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "packages are missing, and there is no sudo. As root: apt-get install ${packages[*]}"
fi
printf 'installing: %s\n' "${packages[*]}"
apt_get update || printf 'packages.sh: apt-get update failed; trying with the lists that are there\n' >&2

# Goes on if this release does not have a package, or cannot install it: the others are still useful.
known=() refused=()
mapfile -t packages < <(missing "${wanted[@]}" | sort -u)
for package in "${packages[@]}"; do
    if is_known "$package"; then
        known+=("$package")
    else
        printf 'packages.sh: this release has no package %s; going on without it\n' "$package" >&2
    fi
done
if [ ${#known[@]} -gt 0 ] && ! apt_get install -y --no-remove --no-install-recommends "${known[@]}"; then
    printf 'packages.sh: apt-get could not install all packages together; trying one after the other\n' >&2
    for package in "${known[@]}"; do
        apt_get install -y --no-remove --no-install-recommends "$package" || refused+=("$package")
    done
    [ ${#refused[@]} = 0 ] || die "apt-get could not install ${refused[*]}"
fi
