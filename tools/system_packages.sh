#!/bin/sh
# Make sure that programs from Debian packages are there: tools/system_packages.sh bedtools chromium
# As root it installs what is missing with apt-get; else it names what is missing and ends with status 1.
set -eu

is_there() {
    case $1 in
        chromium) names="chromium chromium-browser google-chrome" ;;
        xvfb) names=Xvfb ;;
        *) names=$1 ;;
    esac
    for name in $names; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

missing() {
    for package in "$@"; do
        is_there "$package" || printf '%s ' "$package"
    done
}

packages=$(missing "$@")
if [ -z "$packages" ]; then exit 0; fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing system packages: $packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    # One word per package.
    # shellcheck disable=SC2086
    { apt-get update && apt-get install --yes --no-install-recommends $packages; } >&2 || true
    packages=$(missing "$@")
    if [ -z "$packages" ]; then exit 0; fi
fi

{
    echo "These programs are missing: $packages"
    echo "Install them (Debian, Ubuntu: sudo apt-get install $packages; macOS: brew install $packages),"
    echo "or go on without, with some tests skipped: make test SYSTEM_PACKAGES="
} >&2
exit 1
