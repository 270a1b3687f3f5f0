"""Changes that turn what evidence supports into what it does not, and the same change made in the evidence.

A statement that was changed no longer follows from its evidence. Where the evidence can be changed alike, the changed
statement follows from the changed evidence, and the old one no longer does. A judge that reads only the statement then
learns nothing from it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lemminflect import getInflection

from qa import opposites

from . import words
from .statements import FINITE, Doc, Token, finished, lowered

NAMES = {"PERSON": "person", "ORG": "body", "GPE": "place", "LOC": "place", "NORP": "place", "FAC": "place"}
ADJUNCTS = {"in", "at", "on", "during", "since", "after", "before", "under", "near", "from", "for", "with", "by"}
SYMMETRIC = {"be", "meet", "marry", "equal", "resemble", "become", "accompany", "border", "join", "include"}
OPPOSITE_VERBS, OPPOSITES = words.pairs(opposites.OPPOSITE_VERBS), words.pairs(opposites.OPPOSITES)
SAME_VERBS, SAME = words.pairs(words.SAME_VERBS), words.pairs(words.SAME)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done, the statement after it, and the evidence after the same change where that can be made."""

    kind: str
    statement: str
    evidence: str | None = None


def changes(statement: Doc, evidence: Doc, around: Sequence[Doc], rng: random.Random) -> Iterator[Change]:
    """Every change that the statement offers. `around` are other sentences of the same article, to borrow from."""
    for rule in (_numbers, _series, _names, _phrases):
        yield from rule(statement, evidence, around, rng)
    for own in (_roles, _negation, _lexical_negation, _opposites, _modality):
        yield from own(statement, evidence, rng)


# --- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(statement: Doc, evidence: Doc, around: Sequence[Doc], rng: random.Random) -> Iterator[Change]:
    """Another number in the place of one that the evidence has: from the evidence, from near it, or made up."""
    found = [m.group() for m in words.NUMBER.finditer(statement.text)]
    here = [m.group() for m in words.NUMBER.finditer(evidence.text)]
    known = [n for n in found if n in here and n.lower() != "one"]
    for number in rng.sample(known, min(2, len(known))):
        others = [n for n in here if _alike(n, number) and n not in found]
        if not others or rng.random() < 0.3:
            near = [m.group() for doc in around for m in words.NUMBER.finditer(doc.text)]
            others = [n for n in near if _alike(n, number) and n not in found]
        other = rng.choice(others) if others and rng.random() < 0.6 else words.near_number(number, rng)
        if other and other not in found:
            yield Change(
                "number", words.exchanged(statement.text, number, other), words.exchanged(evidence.text, number, other)
            )


def _series(statement: Doc, evidence: Doc, around: Sequence[Doc], rng: random.Random) -> Iterator[Change]:
    """Another month, day of the week, rank or order of magnitude."""
    for series in opposites.SERIES:
        here = [word for word in series if _has(evidence.text, word)]
        mine = [word for word in here if _has(statement.text, word)]
        if mine:
            word = rng.choice(mine)
            others = [other for other in here if other not in mine]
            if not others or rng.random() < 0.4:
                others = [other for other in series if other not in here]
            if others:
                other = rng.choice(others)
                yield Change(
                    "number", words.exchanged(statement.text, word, other), words.exchanged(evidence.text, word, other)
                )


def _alike(left: str, right: str) -> bool:
    """Both years, both in letters, or both in digits; never the same number."""
    return left.lower() != right.lower() and words.shape(left) == words.shape(right)


# --- names and phrases ------------------------------------------------------------------------------------------------


