"""Sentences that are true of their evidence: from a question and its answer, or from the evidence by rewording.

A crowd worker's question says in other words what a text says. Put with its answer into a sentence, it is a paraphrase
that no rule could have written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from lemminflect import getInflection

Doc = Any
Token = Any

WH = {"WP", "WDT", "WRB", "WP$"}
SUBJECTS = {"nsubj", "nsubjpass", "expl", "csubj"}
FINITE = {"VBD", "VBZ", "VBP", "MD"}
SAYING = {"say", "state", "claim", "report", "argue", "suggest", "note", "announce", "explain", "write", "add", "warn"}
BESIDE_NOUN = {"JJ", "JJR", "JJS", "CD", "DT", "PRP$", "POS", "HYPH", "CC", "RBS"}
LINKS = (" and", ", and", ";", ", while")
"""What joins two sentences."""
WORDS = range(4, 45)
"""Words of a statement."""

_YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
_DAY = re.compile(
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December) \d|\d{1,2} [A-Z]"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
)
_MONTH = re.compile(r"January|February|March|April|May|June|July|August|September|October|November|December")
_TIME_WORDS = set(
    "in on at by from since during until before after between when while around about within late early every last as "
    "once whenever".split()
)
_PLACE_WORDS = set(
    "in on at from to near under over around behind between outside inside along through across off into by "
    "throughout".split()
)
_WAY_WORDS = {"by", "with", "through", "via", "using", "in", "as", "from"}
_REASON_WORDS = {"because", "due", "to", "for", "since", "so", "as", "in"}
ADJUNCT = {"when": _TIME_WORDS, "where": _PLACE_WORDS, "how": _WAY_WORDS, "why": _REASON_WORDS}


_BROKEN = re.compile(
    r"\b(?:is|are|was|were) (?:is|are|was|were|has|have|had|did|does|do)\b"
    r"|\b(?:of|for|to|in|with|about|by|from|concerning|that) (?:is|are|was|were|has)\b"
    r"|^(?:Is|Are|Was|Were|Do|Does|Did|Can|Has|Have|What|Who|How|Which)\b"
)
"""What the rules leave behind where they, or the parser, went wrong."""


# --- questions --------------------------------------------------------------------------------------------------------


def declarative(question: Doc, answer: str, before: str) -> str | None:
    """The statement that answers `question` with `answer`; None where the rules do not reach.

    `before` is the evidence up to the answer, whose last word may be the preposition that the statement needs.
    """
    tokens = [token for token in question if token.text not in "?!."]
    place = next((token.i for token in tokens if token.tag_ in WH), None)
    if place is None or not answer:
        return None
    start = _fronted(question, place)
    if start is None:
        return _in_place(question, tokens, place, answer)
    end = _phrase_end(question, place)
    if end + 1 >= len(tokens):
        return None
    lead = "".join(token.text_with_ws for token in question[:start])
    fixed = _answer_text(question, place, end, answer, before)
    if fixed is None:
        return None
    if start < place:  # A preposition stands before the question word.
        preposition = question[start].text
        fixed = fixed if fixed.lower().startswith(preposition.lower() + " ") else f"{preposition.lower()} {fixed}"
    body = _order(question, tokens, place, end, fixed, adjunct=start < place or _asks_how(question, place, end))
    return None if body is None else finished(f"{lead} {body}")


def _asks_how(question: Doc, place: int, end: int) -> bool:
    """Whether the phrase asks for an adverb, which stands last, and not for a subject or an object."""
    if end > place:
        return question[end].lower_ in {"year", "long", "often", "far", "fast", "time", "times", "day", "month"}
    return question[place].lower_ in ADJUNCT


def _fronted(question: Doc, place: int) -> int | None:
    """Where the question phrase starts when it is in front; None when it stands inside its sentence."""
    if place == 0 or question[place - 1].text == ",":
        return place
    before = question[place - 1]
    if before.tag_ in {"IN", "TO"} and (place == 1 or question[place - 2].text == ","):
        return place - 1
    return None


def _in_place(question: Doc, tokens: list[Token], place: int, answer: str) -> str | None:
    """`X comes from what?`: the answer takes the phrase's place, if a subject and a verb stand before it."""
    if question[place].lower_ not in {"what", "who", "whom", "which"}:
        return None
    if not any(token.tag_ in FINITE for token in question[:place]) or question[0].tag_ in FINITE:
        return None
    end = _phrase_end(question, place)
    rest = "".join(token.text_with_ws for token in tokens[end + 1 :])
    if rest and any(token.tag_ in FINITE for token in tokens[end + 1 :]):
        return None
    return finished(f"{question[:place].text} {answer} {rest}")


