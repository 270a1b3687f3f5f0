"""The only door to a language model: an OpenAI-compatible server, spoken to only where the settings name one.

What may fail on the way becomes a `ModelError` of one sentence, made of the server's address, the model's name and
numbers alone: no key, nothing that was sent and nothing that came back is ever in it.
"""

from __future__ import annotations

import importlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from qa.settings import Settings
from qa.turns import POLL
from qa.types import ModelError

Message: TypeAlias = Mapping[str, str]
"""`role` ("system", "user" or "assistant") and `content`."""

CONNECT = 5.0
"""Seconds in which a server takes a connection; one that is there does it in less than one, even far away."""

FIRST = 120.0
"""Seconds to the first word: some servers load the model first, and without a graphics card a long prompt takes a
minute to read; longer than two nobody waits."""

BETWEEN = 30.0
"""Seconds from one word to the next: a server that is silent for so long hangs, and one so slow is of no use."""

SEED = 1
"""The same question shall have the same answer, as far as the server can do that."""

HEADERS = frozenset({"host", "accept", "connection", "content-type", "content-length", "user-agent"})
"""What is sent beside the key. The library would add this machine's system and versions, and whatever variables of its
own it finds, which are meant for another server."""

TOO_LONG = re.compile(r"exceed_context|context_length|context (?:length|size|window)|maximum context", re.I)
"""How llama.cpp, OpenAI and vLLM say that the prompt is longer than the model reads."""

PROBE = ({"role": "user", "content": "Count from one to twenty."},)
PROBE_TOKENS = 24
PROBE_FEW = 8
"""Of fewer pieces than these no speed is told: such a server sends several tokens at a time."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model on a server. `url` is the server's address up to where "/chat/completions" would follow."""

    url: str
    model: str
    key: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"The model {self.model} at {self.url}"


def endpoint(settings: Settings) -> Endpoint | None:
    """The model that the settings name; None when they name none."""
    return Endpoint(settings.llm_url, settings.llm_model, settings.llm_key) if settings.llm_url else None


def never() -> bool:
    """Nobody stops it."""
    return False


def stream(
    endpoint: Endpoint,
    messages: Sequence[Message],
    max_tokens: int,
    seconds: float = FIRST,
    stopped: Callable[[], bool] = never,
) -> Generator[str, None, None]:
    """The answer, piece by piece, at temperature 0; it may end at `max_tokens` in the middle of a word.

    `seconds` is the longest wait for the first piece; for each one after it, it is that or `BETWEEN`, whichever is
    less. Once `stopped()` is true no piece follows, and a wait ends. However it ends, also when it is closed early,
    the connection is closed, by which the server knows that it need not go on. ModelError when the answer does not
    come, or breaks off.

    Nothing is tried twice: a server that refuses now does so half a second later, and one that broke off may have been
    paid for already. A person who reads the sentence decides.
    """
    _import()
    if stopped():
        return
    call = _Call(endpoint, messages, max_tokens)
    call.start()
    try:
        wait, late = seconds, f"has not begun to answer in {seconds:g} s; ask again when it is less busy"
        while (piece := _next(call, wait, late, stopped)) is not None:
            yield piece
            wait = min(seconds, BETWEEN)
            late = f"fell silent for {wait:g} s in the middle of its answer; ask again"
    finally:
        call.close()


def probe(endpoint: Endpoint) -> str:
    """How soon and how fast the model answers, in a sentence; ModelError when it does not."""
    _import()
    began = time.monotonic()
    times = [time.monotonic() for _ in stream(endpoint, PROBE, PROBE_TOKENS)]
    lasted = times[-1] - times[0]
    speed = f" ({(len(times) - 1) / lasted:.0f} tokens a second)" if len(times) >= PROBE_FEW and lasted else ""
    return f"{endpoint.model} at {endpoint.url} answers in {times[0] - began:.1f} s{speed}"


def _import() -> None:
    """Load the library before any time is taken: it needs half a second, for which no server can be blamed."""
    with suppress(ImportError):  # The call will say it.
        importlib.import_module("openai.resources.chat")


def _next(call: _Call, seconds: float, late: str, stopped: Callable[[], bool]) -> str | None:
    until = time.monotonic() + seconds
    while not stopped():
        try:
            said = call.said.get(timeout=POLL)
        except Empty:
            if time.monotonic() > until:
                raise ModelError(f"{call.endpoint} {late}, or set QA_LLM_MODEL to a smaller one.") from None
            continue
        if isinstance(said, ModelError):
            raise said
        return said
    return None


