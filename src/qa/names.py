"""Names in running text: runs of capitalised words, and their initials."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

VERSION = 1
"""Grows when the same text yields other names; an older index is then built anew."""

LINKS = frozenset("of the for de del la las los el y e da do dos du van von bin al".split())
"""Small words that stand inside a name and give no initial: "Department of Justice", "Partido de la Revolución"."""

OPENERS = frozenset(
    "a an and as at after although because before but by did do does during el en for from had has have he her his how "
    "if in is it its la las los may mr mrs ms my no not of on or our she since so some than that the their then there "
    "these they this those to under un una until was we were what when where which while who whom whose why will with "
    "you your".split()
)
"""Words that are capitalised because they open a sentence or a headline, not because they name anything."""

STEM = 5
"""Letters in which a name and its inflected form agree: "Mexico" and "Mexican"."""

_WORD = re.compile(r"\w[\w’'&-]*")


def fold(text: str) -> str:
    """Lower case without accents, for comparing."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def stem(word: str) -> str:
    """The beginning of a word, the same in whatever inflection."""
    return fold(word)[:STEM]


def words(text: str) -> list[str]:
    """The words of a text in order, without the "'s" of a genitive."""
    return [re.sub(r"['’]s$", "", word) for word in re.findall(r"\w[\w'’-]*", text)]


def names(text: str) -> list[str]:
    """Names of one word or more, in order, as they stand in the text with blanks evened out.

    A name that holds small words stands there whole and in its parts: "United States of America", "United States".
    """
    found: list[str] = []
    for run in _runs(text):
        parts = _split_at_links(run)
        found += [" ".join(part) for part in ([run, *parts] if len(parts) > 1 else [run])]
    return found


def initials(name: str) -> str:
    """The first letters of a name's capitalised words, folded, in upper case: "United Nations" gives "UN"."""
    return "".join(fold(word[0])[:1].upper() for word in name.split() if word[0].isupper())


def tails(name: str) -> list[str]:
    """A name with and without what stands before it, a title mostly, down to two capitalised words."""
    words = name.split()
    return [
        " ".join(words[first:])
        for first, word in enumerate(words)
        if word[0].isupper() and len(initials(" ".join(words[first:]))) > 1
    ]


def _split_at_links(run: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in run:
        if word in LINKS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _runs(text: str) -> Iterator[list[str]]:
    """Capitalised words that stand side by side, with the small words between them."""
    run: list[str] = []
    held: list[str] = []
    end = 0
    for found in _WORD.finditer(text):
        word = re.sub(r"[’'](?:s|S)?$", "", found.group())
        if run and text[end : found.start()] not in {" ", "\n", "\u00a0"}:
            yield run
            run, held = [], []
        end = found.start() + len(word)
        if word in LINKS and run and len(held) < 2 and (held or word != "the"):
            held.append(word)
        elif word[:1].isupper() and (run or fold(word) not in OPENERS):
            run += [*held, word]
            held = []
        elif run:
            yield run
            run, held = [], []
    if run:
        yield run
