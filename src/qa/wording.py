"""People's words become the articles' words: initials, misspelt names, Spanish questions. What changes is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

from qa import spanish
from qa.names import fold
from qa.types import Snapshot

SHORTEST = 5
"""Letters of a word that may be misspelt; shorter ones have too many neighbours."""

TWO_SLIPS = 10
"""Letters from which two slips are forgiven instead of one."""

COGNATE = 0.7
"""Likeness (1 less the share of letters that differ) from which a Spanish word counts as an English one."""

Count = Callable[[str], int]
"""Counts the embedder's tokens: an ordinary word is one, a rare name or a slip is several."""


def worded(question: str, snapshot: Snapshot, tokens: Count) -> str:
    """The question in words that the articles have, or as it is.

    A Spanish question over English articles is turned word by word. A word in no article that is no ordinary word
    either becomes its nearest neighbour in the articles, if one is near enough. Initials are followed by the name they
    stand for.
    """
    if spanish.is_spanish(question) and snapshot.occurrences("the") > snapshot.occurrences("los"):
        question = in_english(question, snapshot)
    return re.sub(r"\w+", lambda found: _word(found.group(), question, snapshot, tokens), question)


def in_english(question: str, snapshot: Snapshot) -> str:
    """A Spanish question with every word that is known, or looks like an English one of the articles, in English."""
    vocabulary = snapshot.vocabulary()
    words = [
        _english(word, vocabulary) for word in re.findall(r"\w+(?:[-.,]\w+)*|[^\w\s¿¡]", spanish.phrases(question))
    ]
    text = " ".join(word for word in words if word)
    return re.sub(r"\s+([?.,;:!%])", r"\1", text)


def nearest(word: str, vocabulary: Mapping[str, str]) -> str:
    """The word of the articles that a misspelt one stands for, as it is written there; "" when none is near enough."""
    plain = fold(word)
    near = [known for known in vocabulary if known[:1] == plain[:1] and abs(len(known) - len(plain)) <= 2]
    slips = 2 if len(plain) >= TWO_SLIPS else 1
    best = process.extractOne(plain, sorted(near), scorer=OSA.distance, score_cutoff=slips)
    return vocabulary[best[0]] if best else ""


def _word(word: str, question: str, snapshot: Snapshot, tokens: Count) -> str:
    if tokens(word) < 2 or word.isdigit():
        return word
    known = snapshot.occurrences(word)
    if 2 <= len(word) <= 6 and (word.isupper() or not known):
        # Initials that the articles use themselves must stand for a name of several of them.
        names = [name for name, documents in snapshot.names(fold(word).upper()) if documents > 1 or not known]
        if names:
            return word if names[0] in question else f"{word} ({names[0]})"
    if known or len(word) < SHORTEST:
        return word
    return nearest(word, snapshot.vocabulary()) or word


def _english(word: str, vocabulary: Mapping[str, str]) -> str:
    translated = spanish.english(word)
    named = word[:1].isupper() and fold(word) in vocabulary and fold(word) not in spanish.LEXICON
    if translated is not None and not named:
        return translated
    if fold(word) in vocabulary or len(word) < SHORTEST + 1:
        return word
    best = process.extractOne(fold(word), sorted(vocabulary), scorer=OSA.normalized_similarity, score_cutoff=COGNATE)
    return vocabulary[best[0]] if best else word
