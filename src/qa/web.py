"""The chat page; the only file that imports gradio.

Article text reaches the page through `escaped` alone. The page asks nothing of any other host: fonts are the system's,
analytics are off, style and script are served from here.
"""

from __future__ import annotations

import html
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from qa.assistant import Assistant, build_index, checked
from qa.conversation import plain_text
from qa.settings import Settings
from qa.types import Answer, BuildReport, Document, Kind, QAError, Quote, Segment, Span

STATIC = Path(__file__).parent / "static"

HOST = "127.0.0.1"
"""The page has no passwords, so it is served to this machine alone."""

STREAM_SECONDS = 0.15
"""Between one quote and the next, so that an answer is seen to grow; it is complete before the first is shown."""

CONCURRENCY = 8
"""Questions answered side by side; Gradio's own default is one."""

EXAMPLES = {
    "How many grenade launchers did the army seize?": "2024-01-26-army-weapons-with-cartels.md",
    "Who rejected the offer of US troops?": "2025-05-04-no-us-troops.md",
    "Which helicopter may be assembled in Mexico?": "2018-10-31-helicopter-assembly.md",
    "Why does Mexico stay neutral over the war in Ukraine?": "2022-03-30-neutrality.md",
}
"""Questions about the articles that come with the project, each with the one that answers."""

WHY_PASSAGES = 6
WHY_WIDTH = 90
"""Passages, and characters of each, that "Why this answer?" shows."""

WELCOME = "Ask about the articles. Every sentence of an answer is a quote; its number opens the article at that place."

NO_SOURCE = '<p class="hint">The article behind a quote is shown here.</p>'

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """What the page shows next: the conversation, the article beside it, and what was searched where that is not what
    was typed.
    """

    messages: list[Message]
    source: str
    searched: str = ""


def serve(settings: Settings) -> None:
    """Serve the page until it is interrupted; QAError when there is no index or the port is taken."""
    _check_port(settings.port)  # Before weights are loaded: what is wrong is said at once.
    page = build_page(Assistant.open(settings=settings), settings)
    print(f"Verbatim answers on http://{HOST}:{settings.port} (Ctrl-C ends it)", flush=True)  # noqa: T201
    page.queue(default_concurrency_limit=CONCURRENCY).launch(**launch_options(settings))


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise QAError(f"Port {port} cannot be used ({error.strerror}); set QA_PORT to one that is free.") from error


def launch_options(settings: Settings) -> dict[str, Any]:
    """How the page is served: to this machine alone, with everything it needs, and telling nobody."""
    return {
        "server_name": HOST,
        "server_port": settings.port,
        "share": False,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "quiet": True,
        "theme": gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "css_paths": STATIC / "page.css",
        "app_kwargs": {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])]},
    }


def build_page(assistant: Assistant, settings: Settings) -> gr.Blocks:
    """The page over an opened index."""

    def respond(asked: str, messages: list[Message], comments: bool) -> Iterator[tuple[Any, ...]]:
        # The box is emptied with the first update only: by the second somebody may be typing the next question.
        for number, update in enumerate(converse(assistant, asked, messages, comments)):
            box = gr.Textbox(value=update.searched, visible=bool(update.searched))
            yield update.messages, update.source, gr.skip() if number else "", box

    def respond_edited(edited: str, messages: list[Message], comments: bool) -> Iterator[tuple[Any, ...]]:
        for update in converse(assistant, edited, messages, comments, alone=True):
            yield update.messages, update.source, update.searched or edited

    def show(place: dict[str, Any]) -> str:
        return shown_again(assistant, str(place["source"]), str(place["digest"]), place["spans"])

    def rebuild(progress: Any = gr.Progress()) -> str:  # noqa: B008 - Gradio finds the bar by this default.
        return rebuilt(settings, lambda stage, done, total: progress((done, max(total, 1)), desc=stage, unit=""))

    with gr.Blocks(title="Verbatim", analytics_enabled=False, fill_width=True) as page:
        gr.HTML("<h1>Verbatim</h1><p>Answers that are quotes</p>", elem_id="masthead")
        with gr.Row(elem_id="room"):
            with gr.Column(scale=5, min_width=320):
                chat = gr.Chatbot(
                    elem_id="chat",
                    show_label=False,
                    height="54vh",
                    placeholder=WELCOME,
                    buttons=[],
                    feedback_options=None,
                    latex_delimiters=[],
                    line_breaks=False,
                )
                question = gr.Textbox(
                    elem_id="question",
                    label="Your question",
                    placeholder="Ask about the articles",
                    max_lines=4,
                    submit_btn="Ask",
                    autofocus=True,
                )
                standalone = gr.Textbox(
                    elem_id="standalone",
                    label="Searched as – edit it and press Enter to ask that instead",
                    max_lines=3,
                    visible=False,
                )
                comments = gr.Checkbox(label="Readers’ comments may answer too", elem_id="comments", container=False)
                if first := examples(assistant):
                    gr.Examples([[example] for example in first], inputs=question, label="For example")
            with gr.Column(scale=6, min_width=320):
                source = gr.HTML(
                    NO_SOURCE,
                    elem_id="source",
                    server_functions=[show],
                    js_on_load=(STATIC / "page.js").read_text("utf-8"),
                )
                with gr.Row(elem_id="tools"):
                    button = gr.Button("Rebuild index", elem_id="rebuild", size="sm", scale=0)
                    status = gr.HTML(elem_id="status", container=True)
        asking = [chat, comments]
        question.submit(respond, [question, *asking], [chat, source, question, standalone], api_visibility="private")
        standalone.submit(respond_edited, [standalone, *asking], [chat, source, standalone], api_visibility="private")
        button.click(rebuild, None, status, api_visibility="private")
    return cast(gr.Blocks, page)


