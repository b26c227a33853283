#!/bin/sh
# Runs the tests under Node 24 as root: they make network namespaces. Arguments: test files (all of them when none).
set -eu
cd "$(dirname "$0")/.."
./plumb setup --tests
PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin
# What one process has compiled the hundreds that follow need not.
NODE_COMPILE_CACHE=$PWD/node_modules/.cache/compile
export PATH NODE_COMPILE_CACHE
# Each test process ends by itself: one that is forced to exit would lose what it has not reported yet.
options='--test --test-concurrency=2 --test-timeout=240000'
if [ $# -eq 0 ]; then set -- 'src/**/*.test.ts' 'packages/*/src/**/*.test.ts' 'test/**/*.test.ts'; fi
if [ "$(id -u)" -eq 0 ]; then exec node $options "$@"; fi
if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  exec sudo -n -E env "PATH=$PATH" node $options "$@"
fi
echo 'The tests make network namespaces, which takes root: sudo npm test' >&2
exit 3
