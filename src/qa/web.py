"""The page people ask on; the only file that imports gradio.

The page asks nothing of any other host: fonts are the system's, analytics are off, style and script are served from
here. A conversation is kept by the browser alone: it comes with every question and goes back with the answer.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, cast
from urllib.parse import parse_qs

import gradio as gr
from gradio.components.chatbot import ExampleMessage
from gradio.events import api as tool_endpoint
from starlette.middleware import Middleware

from qa import api, library, markup, views
from qa.assistant import Assistant, build_index, checked
from qa.builds import Build
from qa.guard import Guard
from qa.settings import Settings
from qa.texts import LANGUAGES, Words, words
from qa.transcript import Turn, from_plain, to_plain
from qa.types import Filters, QAError, beside

STATIC = Path(__file__).parent / "static"

CONCURRENCY = 20
"""Questions that are open at once, on the page and by the API. Of these the assistant reads for a few at a time; the
others wait for it, or for what a language model writes."""

CHOICES = 1_000
"""Articles that the filter offers; a browser lists no more in comfort."""

TICK = 0.3
"""Seconds between two looks at a rebuild."""

LABELS = gr.I18n(**{language: dict(table) for language, table in LANGUAGES.items()})
"""Our words as Gradio's browser side looks them up, by the browser's language."""

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How every event of the page is set: it is nobody's tool."""

FILTERED: dict[str, Any] = {**PRIVATE, "preprocess": False}
"""How an event that takes the filters is set: an article that was chosen may be gone since, and Gradio's own check
would say so with the names of all others, as HTML."""


# --- serving ----------------------------------------------------------------------------------------------------------


def serve(settings: Settings) -> None:
    """Serve the page until it is interrupted; QAError when there is no index, the port is taken, or the address can be
    reached from outside and no password is set.
    """
    if not settings.local and not settings.auth:
        raise QAError(
            f"On {settings.host} others could read the articles and remove them; set QA_AUTH to a name, a colon and a "
            "password, or QA_HOST to 127.0.0.1."
        )
    _check_port(settings)  # Before weights are loaded: what is wrong is said at once.
    assistant = Assistant.open(settings=settings)
    page = build_page(assistant, settings)
    if not settings.local:
        print(  # noqa: T201
            f"WARNING: whoever reaches {settings.host}:{settings.port} and has the password can read, add and remove "
            "articles, and the password travels unencrypted; put a proxy with HTTPS before it.",
            file=sys.stderr,
        )
    print(f"Verbatim answers on http://{settings.host}:{settings.port} (Ctrl-C ends it)", flush=True)  # noqa: T201
    page.queue(default_concurrency_limit=CONCURRENCY).launch(**launch_options(settings, assistant))


def _check_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            place = f"Port {settings.port}" if settings.local else f"Port {settings.port} of {settings.host}"
            raise QAError(f"{place} cannot be used ({error.strerror}); set QA_PORT to one that is free.") from error


def launch_options(settings: Settings, assistant: Assistant) -> dict[str, Any]:
    """How the page is served: to this machine unless told otherwise, with everything it needs, and telling nobody."""
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "share": False,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "quiet": True,
        "mcp_server": True,
        "max_file_size": library.MAX_UPLOAD,
        "i18n": LABELS,
        "theme": _theme(),
        "css_paths": STATIC / "page.css",
        "head": f"<script>{_head_script()}</script>",
        "app_kwargs": {
            "openapi_url": None,
            "middleware": [Middleware(Guard, local=settings.local, auth=settings.auth)],
            "routes": api.routes(api.tools(assistant), CONCURRENCY),
        },
    }


def _theme() -> gr.themes.Base:
    """Gradio's plain theme with the system's fonts, and with contrasts of at least 4.5 where its own are less."""
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    return theme.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        input_background_fill="*background_fill_primary",
        input_background_fill_dark="*background_fill_primary",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_500",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
    )


def _head_script() -> str:
    """What is there before any part of the page: our words, the conversations, dialogs."""
    tables = json.dumps({language: dict(table) for language, table in LANGUAGES.items()})
    return _script("page").replace("TABLES", tables.replace("</", "<\\/"))


