#!/usr/bin/env bash
# Makes its own environment, fetches two small models, enlarges a real photo and removes a person from another.
# Run it again: it is quick then. Results: examples/out/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/environment.sh
make_environment .venv
imgfix=.venv/bin/imgfix
photos=examples/photos
out=examples/out
mkdir -p "$out"

# Takes the first of these models that is here or can be fetched; a shipped one and a classical method need no network.
first_of() {
  local name
  for name in "$@"; do
    case $name in telea | ns) echo "$name" && return ;; esac
    if "$imgfix" weights pull "$name" >&2; then
      echo "$name"
      return
    fi
    echo "$name is not to be had here; taking the next best" >&2
  done
  return 1
}

upscaler=$(first_of realesr-general-x4v3 photo-x4)
if command -v npm >/dev/null; then
  filler=$(first_of migan-512-places2 inpaint-photo telea)
else
  echo "npm is not here, so another filler than MI-GAN is taken (install Node.js and run this again for the better one)" >&2
  filler=$(first_of inpaint-photo telea 2>/dev/null)
fi

"$imgfix" upscale "$photos/cat.jpg" -o "$out/cat-x4.jpg" --model "$upscaler" --overwrite
"$imgfix" inpaint "$photos/moon.jpg" --mask "$photos/moon-mask.png" -o "$out/moon-empty.jpg" --model "$filler" --overwrite

.venv/bin/python examples/sheet.py "$out/cat-sheet.jpg" \
  "451x300,_enlarged_by_bicubic=$photos/cat.jpg" "imgfix_upscale=$out/cat-x4.jpg" crop=22,5,50,70
.venv/bin/python examples/sheet.py "$out/moon-sheet.jpg" \
  "before=$photos/moon.jpg" "mask=$photos/moon-mask.png" "imgfix_inpaint=$out/moon-empty.jpg"

cat <<END

upscaled   $out/cat-x4.jpg        ($upscaler)
filled     $out/moon-empty.jpg    ($filler)
compare    $out/cat-sheet.jpg
           $out/moon-sheet.jpg

Yours:     .venv/bin/imgfix upscale your.jpg
           .venv/bin/imgfix --help
END
