#!/bin/sh
# Installs durable-rules for the tests of the second matcher, with the Python given, where that can be done. Elsewhere it
# says why not, and those tests are skipped; CI does not do without them.
python=$1
log=$(dirname "$python")/../durable.log
if "$python" -c 'import durable.engine' 2>/dev/null; then
    exit 0
fi
echo "Installing durable-rules, which the tests of the second matcher need ..."
"$python" -m pip --disable-pip-version-check install --require-hashes --no-deps --no-build-isolation \
    -r "$(dirname "$0")/durable.txt" >"$log" 2>&1
if "$python" -c 'import durable.engine' 2>>"$log"; then
    exit 0
fi
echo "durable-rules cannot be used here: it needs Python 3.12 or older and a C compiler. The reason is in $log."
if [ "${CI:-}" = "true" ]; then
    echo "CI always runs the tests of the second matcher, so it stops here."
    exit 1
fi
echo "The tests of the second matcher are skipped."
