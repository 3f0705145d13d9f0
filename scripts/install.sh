#!/usr/bin/env bash
# Install Sayso into .venv: `install.sh` what running takes, `install.sh test` what the tests take as well.
#
# A stamp written last says what was installed; while it holds, nothing is asked of any network. An installation that was
# killed leaves a mark, and the next one starts from an empty .venv: pip takes half-copied packages for whole ones.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# Install system packages, as root; without root name the one command that is needed.
system_packages() {
    if [ "$(id -u)" != 0 ]; then
        fail "A system package is missing. Run this once, then try again:

    sudo apt-get update && sudo apt-get install -y $*"
    fi
    command -v apt-get >/dev/null || fail "A system package is missing and there is no apt-get here. Install: $*"
    echo "Installing system packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 ||
        { apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "$@" >/dev/null; } ||
        fail "apt-get could not install: $* (is there a network?)"
}

# The first Python that is new enough.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Sayso needs Python 3.11 or newer. Install it, or name it: make run PYTHON=/path/to/python3"
}

# Every system package that is missing, named in one go.
require_system() {
    local wanted=$1 python
    local -a missing=()
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            case "$(command -v "$python")" in
                /usr/bin/*) missing+=("$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')") ;;
                *) fail "$python has no ensurepip: name another Python: make run PYTHON=/usr/bin/python3" ;;
            esac
        fi
    fi
    if [ "$wanted" = test ] && ! is_ubuntu && ! has_browser; then
        missing+=(chromium)
    fi
    [ ${#missing[@]} = 0 ] || system_packages "${missing[@]}"
}

install() {
    local wanted=$1 what
    mkdir -p build
    exec 9>build/install.lock
    flock 9
    if [ -e .venv/.installing ] || { [ -d .venv ] && ! .venv/bin/python -c 'import pip' 2>/dev/null; }; then
        echo "The last installation did not end: starting afresh."
        rm -rf .venv
    elif compgen -G ".venv/.installed-*" >/dev/null && ! grep -qF " $PWD" .venv/.installed-*; then
        echo "The project was moved, and programs in .venv carry its path: starting afresh."
        rm -rf .venv
    fi
    what="$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1) $PWD"
    for stamp in .venv/.installed-test ".venv/.installed-$wanted"; do
        if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$what" ]; then
            return
        fi
    done
    mkdir -p .venv
    # A failure that we see is no half-copied package: only kill -9 leaves the mark.
    trap 'rm -f .venv/.installing' EXIT
    touch .venv/.installing
    [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
    echo "Installing into .venv (the first time takes a minute or two) …"
    local extra=""
    [ "$wanted" = run ] || extra="[$wanted]"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --retries 5 \
        --constraint constraints.txt --editable ".$extra" ||
        fail "pip could not install Sayso (see above). A first installation needs a network; it can be repeated at any time."
    sync
    echo "$what" >".venv/.installed-$wanted"
}

is_ubuntu() {
    grep -qi '^ID=ubuntu' /etc/os-release 2>/dev/null
}

has_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        "$name" --version >/dev/null 2>&1 && return
    done
    compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-/root}/.cache/ms-playwright}/chromium*" >/dev/null
}

# Ubuntu's package of that name is only a pointer to snap, which containers lack: there the browser comes from playwright.
ubuntu_browser() {
    if is_ubuntu && ! has_browser; then
        [ "$(id -u)" = 0 ] || fail "The tests need a browser. Run this once, then try again:

    sudo $PWD/.venv/bin/playwright install-deps chromium && .venv/bin/playwright install chromium"
        echo "Installing a browser for the tests"
        .venv/bin/playwright install --with-deps chromium >/dev/null || fail "The browser for the tests could not be installed."
    fi
}

case "${1:-run}" in
    run)
        require_system run
        install run
        ;;
    test)
        require_system test
        install test
        ubuntu_browser
        ;;
    *) fail "usage: $0 [run|test]" ;;
esac
