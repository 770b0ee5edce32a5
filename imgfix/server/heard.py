"""What is said while an order is carried out."""

from __future__ import annotations

from imgfix.errors import worded
from imgfix.pipelines.models import Listener


class Heard(Listener):
    """Keeps what is said on the way, for the answer."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def said(self, text: str) -> None:
        """See `Listener.said`."""
        self.heard.append(worded(text))

    def warned(self, text: str) -> None:
        """See `Listener.warned`."""
        self.heard.append(worded(text))