def _script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text("utf-8")


def _spoken(request: gr.Request) -> Words:
    return words(request.headers.get("accept-language", ""))


# --- the page ---------------------------------------------------------------------------------------------------------

Updates = dict[Any, Any]
"""New values by component."""


class Stops:
    """What every window is asking, so that it can be stopped, and asks one thing at a time.

    Gradio ends an event only when its next update is there, and a language model may be silent for a minute before. Its
    browser side keeps a window from asking twice by the last sign of life of an event, which may come after the end
    of one that was stopped: the window was deaf from then on.
    """

    def __init__(self) -> None:
        self._asked: dict[str, Event] = {}

    @contextmanager
    def asking(self, request: gr.Request) -> Iterator[Callable[[], bool] | None]:
        """Whether the question that a window asks now was stopped; None while it asks another."""
        window, stop = str(request.session_hash), Event()
        mine = self._asked.setdefault(window, stop) is stop
        try:
            yield stop.is_set if mine else None
        finally:
            if self._asked.get(window) is stop:
                del self._asked[window]

    def stop(self, request: gr.Request) -> None:
        """Stop what a window has asked; it may ask again at once."""
        if asked := self._asked.pop(str(request.session_hash), None):
            asked.set()


@dataclass(frozen=True, slots=True)
class Room:
    """The parts of the page that a question and its answer go through."""

    rooms: gr.Tabs
    chat: gr.Chatbot
    problem: gr.HTML
    question: gr.Textbox
    standalone: gr.Textbox
    chips: gr.HTML
    comments: gr.Checkbox
    since: gr.Textbox
    until: gr.Textbox
    outlets: gr.Dropdown
    documents: gr.Dropdown
    source: gr.HTML
    turns: gr.JSON
    """The conversation; the browser holds it, and sends it with every question."""
    typed: gr.State
    """What is being asked, for when it is stopped."""
    new: gr.Button
    visited: gr.Textbox
    """The query of the page's address."""
    model: gr.State
    """The language model that this window uses."""
    stops: Stops

    @property
    def chosen(self) -> list[Any]:
        """What a question is asked under."""
        return [self.comments, self.since, self.until, self.outlets, self.documents]

    @property
    def shown(self) -> list[Any]:
        """What an answer changes."""
        return [self.chat, self.problem, self.question, self.standalone, self.source, self.turns, self.typed]


