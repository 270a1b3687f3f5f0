"""A conversation as plain values: what the page keeps in the browser, gives back as history, and writes out."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qa.answer import REFUSAL, escape_markdown
from qa.types import NO_FILTERS, Answer, Filters, QAError, Quote, Ranks, Span, Statement

REASONS = 6
REASON_WIDTH = 90
"""Passages, and characters of each, that are kept to say why an answer is what it is."""

SHOWN_DIGEST = 16
"""Characters of a SHA-256 that a reference gives: enough to tell two versions of an article apart."""


NOTHING = "Nothing has been asked yet; ask a question first."

IN_SHORT = "In short:"
FOREIGN = "This conversation was kept by another version and cannot be read; start a new one."


@dataclass(frozen=True, slots=True)
class Reason:
    """A passage that was read: its beginning, and where it stood in every ranking."""

    text: str
    ranks: Ranks


@dataclass(frozen=True, slots=True)
class Turn:
    """A question as it was typed and what became of it.

    `digests` holds the SHA-256 of every quoted document, so that a later reader can tell whether it has changed.
    """

    asked: str
    searched: str
    answered: bool
    confidence: float
    quotes: tuple[Quote, ...]
    digests: Mapping[str, str]
    by_date: bool = False
    reasons: tuple[Reason, ...] = ()
    suggested: tuple[str, ...] = ()
    comments: bool = False
    filters: Filters = NO_FILTERS
    statements: tuple[Statement, ...] = ()
    model: str = ""
    note: str = ""
    short: Quote | None = None

    @property
    def few(self) -> Span | None:
        """Where the few words that answer stand in the first quote."""
        by = -self.quotes[0].start if self.quotes else 0
        return Span(self.short.start, self.short.end).shifted(by) if self.short else None

    @property
    def standing(self) -> list[Statement]:
        """What a language model wrote and the quotes support."""
        return [statement for statement in self.statements if not statement.struck]

    @property
    def stamp(self) -> str:
        """Names the answer: two that quote the same places of the same files have the same one."""
        places = [(q.source, q.start, q.end, self.digests.get(q.source, "")) for q in self.quotes]
        return hashlib.sha256(json.dumps([self.answered, places]).encode()).hexdigest()[:SHOWN_DIGEST]


_TURNS = TypeAdapter(tuple[Turn, ...])


def turn(
    asked: str,
    answer: Answer,
    digests: Mapping[str, str],
    suggested: Sequence[str] = (),
    comments: bool = False,
    filters: Filters = NO_FILTERS,
) -> Turn:
    """What is kept of an answer."""
    reasons = [Reason(shorten(p.text, REASON_WIDTH, placeholder="…"), p.ranks) for p in answer.passages[:REASONS]]
    return Turn(
        asked=asked,
        searched=answer.question,
        answered=answer.answered,
        confidence=answer.confidence,
        quotes=answer.quotes,
        digests=dict(digests),
        by_date=answer.by_date,
        reasons=tuple(reasons),
        suggested=tuple(suggested),
        comments=comments,
        filters=filters,
        statements=answer.statements,
        model=answer.model,
        note=answer.note,
        short=answer.short,
    )


def to_plain(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The turns as JSON holds them."""
    plain: list[dict[str, Any]] = _TURNS.dump_python(tuple(turns), mode="json")
    return plain


def from_plain(values: Any) -> tuple[Turn, ...]:
    """The turns that `to_plain` wrote; QAError when they are not, as what a browser keeps may be of another version."""
    try:
        turns = _TURNS.validate_json(json.dumps(values or []))
    except (ValidationError, QAError, TypeError, ValueError, RecursionError) as error:
        raise QAError(FOREIGN) from error
    if not all(_sound(each) for each in turns):
        raise QAError(FOREIGN)
    return turns


def _sound(each: Turn) -> bool:
    """Whether an answer has quotes, every quote its digest, every statement its quotes, and the first quote the few
    words that answer; what shows them relies on that.
    """
    cited = {number for statement in each.statements for number in statement.cites}
    held = all(0 < number <= len(each.quotes) for number in cited)
    few = not each.few or bool(each.short and each.quotes and each.few.of(each.quotes[0].text) == each.short.text)
    return (
        held and few and bool(each.quotes or not each.answered) and all(q.source in each.digests for q in each.quotes)
    )


