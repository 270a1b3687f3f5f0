"""A document's text is labelled, line by line: title, body, comment, boilerplate. Nothing is deleted.

What is known about pages stands at the top as patterns, each for a whole line; how it is used stands below. When in
doubt a line is body: a menu item quoted by mistake is a nuisance, a lost sentence of the story is a lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from qa.readers.plain import BYLINE, DATELINE, front_matter
from qa.types import Document, Kind, Segment, Span

VERSION = 2
"""Grows when the same text is labelled differently; an older index is then built anew."""

# --- what is known about pages ----------------------------------------------------------------------------------------

TITLE_LENGTH = 200
"""The longest headline in the evaluation articles has 176 characters."""

PROSE_LENGTH = 80
"""A line this long that has sentence punctuation is running text: longer than menus, tags and most headlines."""

COMMENT_COUNT = re.compile(
    r"[\[(]?(?P<count>\d[\d,.]*|no|sin)[\])]?\s+(?:reader\s+|user\s+)?"
    r"(?:comments?|repl(?:y|ies)|responses?|comentarios?|respuestas?)"
    r"(?:\s+(?:on|to|so far|en|a)\b.{0,120})?[.:]?",
    re.I,
)
COMMENT_HEADING = re.compile(
    r"(?:reader\s+|user\s+|all\s+|latest\s+)?(?:comments?|comentarios?)(?:\s+section)?\s*:?\s*"
    r"(?:[\[(]\s*(?P<count>\d+)\s*[\])]|(?P<plain>\d+))?\s*:?",
    re.I,
)
COMMENT_BUTTON = re.compile(
    r"(?:(?:add|post|leave|write|submit|view|show|hide|load|see|read)\s+(?:(?:a|your|all|more|the)\s+)?"
    r"(?:comments?|reply|replies)\b.{0,40}"
    r"|join the (?:conversation|discussion)|comments? (?:are|is) (?:now )?closed|(?:log|sign) in to (?:comment|reply)"
    r"|(?:deja|escribe|añade|agrega|publicar)\s+(?:(?:un|tu)\s+)?(?:comentario|respuesta)s?.{0,40})\.?",
    re.I,
)
COMMENT_CONTROL = re.compile(r"reply|cancel reply|report|like|share|responder|me gusta|\d+ likes?", re.I)
SHARE = re.compile(
    r"(?:share|tweet|pin|email|e-mail|print|like|follow|compartir|imprimir|save|whatsapp|facebook|twitter|telegram"
    r"|linkedin|reddit|copy link)"
    r"(?:\s*[,:|/·•&+-]?\s*\b(?:this|on|to|via|with|us|it|and|en|the|article|story|post|page|pdf|friendly|email|e-mail"
    r"|print|link|tweet|pin|share|facebook|twitter|x|whatsapp|telegram|linkedin|reddit|instagram|youtube|\d+)\b)*\s*:?",
    re.I,
)
NAVIGATION = re.compile(
    r"(?:skip to (?:main )?content|menu|main menu|home|search|log ?in|sign (?:in|up)|register|subscribe(?: now| today)?"
    r"|newsletters?|advertisement|advert|sponsored(?: content)?|continue reading|read more|back to top|loading\W*"
    r"|click here|close|next|previous|publicidad|buscar|inicio|leer más|anuncio|suscríbete)[.:…]*"
    r"|(?:subscribe to|sign up (?:for|to)|follow us|get our) [^.!?]{0,80}[.!]?"
    r"|(?:accept|reject|manage)(?: all)? cookies"
    r"|(?:©|\(c\)|copyright(?: ©| \(c\))?)\s+(?:\d{4}|by\b).{0,120}"
    r"|all rights reserved\.?|todos los derechos reservados\.?",
    re.I,
)
COOKIES = re.compile(r"(?:we|this (?:web)?site) uses? cookies\b.{0,200}", re.I)
TAGS = re.compile(
    r"(?:tags?|filed (?:under|in)|topics?|categor(?:y|ies)|keywords|etiquetas|temas)\s*:\s*\S.{0,400}", re.I
)
CREDIT = re.compile(
    r"(?:(?:original )?source|via|fuente(?: original)?|(?:photo|image|foto)(?: credit)?)\s*:\s*(?:\S+\s+){0,4}\S+"
    r"|this (?:article|story|post) (?:was )?(?:originally |first )(?:appeared|published) (?:in|on|at|by) .{1,80}",
    re.I,
)
RELATED = re.compile(
    r"(?:related(?: (?:articles?|stories|posts|news|content|topics))?|more (?:from|on|in) .{1,60}|read (?:also|next)"
    r"|see also|you (?:may|might) also (?:like|enjoy)|recommended(?: for you)?|trending(?: now)?|most (?:read|popular)"
    r"|(?:artículos|noticias) relacionad[ao]s|te puede interesar)\s*:?",
    re.I,
)
FURNITURE = (COMMENT_COUNT, COMMENT_BUTTON, SHARE, NAVIGATION, TAGS, CREDIT, RELATED)

FURNITURE_LENGTH = 400
"""Characters; a longer line is never furniture, whatever it begins with, and no pattern is tried on it."""

LISTED = re.compile(r"(?:[•*‣▪·–-]|\d{1,4}[.)])\s+(?P<rest>\S.*)")
SIGNED = re.compile(
    r".{1,50}?(?:\s+(?:says?|said|wrote|writes|replied|dice|dijo|escribió)\s*:?"
    r"|[\s,|·•—–-]+(?:(?:on|at|el)\s+)?(?:\w+\s+\d{1,2},?\s+\d{4}|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}).{0,30}"
    r"|[\s,|·•—–-]+(?:\d+\s+(?:second|minute|hour|day|week|month|year)s?\s+ago|hace\s+\d+\s+\w+))",
    re.I,
)
SAYS = re.compile(r"\s+(?:says?|said|wrote|writes|replied|dice|dijo|escribió)\s*:?$", re.I)
SENTENCE_END = re.compile(r"[.!?…。！？][\"”’»)\]*_]*$")
ABBREVIATION_END = re.compile(r"\b(?:Jr|Sr|Inc|Co|Corp|Ltd|St|No|U\.S|U\.K|U\.N|D\.C|[A-Z])\.$")

NAME_WORDS = 6
"""A commenter's name, a byline or a sign-off has no more words than this."""


