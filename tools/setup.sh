#!/usr/bin/env bash
# Installs what is missing, says what it does, and is quick when nothing is.
#
# Debian packages (as root, or through sudo), a local virtual environment .venv with the pinned Temporal CLI and Python
# SDK, the Rust crates of the bridge, and the Go modules of squall-service. After it, nothing needs the network.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[2m[setup]\033[0m %s\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '[setup] %s\n' "$*"; }; fi
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# at_least WANTED GOT: version comparison.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

packages() {
  local wanted missing
  wanted=$(grep -v '^#' tools/packages.txt)
  # Debian keeps what `python3 -m venv` needs in a package of its own; other Pythons bring it along.
  python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
  # shellcheck disable=SC2086
  missing=$(comm -23 <(printf '%s\n' $wanted | sort) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii  *//p' | sort -u))
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing and apt-get is not here to install them: $(echo $missing)"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo; install as root: apt-get install $(echo $missing)"
    sudo=(sudo)
  fi
  say "installing $(printf '%s\n' "$missing" | wc -l) Debian packages: $(echo $missing)"
  "${sudo[@]}" apt-get update -q 2>&1 | tail -n 1
  # shellcheck disable=SC2086
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing \
    | grep --line-buffered -E '^(Get:|Setting up|E:)' || true
  for package in $missing; do
    dpkg -s "$package" >/dev/null 2>&1 || die "package $package could not be installed"
  done
}

toolchains() {
  command -v cargo >/dev/null && command -v rustc >/dev/null ||
    die "Rust >= 1.88 is missing (Debian 12's own is too old; install it with rustup)"
  local rust cmake python
  rust=$(rustc --version | cut -d' ' -f2)
  at_least 1.88 "$rust" || die "Rust >= 1.88 is needed, found $rust (rustup update)"
  cmake=$(cmake --version | sed -n '1s/cmake version //p')
  at_least 3.25 "$cmake" || die "cmake >= 3.25 is needed, found $cmake"
  python=$(python3 -c 'import platform; print(platform.python_version())' 2>/dev/null) || die "python3 >= 3.10 is missing"
  at_least 3.10 "$python" || die "python3 >= 3.10 is needed, found $python"
}

virtual_environment() {
  local stamp=.venv/.squall-requirements
  cmp -s tools/requirements.txt "$stamp" && return 0
  say "making .venv with the Temporal CLI and the Python SDK (about 240 MB)"
  if ! [ -x .venv/bin/python ]; then
    python3 -m venv .venv >/dev/null 2>&1 || {
      rm -rf .venv
      die "python3 -m venv does not work here (Debian: apt-get install python3-venv)"
    }
  fi
  .venv/bin/pip install --quiet --disable-pip-version-check -r tools/requirements.txt ||
    die "pip could not install tools/requirements.txt into .venv"
  cp tools/requirements.txt "$stamp"
}

# Cargo's line for each crate becomes a count: one line that changes on a terminal, one per hundred crates elsewhere. All
# else that cargo says (retries, errors) is shown as it comes.
crate_progress() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      *" Downloaded "*" v"[0-9]*)
        count=$((count + 1))
        if [ -t 1 ]; then
          printf '\r[setup] %d crates ' "$count"
        elif [ $((count % 100)) = 0 ]; then
          say "$count crates"
        fi ;;
      *" Downloaded "* | *" Downloading "* | *" Updating "*) ;;
      *) printf '%s\n' "$line" >&2 ;;
    esac
  done
  if [ -t 1 ] && [ "$count" -gt 0 ]; then printf '\n'; fi
}

crates() {
  local cache stamp
  cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}
  stamp=$cache/fetched-$(cat core/bridge/Cargo.lock core/bridge/assertions.lock | sha256sum | cut -c1-12)
  [ -e "$stamp" ] && return 0
  say "fetching the Rust crates of the production core (up to $(grep -c '^checksum' core/bridge/Cargo.lock))"
  cargo --color never fetch --locked --manifest-path core/bridge/Cargo.toml 2>&1 | crate_progress ||
    die "cargo could not fetch the crates of core/bridge/Cargo.lock"
  # Eight more, for the build with core's own assertions.
  local asserting
  asserting=$(mktemp -d)
  tools/asserting-bridge.sh "$asserting"
  cargo --color never fetch --locked --manifest-path "$asserting/Cargo.toml" 2>&1 | crate_progress ||
    die "cargo could not fetch the crates of core/bridge/assertions.lock"
  rm -r "$asserting"
  mkdir -p "$cache" && : > "$stamp"
}

# Go is no package of Debian 12's that is new enough, and only the service under test needs it.
go_modules() {
  local cache stamp version
  version=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || version=""
  if [ -z "$version" ] || ! at_least 1.26 "$version"; then
    say "Go >= 1.26 is missing: scenarios with squall-service will be skipped"
    return 0
  fi
  cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}
  stamp=$cache/go-modules-$(sha256sum fakes/worker/service/go.sum | cut -c1-12)
  [ -e "$stamp" ] && return 0
  say "fetching the Go modules of squall-service"
  (cd fakes/worker/service && go mod download) || die "go could not fetch the modules of fakes/worker/service/go.mod"
  mkdir -p "$cache" && : > "$stamp"
}

packages
toolchains
# All three mostly wait for the network.
virtual_environment &
venv=$!
go_modules &
modules=$!
trap 'kill "$venv" "$modules" 2>/dev/null || true' EXIT
crates
wait "$venv" && wait "$modules" || exit 1
trap - EXIT
say "ready"
