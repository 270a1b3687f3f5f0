"""The page's HTML: answers, articles, the library's table. Text of articles and of people enters it through `escaped`
alone, and through `apart` or in a block, so that it can neither be markup nor turn around what stands beside it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from qa.answer import OTHERWISE
from qa.builds import CANCELLED, BuildState
from qa.ingest import Plan
from qa.library import Item
from qa.segments import comment_author, part_at
from qa.texts import Words
from qa.transcript import Turn, isolated, reference
from qa.types import BuildReport, Document, Filters, Kind, Quote, Segment, Span, Statement

LISTED = 200
"""Rows of the library that are shown at once; beyond them people search."""

COPIES = 3
"""Near copies of an article that are named in its row."""

LINKED = 10
"""Questions before a follow-up that a link to its answer asks first."""

_SPECIAL = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;", "\\": "&#92;"})


def escaped(text: str) -> str:
    """Text that shows as it is: no markup, and nothing that the page's template languages would expand."""
    return html.escape(text).translate(_SPECIAL)


def hint(text: str) -> str:
    """A quiet line."""
    return f'<p class="hint">{escaped(text)}</p>'


def problem(text: str, *names: str) -> str:
    """A line that says what to mend, the names in it apart; "" when there is nothing to."""
    return f'<p class="problem">{sentence(text, *names)}</p>' if text else ""


def apart(text: str, few: Span | None = None) -> str:
    """One line of text that turns nothing around beside it, its `few` words that answer stressed. A blank line would
    end what the chat takes for HTML.
    """
    return isolated(text, escaped, few)


def sentence(text: str, *names: str) -> str:
    """A sentence of ours, in which each of the names that could turn it around stands apart."""
    either = "|".join(re.escape(name) for name in names if name) or "(?!)"
    parts = enumerate(re.split(f"({either})", text))
    return "".join(apart(part) if n % 2 and not part.isascii() else escaped(part) for n, part in parts)


# --- answers ----------------------------------------------------------------------------------------------------------


def question_html(question: str) -> str:
    """A question as it was typed."""
    return f'<p class="asked">{escaped(question)}</p>'


def answer_html(turn: Turn, words: Words, before: Sequence[Turn] = (), writing: str = "") -> str:
    """The quotes of an answer, each with its numbered citation, then where they stand, then why; above them the few
    words that answer, and what a language model wrote with the name of one that is still `writing`.

    The turns `before` it are what a link to it has to ask first.

    The chat's sanitiser keeps no attribute but the class, so what a button means is written as one; page.js reads it.
    """
    quotes = list(enumerate(turn.quotes, 1))
    body = "".join(_paragraph(number, quote, turn, words) for number, quote in quotes)
    listed = f'<ul class="places">{"".join(_places(quotes, words))}</ul>' if quotes else ""
    foot = _why(turn, words) + _link(turn, before, words)
    if turn.answered:
        return f'<div class="answer">{_short(turn, words)}{_prose(turn, words, writing)}{body}{listed}{foot}</div>'
    closest = f"<details><summary>{words['closest']}</summary>{body}{listed}</details>" if body else ""
    told = f"{words['refused']} {words['otherwise']}" if turn.note == OTHERWISE else words["refused"]
    return f'<div class="refusal"><p>{told}</p>{closest}{foot}</div>'


def _short(turn: Turn, words: Words) -> str:
    """The few words that answer, where they are sure."""
    if not turn.short:
        return ""
    return f'<p class="short"><span class="unseen">{words["short"]} </span>{apart(turn.short.text)}</p>'


def _prose(turn: Turn, words: Words, writing: str) -> str:
    """What a language model wrote, in which what its quotes do not support is struck out with the reason."""
    said = " ".join(_stated(statement, turn, words) for statement in turn.statements)
    by = words["writing"].format(model=writing) if writing else words["written"].format(model=turn.model)
    told = sentence(by, writing, turn.model) if writing or said else ""
    note = f'<p class="note"><small>{sentence(turn.note, turn.model)}</small></p>' if turn.note else ""
    written = f'<p class="said">{said}</p>' if said else ""
    about = f'<p class="note"><small>{told}</small></p>' if told else ""
    return f'<div class="written">{written}{about}{note}</div>' if written or about or note else ""


