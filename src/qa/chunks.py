"""Body and comment segments become chunks: whole sentences, bounded by two tokenizers.

`tiktoken` sizes a chunk, so that sizes mean the same whatever the embedder; the embedder's own tokenizer bounds it, so
that nothing is silently cut off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import sentencex

from qa.segments import WRAP_WIDTH
from qa.types import Chunk, Document, Segment, Span, title_context

VERSION = 2
"""Grows when the same text is cut differently; an older index is then built anew."""

CHUNK_TOKENS = 128
"""Tokens (o200k_base) of one chunk; see the table "Chunk size" in BENCHMARKS.md."""

Count = Callable[[str], int]

_LIST_ITEM = re.compile(r"\s*(?:[•*‣▪·–—-]|\d{1,4}[.)]|#{1,6})\s")
_TITLE = re.compile(r"\b(?:Ms|Sra|Srta|Lic|Gral|Atty|Ald)\.$")
"""Titles that the sentence splitter takes for the end of a sentence."""
_CLOSED = re.compile(r"[.!?…:;。！？][\"”’»)\]]*$")


def split(
    document: Document, segments: Sequence[Segment], tokens: Count, window_tokens: Count, window: int
) -> tuple[Chunk, ...]:
    """The chunks of a document, in order.

    `tokens` counts by tiktoken, `window_tokens` by the embedder, whose texts hold at most `window` tokens. Every
    character of a body or comment segment that is not blank is in exactly one chunk.
    """
    room = window - window_tokens(title_context(document.title))

    def fits(text: str) -> bool:
        return tokens(text) <= CHUNK_TOKENS and window_tokens(text) <= room

    chunks: list[Chunk] = []
    for segment in segments:
        if segment.kind not in {"body", "comment"}:
            continue
        for span in _packed(document.text, segment.span, fits):
            text = span.of(document.text)
            chunks.append(Chunk(document.source, len(chunks), span, text, segment.kind, document.title, document.date))
    return tuple(chunks)


def sentences(text: str) -> list[Span]:
    """The sentences of a text, without the blanks around them; a list item, a heading or a line of its own is one too.

    Sentences never cross a blank line; they may cross the line ends of text that was wrapped by an editor.
    """
    return [sentence for block in _blocks(text) for sentence in _block_sentences(text, block)]


def _packed(text: str, segment: Span, fits: Callable[[str], bool]) -> Iterator[Span]:
    """Sentence after sentence into the same chunk while it fits."""
    held: Span | None = None
    for sentence in sentences(segment.of(text)):
        for piece in _pieces(text, sentence.shifted(segment.start), fits):
            joined = Span(held.start, piece.end) if held else piece
            if held and not fits(joined.of(text)):
                yield held
                joined = piece
            held = joined
    if held:
        yield held


def _pieces(text: str, span: Span, fits: Callable[[str], bool]) -> Iterator[Span]:
    """A sentence that fits, or its halves, cut at the blank nearest to the middle, until they do."""
    if span.end - span.start < 2 or fits(span.of(text)):
        yield span
        return
    middle = (span.end - span.start) // 2
    blanks = [found.start() for found in re.finditer(r"\s+", span.of(text))]
    cut = span.start + min(blanks, key=lambda blank: abs(blank - middle), default=middle)
    for half in (Span(span.start, cut), Span(cut, span.end)):
        if stripped := _stripped(text, half):
            yield from _pieces(text, stripped, fits)


def _stripped(text: str, span: Span) -> Span | None:
    """The span without the blanks around it; None when nothing is left."""
    inside = span.of(text)
    left = len(inside) - len(inside.lstrip())
    right = len(inside.rstrip())
    return Span(span.start + left, span.start + right) if left < right else None


def _blocks(text: str) -> Iterator[Span]:
    """Lines, joined where an editor broke a paragraph."""
    held: Span | None = None
    last: Span | None = None
    for found in re.finditer(r"[^\r\n]+", text):
        line = _stripped(text, Span(found.start(), found.end()))
        if held and line and last and _continues(text, last, line):
            held = Span(held.start, line.end)
        else:
            if held:
                yield held
            held = line
        last = line
    if held:
        yield held


def _continues(text: str, last: Span, line: Span) -> bool:
    """Whether a line goes on with the paragraph of the line before it."""
    gap = len(re.findall(r"\r\n|\r|\n", text[last.end : line.start])) > 1
    if gap or _LIST_ITEM.match(line.of(text)):
        return False
    if last.end - last.start in WRAP_WIDTH and line.end - line.start < WRAP_WIDTH.stop:
        return True
    # Not as an editor breaks lines: a headline above its story, a paragraph a line.
    return line.of(text)[0].islower() and not _CLOSED.search(last.of(text))


def _block_sentences(text: str, block: Span) -> Iterator[Span]:
    # Line ends inside a block are blanks to the splitter; one character for one keeps every offset.
    flat = re.sub(r"\s", " ", block.of(text))
    start: int | None = None
    for found in sentencex.get_sentence_boundaries("en", flat):
        piece = _stripped(text, Span(found["start_index"], found["end_index"]).shifted(block.start))
        if piece is None:
            continue
        sentence = Span(piece.start if start is None else start, piece.end)
        last = text[max(sentence.start, sentence.end - 8) : sentence.end]  # Enough for a title; the whole takes ages.
        goes_on = sentence.end < block.end and _TITLE.search(last)
        start = sentence.start if goes_on else None
        if not goes_on:
            yield sentence
