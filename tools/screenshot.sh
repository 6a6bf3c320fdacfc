#!/bin/sh
# A picture of a hub's page: tools/screenshot.sh HUB OUT.png [chr:a-b]      needs trackgen and Chromium
set -eu

hub=$1
picture=$2
locus=${3:-}
port=8642
profile=$(mktemp -d)
trackgen serve "$hub" --port "$port" >"$profile/address" 2>/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$profile"' EXIT
until [ -s "$profile/address" ]; do sleep 0.1; done
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile/chromium" \
    --window-size=1280,980 --virtual-time-budget=30000 --screenshot="$picture" \
    "$(cat "$profile/address")${locus:+?locus=$locus}" >/dev/null 2>&1
