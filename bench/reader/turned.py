"""Questions and sentences turned into what nobody said: with or without a "not", with an opposite word, or with who did
it and to whom exchanged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from lemminflect import getInflection

from bench.judge.changes import OPPOSITE_VERBS, OPPOSITES, SYMMETRIC, negated, replaced, substitutes
from bench.judge.statements import FINITE, SUBJECTS, WH

Doc = Any
Token = Any

SHORT = {"did", "does", "do", "was", "were", "is", "are", "has", "have", "had", "could", "would", "should"}
"""Auxiliaries that take "n't"."""


def denied(question: Doc, rng: random.Random) -> str | None:
    """The question with a "not", or without the one that it has; None where it has no verb to say so of."""
    verb = _root(question)
    if verb is None:
        return None
    if verb.lemma_ == "do" and verb.lower_ in SHORT:
        return replaced(question, {verb.i: f"{verb.text}n't"})
    first, subject = _auxiliary(verb), _child(verb, SUBJECTS)
    if first is None or subject is None or subject.i < first.i:
        return negated(question, verb, rng)
    said = next((t for t in question if t.dep_ == "neg" and first.i < t.i <= verb.i), None)
    if said is not None:
        return replaced(question, {said.i: ""})
    if first.lower_ in SHORT and (first.lemma_ == "be" or rng.random() < 0.5):
        return replaced(question, {first.i: f"{first.text}n't"})
    last = question[subject.right_edge.i]
    return replaced(question, {last.i: f"{last.text} not"}) if first.tag_ in FINITE else None


def denied_in(sentence: Doc, question: Doc, rng: random.Random) -> str | None:
    """The sentence with the question's verb denied, or no longer denied; None where it has it not or more than once."""
    verb = _root(question)
    if verb is None or verb.lemma_ in {"be", "have", "do"}:
        return None
    found = [t for t in sentence if t.lemma_ == verb.lemma_ and t.pos_ in {"VERB", "AUX"}]
    return negated(sentence, found[0], rng) if len(found) == 1 else None


def opposites(question: Doc, sentence: Doc) -> Iterator[tuple[str, str]]:
    """The question, and the sentence, with a word that both have turned into its opposite."""
    for token in question:
        new = substitutes(token, OPPOSITE_VERBS, OPPOSITES)
        twins = [t for t in sentence if t.pos_ == token.pos_ and t.lemma_ == token.lemma_]
        if not new or len(twins) != 1:
            continue
        also = substitutes(twins[0], OPPOSITE_VERBS, OPPOSITES)
        for one, other in zip(new, also, strict=False):
            if not any(t.lower_ in {one, other} for t in (*question, *sentence)):
                yield replaced(question, {token.i: one}), replaced(sentence, {twins[0].i: other})


def roles(question: Doc) -> str | None:
    """Who did it and whom it was done to in each other's place: "Who attacked Rome?" for "Who did Rome attack?"."""
    verb = _root(question)
    if verb is None or verb.lemma_ in SYMMETRIC or verb.lemma_ in {"have", "do"}:
        return None
    subject, thing = _child(verb, {"nsubj"}), _child(verb, {"dobj"})
    if subject is None or thing is None:
        return None
    if any(t.dep_ in {"neg", "auxpass", "prep"} and t.i < verb.i for t in verb.children):
        return None
    auxiliary = _auxiliary(verb)
    asks = any(t.tag_ in WH for t in subject.subtree)
    if asks and auxiliary is None and verb.tag_ in {"VBD", "VBZ"}:
        return _of_subject(question, subject, verb, thing)
    if auxiliary is not None and auxiliary.lemma_ == "do" and any(t.tag_ in WH for t in thing.subtree):
        return _of_object(question, thing, auxiliary, subject, verb)
    return None


def _of_subject(question: Doc, subject: Token, verb: Token, thing: Token) -> str | None:
    """`Who attacked Rome in May?` to `Who did Rome attack in May?`."""
    acts = question[thing.left_edge.i : thing.right_edge.i + 1]
    if not _acts(acts) or subject.right_edge.i + 1 != verb.i or acts.start <= verb.i:
        return None
    helper = "did" if verb.tag_ == "VBD" else "does"
    between = question[verb.i + 1 : acts.start].text
    rest = question[acts.end :].text
    asked = question[: verb.i].text
    return _joined(asked, helper, acts.text, verb.lemma_, between, rest)


def _of_object(question: Doc, thing: Token, auxiliary: Token, subject: Token, verb: Token) -> str | None:
    """`Who did Rome attack in May?` to `Who attacked Rome in May?`."""
    acts = question[subject.left_edge.i : subject.right_edge.i + 1]
    form = next(iter(getInflection(verb.lemma_, auxiliary.tag_)), None)
    if not _acts(acts) or form is None or acts.start != auxiliary.i + 1 or verb.i < acts.end:
        return None
    if thing.right_edge.i >= auxiliary.i:
        return None
    return _joined(
        question[: auxiliary.i].text, question[acts.end : verb.i].text, form, acts.text, question[verb.i + 1 :].text
    )


def _acts(phrase: Any) -> bool:
    """Whether a phrase names somebody or something, so that it could have done it as well."""
    return any(t.pos_ == "PROPN" for t in phrase)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part).replace(" ?", "?").replace(" ,", ",").replace(" '", "'")


def _root(doc: Doc) -> Token | None:
    """The main verb; a parser at times takes the "did" of a question for it."""
    found = next((t for t in doc if t.dep_ == "ROOT"), None)
    if found is not None and found.lemma_ == "do":
        found = next((t for t in found.children if t.i > found.i and t.tag_ == "VB"), found)
    return found if found is not None and found.pos_ in {"VERB", "AUX"} else None


def _auxiliary(verb: Token) -> Token | None:
    """The first helper of a verb, which may be a form of "be" itself."""
    helpers = [t for t in verb.children if t.dep_ in {"aux", "auxpass"} and t.i < verb.i]
    if verb.dep_ != "ROOT" and verb.head.lemma_ == "do":
        return verb.head
    return helpers[0] if helpers else (verb if verb.lemma_ == "be" else None)


def _child(verb: Token, kinds: set[str]) -> Token | None:
    """What depends on a verb, or on the "did" that is taken for it."""
    both = [*verb.children, *(verb.head.children if verb.head.lemma_ == "do" else ())]
    return next((t for t in both if t.dep_ in kinds), None)