def _has(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def _side_by_side(text: str, one: str, other: str) -> bool:
    """Whether two phrases are enumerated together, so that what holds for one may hold for the other."""
    lower = text.lower()
    ends = [(found.start(), found.end()) for p in (one, other) for found in re.finditer(re.escape(p.lower()), lower)]
    gaps = [lower[left[1] : right[0]] for left in ends for right in ends if left[1] <= right[0] <= left[1] + 60]
    return any(len(gap.split()) < 7 and re.search(r",|\b(?:and|or|as well as)\b", gap) for gap in gaps)


def _names_of(doc: Doc) -> list[tuple[str, str]]:
    return [
        (re.sub(r"^[Tt]he |['’]s$", "", entity.text), NAMES[entity.label_])
        for entity in doc.ents
        if entity.label_ in NAMES
    ]


def _overlap(one: str, other: str) -> bool:
    return bool(set(re.findall(r"\w+", one.lower())) & set(re.findall(r"\w+", other.lower())))


def _names(statement: Doc, evidence: Doc, around: Sequence[Doc], rng: random.Random) -> Iterator[Change]:
    """Another name of the same sort in a name's place."""
    here = _names_of(evidence)
    mine = [(name, sort) for name, sort in _names_of(statement) if name and _has(evidence.text, name)]
    for name, sort in rng.sample(mine, min(2, len(mine))):
        others = [n for n, s in here if s == sort and not _overlap(n, name)]
        others = [n for n in others if n and not _has(statement.text, n) and not _side_by_side(evidence.text, n, name)]
        if not others or rng.random() < 0.25:
            near = [n for doc in around for n, s in _names_of(doc) if s == sort and n and not _overlap(n, name)]
            others = [n for n in near if not _has(statement.text, n)]
        if others:
            other = rng.choice(others)
            yield Change(
                "name", words.exchanged(statement.text, name, other), words.exchanged(evidence.text, name, other)
            )


def _chunks(doc: Doc) -> list[tuple[str, str]]:
    """Noun phrases without their article, and the tag of their head."""
    found = []
    for chunk in doc.noun_chunks:
        kept = [t for t in chunk if t.tag_ not in {"DT", "PRP$", "PRP", "WP", "WDT", "EX"} and not t.is_punct]
        if kept and kept[-1].tag_ in {"NN", "NNS", "NNP", "NNPS"} and len(kept) <= 5:
            found.append((doc[kept[0].i : kept[-1].i + 1].text, kept[-1].tag_[:3]))
    return found


def _phrases(statement: Doc, evidence: Doc, around: Sequence[Doc], rng: random.Random) -> Iterator[Change]:
    """Another noun phrase of the evidence in a phrase's place."""
    named = {name for name, _ in _names_of(statement)}
    mine = [(p, tag) for p, tag in _chunks(statement) if _has(evidence.text, p) and p not in named]
    theirs = _chunks(evidence)
    if rng.random() < 0.2:
        theirs = [chunk for doc in around for chunk in _chunks(doc)]
    if not mine:
        return
    phrase, tag = rng.choice(mine)
    others = [o for o, t in theirs if t == tag and not _overlap(o, phrase) and not _has(statement.text, o)]
    others = [o for o in others if not _side_by_side(evidence.text, o, phrase)]
    if others:
        other = rng.choice(others)
        yield Change(
            "phrase", words.exchanged(statement.text, phrase, other), words.exchanged(evidence.text, phrase, other)
        )


def _roles(statement: Doc, evidence: Doc, rng: random.Random) -> Iterator[Change]:
    """Two names or phrases of the statement in each other's place."""
    root = next((t for t in statement if t.dep_ == "ROOT"), None)
    if root is None or root.lemma_ in SYMMETRIC:
        return
    names = _names_of(statement)
    both = [
        (a, b) for i, (a, s) in enumerate(names) for b, t in names[i + 1 :] if s == t or {s, t} <= {"person", "body"}
    ]
    subject = next((t for t in root.children if t.dep_ in {"nsubj", "nsubjpass"}), None)
    thing = next((t for t in root.children if t.dep_ in {"dobj", "agent"}), None)
    if thing is not None and thing.dep_ == "agent":
        thing = next((t for t in thing.children if t.dep_ == "pobj"), None)
    if subject is not None and thing is not None and subject.tag_ not in {"PRP", "EX", "DT"} and thing.tag_ != "PRP":
        left, right = (statement[t.left_edge.i : t.right_edge.i + 1] for t in (subject, thing))
        if len(left) < 9 and len(right) < 9:
            both += [(left.text, right.text)] * (1 + len(both))
    both = [(a, b) for a, b in both if a and b and not _overlap(a, b) and not _side_by_side(statement.text, a, b)]
    if both:
        one, other = rng.choice(both)
        turned = None
        if _has(evidence.text, one) and _has(evidence.text, other):
            turned = words.exchanged(evidence.text, one, other)
        yield Change("roles", words.exchanged(statement.text, one, other), turned)


# --- negation ---------------------------------------------------------------------------------------------------------


def _negation(statement: Doc, evidence: Doc, rng: random.Random) -> Iterator[Change]:
    """`not` put in at the main verb, or taken out."""
    root = next((t for t in statement if t.dep_ == "ROOT"), None)
    if root is None:
        return
    flipped = negated(statement, root, rng)
    if flipped is None:
        return
    where = [t for t in evidence if t.lemma_ == root.lemma_ and t.pos_ in {"VERB", "AUX"}]
    if root.lemma_ == "be":
        where = [t for t in where if t.dep_ == "ROOT" and t.text == root.text]
    turned = negated(evidence, where[0], rng) if len(where) == 1 else None
    yield Change("negation", flipped, turned)


def negated(doc: Doc, verb: Token, rng: random.Random) -> str | None:
    """The text with the verb negated, or no longer negated; None where the verb has no finite form of its own."""
    auxiliary = [c for c in verb.children if c.dep_ in {"aux", "auxpass"} and c.i < verb.i]
    negation = next((c for c in verb.children if c.dep_ == "neg"), None)
    if negation is not None:
        return _affirmed(doc, verb, auxiliary, negation)
    if any(c.lower_ in {"no", "nothing", "nobody", "none", "never", "neither"} for c in verb.subtree):
        return None
    finite = next((a for a in auxiliary if a.tag_ in FINITE), None)
    if finite is not None:
        word = "never" if finite.lemma_ == "have" and rng.random() < 0.3 else "not"
        return replaced(doc, {finite.i: f"{finite.text} {word}"})
    if verb.tag_ not in FINITE:
        return None
    if verb.lemma_ == "be" or verb.tag_ == "MD":
        return replaced(doc, {verb.i: f"{verb.text} not"})
    if rng.random() < 0.15:
        return replaced(doc, {verb.i: f"never {verb.text}"})
    helper = {"VBD": "did", "VBZ": "does", "VBP": "do"}[verb.tag_]
    return replaced(doc, {verb.i: f"{helper} not {verb.lemma_}"})


def _affirmed(doc: Doc, verb: Token, auxiliary: list[Token], negation: Token) -> str:
    helper = next((a for a in auxiliary if a.lemma_ == "do"), None)
    if helper is None:
        return replaced(doc, {negation.i: ""})
    form = next(iter(getInflection(verb.lemma_, helper.tag_)), verb.text)
    return replaced(doc, {helper.i: "", negation.i: "", verb.i: form})


def _lexical_negation(statement: Doc, evidence: Doc, rng: random.Random) -> Iterator[Change]:
    """`failed to`, `refused to`, `denied`: said in the statement, or in the evidence while the statement says `not`."""
    root = next((t for t in statement if t.dep_ == "ROOT"), None)
    if root is None or root.lemma_ in {"be", "have"} or root.tag_ not in {"VBD", "VBZ"}:
        return
    if any(c.dep_ in {"neg", "aux", "auxpass"} for c in root.children):
        return
    past = root.tag_ == "VBD"
    refusal = rng.choice(
        [("failed", "fails"), ("refused", "refuses"), ("declined", "declines"), ("was unable", "is unable")]
    )
    said = f"{refusal[0 if past else 1]} to {root.lemma_}"
    where = [t for t in evidence if t.lemma_ == root.lemma_ and t.tag_ == root.tag_]
    plain = f"{'did' if past else 'does'} not {root.lemma_}"
    if len(where) == 1 and not any(c.dep_ in {"neg", "aux"} for c in where[0].children):
        # Whoever refused to did not; the statement may say either.
        yield Change(
            "refusal",
            replaced(statement, {root.i: rng.choice((said, plain))}),
            replaced(evidence, {where[0].i: said}),
        )
    else:
        yield Change("refusal", replaced(statement, {root.i: said}))


def replaced(doc: Doc, new: dict[int, str]) -> str:
    """The text with some tokens replaced, the blanks after them kept."""
    parts = []
    for token in doc:
        text = new.get(token.i, token.text)
        if token.i + 1 in new and new[token.i + 1] == "" and not token.whitespace_:
            parts.append(text + " ")
        else:
            parts.append(text + (token.whitespace_ if text else ""))
    return re.sub(r" +", " ", "".join(parts)).strip()


# --- opposite words, same words ---------------------------------------------------------------------------------------


def _opposites(statement: Doc, evidence: Doc, rng: random.Random) -> Iterator[Change]:
    """A word's opposite in its place."""
    spots = [(token, new) for token in statement for new in substitutes(token, OPPOSITE_VERBS, OPPOSITES)]
    for token, new in rng.sample(spots, min(2, len(spots))):
        twins = [t for t in evidence if _same_word(t, token)]
        turned = None
        if twins:
            fresh = {t.i: next(iter(substitutes(t, OPPOSITE_VERBS, OPPOSITES)), "") for t in twins}
            if len(twins) == 1 or token.pos_ != "VERB":
                fresh = dict.fromkeys(fresh, new) if token.tag_ == twins[0].tag_ else fresh
            turned = replaced(evidence, fresh) if all(fresh.values()) else None
        yield Change("opposite", replaced(statement, {token.i: new}), turned)


def _same_word(left: Token, right: Token) -> bool:
    if left.pos_ == "VERB" and right.pos_ == "VERB":
        return bool(left.lemma_ == right.lemma_)
    return bool(left.lower_ == right.lower_)


def substitutes(token: Token, verbs: dict[str, list[str]], others: dict[str, list[str]]) -> list[str]:
    """What may stand in a word's place, in its inflection."""
    if token.ent_type_ in {"PERSON", "ORG", "GPE"}:
        return []
    if token.pos_ == "VERB":
        forms = [getInflection(lemma, token.tag_) for lemma in verbs.get(token.lemma_, [])]
        return [form[0] for form in forms if form]
    if token.tag_ in {"RP", "TO", "PRP", "CC"} or token.pos_ == "AUX":
        return []
    return others.get(token.lower_, [])


def same_meaning(doc: Doc, rng: random.Random) -> str:
    """The text with one or two of its words replaced by words that mean the same, and a number written otherwise."""
    spots = [(t.i, new) for t in doc for new in substitutes(t, SAME_VERBS, SAME)]
    fresh = dict(rng.sample(spots, min(rng.choice((1, 1, 2)), len(spots))))
    return rewritten_number(replaced(doc, fresh), rng)


def rewritten_number(text: str, rng: random.Random) -> str:
    """`12` as `twelve` and back, `%` as `percent`."""
    if rng.random() < 0.5:
        text = re.sub(r"(?<=\d) ?%", " percent", text) if "%" in text else re.sub(r"(?<=\d) percent\b", "%", text)
    found = words.NUMBER.search(text)
    if found is None or rng.random() < 0.5:
        return text
    number = found.group()
    near = text[max(0, found.start() - 1)] + text[found.end() : found.end() + 1]
    if re.search(r"[$£€#%/:–—°-]", near) or re.match(
        r" (?:January|February|Mar|Apr|May|Ju|Aug|Sept|Oct|Nov|Dec)", text[found.end() :]
    ):
        return text
    if number.isdigit():
        other = words.in_letters(int(number))
    else:
        other = None if number.lower() == "one" else str(words.LETTERS.get(number.lower(), "")) or None
    return text[: found.start()] + other + text[found.end() :] if other else text


# --- modality and mixed sentences -------------------------------------------------------------------------------------


def _modality(statement: Doc, evidence: Doc, rng: random.Random) -> Iterator[Change]:
    """What may be, or is planned, told as if it were so. The evidence is changed alike."""
    told = _without_modality(statement)
    if told:
        yield Change("modality", told, _without_modality(evidence))


def _without_modality(doc: Doc) -> str | None:
    for token in doc:
        verb = token.head
        if token.tag_ == "MD" and token.lower_ in {"may", "might", "could"} and verb.tag_ == "VB":
            if any(c.dep_ == "neg" for c in verb.children) or verb.i < token.i:
                return None
            after = doc[token.i + 1]
            subject = next((c for c in verb.children if c.dep_ in {"nsubj", "nsubjpass"}), None)
            many = subject is not None and subject.tag_ in {"NNS", "NNPS"}
            target = after if after.tag_ == "VB" else verb
            if target.lower_ == "be":
                return replaced(doc, {token.i: "", target.i: "are" if many else "is"})
            form = next(iter(getInflection(target.lemma_, "VBP" if many else "VBZ")), None)
            return replaced(doc, {token.i: "", target.i: form}) if form else None
        if token.lemma_ in {"plan", "hope", "intend", "expect", "propose", "threaten", "want"} and token.tag_ in FINITE:
            aim = next((c for c in token.children if c.dep_ == "xcomp" and c.tag_ == "VB"), None)
            if aim is not None and aim.i == token.i + 2 and not any(c.dep_ in {"neg", "aux"} for c in token.children):
                form = next(iter(getInflection(aim.lemma_, "VBD")), None)
                return replaced(doc, {token.i: "", token.i + 1: "", aim.i: form}) if form else None
    return None


@dataclass(frozen=True, slots=True)
class Stitched:
    """Two sentences whose subjects changed places: the false statement, and the two sentences that would bear it."""

    statement: str
    evidence: str


def borrowed(one: Doc, other: Doc, bearer: Doc) -> Stitched | None:
    """A statement with the time or place that only the other sentence gives; as evidence, with it moved to `bearer`."""
    had = {t.lower_ for t in one if t.dep_ == "prep"}
    places = [t for t in other if t.dep_ == "prep" and t.lower_ in ADJUNCTS - had and t.head.dep_ == "ROOT"]
    for token in places:
        span = other[token.i : token.right_edge.i + 1]
        whole = not any(t.tag_ in {"PRP", "PRP$", "WDT", "WP"} for t in span) and any(t.ent_type_ for t in span)
        if token.left_edge.i == token.i and len(span) < 9 and whole and not _overlap(bearer.text, span[1:].text):
            rest = f"{other[: token.i].text} {other[token.right_edge.i + 1 :].text}".strip(" ,")
            statement = finished(f"{one.text.rstrip(' .')} {lowered(span)}")
            bearing = finished(f"{bearer.text.rstrip(' .')} {lowered(span)}")
            moved = finished(rest)
            if statement and moved and bearing:
                return Stitched(statement, f"{bearing} {moved}")
    return None


def mistaken(one: Doc, other: Doc, bearer: Doc) -> Stitched | None:
    """What the statement says, said of the other sentence's subject; as evidence, with the subjects exchanged."""
    mine, theirs = _subject(one), _subject(other)
    if mine is None or theirs is None or _overlap(mine.text, theirs.text):
        return None
    if mine.root.tag_[:3] != theirs.root.tag_[:3] or not _has(bearer.text, mine.text):
        return None
    statement = finished(f"{theirs.text} {one[mine.end :].text}")
    turned = words.exchanged(f"{bearer.text} {other.text}", mine.text, theirs.text)
    return Stitched(statement, turned) if statement else None


def continued(one: Doc, other: Doc) -> Stitched | None:
    """The first sentence goes on with what the other says of its own subject; as evidence, of the same one."""
    first, second = _subject(one), _subject(other)
    if first is None or second is None or first[-1].lower_ == second[-1].lower_ or _overlap(first.text, second.text):
        return None
    if first.root.tag_[:3] != second.root.tag_[:3] or len(one) + len(other) > 50:
        return None
    said = other[second.end :].text
    statement = finished(f"{one.text.rstrip(' .')} and {said}")
    return Stitched(statement, f"{one.text} {first.text} {said}") if statement else None


def _subject(doc: Doc) -> Any:
    root = next((t for t in doc if t.dep_ == "ROOT"), None)
    if root is None:
        return None
    subject = next((c for c in root.children if c.dep_ in {"nsubj", "nsubjpass"}), None)
    if subject is None or subject.tag_ in {"PRP", "DT", "EX", "WP", "CD"} or subject.left_edge.i != 0:
        return None
    span = doc[0 : subject.right_edge.i + 1]
    return span if len(span) < 12 and not any(t.tag_ in {"PRP", "PRP$"} for t in span) else None
