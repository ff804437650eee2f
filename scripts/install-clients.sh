#!/usr/bin/env bash
# Installs the clients that the end-to-end tests drive: Python's into .tools/clients, once for each state of
# tests/clients.txt, and those that come as Debian packages (tests/client-packages.txt) into the system.
# Does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.tools/clients
mkdir -p .tools
exec 9>.tools/lock
flock 9

missing=()
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
while read -r command package; do
  case "$command" in '' | '#'*) continue ;; esac
  command -v "$command" >/dev/null || missing+=("$package")
done < tests/client-packages.txt
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null; then
    echo "there is no apt-get here: please install ${missing[*]} in another way" >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

wanted=$(sha256sum tests/clients.txt | cut -c1-16)
if [ "$(cat "$folder/installed" 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi
echo "installing Python's clients into $folder" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check -r tests/clients.txt >&2
echo "$wanted" > "$folder/installed"