def _phrase_end(question: Doc, place: int) -> int:
    """The last token of `what`, `what kind of fish`, `how many people`, `how long`."""
    token = question[place]
    end = place
    if token.lower_ in {"what", "which", "whose"} and place + 1 < len(question):
        end = _noun_end(question, place)
    elif token.lower_ == "how" and question[place + 1].tag_ in {"JJ", "RB", "JJR"}:
        end = place + 1
        if question[end].lower_ in {"many", "much"}:
            end = max(end, _noun_end(question, end))
    if end > place and end + 1 < len(question) and question[end + 1].lower_ == "of":
        end = _noun_end(question, end + 1)
    return end


def _noun_end(question: Doc, place: int) -> int:
    """The last noun of an unbroken run of nouns and what stands before them."""
    end = place
    for token in question[place + 1 :]:
        if token.tag_ in {"NN", "NNS", "NNP", "NNPS"}:
            end = token.i
        elif token.tag_ not in BESIDE_NOUN and not (token.tag_ == "VBN" and token.dep_ == "amod"):
            break
    return end


def _answer_text(question: Doc, place: int, end: int, answer: str, before: str) -> str | None:
    """The answer as it stands in a sentence: with its unit, or with the preposition that an adverb needs."""
    word = question[place].lower_
    if word == "how" and end > place:
        return _measure(question[place : end + 1], answer)
    if word in ADJUNCT:
        return _adjunct(word, answer, before)
    if question[end].lower_ in {"year", "years"} and place == 0 and _YEAR.fullmatch(answer):
        return answer if question[-2].lower_ == "in" else f"in {answer}"
    return answer


def _measure(phrase: Any, answer: str) -> str | None:
    if phrase[1].lower_ not in {"many", "much"}:
        return answer if re.search(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|few)\b", answer) else None
    noun = phrase[2:].text
    if not noun or phrase[-1].lower_.rstrip("s") in answer.lower() or not re.search(r"[\w%]$", answer):
        return answer
    is_bare = re.search(r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|"
                        r"billion|several|many|few))$", answer.lower())  # fmt: skip
    return f"{answer} {noun}" if is_bare else answer


def _adjunct(word: str, answer: str, before: str) -> str | None:
    first = answer.split()[0].lower()
    if first in ADJUNCT[word] or (word in {"how", "when"} and first.endswith(("ly", "ago"))):
        return answer
    if word == "when" and _DAY.match(answer):
        return f"on {answer}"
    if word == "when" and (_YEAR.match(answer) or _MONTH.match(answer)):
        return f"in {answer}"
    last = re.findall(r"[\w']+", before.lower())[-2:]
    if last and last[-1] in ADJUNCT[word]:
        return f"{last[-1]} {answer}"
    if len(last) == 2 and last[0] in ADJUNCT[word] and last[1] in {"the", "a", "an", "its", "their", "his", "her"}:
        return f"{last[0]} {last[1]} {answer}"
    return None


def _order(question: Doc, tokens: list[Token], place: int, end: int, answer: str, *, adjunct: bool) -> str | None:
    """The words after the question phrase in the order of a statement, with the answer among them."""
    first = tokens[end + 1]
    if first.tag_ not in FINITE:
        return None
    subject = next((t for t in tokens[end + 2 :] if t.dep_ in SUBJECTS and t.tag_ not in WH), None)
    if subject is not None and any(t.dep_ != "neg" for t in tokens[first.i + 1 : subject.left_edge.i]):
        subject = None
    if first.lemma_ == "do" and first.i + 1 < len(tokens) and tokens[-1].tag_ != "VBD":
        return subject and _with_do(question, tokens, first, subject, place, answer, adjunct=adjunct)
    auxiliary = first.lemma_ in {"be", "have"} or first.tag_ == "MD"
    if auxiliary and subject is not None:
        return _inverted(tokens, first, subject, question[place], answer, adjunct=adjunct)
    return None if adjunct else f"{answer} {_text(tokens[end + 1 :])}"


def _with_do(
    question: Doc, tokens: list[Token], first: Token, subject: Token, place: int, answer: str, *, adjunct: bool
) -> str | None:
    """`did France send to the colony`: `France sent` + answer + `to the colony`."""
    verb = next((t for t in tokens if t.i > subject.i and t.tag_ == "VB" and t.dep_ != "relcl"), None)
    if verb is None or verb.lemma_ == "do":
        return None
    between = tokens[first.i + 1 : verb.i]
    negation = [t for t in between if t.dep_ == "neg"]
    kept = [t for t in between if t.dep_ != "neg"]
    form = verb.text if negation else next(iter(getInflection(verb.lemma_, first.tag_)), verb.text)
    told = f"{first.text} not {verb.text}" if negation else form
    gap = len(tokens) if adjunct else _gap(tokens, verb, question[place])
    left, right = tokens[verb.i + 1 : gap], tokens[gap:]
    return f"{_text(kept)} {told} {_text(left)} {answer} {_text(right)}"