# --- what the page does ----------------------------------------------------------------------------------------------


def examples(assistant: Assistant) -> list[str]:
    """What to ask first: our questions where our articles are indexed, else the newest titles by file name."""
    sources = assistant.sources()
    ours = [question for question, source in EXAMPLES.items() if source in sources]
    titles = [assistant.document(source).title for source in sources[-len(EXAMPLES) :]]
    return ours or [title for title in titles if title]


def converse(
    assistant: Assistant, question: str, messages: Sequence[Message], comments: bool = False, alone: bool = False
) -> Iterator[Update]:
    """The conversation with an answer growing at its end, and the article behind its first quote.

    A question that is asked `alone` stands for itself, whatever was said before.
    """
    asked: list[Message] = [*messages, {"role": "user", "content": f"<p>{escaped(question)}</p>"}]
    yield Update([*asked, _said('<p class="hint">Reading the articles…</p>')], NO_SOURCE)
    history = [] if alone else [{"role": m["role"], "content": _plain(m["content"])} for m in messages]
    try:
        answer = assistant.ask(question, history, comments)
        articles = {quote.source: assistant.labelled(quote.source) for quote in answer.quotes}
    except QAError as error:
        yield Update([*asked, _said(f'<p class="problem">{escaped(str(error))}</p>')], NO_SOURCE)
        return
    first = answer.quotes[0].source if answer.answered else ""  # Marks beside a refusal would look like an answer.
    place = [Span(quote.start, quote.end) for quote in answer.quotes if quote.source == first]
    source = source_html(*articles[first], place) if first else NO_SOURCE
    digests = {name: document.digest for name, (document, _) in articles.items()}
    searched = "" if answer.question == checked(question) else answer.question
    for shown in range(1 if answer.quotes else 0, len(answer.quotes) + 1):
        yield Update([*asked, _said(answer_html(answer, shown, digests))], source, searched)
        time.sleep(STREAM_SECONDS)


def shown_again(assistant: Assistant, source: str, digest: str, spans: Sequence[Sequence[int]]) -> str:
    """The article of an earlier answer, with its marks, or a line that says why it cannot be shown."""
    try:
        document, parts = assistant.labelled(source)
    except QAError:
        return f'<p class="problem">{escaped(source)} is no longer in the index; ask again.</p>'
    if not document.digest.startswith(digest):
        return f'<p class="problem">{escaped(source)} has changed since it was quoted; ask again.</p>'
    return source_html(document, parts, [Span(int(start), int(end)) for start, end in spans])


def rebuilt(settings: Settings, progress: Callable[[str, int, int], None]) -> str:
    """Bring the index up to date and say in a line what that did; questions go on from the old index meanwhile."""
    try:
        return _report_html(build_index(progress=progress, settings=settings))
    except QAError as error:
        return f'<p class="problem">{escaped(str(error))}</p>'


# --- HTML ------------------------------------------------------------------------------------------------------------

_SPECIAL = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;", "\\": "&#92;"})


def escaped(text: str) -> str:
    """Text that shows as it is: no markup, and nothing that the page's template languages would expand."""
    return html.escape(text).translate(_SPECIAL)


def answer_html(answer: Answer, shown: int, digests: Mapping[str, str]) -> str:
    """The first `shown` quotes of an answer, each with its numbered citation, then where they stand, then why.

    `digests` holds those of the quoted documents, so that a citation can tell whether its article has changed.
    """
    quotes = list(enumerate(answer.quotes, 1))[:shown]
    body = "".join(_paragraph(number, quote, digests[quote.source], answer.by_date) for number, quote in quotes)
    listed = f'<ul class="places">{"".join(_places(quotes))}</ul>' if quotes else ""
    why = _why(answer) if shown >= len(answer.quotes) else ""
    if answer.answered:
        return f'<div class="answer">{body}{listed}{why}</div>'
    closest = f"<details><summary>The closest passages</summary>{body}{listed}</details>" if body else ""
    return f'<div class="refusal"><p>{escaped(answer.text)}</p>{closest}{why}</div>'


