#!/usr/bin/env bash
# Makes .venv-test, installs imgfix with what its tests need, and runs pytest, a worker for each core. Arguments go to
# pytest:
#   bash tests/run.sh                     everything
#   bash tests/run.sh tests/cli -k ctrl   a part
#   bash tests/run.sh -m "not slow"       without those that take seconds each
#   bash tests/run.sh -n 0 --pdb          one after the other, in one process
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/environment.sh
make_environment .venv-test "test,dev"
# Without what they depend on: torchvision's wheels belong to one build of torch (tests/zoo/spandrel_beside_cpu.py).
.venv-test/bin/python -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("spandrel") and u.find_spec("einops")))' ||
  .venv-test/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "spandrel==0.4.2" "einops==0.8.2"

# A worker takes about a gigabyte, and more of them than cores only wait for each other. One thread each: torch's would
# fight over the same cores.
workers=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
[ "$workers" -le 8 ] || workers=8
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# `-m pytest` puts the checkout on the path, so the tests see the files as they are now.
exec .venv-test/bin/python -m pytest -n "$workers" --dist worksteal "$@"
