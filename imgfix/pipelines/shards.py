"""Parts of a batch for several processes or machines that know nothing of each other, such as SLURM arrays."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePath

from imgfix.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a batch.

    Which part a job belongs to depends on nothing but its name: the place below the folder or glob it was found in, and
    at least the last folder and the file's name, as they are spelled. SHA-256 of it in NFC with `/`, the first eight
    bytes modulo `count`. So a part stays the same while files come and go, whereas counting through a listing would
    shift when the machines do not see the same one. The parts are of about equal size, not exactly.
    """

    number: int = 1
    """1 to `count`."""
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Shard:
        """`3/8` is the third of eight parts; None is everything. Raises UsageError."""
        if text is None:
            return cls()
        found = re.fullmatch(r"\s*([0-9]+)\s*/\s*([0-9]+)\s*", str(text))
        if found is None:
            raise UsageError(f"`shard` {text}: not a part", hint="give number/count, such as 3/8")
        number, count = int(found[1]), int(found[2])
        if count < 1:
            raise UsageError(f"`shard` {text}: there are no parts", hint="give number/count, such as 3/8")
        if not 1 <= number <= count:
            raise UsageError(f"`shard` {text} is out of range", hint=f"the parts are 1/{count} to {count}/{count}")
        return cls(number, count)

    def holds(self, source: object, relative: PurePath) -> bool:
        """Whether a job belongs to this part.

        source: a path; what else has no name but `relative`, its place below the folder or glob it was found in.
        """
        if self.count == 1:
            return True
        place = relative
        if isinstance(source, PurePath):
            place = PurePath(*source.parts[-max(2, len(relative.parts)) :])
        name = unicodedata.normalize("NFC", place.as_posix())
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