def _stated(statement: Statement, turn: Turn, words: Words) -> str:
    if statement.struck:
        why = words[f"struck_{statement.struck}"]
        return (
            f'<span class="struck"><span class="unseen">{words["struck"]} </span><del>{apart(statement.text)}</del> '
            f"<small>({why})</small></span>"
        )
    quoted = [(number, turn.quotes[number - 1]) for number in statement.cites]
    cites = "".join(_cite(number, quote, turn.digests[quote.source], words) for number, quote in quoted)
    return f"{apart(statement.text)} {cites}"


def _paragraph(number: int, quote: Quote, turn: Turn, words: Words) -> str:
    date = f"<b>{escaped(quote.date)}</b> " if turn.by_date else ""
    kind = f'<span class="tag">{words["reader_comment"]}</span> ' if quote.kind == "comment" else ""
    few = turn.few if number == 1 else None
    said = f"{date}{kind}{apart(quote.text, few)} {_cite(number, quote, turn.digests[quote.source], words)}"
    return f'<p class="{quote.kind}">{said}</p>'


def _cite(number: int, quote: Quote, digest: str, words: Words) -> str:
    place = f"at-{quote.start}-{quote.end}-{escaped(digest[:16])}-{quote.source.encode().hex()}"
    return f'<button class="cite {place}"><span class="unseen">{words["show_quote"]} </span>{number}</button>'


def _places(quotes: Sequence[tuple[int, Quote]], words: Words) -> Iterator[str]:
    """A line for every article: the numbers of its quotes, its title and date."""
    for source in dict.fromkeys(quote.source for _, quote in quotes):
        here = [(number, quote) for number, quote in quotes if quote.source == source]
        numbers = ", ".join(str(number) for number, _ in here)
        quote = here[0][1]
        date = f", {escaped(quote.date)}" if quote.date else ""
        by = "".join(dict.fromkeys(f" · {apart(q.author)}" for _, q in here if q.author))
        comment = f" · {words['reader_comment']}{by}" if quote.kind == "comment" else ""
        pages = ", ".join(str(page) for page in dict.fromkeys(q.page for _, q in here if q.page))
        page = f" · {words['page']} {pages}" if pages else ""
        yield f"<li><b>{numbers}</b> {apart(quote.title or source)}{date}{page}{comment}</li>"


