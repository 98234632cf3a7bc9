#!/usr/bin/env bash
# Everything CI runs: `make test`. Stops at the first step that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

# A warning is an error here; outside CI a newer compiler's new warning must not stop anybody.
export MARTLET_STRICT=1
jobs=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
started=$SECONDS

step() {
    printf '\n== %s (%d s)\n' "$1" $((SECONDS - started))
}

step "the tools the tests need"
curl=$(scripts/find-tool curl curl)
openssl=$(scripts/find-tool openssl openssl)
promtool=$(scripts/find-tool promtool prometheus)
browser=$(scripts/find-browser)
printf '%s\n' "$curl" "$openssl" "$promtool" "$browser"
make --no-print-directory .venv/installed .venv-deploy/installed

step "house rules, imports, format"
make --no-print-directory checks

step "build"
swift build --build-tests --explicit-target-dependency-import-check error -j "$jobs"

step "unit and integration tests"
# One after the other: on two processors, a suite that fuzzes keeps the others from the threads that their
# deadlines count on.
swift test --no-parallel --skip-build --explicit-target-dependency-import-check error -j "$jobs"

step "what deploy/ installs"
.venv-deploy/bin/python -m pytest Tests/Deploy --promtool "$promtool"

step "what the documentation shows"
.venv-deploy/bin/python -m pytest Tests/Docs

step "the reference of the plugin API"
scripts/make-doc .build/documentation >/dev/null

step "the plugins of the example package"
scripts/check-example

step "the benchmark's own tests"
swift test --package-path Benchmarks --scratch-path .build-bench -j "$jobs"

step "allocations of a decision"
# In a release build of its own: what a debug build allocates says nothing of it.
env -u MARTLET_STRICT make --no-print-directory check-allocations

step "end-to-end tests"
.venv/bin/python -m pytest Tests/EndToEnd --promtool "$promtool" --browser "$browser"

printf '\nAll of it passed in %d s.\n' $((SECONDS - started))