def history(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The messages (role, content) that a follow-up is understood by; what was refused said nothing."""
    said = [(each.asked, " ".join(q.text for q in each.quotes) if each.answered else "") for each in turns]
    return [
        {"role": role, "content": content}
        for pair in said
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]


def reference(quote: Quote, digest: str = "") -> str:
    """Where a quote stands, on one line: title, author, date, file, page, characters, and the file's SHA-256."""
    return ", ".join(_facts(quote, digest))


def _facts(quote: Quote, digest: str) -> list[str]:
    named = [f"“{quote.title}”" if quote.title else "", quote.author, quote.date]
    comment = "a reader’s comment" if quote.kind == "comment" else ""
    place = [quote.source, f"page {quote.page}" if quote.page else "", f"characters {quote.start}–{quote.end}"]
    stamp = f"SHA-256 {digest[:SHOWN_DIGEST]}…" if digest else ""
    return [" ".join(part.split()) for part in (*named, comment, *place, stamp) if part]


def isolated(text: str, escape: Callable[[str], str], few: Span | None = None) -> str:
    """One line of text as HTML that turns nothing around beside it: in `<bdi>`, its `unpaired` signs in a `<bdi>` each,
    which the style sheet makes an inline block, as no sign of the text works out of that. The `few` words of a short
    answer stand in `<b>`.
    """
    line = " ".join(text.split())
    loose = unpaired(line)

    def shown(start: int, end: int) -> str:
        if not loose:
            return escape(line[start:end])
        return "".join(f"<bdi>{line[n]}</bdi>" if n in loose else escape(line[n]) for n in range(start, end))

    start, end = _on_the_line(text, few) if few else (0, 0)
    strong = f"<b>{shown(start, end)}</b>" if few else ""
    return f"<bdi>{shown(0, start)}{strong}{shown(end, len(line))}</bdi>"


def _on_the_line(text: str, span: Span) -> tuple[int, int]:
    """Where a span, which begins and ends with a word, stands when the blanks are evened out."""
    before = text[: span.start]
    gap = " " if before.strip() and before[-1].isspace() else ""
    start = len(" ".join(before.split()) + gap)
    return start, start + len(" ".join(span.of(text).split()))


def unpaired(text: str) -> set[int]:
    """Where a line opens an isolate that it does not close, or closes one that it did not open. (UAX #9, BD9)

    A browser counts the signs of a text with its elements, so these would end the `<bdi>` around it, or outlast it.
    """
    opened: list[int] = []
    closing: set[int] = set()
    for at, sign in enumerate(text):
        if sign in "\u2066\u2067\u2068":
            opened.append(at)
        elif sign == "\u2069" and opened:
            opened.pop()
        elif sign == "\u2069":
            closing.add(at)
    return closing.union(opened)


# --- files ------------------------------------------------------------------------------------------------------------


def to_markdown(turns: Sequence[Turn], name: str = "") -> str:
    """The conversation as Markdown: every quote with a footnote that says exactly where it stands."""
    if not turns:
        raise QAError(NOTHING)
    parts = [f"# {escape_markdown(name or turns[0].asked)}"]
    notes: list[str] = []
    for each in turns:
        parts += [f"## {escape_markdown(each.asked)}", *(escape_markdown(line) for line in _remarks(each))]
        parts += [f"{IN_SHORT} {escape_markdown(each.short.text)}"] if each.short else []
        parts += _prose(each, escape_markdown, "[^{0}]", len(notes))
        for quote in each.quotes:
            notes.append(
                f"[^{len(notes) + 1}]: {escape_markdown(reference(quote, each.digests.get(quote.source, '')))}"
            )
            parts.append(f"> {escape_markdown(f'{_dated(each, quote)}“{quote.text}”')}[^{len(notes)}]")
    return "\n\n".join([*parts, "---", *notes]) + "\n"


def to_html(turns: Sequence[Turn], name: str = "") -> str:
    """The conversation as one HTML file that loads nothing and runs nothing, with the same footnotes."""
    if not turns:
        raise QAError(NOTHING)
    notes: list[str] = []
    body = "".join(_section(each, notes) for each in turns)
    title = html.escape(name or turns[0].asked)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>{body}<hr><ol>{''.join(notes)}</ol></body></html>\n"
    )


def _prose(each: Turn, escape: Callable[[str], str], cite: str, before: int) -> Iterator[str]:
    """What the quotes support of what a language model wrote, if anything, with the notes of its quotes, which are
    numbered behind the `before` ones that there are.
    """
    if each.standing:
        said = (f"{escape(s.text)}{''.join(cite.format(before + n) for n in s.cites)}" for s in each.standing)
        yield f"{' '.join(said)} ({escape(f'written by {each.model} and checked against the quotes')})"


_STYLE = (
    "body{font:1.05rem/1.6 Georgia,serif;max-width:42rem;margin:3rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "blockquote{margin:1em 0;padding-left:1em;border-left:3px solid #fbbf24;unicode-bidi:isolate}"
    "ol{font-size:.85rem}h1,h2,li{unicode-bidi:isolate}bdi bdi{display:inline-block}"
)


def _section(each: Turn, notes: list[str]) -> str:
    parts = [f"<section><h2>{html.escape(each.asked)}</h2>", *(f"<p>{html.escape(r)}</p>" for r in _remarks(each))]
    linked = '<sup><a href="#note-{0}">{0}</a></sup>'
    parts += [f"<p>{IN_SHORT} {_apart(each.short.text)}</p>"] if each.short else []
    parts += (f"<p>{prose}</p>" for prose in _prose(each, _apart, linked, len(notes)))
    for quote in each.quotes:
        n = len(notes) + 1
        where = ", ".join(_apart(fact) for fact in _facts(quote, each.digests.get(quote.source, "")))
        notes.append(f'<li id="note-{n}">{where} <a href="#quote-{n}">↩</a></li>')
        quoted = _apart(f"“{' '.join(quote.text.split())}”")
        number = f'<sup><a href="#note-{n}" id="quote-{n}">{n}</a></sup>'
        parts.append(f"<blockquote>{html.escape(_dated(each, quote))}{quoted}{number}</blockquote>")
    return "".join([*parts, "</section>"])


def _apart(text: str) -> str:
    return isolated(text, html.escape)


def _remarks(each: Turn) -> Iterator[str]:
    if each.searched != each.asked:
        yield f"Searched as: {each.searched}"
    if shown := describe(each.filters):
        yield f"Only: {shown}"
    if not each.answered:
        yield " ".join(filter(None, [REFUSAL, each.note, "The closest passages:" if each.quotes else ""]))


def describe(filters: Filters) -> str:
    """The filters in words, "" when there are none."""
    dates = [f"{word} {day}" for word, day in (("from", filters.since), ("until", filters.until)) if day]
    return "; ".join([*dates, *filters.outlets, *filters.documents])


def _dated(each: Turn, quote: Quote) -> str:
    return f"{quote.date}: " if each.by_date and quote.date else ""