WRAP_WIDTH = range(35, 131)
"""Lengths of lines that were broken by a text editor; a longer line is a paragraph of its own."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its span without the blanks around it, whether a blank line stands before it, and
    whether it is one of several that an editor broke a paragraph into.
    """

    span: Span
    text: str
    after_gap: bool
    wrapped: bool = False


# --- the labels -------------------------------------------------------------------------------------------------------


def label(document: Document) -> tuple[Segment, ...]:
    """The segments of a document, in order; together they cover every character that is not blank, once."""
    text = document.text
    top = front_matter(text) if document.source.lower().endswith(".md") else None
    lines = _with_wrapped(list(_lines(text, top.end if top else 0)))
    head = _head_length(lines)
    title = _title_line(lines, head, titled=bool(document.title))
    comments = _comments_start(lines, head)
    pieces: list[Segment] = [Segment(Span(0, len(top.of(text).rstrip())), "boilerplate")] if top else []
    pieces += _label_story(lines[:comments], head, title)
    pieces += _label_comments(lines[comments:])
    return tuple(_joined(pieces, text))


def title_of(document: Document, segments: Sequence[Segment]) -> str:
    """The title that the file states, else the labelled headline without its Markdown signs, else ""."""
    if document.title:
        return document.title
    spans = [segment.span for segment in segments if segment.kind == "title"]
    return " ".join(spans[0].of(document.text).strip("#* \t\ufeff").split()) if spans else ""


def _lines(text: str, start: int) -> Iterator[Line]:
    gap = True
    for found in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n|\Z)", text[start:]):
        stripped = found.group().strip(" \t\r\n\f\v\xa0\ufeff")
        if not stripped:
            gap = gap or bool(found.group())
            continue
        begin = start + found.start() + found.group().index(stripped)
        yield Line(Span(begin, begin + len(stripped)), stripped, gap)
        gap = False


def _with_wrapped(lines: Sequence[Line]) -> list[Line]:
    """The lines, those of a wrapped paragraph marked: one of its lines ends open and the next goes on in lower case."""
    marked: list[Line] = []
    paragraph: list[Line] = []
    for line in [*lines, None]:
        if line is None or line.after_gap:
            goes_on = any(
                len(a.text) in WRAP_WIDTH and not SENTENCE_END.search(a.text) and b.text[0].islower()
                for a, b in pairwise(paragraph)
            )
            marked += [replace(held, wrapped=goes_on) for held in paragraph]
            paragraph = []
        if line:
            paragraph.append(line)
    return marked


