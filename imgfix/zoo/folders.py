"""Which folders weights lie in.

The shipped folder is `weights/` of a checkout or `imgfix/weights/` of an installed wheel; it is only read. The home
folder is `$IMGFIX_HOME`, else the platform's cache folder; pulled models lie in its `models/`. Imported models, which
nobody can download again, lie in `models/` of `$IMGFIX_HOME`, else of the platform's data folder, so that clearing the
cache loses none of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import imgfix
from imgfix.errors import ModelError


def home() -> Path:
    """The folder for downloaded weights; it need not exist yet."""
    if folder := os.environ.get("IMGFIX_HOME"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("imgfix", appauthor=False))


def data() -> Path:
    """The folder for what is the user's own; it need not exist yet."""
    if os.environ.get("IMGFIX_HOME"):
        return home()
    import platformdirs

    return Path(platformdirs.user_data_dir("imgfix", appauthor=False))


def check_home() -> Path:
    """`home()`, where something is about to be kept in it. Raises ModelError: it is no folder."""
    return _checked(home())


def check_data() -> Path:
    """`data()`, where something is about to be kept in it. Raises ModelError: it is no folder."""
    return _checked(data())


def _checked(folder: Path) -> Path:
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise ModelError(
                    f"weights cannot be kept in {folder}: {place} is a file, not a folder",
                    hint="set IMGFIX_HOME to a folder, or unset it",
                )
            break
    return folder


def models_folder() -> Path:
    """The folder inside `home()` that holds the model files."""
    return home() / "models"


def imports_folder() -> Path:
    """The folder inside `data()` that holds the imported models."""
    return data() / "models"


def shipped_folder() -> Path:
    """The folder with `catalog.toml` and the weights that come with the program."""
    package = Path(imgfix.__file__).resolve().parent
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / "catalog.toml").is_file():
            return folder
    raise ModelError(
        "the catalog of models (weights/catalog.toml) is missing from this installation",
        hint="install imgfix again: pip install --force-reinstall imgfix",
    )
