"""What is written on things that are laid over pictures: dates, sentences, names, addresses."""

from __future__ import annotations

import numpy as np

WORDS = tuple(
    """
    the of and to in that it with as was for on are by be this have from not but which they you we an can there all
    when if more out so what about up into them could time some then its only now other may any these my over such
    our man me even most made after also did many before must through back years where much your way down should
    because long each just state good world still between life day same under last old might house great against
    right come few use place while water home small never night light summer winter garden street music happy best
    new sale free photo love live news today open show family party holiday beach city travel wow hello thanks
    friends forever birthday welcome morning sunday breaking exclusive official original limited quality fresh
    """.split()  # noqa: SIM905
)
_SEPARATORS = ("-", ".", "/", " ", "'")
_ALPHABETS = {
    "cyrillic": "абвгдежзиклмнопрстуфхцчшыьэюя",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん",
    "han": "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后",
}
SAMPLES = {"latin": "Ag8", "digits": "0189", **{name: letters[:3] for name, letters in _ALPHABETS.items()}}
"""Letters a font must have to write an alphabet."""


def date(rng: np.random.Generator) -> str:
    """A date as cameras print it, perhaps with a time, or a time alone."""
    year, month, day = int(rng.integers(1980, 2032)), int(rng.integers(1, 13)), int(rng.integers(1, 32))
    mark = str(rng.choice(_SEPARATORS))
    short = f"{year % 100:02d}"
    forms = (
        f"{year}{mark}{month:02d}{mark}{day:02d}",
        f"{day:02d}{mark}{month:02d}{mark}{year}",
        f"{month:02d}{mark}{day:02d}{mark}{year}",
        f"{month}{mark}{day}{mark}'{short}",
        f"'{short} {month} {day}",
        f"{day} {month} {short}",
    )
    text = str(rng.choice(forms))
    clock = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}"
    if rng.random() < 0.35:
        clock += f":{rng.integers(0, 60):02d}" if rng.random() < 0.4 else str(rng.choice(["", " AM", " PM"]))
        text = f"{text} {clock}" if rng.random() < 0.8 else clock
    return text


def words(rng: np.random.Generator, count: int, alphabet: str = "latin") -> str:
    """So many words of an alphabet, in one of the ways that such lines are written."""
    letters = _ALPHABETS.get(alphabet)
    if letters is None:
        found = [str(word) for word in rng.choice(WORDS, count)]
        if rng.random() < 0.15:
            found[int(rng.integers(count))] = str(rng.integers(0, 10 ** int(rng.integers(1, 5))))
    else:
        found = ["".join(rng.choice(list(letters), int(rng.integers(2, 8)))) for _ in range(count)]
    text = ("" if alphabet in ("han", "kana") else " ").join(found)
    style = rng.random()
    text = text.upper() if style < 0.3 else text.title() if style < 0.45 else text[:1].upper() + text[1:]
    return text + str(rng.choice(["", "", ".", "!", "?", "...", ","]))


def name(rng: np.random.Generator) -> str:
    """A mark of where a picture is from: a name, an address, a tag."""
    one, two = (str(word) for word in rng.choice(WORDS, 2))
    forms = (
        f"{one}{two}.com", f"www.{one}-{two}.net", f"@{one}_{two}", f"#{one}{two}", f"© {one.title()} {two.title()}",
        f"{one.title()}{two.title()}", f"{one.upper()} TV", f"{one.title()} {two.title()} Photography", one.upper(),
        f"(c) {rng.integers(1995, 2030)} {one.title()}", f"{one[:1].upper()}{two[:1].upper()}", "SAMPLE", "PREVIEW",
    )  # fmt: skip
    return str(rng.choice(forms))