def _paragraph(number: int, quote: Quote, digest: str, dated: bool) -> str:
    date = f"<b>{escaped(quote.date)}</b> " if dated else ""
    text = " ".join(quote.text.split())  # A blank line would part the quote from its number.
    return f"<p>{date}{escaped(text)} {_cite(number, quote, digest)}</p>"


def _why(answer: Answer) -> str:
    """The passages that were read, and where each stood in every ranking."""
    if not answer.passages:
        return ""
    rows = "".join(
        f"<tr><td>{p.ranks.reranked}</td><td>{p.ranks.dense or '–'}</td><td>{p.ranks.lexical or '–'}</td>"
        f"<td>{p.ranks.logit:.1f}</td><td>{escaped(shorten(p.text, WHY_WIDTH, placeholder='…'))}</td></tr>"
        for p in answer.passages[:WHY_PASSAGES]
    )
    return (
        f"<details><summary>Why this answer? Confidence {answer.confidence:.0%}</summary><table><thead><tr>"
        "<th>place</th><th>meaning</th><th>words</th><th>logit</th><th>passage</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></details>"
    )


def _cite(number: int, quote: Quote, digest: str) -> str:
    # The chat's sanitiser keeps no attribute but the class, so the place is written as one; page.js reads it.
    place = f"at-{quote.start}-{quote.end}-{digest[:16]}-{quote.source.encode().hex()}"
    return f'<button class="cite {place}"><span class="unseen">Show quote </span>{number}</button>'


def _places(quotes: Sequence[tuple[int, Quote]]) -> Iterator[str]:
    """A line for every article: the numbers of its quotes, its title and date."""
    for source in dict.fromkeys(quote.source for _, quote in quotes):
        here = [(number, quote) for number, quote in quotes if quote.source == source]
        numbers = ", ".join(str(number) for number, _ in here)
        quote = here[0][1]
        date = f", {escaped(quote.date)}" if quote.date else ""
        by = "".join(dict.fromkeys(f" · {escaped(quote.author)}" for _, quote in here if quote.author))
        comment = f" · a reader’s comment{by}" if quote.kind == "comment" else ""
        yield f"<li><b>{numbers}</b> {escaped(quote.title or source)}{date}{comment}</li>"


def source_html(document: Document, parts: Sequence[Segment], spans: Sequence[Span]) -> str:
    """A whole article, its parts told apart, with the quoted spans marked; the first span is the one in focus."""
    facts = " · ".join(escaped(fact) for fact in (document.date, document.author, document.source) if fact)
    head = f"<h2>{escaped(document.title or document.source)}</h2><p class='facts'>{facts}</p>"
    return f"<article>{head}<div class='text'>{_marked(document, parts, spans)}</div></article>"


def _marked(document: Document, parts: Sequence[Segment], spans: Sequence[Span]) -> str:
    """The text, cut wherever a segment or a mark begins or ends; joined again it is the text."""
    edges = {0, len(document.text), *(e for p in parts for e in (p.span.start, p.span.end))}
    edges |= {edge for span in spans for edge in (span.start, span.end) if 0 <= edge <= len(document.text)}
    out: list[str] = []
    at = 0
    for start, end in pairwise(sorted(edges)):
        while at < len(parts) and parts[at].span.end <= start:
            at += 1
        kind = parts[at].kind if at < len(parts) and parts[at].span.start <= start else None
        out.append(
            _piece(document.text[start:end], kind, next((s for s in spans if s.start <= start < s.end), None), spans)
        )
    return "".join(out)


def _piece(text: str, kind: Kind | None, mark: Span | None, marks: Sequence[Span]) -> str:
    shown = escaped(text)
    if mark:
        shown = f"<mark class='{'focus' if mark == marks[0] else 'other'}'>{shown}</mark>"
    return shown if kind in {None, "body"} else f'<span class="{kind}">{shown}</span>'


def _report_html(report: BuildReport) -> str:
    failed = "".join(f'<p class="problem">{escaped(reason)}</p>' for _, reason in report.failed)
    note = f"<p>{escaped(report.note)}</p>" if report.note else ""
    return f"{note}<p>{report.counts}, in {report.seconds:.1f} s.</p>{failed}"


def _said(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _plain(content: Any) -> str:
    """What was typed or answered, from what the page sends back; typed text is escaped, so that all tags are ours."""
    text = plain_text({"content": content})
    return html.unescape(re.sub(r"<[^>]*>", " ", text)).strip()
