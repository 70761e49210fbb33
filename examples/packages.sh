#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian or Ubuntu packages that are missing; does nothing, and needs no network, if none is.
set -eu

usage='Usage: packages.sh [--list] SET...
Installs what is missing of these sets of packages (apt-get, through sudo if need be):
  build  to compile everything
  view   to see a picture: GStreamer tools and plugins, a font
  test   for the tests
  deb    for Debian packages, and their test
  vm     for those in a virtual machine
  bench  for the benchmarks: plots, and iceoryx to compare with
With --list it prints what is missing, and installs nothing.'

build=(gcc libc6-dev libdrm-dev libfontconfig-dev libgstreamer-plugins-base1.0-dev libgstreamer1.0-dev
    libgstrtspserver-1.0-dev libjpeg-dev libjson-c-dev libpng-dev libsdl2-dev libsdl2-ttf-dev libyuv-dev meson
    ninja-build pkg-config scdoc)
view=(fonts-dejavu-core gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-tools)
test=(chromium-headless-shell clang clang-format clang-tidy cppcheck dbus desktop-file-utils doxygen ffmpeg fish
    g++ gcc-multilib gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0 gstreamer1.0-gl gstreamer1.0-libav
    gstreamer1.0-nice gstreamer1.0-pipewire gstreamer1.0-plugins-bad gstreamer1.0-plugins-base-apps
    gstreamer1.0-plugins-ugly gstreamer1.0-x imagemagick iproute2 libc6-dbg libclang-rt-dev libcmocka-dev libgl1
    libgl1-mesa-dri libseccomp-dev man-db mandoc mpv musl-tools obs-plugins obs-studio openbox pipewire
    pipewire-bin procps python3 python3-gi python3-numpy python3-opencv python3-pil python3-pytest socat spin
    util-linux valgrind vlc-bin vlc-plugin-base vlc-plugin-video-output weston wireplumber x11-utils xauth
    xdotool xvfb zsh)
deb=(debhelper dh-python dpkg-dev lintian mmdebstrap)
vm=(busybox-static cpio kmod make qemu-system-x86 xz-utils)
bench=(ffmpeg gnuplot-nox gstreamer1.0-pipewire iceoryx libiceoryx-binding-c-dev pipewire pipewire-bin)

die()
{
    printf 'packages.sh: %s\n' "$*" >&2
    exit 1
}

# Those of the packages named that are not installed.
missing()
{
    local package
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# Quietly, but shows what apt-get said if it fails.
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
    sudo=(sudo -n) # nobody there to type a password
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
    bench) wanted+=("${bench[@]}") ;;
    --list) list=yes ;;
    --help | -h)
        printf '%s\n' "$usage"
        exit 0
        ;;
    *) die "there is no set $argument"$'\n'"$usage" ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || die "which set?"$'\n'"$usage"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'packages.sh: no Debian or Ubuntu: please install what these contain yourself: %s\n' "${wanted[*]}" >&2
    exit 0
fi

read -ra packages <<<"$(missing "${wanted[@]}")"
if [ "$list" = yes ]; then
    [ ${#packages[@]} = 0 ] || printf '%s\n' "${packages[@]}"
    exit 0
fi
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "packages are missing, and there is no sudo. As root: apt-get install ${packages[*]}"
fi
printf 'installing: %s\n' "${packages[*]}"
apt_get update || printf 'packages.sh: apt-get update failed; trying with what is known\n' >&2

# A release without one of the plugins is no reason to go without the others.
known=()
for package in "${packages[@]}"; do
    if [ -n "$(apt-cache show --no-all-versions "$package" 2>/dev/null)" ]; then
        known+=("$package")
    else
        printf 'packages.sh: %s is not to be had here; going on without it\n' "$package" >&2
    fi
done
if [ ${#known[@]} -gt 0 ]; then
    apt_get install -y --no-install-recommends "${known[@]}" || die 'apt-get could not install them'
fi