class _Call:
    """One request in a thread of its own. A read that blocks cannot be given up, but its socket can be shut down under
    it: so a wait ends when it has lasted too long or is not wanted, whatever signs of life the server sends meanwhile.
    """

    def __init__(self, endpoint: Endpoint, messages: Sequence[Message], max_tokens: int) -> None:
        self.endpoint = endpoint
        self.said: SimpleQueue[str | ModelError | None] = SimpleQueue()
        """The pieces, then None or the reason why there are no more."""
        self._messages = [{name: _whole(value) for name, value in message.items()} for message in messages]
        self._max_tokens = max_tokens
        self._begun = False
        self._socket: socket.socket | None = None
        self._closed = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="language model", daemon=True).start()

    def close(self) -> None:
        """Shut the connection, or see to it that it is shut as soon as there is one."""
        self._closed = True
        if self._socket:
            with suppress(OSError):  # The other side, or the thread, was first.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._ask()
        except Exception as error:  # Whatever it is, the one who waits must hear of it.
            self.said.put(error if isinstance(error, ModelError) else ModelError(self._sentence(error)))
        else:
            self.said.put(None)

    def _ask(self) -> None:
        import openai

        with openai.DefaultHttpxClient(
            timeout=openai.Timeout(None, connect=CONNECT),
            follow_redirects=False,
            trust_env=not _is_loopback(self.endpoint.url),  # A proxy would look for the server on its own machine.
            event_hooks={"request": [self._prepare]},
        ) as http:
            client = openai.OpenAI(base_url=self.endpoint.url, api_key="-", max_retries=0, http_client=http)
            with client.chat.completions.create(
                model=self.endpoint.model,
                messages=cast(Any, self._messages),
                max_tokens=self._max_tokens,
                temperature=0,
                seed=SEED,
                stream=True,
            ) as answer:
                self._read(answer)

    def _prepare(self, request: Any) -> None:
        """The key is put in here, last, so that the library has none to show in a log or an error."""
        for name in set(request.headers) - HEADERS:
            del request.headers[name]
        if self.endpoint.key:
            request.headers["Authorization"] = f"Bearer {self.endpoint.key}"
        request.extensions = {**request.extensions, "trace": self._trace}

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the socket as soon as it is connected, and again when it is encrypted."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._closed:
                self.close()

    def _read(self, answer: Any) -> None:
        written = finished = False
        for event in answer:
            piece, last = _piece(event)
            self._begun, written, finished = True, written or bool(piece.strip()), finished or last
            if piece:
                self.said.put(piece)
        if not self._begun and "event-stream" not in answer.response.headers.get("content-type", ""):
            raise TypeError
        if not finished:
            raise ModelError(f"{self.endpoint} {BROKE_OFF}.")
        if not written:
            raise ModelError(f"{self.endpoint} {NOTHING}.")

    def _sentence(self, error: Exception) -> str:
        if status := getattr(error, "status_code", 0) or 0:
            return f"{self.endpoint} {_refusal(status, error, self.endpoint.key)}."
        return f"{self.endpoint} {_failure(error, self._socket is not None, self._begun)}."


BROKE_OFF = "broke off in the middle of its answer; ask again, or look into that server's log"
NOTHING = "answers nothing; ask in other words, or set QA_LLM_MODEL to another"
TOO_MUCH = "was given more than it can read at once; ask a shorter question, or start it with a larger context"


def _refusal(status: int, error: Exception, key: str) -> str:
    if status in {401, 403}:
        return f"{'does not take the key' if key else 'asks for a key'} ({status}); set QA_LLM_KEY to a valid one"
    if TOO_LONG.search(str(getattr(error, "body", ""))):
        return TOO_MUCH
    if status == 404:
        return "is not known there (404); correct QA_LLM_MODEL, or QA_LLM_URL, which for most servers ends in /v1"
    if status == 429:
        return "is asked too often, or its quota is used up (429); wait a minute, then ask again"
    if status >= 500:
        return f"cannot answer now ({status}); ask again in a minute, or look into that server's log"
    if status < 400:
        return f"sends on to another address ({status}), which is not followed; set QA_LLM_URL to that address itself"
    return f"does not take this request ({status}); set QA_LLM_MODEL to a model for chats"


def _failure(error: Exception, connected: bool, begun: bool) -> str:
    causes = list(_causes(error))
    if isinstance(error, ImportError):
        return "cannot be asked, as a package is missing; run `make install`, or use no SOCKS proxy"
    if body := getattr(error, "body", None):
        return TOO_MUCH if TOO_LONG.search(str(body)) else BROKE_OFF
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "is not reached by trusted https; give it a valid certificate, or correct QA_LLM_URL"
    if not begun and isinstance(error, ValueError | TypeError | AttributeError | LookupError):
        return "sends no chat completion; correct QA_LLM_URL, which for most servers ends in /v1"
    if connected:
        return BROKE_OFF
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "is on a machine that no network knows; correct QA_LLM_URL"
    return "is not there; start that server, or correct QA_LLM_URL"


def _piece(event: Any) -> tuple[str, bool]:
    """The text that an event adds, and whether it is the last that does; TypeError when it has not that form."""
    if not isinstance(event.choices, list):
        raise TypeError
    if not event.choices:  # Some servers end with what the answer cost.
        return "", False
    choice = event.choices[0]
    content = choice.delta.content
    if not isinstance(content, str | None):
        raise TypeError
    return _whole(content or ""), bool(choice.finish_reason)


def _whole(text: str) -> str:
    """The text without halves of characters, which no file and no network takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
