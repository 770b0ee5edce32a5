# Sourced by the scripts: makes a virtual environment with imgfix in it, once; later calls find nothing to do.

# The newest Python that imgfix supports; PYTHON=... overrules.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "imgfix needs Python 3.11 or newer; name one with PYTHON=/path/to/python" >&2
  return 1
}

# make_environment FOLDER EXTRAS: run from the root of the repository.
make_environment() {
  local folder=$1 extras=${2:-} python stamp
  # What is installed depends on these two files and the extras, so the environment is good until one of them changes.
  stamp="$extras $(cat pyproject.toml .ci/constraints.txt | cksum)"
  if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.installed" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  python=$(find_python)
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
  echo "installing into $folder (the first time takes a few minutes)" >&2
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e ".${extras:+[$extras]}"
  # spandrel alone: it asks for torchvision, which has no build for every torch. The tests bring a stand-in for that.
  case ",$extras," in
    *,test,*) "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -c .ci/constraints.txt spandrel einops ;;
  esac
  echo "$stamp" >"$folder/.installed"
}
