"""imgfix: image restoration behind one calm command line and one small Python API."""

from __future__ import annotations

__version__ = "0.1.0"