def _is_sentence(text: str) -> bool:
    return bool(SENTENCE_END.search(text)) and len(text.split()) >= 5


def _is_prose(line: Line) -> bool:
    if line.wrapped:
        return True
    if len(line.text) >= PROSE_LENGTH and re.search(r"[.!?…,;:][\"”’»)]*(?:\s|$)", line.text):
        return not _is_tag_list(line.text)
    return _is_sentence(line.text)


def _is_tag_list(text: str) -> bool:
    """Four or more short items in capitals, between commas."""
    items = [item.strip() for item in text.split(",")]
    return len(items) >= 4 and text.upper() == text and all(len(item.split()) <= 4 for item in items)


def _is_furniture(line: Line) -> bool:
    if COOKIES.fullmatch(line.text):
        return True
    if len(line.text) > FURNITURE_LENGTH or line.wrapped or _is_sentence(line.text):
        return False
    return _is_tag_list(line.text) or any(pattern.fullmatch(line.text) for pattern in FURNITURE)


def _is_headline(line: Line) -> bool:
    """Short, and not a sentence that ends like one; "key details ..." is how feeds cut a headline."""
    if len(line.text) > TITLE_LENGTH or LISTED.fullmatch(line.text) or not re.search(r"[^\W_]", line.text):
        return False
    cut = line.text.endswith(("...", "…"))
    return cut or not line.text.endswith(".") or bool(ABBREVIATION_END.search(line.text))


def _head_length(lines: Sequence[Line]) -> int:
    """How many lines stand before the first running text; the headline is one of them."""
    for number, line in enumerate(lines):
        first_headline = number == 0 and _is_headline(line) and len(lines) > 1 and lines[1].after_gap
        if _is_prose(line) and not first_headline and not _is_furniture(line):
            return number
    return len(lines)


def _title_line(lines: Sequence[Line], head: int, titled: bool) -> int | None:
    """The number of the headline's line. Among the furniture of a scraped page the headline is the longest line of the
    head; elsewhere it is the first. A document without any running text keeps its lines as body.
    """
    for number, line in enumerate(lines[: max(head, 1)]):
        if re.fullmatch(r"#\s+\S.*", line.text):
            return number
    if titled or head == 0 or head == len(lines):
        return None
    candidates = [n for n in range(head) if not _is_furniture(lines[n]) and not _is_dated(lines[n])]
    candidates = [n for n in candidates if _is_headline(lines[n]) and not BYLINE.fullmatch(lines[n].text)]
    if not candidates:
        return None
    scraped = any(_is_furniture(line) for line in lines[:head])
    return max(candidates, key=lambda n: (len(lines[n].text), -n)) if scraped else candidates[0]


def _is_dated(line: Line) -> bool:
    return DATELINE.match(line.text) is not None


def _comments_start(lines: Sequence[Line], head: int) -> int:
    """The number of the line that opens the readers' comments, or len(lines).

    A heading alone does not make comments: a blog prints "3 Comments" above the story too. What follows must look like
    entries, two where no number of comments is given, or the story must already have been told.
    """
    proses = (number for number, line in enumerate(lines) if number >= head and _is_prose(line))
    second = next(islice(proses, 1, None), len(lines))
    for number in range(head + 1, len(lines)):
        opening = _opening(lines[number].text)
        if opening is None or opening == 0:
            continue
        told = second < number
        entries = _entries(lines[number + 1 : number + 12])
        if entries >= (1 if opening > 0 else 2) or (told and opening > 0):
            return number
    return len(lines)


def _entries(lines: Sequence[Line]) -> int:
    """How many comments begin here: lines that name a writer, each followed by what was written."""
    pairs = pairwise(lines)
    return sum(_is_entry(line, [after]) and not LISTED.fullmatch(after.text) for line, after in pairs)


def _opening(text: str) -> int | None:
    """None for a line that opens no comments, else how many it announces: -1 when it does not say."""
    if len(text) > FURNITURE_LENGTH or _is_sentence(text):
        return None
    if found := COMMENT_COUNT.fullmatch(text.strip("#* ")):
        return 0 if found["count"].lower() in {"no", "sin"} else int(re.sub(r"\D", "", found["count"]))
    if found := COMMENT_HEADING.fullmatch(text.strip("#* ")):
        return int(found["count"] or found["plain"] or -1)
    return -1 if COMMENT_BUTTON.fullmatch(text) else None


