#!/bin/sh
# Installs what is pinned into .venv and node_modules; quick when that has been done. `make setup` and all else call it.
# With --docs also what builds the site of docs/; with --test or --bench also what only those need; with --google also
# the Firebase CLI and its emulators, into tools/firebase-tools; with --audit what looks for known vulnerabilities, into
# tools/supply-chain.
set -eu
cd "$(dirname "$0")/.."

fail() { printf '\nsetup: %s\n' "$1" >&2; exit 1; }
step() { printf '%s\n' "$1" >&2; }

case "$(uname -s)/$(uname -m)" in
Linux/x86_64 | Linux/aarch64 | Darwin/x86_64 | Darwin/arm64) ;;
*) fail "$(uname -s) on $(uname -m) is not supported: use Linux or macOS on a 64-bit Intel or ARM machine (on Windows: WSL 2)." ;;
esac

PYTHON=${PYTHON:-python3.11}
command -v "$PYTHON" >/dev/null 2>&1 || fail "Python 3.11 was not found: install it, or name it, as in make PYTHON=/path/to/python3.11."
version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
	fail "$PYTHON does not run: install Python 3.11, or name it, as in make PYTHON=/path/to/python3.11."
[ "$version" = 3.11 ] || fail "$PYTHON is Python $version; Cloud Functions run this on 3.11: install it, or name it, as in make PYTHON=/path/to/python3.11."
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
	fail "This Python lacks venv: install it (Debian, Ubuntu: apt-get install python3.11-venv)."
command -v node >/dev/null 2>&1 || fail "Node.js was not found: install version 20 or later."
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "Node.js $(node --version) is too old: install version 20 or later."
command -v npm >/dev/null 2>&1 || fail "npm was not found: it comes with Node.js."

# A stamp holds the checksum of what was installed, and is written last: without it, or with another, an install is
# unfinished or out of date and is made again.
sum() { cat "$@" | cksum; }

wanted=$(sum requirements.txt suite/pyproject.toml)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$wanted" ]; then
	step "Installing the Python packages into .venv (half a minute) ..."
	[ -e .venv/.installed ] || rm -rf .venv
	rm -f .venv/.installed
	[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv || fail "The environment .venv could not be made; its error is above."
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt ||
		fail "The Python packages could not be installed; pip's error is above. Run make setup again when it is mended."
	# With the setuptools of this environment, so that nothing else is fetched; its warnings concern who builds wheels.
	PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./suite ||
		fail "firesuite could not be installed; pip's error is above."
	printf '%s' "$wanted" >.venv/.installed
fi

# npm_install FOLDER "WHAT" OPTION...
npm_install() {
	folder=$1 what=$2
	shift 2
	wanted=$(sum "$folder/package-lock.json" "$folder/.npmrc")
	[ "$(cat "$folder/node_modules/.installed" 2>/dev/null)" = "$wanted" ] && return
	step "Installing $what into $folder/node_modules (half a minute) ..."
	npm ci --prefix "$folder" --no-progress --loglevel=error "$@" >/dev/null ||
		fail "$what could not be installed; npm's error is above. Run the same command again when it is mended."
	printf '%s' "$wanted" >"$folder/node_modules/.installed"
}

npm_install . "the Node packages"
# It is 220 MB: only `make test-google`, `make provision` and `make deploy` ask for it.
[ "${1:-}" != --google ] || npm_install tools/firebase-tools "the Firebase CLI" --omit=optional
# What compiles the TypeScript client: only `make test` asks for it.
[ "${1:-}" != --test ] || npm_install tests/e2e/ts "the TypeScript compiler"
# What builds the documentation's site is 90 MB: only `make docs` and `make test` ask for it.
case "${1:-}" in --docs | --test)
	npm_install tools/site "what draws the diagrams"
	wanted=$(sum requirements.txt suite/pyproject.toml tools/site/requirements.txt)
	if [ "$(cat .venv/.site-installed 2>/dev/null)" != "$wanted" ]; then
		step "Installing what builds the documentation's site into .venv ..."
		.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/site/requirements.txt ||
			fail "What builds the documentation's site could not be installed; pip's error is above."
		printf '%s' "$wanted" >.venv/.site-installed
	fi
	;;
esac
# What looks for known vulnerabilities and lists components: only `make audit` and `make sbom` ask for it.
if [ "${1:-}" = --audit ]; then
	folder=tools/supply-chain
	wanted=$(sum $folder/requirements.txt)
	if [ "$(cat $folder/.venv/.installed 2>/dev/null)" != "$wanted" ]; then
		step "Installing pip-audit and cyclonedx-bom into $folder/.venv ..."
		rm -rf $folder/.venv
		"$PYTHON" -m venv $folder/.venv
		$folder/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $folder/requirements.txt ||
			fail "pip-audit and cyclonedx-bom could not be installed; pip's error is above."
		printf '%s' "$wanted" >$folder/.venv/.installed
	fi
fi
# What Wattle is compared with: `make test` asks whether it answers alike, `make bench` how fast.
case "${1:-}" in
--test | --bench) npm_install bench/reference/express "the Express implementation" ;;
esac
