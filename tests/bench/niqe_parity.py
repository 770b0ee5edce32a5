"""Compare NIQE with another implementation, picture by picture.

    python tests/bench/niqe_parity.py --pictures FOLDER --other BASICSR

BASICSR is the unpacked source of the PyPI package basicsr 1.4.2 (scipy and OpenCV; its own reading of the authors'
MATLAB release). Four of its files are run, under names of their own, because the package as a whole no longer imports.
Exits with 1 when a picture differs by more than 0.05.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgfix.metrics.niqe import niqe

TOLERANCE = 0.05


def other_niqe(folder: Path) -> Callable[[np.ndarray], float]:
    """Its function, (H, W, 3) uint8 RGB -> NIQE."""
    found = {path.name: path for path in folder.rglob("*.py")}

    def load(name: str, file: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, found[file])
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    class Registry:
        def register(self) -> Callable[[Any], Any]:
            return lambda function: function

    for name in ("basicsr", "basicsr.utils", "basicsr.metrics"):
        sys.modules[name] = types.ModuleType(name)
    registry: Any = types.ModuleType("basicsr.utils.registry")
    registry.METRIC_REGISTRY = Registry()
    sys.modules["basicsr.utils.registry"] = registry
    colours = load("basicsr.utils.color_util", "color_util.py")
    utils: Any = sys.modules["basicsr.utils"]
    utils.bgr2ycbcr = colours.bgr2ycbcr
    load("basicsr.utils.matlab_functions", "matlab_functions.py")
    load("basicsr.metrics.metric_util", "metric_util.py")
    module = load("basicsr.metrics.niqe", "niqe.py")
    with np.load(next(folder.rglob("niqe_pris_params.npz"))) as arrays:
        mean, covariance, window = (arrays[name] for name in ("mu_pris_param", "cov_pris_param", "gaussian_window"))

    def run(pixels: np.ndarray) -> float:
        grey = module.to_y_channel(pixels[..., ::-1]).round().squeeze()
        return float(np.squeeze(module.niqe(grey, mean, covariance, window)))

    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--other", type=Path, required=True)
    options = parser.parse_args()
    theirs = other_niqe(options.other)
    worst = 0.0
    for path in sorted(p for p in options.pictures.iterdir() if p.suffix.lower() in (".png", ".bmp", ".jpg")):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        ours, other = niqe(pixels / 255.0), theirs(pixels)
        worst = max(worst, abs(ours - other))
        print(f"{path.name:24} ours {ours:9.4f}  other {other:9.4f}  {ours - other:+.4f}")
    print(f"largest difference {worst:.4f}")
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