def _why(turn: Turn, words: Words) -> str:
    """The passages that were read, and where each stood in every ranking."""
    if not turn.reasons:
        return ""
    heads = "".join(f"<th>{words[name]}</th>" for name in ("place", "meaning", "words", "logit", "passage"))
    rows = "".join(
        f"<tr><td>{r.ranks.reranked}</td><td>{r.ranks.dense or '–'}</td><td>{r.ranks.lexical or '–'}</td>"
        f"<td>{r.ranks.logit:.1f}</td><td>{apart(r.text)}</td></tr>"
        for r in turn.reasons
    )
    summary = words["why"].format(sure=f"{turn.confidence:.0%}")
    return (
        f'<details class="why"><summary>{summary}</summary><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def link_of(turn: Turn, before: Sequence[Turn] = ()) -> dict[str, object]:
    """What a link to an answer says: the question, behind those that it follows up, the choices, and which answer."""
    filters = turn.filters
    earlier = [each.asked for each in before[-LINKED:]] if turn.searched != turn.asked else []
    said = {
        "q": [*earlier, turn.asked],
        "comments": "1" if turn.comments else "",
        "since": filters.since,
        "until": filters.until,
        "outlet": list(filters.outlets),
        "document": list(filters.documents),
        "answer": turn.stamp,
    }
    return {name: value for name, value in said.items() if value}


def _link(turn: Turn, before: Sequence[Turn], words: Words) -> str:
    payload = json.dumps(link_of(turn, before)).encode().hex()
    return f'<button class="link to-{payload}">{words["copy_link"]}</button>'


# --- an article -------------------------------------------------------------------------------------------------------


def article_html(document: Document, parts: Sequence[Segment], spans: Sequence[Span], words: Words) -> str:
    """A whole article, its parts told apart, with the quoted spans marked; the first span is the one in focus."""
    facts = (document.date, document.author, document.source)
    told = " · ".join(apart(fact) for fact in facts if fact)
    head = f"<h2 tabindex='-1'>{apart(document.title or document.source)}</h2><p class='facts'>{told}</p>"
    tools = _tools(document, parts, spans, words) if spans else ""
    text = _marked(document, parts, spans, words)
    return (
        f"<article aria-label='{words['article']}'><header>{head}{tools}</header>"
        f"<div class='text' tabindex='0' role='region' aria-label='{words['article']}'>{text}</div></article>"
    )


def _tools(document: Document, parts: Sequence[Segment], marks: Sequence[Span], words: Words) -> str:
    """What can be done with the marks; the references stand ready, one for each mark."""
    where = [reference(_quote_at(document, parts, mark), document.digest) for mark in marks]
    steps = f"<button class='previous'>{words['previous']}</button><button class='next'>{words['next']}</button>"
    return (
        f"<p class='tools' data-references='{escaped(json.dumps(where))}'><button class='copy'>{words['copy_quote']}"
        f"</button>{steps if len(marks) > 1 else ''}<button class='back'>{words['back']}</button>"
        "<span role='status'></span></p>"
    )


def _quote_at(document: Document, parts: Sequence[Segment], mark: Span) -> Quote:
    part = part_at(parts, mark.start) or Segment(mark, "body")
    comment = part.kind == "comment"
    author = comment_author(part.span.of(document.text)) if comment else document.author
    place = (mark.of(document.text), document.source, mark.start, mark.end)
    page = document.page(mark.start)
    return Quote(*place, document.title, document.date, "comment" if comment else "body", author, page)


def _marked(document: Document, parts: Sequence[Segment], spans: Sequence[Span], words: Words) -> str:
    """The text in blocks, cut wherever a segment or a mark begins or ends; joined again it is the text."""
    text = document.text
    at = 0
    front = False
    out: list[str] = []
    for part in parts:
        gap = _pieces(text, Span(at, part.span.start), spans)
        out.append(f"<span class='part front'>{gap}</span>" if front else gap)
        out.append(_part(document, part, spans, words))
        at = part.span.end
        front = _is_front_matter(document, part)
    return "".join([*out, _pieces(text, Span(at, len(text)), spans)])


def _part(document: Document, part: Segment, spans: Sequence[Span], words: Words) -> str:
    label = f" data-label='{words['part_' + part.kind]}'" if part.kind != "body" else ""
    name = "front" if _is_front_matter(document, part) else part.kind
    return f"<span class='part {name}'{label}>{_pieces(document.text, part.span, spans, part.kind)}</span>"


def _is_front_matter(document: Document, part: Segment) -> bool:
    top = part.span.start == 0 and part.kind == "boilerplate"
    return top and document.source.lower().endswith(".md") and part.span.of(document.text).lstrip("\ufeff")[:3] == "---"


def _pieces(text: str, span: Span, marks: Sequence[Span], kind: Kind = "body") -> str:
    edges = {span.start, span.end, *(edge for mark in marks for edge in (mark.start, mark.end))}
    inside = sorted(edge for edge in edges if span.start <= edge <= span.end)
    return "".join(_piece(text[start:end], start, marks, kind) for start, end in pairwise(inside))


def _piece(text: str, start: int, marks: Sequence[Span], kind: Kind) -> str:
    shown = _headings(escaped(text)) if kind in {"body", "title"} else escaped(text)
    number = next((n for n, mark in enumerate(marks) if mark.start <= start < mark.end), None)
    if number is None:
        return shown
    return f"<mark class='{'focus' if number == 0 else 'other'}' data-mark='{number}'>{shown}</mark>"


def _headings(shown: str) -> str:
    """Markdown's headings set as such; their signs stay in the text and are only made quiet."""
    return re.sub(r"(?m)^(#{1,6} )(.*)$", r"<span class='sign'>\1</span><b class='heading'>\2</b>", shown)


# --- the filters ------------------------------------------------------------------------------------------------------


def chips(filters: Filters, words: Words) -> str:
    """The filters that are set, each with a button that takes it away."""
    set_ = [("since", day, words["from_date"].format(date=day)) for day in [filters.since] if day]
    set_ += [("until", day, words["until_date"].format(date=day)) for day in [filters.until] if day]
    set_ += [("outlets", name, name) for name in filters.outlets]
    set_ += [("documents", name, name) for name in filters.documents]
    buttons = "".join(
        f"<li><button data-field='{field}' data-value='{escaped(value)}' "
        f"aria-label='{escaped(words['drop_filter'].format(filter=shown))}'>"
        f"{apart(shown)} <span aria-hidden='true'>×</span></button></li>"
        for field, value, shown in set_
    )
    return f"<ul class='chips' aria-label='{words['chosen']}'>{buttons}</ul>" if buttons else ""


# --- the library ------------------------------------------------------------------------------------------------------


def shelf_html(items: Sequence[Item], sought: str, words: Words) -> str:
    """The table of the articles that have all words of `sought` in title, date, author, source, file or state; those
    that a rebuild is for stand first.
    """
    found = sorted((item for item in items if _has(item, sought, words)), key=lambda item: item.state == "current")
    if not found:
        return hint(words["none_found"] if items else words["no_articles"])
    columns = ("title", "date", "file", "passages", "reader_comments", "state")
    heads = "".join(f"<th scope='col'>{words[name]}</th>" for name in columns) + "<td></td>"
    rows = "".join(_row(item, words) for item in found[:LISTED])
    more = hint(words["more"].format(count=len(found) - LISTED)) if len(found) > LISTED else ""
    return (
        f"<table><caption class='unseen'>{words['articles']}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}"
    )


def _has(item: Item, sought: str, words: Words) -> bool:
    state = words[f"state_{item.state}"]
    text = " ".join((item.title, item.date, item.author, item.outlet, item.source, state)).casefold()
    return all(word in text for word in sought.casefold().split())


def _row(item: Item, words: Words) -> str:
    title = apart(item.title or words["untitled"])
    source = escaped(item.source)
    indexed = item.state not in {"new", "failed"} or item.passages > 0
    name = f"<button class='open' data-source='{source}'>{title}</button>" if indexed else title
    reason = f"<p class='reason'>{sentence(item.reason, item.source)}</p>" if item.reason else ""
    copies = _copies(item, words)
    counts = f"<td>{item.passages}</td><td>{item.comments}</td>" if indexed else "<td>–</td><td>–</td>"
    label = escaped(words["remove_named"].format(source=item.source))
    button = f"<button class='remove' data-source='{source}' aria-label='{label}'>{words['remove']}</button>"
    state = f"<span class='state {item.state}'>{words['state_' + item.state]}</span>"
    return (
        f"<tr><th scope='row'>{name}{reason}{copies}</th><td>{escaped(item.date)}</td>"
        f"<td class='file'>{apart(item.source)}</td>{counts}<td>{state}</td>"
        f"<td>{button if item.state != 'removed' else ''}</td></tr>"
    )


def _copies(item: Item, words: Words) -> str:
    """The articles that tell nearly the same, the first of them by name."""
    if not item.copies:
        return ""
    named, more = item.copies[:COPIES], len(item.copies) - COPIES
    sources = ", ".join(named) + (f" (+{more})" if more > 0 else "")
    return f"<p class='copies'>{sentence(words['nearly_same'].format(sources=sources), *named)}</p>"


def plan_html(plan: Plan, words: Words) -> str:
    """What a rebuild would change."""
    counts = {"added": len(plan.added), "changed": len(plan.changed), "removed": len(plan.removed)}
    if not any(counts.values()):
        return hint(words["up_to_date"])
    return f"<p>{words['to_rebuild'].format(**counts)}</p>"


def building_html(state: BuildState, words: Words) -> str:
    """How far a rebuild is, or what became of it."""
    if state.running:
        return _progress_html(state, words)
    if state.report is not None:
        return report_html(state.report, words)
    return hint(words["cancelled"]) if state.error == CANCELLED else problem(state.error)


def _progress_html(state: BuildState, words: Words) -> str:
    if not state.total:
        return f"<p>{words['starting']}</p><progress aria-label='{words['rebuild']}'></progress>"
    stage = words.get(f"stage_{state.stage}", state.stage)
    told = words["building"].format(stage=stage, done=state.done, total=state.total)
    left = ", " + words["left"].format(seconds=f"{state.seconds_left:.0f}") if state.seconds_left is not None else ""
    bar = f"<progress aria-label='{words['rebuild']}' max='{state.total}' value='{state.done}'></progress>"
    return f"<p>{escaped(told + left)}</p>{bar}"


def report_html(report: BuildReport, words: Words) -> str:
    """What a rebuild did, and what could not be read."""
    counts = {"added": len(report.added), "changed": len(report.changed), "removed": len(report.removed)}
    told = words["built"].format(**counts, unchanged=report.unchanged, seconds=f"{report.seconds:.1f}")
    note = f"<p>{escaped(report.note)}</p>" if report.note else ""
    return f"{note}<p>{told}</p>" + "".join(problem(reason, source) for source, reason in report.failed)


def masthead(words: Mapping[str, str]) -> str:
    """The name of the house."""
    return f"<h1>Verbatim</h1><p>{words['motto']}</p>"
