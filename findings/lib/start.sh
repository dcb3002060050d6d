# Sourced by each script: a time limit, a temporary folder, and pinned packages unpacked in it.
set -eu
[ "${FINDINGS_TIMED:-}" ] || exec env FINDINGS_TIMED=1 timeout 150 sh "$0"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
export PYTHONPATH="$(dirname "$0")/lib" PYTHONDONTWRITEBYTECODE=1 TMPDIR="$tmp"

# debian NAME=VERSION ...: unpack Debian packages into $tmp/deb, without installing them.
debian() {
    mkdir "$tmp/packages"
    (cd "$tmp/packages" && apt-get -qq -o APT::Sandbox::User=root download "$@")
    for package in "$tmp"/packages/*.deb; do dpkg -x "$package" "$tmp/deb"; done
    PATH="$tmp/deb/usr/bin:$PATH"
}

# pypi NAME==VERSION ...: install Python packages into $tmp/venv.
pypi() {
    python3 -m venv "$tmp/venv"
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "$@"
    PATH="$tmp/venv/bin:$PATH"
}
