"""How sure an answer is: a calibrated probability that the passages answer the question."""

from __future__ import annotations

import calendar
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qa.conversation import EMPTY
from qa.names import OPENERS, STEM, fold, initials, names, stem, words
from qa.types import Passage, QAError

MOST_MISSING = 2
"""Missing names and numbers that are counted; of more, the count says nothing more."""

MOST_READ = 1.0
"""The reader's logit above which it says no more: it cannot make up for passages that are about something else."""

NEUTRAL = -0.5
"""What stands for the reader's logit where nothing was read: other signs then decide as they would without a reader."""

EXPECTED = 0.5
FAMILIAR = (0.5, 0.8)
"""Of a passage that has the question's words, and answers, the reader nearly always says at least EXPECTED. So such a
passage is doubted by how much less it says: from the first share of the words on, and wholly from the second. Where
people ask in other words, a reader that sees no answer is often wrong. See "The reader" in BENCHMARKS.md."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells a question that is answered from one that is not."""

    passage: float
    """The reranker's logit of the best passage."""
    sentence: float
    """The reranker's logit of the best sentence, or pair of sentences."""
    cosine: float
    """The embedder's cosine between the question and the best passage."""
    missing: int
    """Names and numbers of the question that the best passage does not have."""
    size: float
    """The decimal logarithm of the passages that were searched: the more there are, the better fits by chance."""
    read: float = NEUTRAL
    """The reader's logit that one of the passages answers."""
    doubt: float = 0.0
    """How far that logit stays under what is EXPECTED where the passage has the question's words; at most 0."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression over the signs. (Platt 1999)"""

    offset: float
    passage: float
    sentence: float
    cosine: float
    missing: float
    size: float
    read: float = 0.0
    doubt: float = 0.0

    def confidence(self, signs: Signs) -> float:
        """The probability that a question with these signs is answered."""
        logit = (
            self.offset
            + self.passage * signs.passage
            + self.sentence * signs.sentence
            + self.cosine * signs.cosine
            + self.missing * min(signs.missing, MOST_MISSING)
            + self.size * signs.size
            + self.read * min(signs.read, MOST_READ)
            + self.doubt * signs.doubt
        )
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))

    def rescaled(self, slope: float, offset: float) -> Calibration:
        """The calibration whose log-odds are those of this one, times `slope`, plus `offset`."""
        scaled = {name: slope * value for name, value in asdict(self).items()}
        return Calibration(**scaled | {"offset": scaled["offset"] + offset})


CALIBRATION = Calibration(
    offset=-1.472, passage=0.27, sentence=0.135, cosine=2.7, missing=-0.81, size=-0.189, read=0.27, doubt=0.81
)
"""For the packaged models; see "Refusal" in BENCHMARKS.md for how it was found and how reliable it is."""

FILE = "calibration.json"
"""Beside an index, where `qa eval --calibrate` writes what fits that index and its models."""


def read_calibration(folder: Path) -> Calibration:
    """The calibration that belongs to an index, else the one for the packaged models."""
    try:
        return Calibration(
            **{str(name): float(value) for name, value in json.loads((folder / FILE).read_text()).items()}
        )
    except FileNotFoundError:
        return CALIBRATION
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise QAError(f"{folder / FILE} cannot be read ({error}); remove it, or run `qa eval --calibrate`.") from error


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Keep a calibration beside its index."""
    try:
        (folder / FILE).write_text(json.dumps(asdict(calibration), indent=1) + "\n", "utf-8")
    except OSError as error:
        raise QAError(f"{folder / FILE} cannot be written ({error.strerror}); make its folder writable.") from error


def signs(
    question: str,
    passages: Sequence[Passage],
    sentences: Sequence[float],
    searched: int,
    read: float | None = None,
) -> Signs:
    """The signs of a question whose passages, out of `searched`, and sentences (their logits) were judged; there is at
    least one of each. `read` is what the reader says, if there is one.
    """
    best = max(passages, key=lambda passage: passage.ranks.logit)
    text = known_of(best)
    return Signs(
        passage=best.ranks.logit,
        sentence=max(sentences),
        cosine=best.ranks.cosine,
        missing=missing(question, text),
        size=math.log10(max(1, searched)),
        read=NEUTRAL if read is None else read,
        doubt=0.0 if read is None else doubt(read, familiar(question, text)),
    )


def doubt(read: float, share: float) -> float:
    """How far the reader's logit stays under what is EXPECTED, as far as the passage has this share of the words."""
    least, most = FAMILIAR
    return min(1.0, max(0.0, (share - least) / (most - least))) * min(0.0, read - EXPECTED)


def familiar(question: str, text: str) -> float:
    """The share of the question's words, without those that say nothing, that a text has in whatever inflection."""
    asked = [stem(word) for word in words(question) if fold(word) not in EMPTY]
    have = {stem(word) for word in words(text)}
    return sum(word in have for word in asked) / max(1, len(asked))


def known_of(passage: Passage) -> str:
    """What names and numbers are looked for in: a passage behind the title of its article, and its date in words."""
    return f"{passage.chunk.context}\n{_in_words(passage.date)}"


def _in_words(date: str) -> str:
    """The year and the month of an article's date, by which its news are asked for: "2024 January"."""
    year, _, rest = date.partition("-")
    return f"{year} {calendar.month_name[int(rest[:2])]}" if rest[:2].isdigit() else year


def missing(question: str, text: str) -> int:
    """How many names and numbers of a question a text lacks, in whatever inflection or as initials."""
    words = {fold(word) for word in re.findall(r"\w+", text)}
    stems = {word[:STEM] for word in words}
    short = {fold(initials(name)) for name in names(text)}
    return sum(
        fold(term) not in words | short and (term.isdigit() or stem(term) not in stems) for term in _telling(question)
    )


def speaks_of(topic: str, text: str) -> bool:
    """Whether a text has every word of a topic, in whatever inflection."""
    stems = {stem(word) for word in re.findall(r"\w+", text)}
    words = [fold(word) for word in re.findall(r"\w+", topic) if fold(word) not in OPENERS]
    return bool(words) and all(word[:STEM] in stems for word in words)


def _telling(question: str) -> list[str]:
    """The numbers of a question, and the words that are capitalised though they do not open it."""
    words = [re.sub(r"['’]s$", "", word) for word in re.findall(r"\w[\w'’]*", question)]
    return [w for n, w in enumerate(words) if w.isdigit() or (n and w[0].isupper() and fold(w) not in OPENERS)]