def _gap(tokens: list[Token], verb: Token, word: Token) -> int:
    """Before which token the object that was asked for stands."""
    last = tokens[-1]
    if last.tag_ in {"IN", "TO", "RP"} and not list(last.children):
        return len(tokens)
    head = word.head if word.dep_ in {"dobj", "pobj", "attr", "pcomp"} else word.head.head
    if head.i < verb.i or head.i >= len(tokens):
        head = verb
    if any(child.dep_ in {"dobj", "ccomp", "xcomp"} and child.i > head.i for child in head.children):
        return len(tokens)
    particle: list[int] = [child.i for child in head.children if child.dep_ == "prt"]
    return max([int(head.i), *particle]) + 1


def _inverted(
    tokens: list[Token], first: Token, subject: Token, asked: Token, answer: str, *, adjunct: bool
) -> str | None:
    """`was the bridge built in`: `the bridge` + `was` + `built in` + answer."""
    inside = {t.i for t in subject.subtree}
    last = tokens[-1]
    stranded = last.tag_ in {"IN", "TO"} and not list(last.children)
    closing = tokens[-2] if stranded and len(tokens) - 2 > subject.i else last
    main = next((t for t in tokens[subject.i + 1 :] if t.tag_ in {"VBN", "VBG", "VB"} and t.i not in inside), None)
    if main is None and closing.tag_ in {"VBN", "VBG", "VB", "VBD"} and closing.i > subject.i:
        main = closing
    if stranded and main is None:
        main = last
    end = min(subject.right_edge.i, main.i - 1 if main is not None else len(tokens) - 1)
    if adjunct and main is None and end == len(tokens) - 1:
        return f"{_text(tokens[first.i + 1 :])} {first.text} {answer}"
    words, rest = tokens[first.i + 1 : end + 1], tokens[end + 1 :]
    if first.i + 1 < len(tokens) and tokens[first.i + 1].dep_ == "neg":
        words, rest = tokens[first.i + 2 : end + 1], [tokens[first.i + 1], *rest]
    if main is None and not adjunct:
        return f"{_text(words)} {first.text} {answer} {_text(rest)}"
    gap = len(tokens) if adjunct or main is None else _gap(tokens, main, asked)
    left = [t for t in rest if t.i < gap]
    right = [t for t in rest if t.i >= gap]
    return f"{_text(words)} {first.text} {_text(left)} {answer} {_text(right)}"


def _text(tokens: list[Token]) -> str:
    return "".join(token.text_with_ws for token in tokens)


def finished(text: str) -> str | None:
    """The text as a sentence; None when it does not read like one."""
    text = re.sub(r"\s+", " ", text).strip(" ,;:-.")
    text = re.sub(r" ([,;:.!?%)]|'s\b|n't\b)", r"\1", text)
    text = re.sub(r"\b(wo|ca|do|did|does|is|was|are|were|has|have|had|would|could|should) n't\b", r"\1n't", text)
    if len(text.split()) not in WORDS or "?" in text or re.search(r"\b(\w+) \1\b", text):
        return None
    if _BROKEN.search(text):
        return None
    if text.count("(") != text.count(")") or text.count('"') % 2:
        return None
    return text[0].upper() + text[1:] + "."


# --- the evidence in other words --------------------------------------------------------------------------------------


def reworded(sentence: Doc) -> Iterator[tuple[str, str]]:
    """Ways to say a sentence, or a part of it: the name of each and the text."""
    for name, rule in (
        ("copy", _copy),
        ("shortened", _without_aside),
        ("shortened", _first_clause),
        ("shortened", _without_lead),
        ("moved", _lead_to_end),
        ("voice", _active),
        ("source", _according),
    ):
        text = rule(sentence)
        if text and (done := finished(text)):
            yield name, done


def joined(one: Doc, other: Doc, rng: random.Random) -> str | None:
    """Two neighbouring sentences as one, the first without its aside if it has one."""
    if len(one) + len(other) > 45 or other[0].tag_ in {"RB", "CC", "IN"}:
        return None
    first = (_without_aside(one) or one.text).rstrip(" .")
    return finished(f"{first}{rng.choice(LINKS)} {lowered(other[:])}")


def _copy(sentence: Doc) -> str | None:
    text: str = sentence.text
    return text if text[-1] in '.”"' and len(sentence) < 36 else None


