#!/usr/bin/env bash
# Makes its own environment, fetches a small model, enlarges a real photo, removes a person from another, takes noise
# from a third, and draws a sheet of stickers.
# Run it again: it is quick then. Results: examples/out/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/environment.sh
make_environment .venv
imgfix=.venv/bin/imgfix
photos=examples/photos
out=examples/out
mkdir -p "$out"

# Takes the first of these models that is here or can be fetched; a shipped one needs no network.
first_of() {
  local name
  for name in "$@"; do
    if "$imgfix" weights pull "$name" >&2; then
      echo "$name"
      return
    fi
    echo "$name is not to be had here; taking the next best" >&2
  done
  return 1
}

upscaler=photo-x4  # comes with imgfix, like the filler
restorer=$(first_of ffdnet-color restore)
filler=inpaint-photo

"$imgfix" upscale "$photos/cat.jpg" -o "$out/cat-x4.jpg" --model "$upscaler" --overwrite
"$imgfix" inpaint "$photos/moon.jpg" --mask "$photos/moon-mask.png" -o "$out/moon-empty.jpg" --model "$filler" --overwrite
.venv/bin/python examples/damage.py "$photos/cat.jpg" "$out/cat-noisy.png"
"$imgfix" restore "$out/cat-noisy.png" -o "$out/cat-restored.png" --model "$restorer" --overwrite
"$imgfix" generate "a red apple" "a cat face" "a frog face" "a rocket" "a rainbow" "a birthday cake" \
  --grid "$out/stickers.png" --overwrite

.venv/bin/python examples/sheet.py "$out/cat-sheet.jpg" \
  "451x300,_enlarged_by_bicubic=$photos/cat.jpg" "imgfix_upscale=$out/cat-x4.jpg" crop=22,5,50,70
.venv/bin/python examples/sheet.py "$out/moon-sheet.jpg" \
  "before=$photos/moon.jpg" "mask=$photos/moon-mask.png" "imgfix_inpaint=$out/moon-empty.jpg"
.venv/bin/python examples/sheet.py "$out/restored-sheet.jpg" \
  "noise_of_20=$out/cat-noisy.png" "imgfix_restore=$out/cat-restored.png" crop=22,5,50,70

cat <<END

upscaled   $out/cat-x4.jpg        ($upscaler)
filled     $out/moon-empty.jpg    ($filler)
restored   $out/cat-restored.png  ($restorer)
drawn      $out/stickers.png      (generate-stickers)
compare    $out/cat-sheet.jpg
           $out/moon-sheet.jpg
           $out/restored-sheet.jpg

Yours:     .venv/bin/imgfix upscale your.jpg
           .venv/bin/imgfix --help
END
