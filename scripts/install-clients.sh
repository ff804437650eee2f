#!/usr/bin/env bash
# Installs the clients that the end-to-end tests drive into .tools/clients, once for each state of tests/clients.txt.
# Needs python3 with venv; says what it does, and does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=$(sha256sum tests/clients.txt | cut -c1-16)
folder=.tools/clients
mkdir -p .tools
exec 9>.tools/lock
flock 9
if [ "$(cat "$folder/installed" 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi
echo "installing aws, s3cmd and swift into $folder" >&2
rm -rf "$folder"
if ! python3 -m venv "$folder" 2>/dev/null; then
  rm -rf "$folder"
  echo "python3 -m venv doesn't work here; installing python3-venv" >&2
  apt-get update -qq && apt-get install -y -qq python3 python3-venv >&2
  python3 -m venv "$folder"
fi
"$folder/bin/pip" install --quiet --disable-pip-version-check -r tests/clients.txt >&2
echo "$wanted" > "$folder/installed"