def build_page(assistant: Assistant, settings: Settings) -> gr.Blocks:
    """The page over an opened index: asking, the library and the history."""
    with gr.Blocks(title="Verbatim", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        for tool in api.tools(assistant):
            tool_endpoint(api.as_text(tool), concurrency_limit=CONCURRENCY, concurrency_id="questions")
        motto = "element.querySelector('p').textContent = verbatim.words.motto"
        gr.HTML(markup.masthead(words("")), elem_id="masthead", padding=False, js_on_load=motto)
        with gr.Tabs(elem_id="rooms") as rooms:
            with gr.Tab(LABELS("ask_tab"), id="ask"):
                room = _ask_tab(assistant, rooms, settings)
            with gr.Tab(LABELS("library_tab"), id="library"):
                _library_tab(page, room, assistant, settings)
            with gr.Tab(LABELS("history_tab"), id="history"):
                _history_tab(room, assistant)
        _wire_questions(page, room, assistant)
        _wire_filters(room)
    return cast(gr.Blocks, page)


def _ask_tab(assistant: Assistant, rooms: gr.Tabs, settings: Settings) -> Room:
    """The conversation at the left, the article at the right."""

    def show(place: dict[str, Any]) -> str:
        place_words = words(str(place["language"]))
        return views.shown_again(assistant, str(place["source"]), str(place["digest"]), place["spans"], place_words)

    def peek(place: dict[str, Any]) -> dict[str, str]:
        (start, end), *_ = place["spans"]
        return views.peeked(assistant, str(place["source"]), str(place["digest"]), int(start), int(end))

    with gr.Row(elem_id="room"):
        with gr.Column(scale=5, min_width=320, elem_id="asking"):
            chat = gr.Chatbot(
                elem_id="chat",
                label=LABELS("conversation"),
                show_label=False,
                height="100%",
                autoscroll=False,
                buttons=[],
                editable="user",
                feedback_options=("Like", "Dislike"),
                latex_delimiters=[],
                line_breaks=False,
            )
            form = _form()
            problem = gr.HTML(elem_id="problem", padding=False)
            chips = gr.HTML(elem_id="chips", padding=False, js_on_load=_script("chips"))
            standalone = gr.Textbox(elem_id="standalone", label=LABELS("searched_as"), max_lines=3, visible=False)
            question = gr.Textbox(
                elem_id="question",
                label=LABELS("question"),
                placeholder=LABELS("question_hint"),
                max_lines=4,
                submit_btn=True,
                autofocus=True,
            )
            with gr.Row(elem_id="options"):
                comments = gr.Checkbox(label=LABELS("comments"), elem_id="comments", container=False)
                new = gr.Button(LABELS("new"), elem_id="new", size="sm", scale=0)
            with gr.Row(elem_id="extras"):
                with gr.Accordion(LABELS("filters"), open=False, elem_id="filters"):
                    with gr.Row():
                        since = gr.Textbox(
                            "", label=LABELS("since"), elem_id="since", min_width=120, placeholder="2024-03"
                        )
                        until = gr.Textbox("", label=LABELS("until"), elem_id="until", placeholder="2025")
                    with gr.Row():
                        outlets = gr.Dropdown([], label=LABELS("outlet"), multiselect=True, elem_id="outlets")
                        documents = gr.Dropdown([], label=LABELS("document"), multiselect=True, elem_id="documents")
                model = _model_settings(assistant, settings)
        with gr.Column(scale=6, min_width=320):
            source = gr.HTML(
                elem_id="source", padding=False, server_functions=[show, peek], js_on_load=_script("source")
            )
    hidden = (gr.JSON([], visible=False), gr.State(""), new, gr.Textbox("", visible=False), model, Stops())
    asking = (chat, problem, question, standalone, chips, comments, since, until, outlets, documents, source)
    room = Room(rooms, *asking, *hidden)
    _wire_feedback(room, form, assistant, settings)
    return room


def _model_settings(assistant: Assistant, settings: Settings) -> gr.State:
    """Where a language model is named, on the page of whoever runs it: others could make this machine call any address.

    The key stays in this window's state on the server.
    """
    model = gr.State(assistant.model)
    if not settings.local:
        return model

    def use(url: str, name: str, key: str) -> tuple[Any, str]:
        try:
            found, told = views.connected(settings, url, name, key)
        except QAError as error:
            return gr.skip(), markup.problem(str(error))
        return found, markup.hint(told)

    def drop(request: gr.Request) -> tuple[None, str]:
        return None, markup.hint(_spoken(request)["model_dropped"])

    with gr.Accordion(LABELS("model"), open=False, elem_id="model"):
        gr.Markdown(LABELS("model_hint"))
        url = gr.Textbox(
            settings.llm_url, label=LABELS("model_url"), placeholder="http://127.0.0.1:11434/v1", elem_id="url"
        )
        with gr.Row():
            name = gr.Textbox(settings.llm_model, label=LABELS("model_name"), min_width=120, elem_id="named")
            key = gr.Textbox("", label=LABELS("model_key"), type="password", min_width=120, elem_id="key")
        told = gr.HTML(elem_id="connected", padding=False)
        with gr.Row():
            without = gr.Button(LABELS("model_drop"), size="sm", elem_id="drop-model")
            with_it = gr.Button(LABELS("model_use"), size="sm", variant="primary", elem_id="use-model")
    with_it.click(use, [url, name, key], [model, told], **PRIVATE)
    without.click(drop, None, [model, told], **PRIVATE)
    return model


# --- asking -----------------------------------------------------------------------------------------------------------


def _wire_questions(page: gr.Blocks, room: Room, assistant: Assistant) -> None:
    """Everything that asks: the box, the standalone form, examples, suggestions, a link, trying again, editing."""

    def ask(request: gr.Request, typed: str, plain: Any, model: Any, *chosen: Any) -> Iterator[Updates]:
        yield from _reply(room, assistant.with_model(model), request, typed, plain, chosen)

    def ask_alone(request: gr.Request, typed: str, plain: Any, model: Any, *chosen: Any) -> Iterator[Updates]:
        yield from _reply(room, assistant.with_model(model), request, typed, plain, chosen, alone=True)

    def ask_chosen(
        event: gr.SelectData, request: gr.Request, plain: Any, model: Any, *chosen: Any
    ) -> Iterator[Updates]:
        typed = event.value["text"] if isinstance(event.value, dict) else str(event.value)
        yield from _reply(room, assistant.with_model(model), request, typed, plain, chosen)

    def retry(event: gr.RetryData, request: gr.Request, plain: Any, model: Any, *chosen: Any) -> Iterator[Updates]:
        number = _turn_number(event.index)
        again = plain[number]["asked"]
        yield from _reply(room, assistant.with_model(model), request, again, plain[:number], chosen)

    def edit(event: gr.EditData, request: gr.Request, plain: Any, model: Any, *chosen: Any) -> Iterator[Updates]:
        number = _turn_number(event.index)
        edited = str(event.value)
        yield from _reply(room, assistant.with_model(model), request, edited, plain[:number], chosen)

    given = [room.turns, room.model, *room.chosen]
    how: dict[str, Any] = {**FILTERED, "trigger_mode": "multiple"}  # One at a time is kept by `Stops`.
    events = [
        room.question.submit(ask, [room.question, *given], room.shown, **how),
        room.standalone.submit(ask_alone, [room.standalone, *given], room.shown, **how),
        room.chat.example_select(ask_chosen, given, room.shown, **how),
        room.chat.option_select(ask_chosen, given, room.shown, **how),
        room.chat.retry(retry, given, room.shown, **how),
        room.chat.edit(edit, given, room.shown, **how),
    ]
    for event in events:
        event.then(None, room.turns, None, js=KEEP, **PRIVATE)
    _wire_steps_back(room, assistant, events)
    _wire_opening(page, room, assistant)


def _wire_steps_back(room: Room, assistant: Assistant, events: Sequence[Any]) -> None:
    """Stopping what is being asked, taking back the last question, starting anew."""

    def stop(plain: Any, typed: str, request: gr.Request) -> Updates:
        # What stands already stays; only a question that has no answer yet goes back into the box.
        spoken = _spoken(request)
        room.stops.stop(request)
        return {**_shown(room, assistant, from_plain(plain), spoken), room.question: _ready(spoken, typed or None)}

    def undo(plain: Any, request: gr.Request) -> Updates:
        spoken = _spoken(request)
        turns = from_plain(plain)
        last = turns[-1].asked if turns else ""
        return {**_shown(room, assistant, turns[:-1], spoken), room.question: _ready(spoken, last)}

    def clear(request: gr.Request) -> Updates:
        return _shown(room, assistant, (), _spoken(request))

    stopped = room.question.stop(
        stop, [room.turns, room.typed], room.shown, cancels=list(events), trigger_mode="multiple", **PRIVATE
    )
    stopped.then(None, room.turns, None, js=KEEP, **PRIVATE)
    room.chat.undo(undo, room.turns, room.shown, **PRIVATE).then(None, room.turns, None, js=KEEP, **PRIVATE)
    for start in (room.chat.clear, room.new.click):
        start(clear, None, room.shown, js="() => verbatim.leave()", **PRIVATE)


def _wire_opening(page: gr.Blocks, room: Room, assistant: Assistant) -> None:
    """What the page shows first: the conversation that this window had, or the answer that a link asks for."""

    def opened(plain: Any, query: str, model: Any, request: gr.Request) -> Iterator[Updates]:
        spoken = _spoken(request)
        first = [ExampleMessage(text=question) for question in views.examples(assistant)]
        chat = gr.Chatbot(examples=first, placeholder=spoken["welcome"])
        yield {**_choices(room, assistant), room.chat: chat, room.question: _ready(spoken)}
        link = parse_qs(query.removeprefix("?"))
        if not link.get("q"):
            yield {**_restored(room, assistant, plain, spoken), room.question: _ready(spoken)}
            return
        yield from _followed(room, assistant.with_model(model), request, link)

    parts = [*room.shown, *room.chosen, room.chips]
    page.load(opened, [room.turns, room.visited, room.model], parts, js=VISIT, **PRIVATE).then(
        None, room.turns, None, js="(turns) => { verbatim.arrived(); verbatim.keep(turns); }", **PRIVATE
    )


KEEP = "(turns) => verbatim.keep(turns)"
VISIT = "(turns, visited, model) => [verbatim.turns(), location.search, model]"
"""What the browser does when a conversation has changed, and when the page opens; see static/page.js."""


def _reply(
    room: Room,
    assistant: Assistant,
    request: gr.Request,
    typed: str,
    plain: Any,
    chosen: Sequence[Any],
    alone: bool = False,
) -> Iterator[Updates]:
    """The conversation while a question is read, then with its answer as that grows; what cannot be asked stays in the
    box, and so does what is asked while another question is being read.
    """
    spoken = _spoken(request)
    with room.stops.asking(request) as stopped:
        if stopped is None:
            yield {room.problem: ""}
            return
        try:
            asked, turns, filters = checked(typed), from_plain(plain), _filters(chosen)
        except QAError as error:
            yield {room.problem: markup.problem(str(error))}
            return
        # The box is emptied with the first update only: by the second somebody may be typing the next question.
        box = gr.Textbox(value="", submit_btn=False, stop_btn=spoken["stop"])
        yield {room.chat: views.messages(turns, spoken, asked), room.problem: "", room.question: box, room.typed: typed}
        try:
            answers = views.answered(assistant, asked, turns, bool(chosen[0]), filters, alone, stopped)
            yield from _growing(room, assistant, typed, turns, answers, spoken)
        except QAError as error:
            shown = _shown(room, assistant, turns, spoken)
            yield {**shown, room.problem: markup.problem(str(error)), room.question: _ready(spoken, typed)}


def _growing(
    room: Room, assistant: Assistant, typed: str, before: Sequence[Turn], answers: Iterator[Turn], spoken: Words
) -> Iterator[Updates]:
    """The conversation with an answer, then with every statement that a language model adds to it."""
    last = next(answers, None)
    if last is None:  # It was stopped before its turn came. What is shown last is shown once more at the end.
        yield {**_shown(room, assistant, before, spoken), room.question: _ready(spoken, typed)}
        return
    writer = assistant.model.endpoint.model if assistant.model and last.answered else ""
    shown = _shown(room, assistant, (*before, last), spoken, writer)
    yield shown if writer else {**shown, room.question: _ready(spoken)}
    if not writer:
        return
    for last in answers:
        turns = (*before, last)
        yield {room.chat: views.messages(turns, spoken, writing=writer), room.turns: to_plain(turns)}
    yield {room.chat: views.messages((*before, last), spoken), room.question: _ready(spoken)}


def _shown(room: Room, assistant: Assistant, turns: Sequence[Turn], spoken: Words, writing: str = "") -> Updates:
    """A conversation, and the article beside it."""
    searched = views.searched(turns)
    return {
        room.chat: views.messages(turns, spoken, writing=writing),
        room.problem: "",
        room.source: views.beside(assistant, turns, spoken),
        room.standalone: gr.Textbox(value=searched, visible=bool(searched)),
        room.turns: to_plain(turns),
        room.typed: "",
    }


def _restored(room: Room, assistant: Assistant, plain: Any, spoken: Words) -> Updates:
    try:
        return _shown(room, assistant, from_plain(plain), spoken)
    except QAError as error:
        return {**_shown(room, assistant, (), spoken), room.problem: markup.problem(str(error))}


def _followed(
    room: Room, assistant: Assistant, request: gr.Request, link: Mapping[str, list[str]]
) -> Iterator[Updates]:
    """The answer that a link asks for, after those it follows up, and a word when it is no longer the same."""
    spoken = _spoken(request)
    one = {name: values[0] for name, values in link.items()}
    chosen = [
        bool(one.get("comments")),
        one.get("since", ""),
        one.get("until", ""),
        link.get("outlet", []),
        link.get("document", []),
    ]
    yield dict(zip(room.chosen, chosen, strict=True)) | _chips(room, chosen, spoken)
    plain: Any = []
    for asked in link["q"]:
        for update in _reply(room, assistant, request, asked, plain, chosen):
            yield update
            plain = update.get(room.turns, plain)
    turns = from_plain(plain)
    if turns and turns[-1].stamp != one.get("answer", turns[-1].stamp):
        yield {room.problem: markup.hint(spoken["link_changed"])}


def _ready(spoken: Words, typed: str | None = None) -> gr.Textbox:
    """The box as it waits for a question, with what was typed where it has to be asked again."""
    if typed is None:
        return gr.Textbox(submit_btn=spoken["ask"], stop_btn=False)
    return gr.Textbox(value=typed, submit_btn=spoken["ask"], stop_btn=False)


def _turn_number(index: Any) -> int:
    """The turn that a message of the chat belongs to; each turn is two messages."""
    return int(index[0] if isinstance(index, Sequence) else index) // 2


# --- filters ----------------------------------------------------------------------------------------------------------


def _filters(chosen: Sequence[Any]) -> Filters:
    _, since, until, outlets, documents = chosen
    return Filters((since or "").strip(), (until or "").strip(), tuple(outlets or ()), tuple(documents or ()))


def _chips(room: Room, chosen: Sequence[Any], spoken: Words) -> Updates:
    try:
        return {room.chips: markup.chips(_filters(chosen), spoken), room.problem: ""}
    except QAError as error:
        return {room.chips: "", room.problem: markup.problem(str(error))}


def _choices(room: Room, assistant: Assistant) -> Updates:
    """What the filters offer; a document is shown by its title and chosen by its file."""
    entries = assistant.entries()
    named = [(views.choice(entry), entry.source) for entry in entries[-CHOICES:]]
    outlets = sorted({entry.outlet for entry in entries if entry.outlet})
    return {room.outlets: gr.Dropdown(choices=outlets), room.documents: gr.Dropdown(choices=named)}


FIELDS = ("comments", "since", "until", "outlets", "documents")
"""The names of `Room.chosen`, as the chips give them."""


def _wire_filters(room: Room) -> None:
    """The chips follow what is chosen, and what is chosen follows the chips."""

    def chosen(request: gr.Request, *values: Any) -> Updates:
        return _chips(room, values, _spoken(request))

    def dropped(event: gr.EventData, request: gr.Request, *values: Any) -> Updates:
        kept = list(values)
        kept[FIELDS.index(event.field)] = _without(kept[FIELDS.index(event.field)], event.value)
        return dict(zip(room.chosen, kept, strict=True)) | _chips(room, kept, _spoken(request))

    parts = [room.since.blur, room.since.submit, room.until.blur, room.until.submit]
    for part in (*parts, room.outlets.input, room.documents.input):
        # Whoever chooses faster than we answer would else see the chips of the choice before the last.
        part(chosen, room.chosen, [room.chips, room.problem], trigger_mode="always_last", **FILTERED)
    room.chips.dropped(dropped, room.chosen, [*room.chosen, room.chips, room.problem], **FILTERED)


def _without(value: Any, gone: str) -> Any:
    return [name for name in value if name != gone] if isinstance(value, list) else ""


# --- thumbs down ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked after a thumbs-down."""

    group: gr.Group
    about: gr.HTML
    verdict: gr.Radio
    right: gr.Textbox
    remark: gr.Textbox
    save: gr.Button
    cancel: gr.Button
    about_turns: gr.State
    """The turn that it is about, behind those before it; by then another conversation may be on."""


def _form() -> Form:
    with gr.Group(visible=False, elem_id="feedback") as group:
        about = gr.HTML()
        wrong = [(LABELS("wrong_refuse"), "refuse"), (LABELS("wrong_words"), "words")]
        verdict = gr.Radio(wrong, label=LABELS("wrong_title"), show_label=False)
        right = gr.Textbox(label=LABELS("right_words"), visible=False, lines=2, elem_id="right-words")
        remark = gr.Textbox(label=LABELS("why_wrong"))
        with gr.Row():
            cancel = gr.Button(LABELS("cancel"), size="sm")
            save = gr.Button(LABELS("save_case"), variant="primary", size="sm", elem_id="save-case")
    return Form(group, about, verdict, right, remark, save, cancel, gr.State([]))


def _wire_feedback(room: Room, form: Form, assistant: Assistant, settings: Settings) -> None:
    """A thumbs-down opens the form, and what is written there becomes a case."""

    def disliked(plain: Any, event: gr.LikeData, request: gr.Request) -> Updates:
        if event.liked:
            return {form.group: gr.Group(visible=False)}
        turn = _turn_number(event.index)
        question = plain[turn]["asked"]
        title = f"<p>{markup.escaped(_spoken(request)['wrong'].format(question=question))}</p>"
        fresh = {form.about: title, form.verdict: None, form.right: "", form.remark: ""}
        return {form.group: gr.Group(visible=True), form.about_turns: plain[: turn + 1], **fresh}

    def kept(plain: Any, choice: str, exact: str, said: str, request: gr.Request) -> Updates:
        spoken = _spoken(request)
        try:
            if not choice:
                raise QAError(spoken["no_verdict"])
            turns = from_plain(plain)
            told = views.keep_case(assistant, beside(settings.store), turns, choice == "refuse", exact, said, spoken)
        except QAError as error:
            return {room.problem: markup.problem(str(error))}
        return {form.group: gr.Group(visible=False), room.problem: markup.hint(told)}

    parts = [form.group, form.about, form.verdict, form.right, form.remark, form.about_turns]
    room.chat.like(disliked, room.turns, parts, **PRIVATE)
    form.verdict.change(lambda choice: gr.Textbox(visible=choice == "words"), form.verdict, form.right, **PRIVATE)
    said = [form.about_turns, form.verdict, form.right, form.remark]
    form.save.click(kept, said, [form.group, room.problem], **PRIVATE)
    form.cancel.click(lambda: gr.Group(visible=False), None, form.group, **PRIVATE)


# --- the library ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shelf:
    """The parts of the library."""

    dropped: gr.File
    told: gr.HTML
    status: gr.HTML
    rebuild: gr.Button
    cancel: gr.Button
    sought: gr.Textbox
    shelf: gr.HTML
    reader: gr.HTML


def _library_tab(page: gr.Blocks, room: Room, assistant: Assistant, settings: Settings) -> None:
    """The folder of articles: what is in it, what is indexed of it, and how to change both."""
    with gr.Row(elem_id="library"):
        with gr.Column(scale=8, min_width=320):
            dropped = gr.File(label=LABELS("drop"), file_count="multiple", height=96, elem_id="drop", type="filepath")
            told = gr.HTML(elem_id="told", padding=False)
            with gr.Row(elem_id="rebuilding"):
                status = gr.HTML(elem_id="status", padding=False)
                rebuild = gr.Button(LABELS("rebuild"), elem_id="rebuild", size="sm", scale=0, variant="primary")
                cancel = gr.Button(LABELS("cancel"), elem_id="cancel", size="sm", scale=0, visible=False)
            sought = gr.Textbox("", label=LABELS("search_articles"), elem_id="sought", type="text")
            shelf = gr.HTML(elem_id="shelf", padding=False, js_on_load=_script("library"))
        with gr.Column(scale=5, min_width=320):
            reader = gr.HTML(
                markup.hint(words("")["no_document"]), elem_id="reader", padding=False, elem_classes="pane"
            )

    parts = Shelf(dropped, told, status, rebuild, cancel, sought, shelf, reader)
    _wire_shelf(page, parts, room, assistant, settings)
    _wire_rebuild(page, parts, room, assistant, settings)


def _wire_shelf(page: gr.Blocks, parts: Shelf, room: Room, assistant: Assistant, settings: Settings) -> None:
    """Looking through the articles, adding and removing them."""

    def listed(sought: str, request: gr.Request) -> Updates:
        return _listed(parts, assistant, settings, sought, _spoken(request))

    def unread(request: gr.Request) -> str:
        return markup.hint(_spoken(request)["no_document"])

    def opened(event: gr.EventData, request: gr.Request) -> str:
        return views.opened(assistant, str(event.source), _spoken(request))

    def added(paths: list[str] | None, sought: str, request: gr.Request) -> Updates:
        spoken = _spoken(request)
        files = {Path(path).name: Path(path).read_bytes() for path in paths or []}
        told = views.added(settings.corpus, files, spoken)
        for path in paths or []:
            Path(path).unlink(missing_ok=True)
        return {parts.told: told, parts.dropped: None, **_listed(parts, assistant, settings, sought, spoken)}

    def removed(sought: str, event: gr.EventData, request: gr.Request) -> Updates:
        spoken = _spoken(request)
        told = views.removed(settings.corpus, str(event.source), spoken)
        return {parts.told: told, **_listed(parts, assistant, settings, sought, spoken)}

    lists = [parts.shelf, parts.status]
    page.load(listed, parts.sought, lists, **PRIVATE)
    page.load(unread, None, parts.reader, **PRIVATE)
    room.rooms.change(listed, parts.sought, lists, **PRIVATE)
    parts.sought.change(listed, parts.sought, lists, trigger_mode="always_last", **PRIVATE)
    parts.shelf.opened(opened, None, parts.reader, **PRIVATE)
    parts.dropped.upload(added, [parts.dropped, parts.sought], [*lists, parts.told, parts.dropped], **PRIVATE)
    parts.shelf.removed(removed, parts.sought, [*lists, parts.told], **PRIVATE)


def _listed(parts: Shelf, assistant: Assistant, settings: Settings, sought: str, spoken: Words) -> Updates:
    """The table, and what a rebuild would change."""
    items = views.shelf(assistant, settings.corpus)
    plan = markup.plan_html(library.changes(items), spoken)
    return {parts.shelf: markup.shelf_html(items, sought, spoken), parts.status: plan}


def _wire_rebuild(page: gr.Blocks, parts: Shelf, room: Room, assistant: Assistant, settings: Settings) -> None:
    """A rebuild with its progress; every window sees the one that runs, whoever started it."""
    build = Build()

    def started(sought: str, request: gr.Request) -> Iterator[Updates]:
        spoken = _spoken(request)
        mine = build.start(lambda progress: build_index(progress=progress, settings=settings))
        yield {parts.told: "" if mine else markup.problem(spoken["busy"])}
        yield from watched(sought, request)

    def watched(sought: str, request: gr.Request) -> Iterator[Updates]:
        if not build.state.running and not build.state.seconds:
            yield {parts.told: ""}  # Nothing was built yet.
            return
        spoken = _spoken(request)
        while build.state.running:
            yield {
                parts.status: markup.building_html(build.state, spoken),
                parts.rebuild: gr.Button(visible=False),
                parts.cancel: gr.Button(visible=True),
            }
            build.wait(TICK)
        told = markup.building_html(build.state, spoken)
        shown = {parts.rebuild: gr.Button(visible=True), parts.cancel: gr.Button(visible=False), parts.told: told}
        yield {**shown, **_listed(parts, assistant, settings, sought, spoken), **_choices(room, assistant)}

    changed = [parts.told, parts.status, parts.rebuild, parts.cancel, parts.shelf, room.outlets, room.documents]
    parts.rebuild.click(started, parts.sought, changed, concurrency_limit=None, **PRIVATE)
    page.load(watched, parts.sought, changed, concurrency_limit=None, **PRIVATE)
    parts.cancel.click(lambda: build.cancel(), None, None, **PRIVATE)


# --- the history ------------------------------------------------------------------------------------------------------


def _history_tab(room: Room, assistant: Assistant) -> None:
    """The conversations that this browser keeps; only opening and saving one needs us."""

    def export(kept: dict[str, Any]) -> dict[str, str]:
        try:
            return {"text": views.exported(kept["turns"], str(kept["form"]), str(kept["name"]))}
        except QAError as error:
            return {"problem": str(error)}

    def opened(event: gr.EventData, request: gr.Request) -> Updates:
        return {room.rooms: gr.Tabs(selected="ask"), **_restored(room, assistant, event.turns, _spoken(request))}

    shelf = gr.HTML(elem_id="history", padding=False, server_functions=[export], js_on_load=_script("history"))
    shelf.opened(opened, None, [room.rooms, *room.shown], **PRIVATE)