def _without_aside(sentence: Doc) -> str | None:
    text = re.sub(r" ?\([^)]*\)", "", sentence.text)
    for token in sentence:
        if token.dep_ in {"appos", "relcl"} and token.left_edge.i > 0:
            left, right = token.left_edge.i - 1, token.right_edge.i + 1
            if sentence[left].text == "," and right < len(sentence) and sentence[right].text in ",.":
                keep = right if sentence[right].text == "." else right + 1
                return f"{sentence[:left].text} {sentence[keep:].text}"
    return text if text != sentence.text else None


def _first_clause(sentence: Doc) -> str | None:
    """`A did this, and B did that` gives `A did this`."""
    root = next(token for token in sentence if token.dep_ == "ROOT")
    for token in root.children:
        if token.dep_ == "conj" and token.tag_ in FINITE and any(c.dep_ in SUBJECTS for c in token.children):
            link = token.left_edge.i
            text: str = sentence[:link].text
            text = re.sub(r"[,;]? (?:and|but|so|yet|or)$|[,;]$", "", text)
            return text if any(t.dep_ in SUBJECTS and t.head == root for t in sentence[:link]) else None
    return None


def _lead(sentence: Doc) -> int | None:
    """The comma after an adverbial that stands first: `In 1901, the bridge fell`."""
    first = sentence[0]
    if first.tag_ not in {"IN", "RB"} or first.dep_ not in {"prep", "advmod"}:
        return None
    comma: int = first.right_edge.i + 1
    return comma if comma < min(10, len(sentence)) and sentence[comma].text == "," else None


def _without_lead(sentence: Doc) -> str | None:
    comma = _lead(sentence)
    return None if comma is None else sentence[comma + 1 :].text


def _lead_to_end(sentence: Doc) -> str | None:
    comma = _lead(sentence)
    if comma is None or sentence[0].tag_ != "IN" or sentence[-1].text != "." or len(sentence) > 25:
        return None
    return f"{sentence[comma + 1 : -1].text} {lowered(sentence[:comma])}"


def lowered(span: Any) -> str:
    """The text of a span inside a sentence: its first word small unless it is a name."""
    text: str = span.text
    return text if span[0].tag_ in {"NNP", "NNPS"} or span[0].text == "I" else text[0].lower() + text[1:]


OBJECT_FORM = {"he": "him", "she": "her", "they": "them", "we": "us", "i": "me"}
SUBJECT_FORM = {form: word for word, form in OBJECT_FORM.items()}


def _active(sentence: Doc) -> str | None:
    """`The bridge was built by Romans` gives `Romans built the bridge`."""
    return voice(sentence, swapped=False)


def voice(sentence: Doc, *, swapped: bool) -> str | None:
    """A passive sentence in the active voice; swapped, the one who suffered does it, which is false."""
    for verb in sentence:
        agent = next((c for c in verb.children if c.dep_ == "agent"), None)
        subject = next((c for c in verb.children if c.dep_ == "nsubjpass"), None)
        auxiliary = [c for c in verb.children if c.dep_ in {"auxpass", "aux", "neg"}]
        if agent is None or subject is None or len(auxiliary) != 1 or auxiliary[0].lower_ not in {"was", "were"}:
            continue
        doer = next((c for c in agent.children if c.dep_ == "pobj"), None)
        if doer is None or subject.tag_ == "WDT":
            continue
        done, sufferer = (
            sentence[doer.left_edge.i : doer.right_edge.i + 1],
            sentence[subject.left_edge.i : subject.right_edge.i + 1],
        )
        form = next(iter(getInflection(verb.lemma_, "VBD")), None)
        if form is None or doer.right_edge.i - doer.left_edge.i > 9:
            continue
        who, whom = (sufferer, done) if swapped else (done, sufferer)
        who_text, whom_text = lowered(who), lowered(whom)
        rest = sentence[verb.i + 1 : agent.i].text
        return f"{SUBJECT_FORM.get(who_text, who_text)} {form} {OBJECT_FORM.get(whom_text, whom_text)} {rest}"
    return None


def _according(sentence: Doc) -> str | None:
    """`X said that P` gives `According to X, P`."""
    root = next(token for token in sentence if token.dep_ == "ROOT")
    clause = next((c for c in root.children if c.dep_ == "ccomp" and c.i > root.i), None)
    speaker = next((c for c in root.children if c.dep_ == "nsubj" and c.i < root.i), None)
    if root.lemma_ not in SAYING or clause is None or speaker is None or speaker.left_edge.i != 0:
        return None
    start = clause.left_edge.i + (sentence[clause.left_edge.i].lower_ == "that")
    named = lowered(sentence[: speaker.right_edge.i + 1])
    return f"According to {OBJECT_FORM.get(named.lower(), named)}, {sentence[start : clause.right_edge.i + 1].text}"
