#!/usr/bin/env bash
# Makes .venv-test, installs imgfix with what its tests need, and runs pytest. Arguments go to pytest:
#   bash tests/run.sh                     everything
#   bash tests/run.sh tests/cli -k ctrl   a part
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/environment.sh
make_environment .venv-test "test,dev"

# `-m pytest` puts the checkout on the path, so the tests see the files as they are now.
exec .venv-test/bin/python -m pytest "$@"
