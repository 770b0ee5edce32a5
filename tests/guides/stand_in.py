"""Networks that find what the guides name without a download: two people, a dog, a cup, a sign and a date stamp."""

from __future__ import annotations

from typing import Any

from imgfix.pipelines.choosing import ModelTools
from imgfix.tasks.select.detect import Detection
from tests.tasks.test_select import PEOPLE, SIGN, Tools

CUP = Detection("cup", 0.8, (40, 20, 50, 30))
DATE = Detection("date", 0.95, (60, 50, 90, 60))


def install() -> None:
    """Put them where those of this machine would be opened; downloading a model only looks its name up."""
    from imgfix.pipelines.weights import manage
    from imgfix.zoo import catalog

    tools = Tools(*PEOPLE, CUP, lines=(SIGN,), over=(DATE,))
    for name in ("segmenter", "detector", "subject", "reader", "overlays"):
        setattr(ModelTools, name, lambda self, name=name: getattr(tools, name)())

    def pull(name: str, *_: Any, **__: Any) -> None:
        catalog.find(name)

    manage.pull = pull  # type: ignore[assignment]