def part_at(parts: Sequence[Segment], at: int) -> Segment | None:
    """The part that a character stands in; None between parts."""
    return next((part for part in parts if part.span.start <= at < part.span.end), None)


def comment_author(comment: str) -> str:
    """The line of a comment that names its writer, without its number; "" where there is none."""
    first, _, rest = comment.partition("\n")
    listed = LISTED.fullmatch(first.strip())
    if not rest.strip() or not (listed or SIGNED.fullmatch(first.strip())):
        return ""
    return SAYS.sub("", listed["rest"] if listed else first.strip())


def _is_entry(line: Line, after: Sequence[Line]) -> bool:
    """A line that names the writer of a comment: "1. Jane", "Jane says:", "Jane, 3 hours ago"."""
    if len(line.text) > FURNITURE_LENGTH:
        return False
    listed = LISTED.fullmatch(line.text)
    name = listed["rest"] if listed else line.text
    short = len(name.split()) <= NAME_WORDS and len(name) <= 60 and not SENTENCE_END.search(name)
    if listed:
        return short
    return bool(SIGNED.fullmatch(line.text)) and bool(after) and not _is_furniture(line)


def _label_story(lines: Sequence[Line], head: int, title: int | None) -> Iterator[Segment]:
    scraped = any(_is_furniture(line) for line in lines[:head])
    related = False
    for number, line in enumerate(lines):
        if number == title:
            yield Segment(line.span, "title")
            continue
        dated = DATELINE.match(line.text)
        if dated and (number <= head + 3 or dated.end() == len(line.text)):
            yield from _label_dateline(line, dated.end())
            continue
        opens = number > head and bool(RELATED.fullmatch(line.text[:FURNITURE_LENGTH]))
        related = (related or opens) and not _is_prose(line)
        beside = number < head and title is not None and (scraped or bool(BYLINE.fullmatch(line.text)))
        last = number == len(lines) - 1 and number > head and _is_signoff(line, lines[number - 1])
        kind: Kind = "boilerplate" if related or beside or last or _is_furniture(line) else "body"
        yield Segment(line.span, kind)


def _label_dateline(line: Line, length: int) -> Iterator[Segment]:
    """The date of "Published on: Nov 12, 2019 – The story…" is boilerplate, the story is not."""
    cut = line.span.start + len(line.text[:length].rstrip())
    yield Segment(Span(line.span.start, cut), "boilerplate")
    if length < len(line.text):
        rest: Kind = "boilerplate" if BYLINE.fullmatch(line.text[length:]) else "body"
        yield Segment(Span(line.span.start + length, line.span.end), rest)


def _is_signoff(line: Line, before: Line) -> bool:
    """The outlet's name under its story: a few capitalised words after a paragraph of running text."""
    words = line.text.split()
    named = all(word[0].isupper() for word in words) and not line.text.startswith("#")
    return line.after_gap and _is_prose(before) and len(words) <= 4 and named and line.text[-1].isalnum()


def _label_comments(lines: Sequence[Line]) -> Iterator[Segment]:
    """Every entry is a segment of its own, its author line first; headings and buttons are boilerplate."""
    listed = any(LISTED.fullmatch(line.text) and _is_entry(line, ()) for line in lines)
    entry: Span | None = None
    for number, line in enumerate(lines):
        furniture = _is_furniture(line) or _opening(line.text) is not None or COMMENT_CONTROL.fullmatch(line.text)
        opens = _is_entry(line, lines[number + 1 : number + 2]) and (bool(LISTED.fullmatch(line.text)) or not listed)
        if entry and (furniture or opens):
            yield Segment(entry, "comment")
            entry = None
        if furniture:
            yield Segment(line.span, "boilerplate")
        else:
            entry = Span(entry.start if entry else line.span.start, line.span.end)
    if entry:
        yield Segment(entry, "comment")


def _joined(pieces: Sequence[Segment], text: str) -> Iterator[Segment]:
    """Neighbours of one kind become one segment, unless they are entries or share a line with another kind."""
    held: Segment | None = None
    for piece in pieces:
        if held and held.kind == piece.kind and piece.kind in {"body", "boilerplate"}:
            held = Segment(Span(held.span.start, piece.span.end), piece.kind)
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held
