"""The page as a service: `retrieve`, `ask`, `document` and `verify_quote`, as REST and as tools of an MCP server.

The functions are the tools; their docstrings are what a model reads. They take and give what JSON holds.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import anyio
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qa.assistant import Assistant
from qa.types import Answer, Filters, Passage, QAError, StoreError

MAX_BODY = 1_000_000
"""Bytes of a request: a question with a long conversation behind it is far smaller."""

Tool = Callable[..., dict[str, Any]]


def tools(assistant: Assistant) -> list[Tool]:
    """The four functions over an opened index."""

    def retrieve(
        question: str,
        k: int = 5,
        include_comments: bool = False,
        since: str = "",
        until: str = "",
        outlets: list[str] | None = None,
        documents: list[str] | None = None,
    ) -> dict[str, Any]:
        """Find the passages of the articles that are nearest to a question, best first.

        Args:
            question: What is asked, in plain words or keywords.
            k: How many passages, 1 to 100.
            include_comments: Whether readers' comments are searched too.
            since: Only articles from this year, month or day on ("2024", "2024-03", "2024-03-05").
            until: Only articles up to this year, month or day.
            outlets: Only articles of these sources (a host name, or a folder).
            documents: Only these files.

        """
        chosen = Filters(since, until, tuple(outlets or ()), tuple(documents or ()))
        return {"passages": [_passage(p) for p in assistant.retrieve(question, k, include_comments, chosen)]}

    def ask(
        question: str,
        history: list[dict[str, str]] | None = None,
        include_comments: bool = False,
        since: str = "",
        until: str = "",
        outlets: list[str] | None = None,
        documents: list[str] | None = None,
    ) -> dict[str, Any]:
        """Answer a question with sentences quoted from the articles, or refuse when they do not answer it.

        Every quote is verbatim: characters start to end of the file named as source. When "answered" is false the
        quotes are only the closest passages, not an answer. Where a language model writes, "statements" are its
        sentences with the numbers of the quotes that they rest on; one that is "struck" is not supported by them.
        "short" are the few words of the first quote that answer, with their place, or null where none are sure.

        Args:
            question: What is asked; a follow-up needs the history.
            history: Earlier messages, [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}].
            include_comments: Whether readers' comments may answer too.
            since: Only articles from this year, month or day on ("2024", "2024-03", "2024-03-05").
            until: Only articles up to this year, month or day.
            outlets: Only articles of these sources (a host name, or a folder).
            documents: Only these files.

        """
        chosen = Filters(since, until, tuple(outlets or ()), tuple(documents or ()))
        return _answer(assistant.ask(question, history or (), include_comments, chosen))

    def document(source: str) -> dict[str, Any]:
        """The exact text of an article, in which the offsets of quotes and passages count, and its labelled parts.

        Args:
            source: The file, as a quote or a passage names it.

        """
        found, parts = assistant.labelled(source)
        segments = [{"kind": part.kind, "start": part.span.start, "end": part.span.end} for part in parts]
        return {**asdict(found), "segments": segments}

    def verify_quote(text: str, source: str = "") -> dict[str, Any]:
        """Check whether a quote stands in the articles word for word, and where.

        Quotation marks, dashes, blanks and capitals may differ; a quote with another word, number or "not" is "not
        found". A text that does not stand there as one is checked sentence by sentence. "exact" is found in the source,
        or in any article when none is given; "elsewhere" is found in other articles only. The quotes of a verdict are
        verbatim: characters start to end of the file named as source.

        Args:
            text: The quote, at most 20,000 characters.
            source: The file that is said to have it, as a quote or a passage names it.

        """
        return {"verdicts": [asdict(verdict) for verdict in assistant.verify_quote(text, source)]}

    return [retrieve, ask, document, verify_quote]


def _passage(passage: Passage) -> dict[str, Any]:
    names = ("text", "source", "start", "end", "title", "date", "kind", "score")
    return {name: getattr(passage, name) for name in names}


def _answer(answer: Answer) -> dict[str, Any]:
    """What a caller needs of an answer; how the passages ranked is the page's to show."""
    names = ("question", "text", "answered", "confidence", "model", "note")
    return {
        **{name: getattr(answer, name) for name in names},
        "short": asdict(answer.short) if answer.short else None,
        "quotes": [asdict(quote) for quote in answer.quotes],
        "statements": [asdict(statement) for statement in answer.statements],
    }


def as_text(tool: Tool) -> Callable[..., str]:
    """The tool with its result as JSON text, which is what a model reads."""

    @functools.wraps(tool)
    def told(*arguments: Any, **named: Any) -> str:
        return json.dumps(tool(*arguments, **named), ensure_ascii=False)

    told.__annotations__ = {**tool.__annotations__, "return": "str"}
    told.__signature__ = inspect.signature(tool).replace(return_annotation=str)  # type: ignore[attr-defined]
    return told


# --- REST -------------------------------------------------------------------------------------------------------------


def routes(functions: Sequence[Tool], side_by_side: int) -> list[Route]:
    """`/api/NAME` for every tool, called with a query (GET) or with a JSON object (POST); 400 says what is wrong.

    At most `side_by_side` calls are worked on at once; the others wait.
    """
    limiter = anyio.CapacityLimiter(side_by_side)
    return [Route(f"/api/{tool.__name__}", _endpoint(tool, limiter), methods=["GET", "POST"]) for tool in functions]


def _endpoint(tool: Tool, limiter: anyio.CapacityLimiter) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        try:
            given = _arguments(tool, await _sent(request))
            return JSONResponse(await anyio.to_thread.run_sync(lambda: tool(**given), limiter=limiter))
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 404 if "No document" in str(error) else 503)
        except QAError as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond


async def _sent(request: Request) -> dict[str, Any]:
    """The arguments of a request by name; those of a query that are lists may come several times."""
    if request.method != "POST":
        query = request.query_params
        return {name: query.getlist(name) for name in query}
    body = bytearray()
    async for part in request.stream():  # Counted, as a length that is only announced may be another.
        body += part
        if len(body) > MAX_BODY:
            raise QAError(f"The request is longer than {MAX_BODY:,} bytes; shorten it.")
    try:
        sent = from_json(body)  # Unlike json it takes no half of a surrogate pair, which no text has.
    except ValueError as error:
        raise QAError(f'The request is no JSON ({error}); send an object such as {{"question": "…"}}.') from error
    if not isinstance(sent, dict):
        raise QAError('The request is no JSON object; send one such as {"question": "…"}.')
    return sent


def _arguments(tool: Tool, sent: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the types of the tool; QAError for one that is missing, unknown or of another type."""
    expected = inspect.signature(tool, eval_str=True).parameters
    for name in sent:
        if name not in expected:
            raise QAError(f"There is no parameter '{name[:40]}'; use {', '.join(expected)}.")
    for name, parameter in expected.items():
        if name not in sent and parameter.default is inspect.Parameter.empty:
            raise QAError(f"The parameter '{name}' is missing; send it.")
    return {name: _typed(name, value, expected[name].annotation) for name, value in sent.items()}


def _typed(name: str, value: Any, kind: Any) -> Any:
    """A value as a tool takes it; a query has nothing but lists of strings."""
    try:
        return TypeAdapter(kind).validate_python(_single(value, kind))
    except ValidationError as error:
        raise QAError(f"The parameter '{name}' is not as it should be: {error.errors()[0]['msg']}; mend it.") from error


def _single(value: Any, kind: Any) -> Any:
    wants_list = kind not in {str, int, bool}
    return value[0] if isinstance(value, list) and len(value) == 1 and not wants_list else value
