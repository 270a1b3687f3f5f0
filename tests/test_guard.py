from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from qa.guard import HEADERS, OPEN, POLICY, REALM, Guard, hostname

HOST = "localhost:7860"
AUTH = "desk:häßlich: 👩‍👩‍👧"
FOREIGN_NAME = "This page is served under the name localhost; open it there."
FOREIGN_PAGE = "This page is not called from other pages; open it itself."
NEEDED = "A name and a password are needed."

Sent = list[tuple[bytes, bytes]]


async def page(request: Request) -> Response:
    return PlainTextResponse("the page", headers={"content-security-policy": "default-src *", "x-own": "kept"})


async def stream(request: Request) -> Response:
    return StreamingResponse(iter(["in ", "parts"]))


def client(local: bool = True, auth: str = "") -> TestClient:
    routes = [Route("/", page, methods=["GET", "POST"]), Route("/stream", stream), Route(OPEN, page)]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, local=local, auth=auth)])
    return TestClient(app, base_url=f"http://{HOST}")


def basic(name_and_password: str) -> str:
    return "Basic " + base64.b64encode(name_and_password.encode()).decode()


def answer(guard: Guard, headers: Sent, path: str = "/", kind: str = "http") -> list[Message]:
    """What the guard answers to a request whose headers are just these."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": kind, "method": "GET", "path": path, "headers": headers, "query_string": b""}
    anyio.run(guard, scope, receive, send)
    return sent


async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def status(headers: Mapping[str, bytes | str], local: bool = True, auth: str = "", path: str = "/") -> int:
    raw = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()]
    return int(answer(Guard(let_in, local, auth), raw, path)[0]["status"])


# --- names and pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7860", "LOCALHOST:7860", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:7860"]
)
def test_this_machine_is_called_by_its_own_names(host: str) -> None:
    reply = client().get("/", headers={"host": host})
    assert (reply.status_code, reply.text) == (200, "the page")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7860",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example/localhost",
        "192.168.1.4",
        "0.0.0.0",
        "2130706433",
        "[::ffff:127.0.0.1]:7860",
        "localhost.",
        "",
        "[::1",
        "::1]",
        "[localhost]",
        "//localhost",
        "http://localhost",
        "\x00",
    ],
)
def test_a_foreign_name_or_what_is_none_is_turned_away(host: str) -> None:
    assert status({"host": host}) == 403
    assert status({"host": host}, auth="desk:12345678") == 403, "before a password is asked for"


def test_a_request_without_a_name_or_with_bytes_for_one_is_turned_away() -> None:
    assert status({}) == 403
    assert status({"host": b"\xff\xfe\x80localhost"}) == 403
    reply = client().get("/", headers={"host": "evil.example"})
    assert (reply.status_code, reply.text) == (403, FOREIGN_NAME)


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "localhost"])
def test_our_own_page_may_call(host: str) -> None:
    assert status({"host": host, "origin": f"http://{host}"}) == 200
    assert status({"host": host, "origin": f"https://{host}"}) == 200, "behind a proxy"
    assert status({"host": host}) == 200, "what is typed into the address bar comes from no page"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://localhost:7861",
        "http://localhost",
        "http://127.0.0.1:7860",
        "http://localhost:7860.evil.example",
        "http://evil.example/localhost:7860",
        "http://localhost:7860@evil.example",
        "localhost:7860",
        "file://",
        "http://[::1",
        "http://[evil]",
        "//localhost:7860/x",
        "http://localhost:7860, http://evil.example",
        "\x00",
    ],
)
def test_a_foreign_page_or_what_is_none_is_turned_away(origin: str) -> None:
    assert status({"host": HOST, "origin": origin}) == 403
    assert status({"host": HOST, "origin": origin}, local=False, auth="") == 403


def test_a_foreign_page_is_told_so_whatever_it_calls() -> None:
    for method in ("GET", "POST", "OPTIONS"):
        reply = client().request(method, "/", headers={"origin": "http://evil.example"})
        assert (reply.status_code, reply.text) == (403, FOREIGN_PAGE)
        assert "access-control-allow-origin" not in reply.headers


def test_where_it_is_not_local_it_goes_by_any_name_and_answers_its_own_pages() -> None:
    for host in ("desk.example", "192.168.1.4:7860", "[2001:db8::1]:7860"):
        assert status({"host": host}, local=False) == 200
        assert status({"host": host, "origin": f"http://{host}"}, local=False) == 200
        assert status({"host": host, "origin": "http://evil.example"}, local=False) == 403


# --- the password -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("local", [True, False])
def test_who_gives_no_password_is_asked_for_it(local: bool) -> None:
    reply = client(local, AUTH).get("/")
    assert (reply.status_code, reply.text) == (401, NEEDED)
    assert reply.headers["www-authenticate"] == REALM == 'Basic realm="Verbatim", charset="UTF-8"'


@pytest.mark.parametrize("auth", [AUTH, "desk:12345678", "d:::::::::", "desk: with blanks  "])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_who_knows_the_password_comes_in(auth: str, scheme: str) -> None:
    given = scheme + basic(auth).removeprefix("Basic")
    reply = client(auth=auth).get("/", headers={"authorization": given})
    assert (reply.status_code, reply.text) == (200, "the page")


@pytest.mark.parametrize(
    "given",
    [
        basic("desk:wrong password"),
        basic(AUTH + "x"),
        basic(AUTH[:-1]),
        basic(AUTH.upper()),
        basic(AUTH.removeprefix("desk")),
        basic(""),
        basic(":"),
        "Basic " + base64.b64encode("desk:häßlich".encode("latin-1")).decode(),
        basic(AUTH).replace("Basic", "Bearer"),
        basic(AUTH).replace("Basic ", "Basic"),
        basic(AUTH).replace("Basic ", "Basic  "),
        basic(AUTH).removeprefix("Basic "),
        basic(AUTH) + "!",
        basic(AUTH) + " x",
        basic(AUTH)[:-2],
        "Basic",
        "Basic ",
        "Basic =",
        "Basic ====",
        "Basic ¹²³",
        AUTH,
        "",
    ],
)
def test_who_gives_another_is_turned_away(given: str) -> None:
    assert status({"host": HOST, "authorization": given}, auth=AUTH) == 401


@given(given=st.binary(max_size=30) | st.binary(max_size=30).map(b"Basic ".__add__))
def test_no_header_breaks_the_guard(given: bytes) -> None:
    assert status({"host": HOST, "authorization": given}, auth=AUTH) == 401
    assert status({"host": given, "origin": b"http://" + given}) in {200, 403}
    assert status({"host": HOST, "origin": given}) == 403


def test_a_password_does_not_let_a_foreign_page_in() -> None:
    known = {"host": "desk.example", "authorization": basic(AUTH)}
    assert status(known, local=False, auth=AUTH) == 200
    assert status({**known, "origin": "http://evil.example"}, local=False, auth=AUTH) == 403
    assert status({**known, "origin": "null"}, local=False, auth=AUTH) == 403


def test_nobody_is_asked_for_a_password_that_is_not_set() -> None:
    assert status({"host": HOST, "authorization": basic("desk:wrong password")}) == 200


def test_one_path_alone_is_open_to_who_has_no_password() -> None:
    assert status({"host": HOST}, auth=AUTH, path=OPEN) == 200
    for path in (f"{OPEN}/", f"/{OPEN}", OPEN.upper(), f"/x/..{OPEN}", f"{OPEN}\x00", "/gradio_api/info", ""):
        assert status({"host": HOST}, auth=AUTH, path=path) == 401
    assert status({"host": "evil.example"}, auth=AUTH, path=OPEN) == 403
    assert status({"host": HOST, "origin": "http://evil.example"}, auth=AUTH, path=OPEN) == 403


# --- what it answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/", {}, 200),
        ("/stream", {}, 200),
        ("/missing", {}, 404),
        ("/", {"host": "evil.example"}, 403),
        ("/", {"origin": "null"}, 403),
        ("/", {"authorization": "Basic x"}, 401),
    ],
)
def test_our_headers_are_on_every_response(path: str, headers: dict[str, str], code: int) -> None:
    known = {"authorization": basic(AUTH)}
    reply = client(auth=AUTH).get(path, headers=known | headers)
    assert reply.status_code == code
    for name, value in HEADERS.items():
        assert reply.headers.get_list(name) == [value], "ours stands in the place of any other"
    assert reply.headers.get("x-own") == ("kept" if path == "/" and code == 200 else None)


def test_the_policy_lets_nothing_be_loaded_from_or_sent_to_elsewhere() -> None:
    rules = {rule.split()[0]: rule.split()[1:] for rule in POLICY.split("; ")}
    assert HEADERS["content-security-policy"] == POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY
    assert rules["default-src"] == ["'self'", "data:", "blob:"]
    assert rules["object-src"] == rules["form-action"] == rules["frame-ancestors"] == ["'none'"]
    assert rules["base-uri"] == ["'self'"]
    assert HEADERS["x-content-type-options"] == "nosniff"
    assert HEADERS["referrer-policy"] == "no-referrer"


def test_a_body_in_parts_comes_through_as_it_is() -> None:
    assert client().get("/stream").text == "in parts"


def test_web_sockets_are_not_answered() -> None:
    called: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        called.append(scope["type"])

    own: Any = [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode())]
    for kind in ("websocket", "something new"):
        assert answer(Guard(app, True, ""), own, kind=kind) == []
    assert called == []
    assert answer(Guard(app, True, AUTH), [], kind="lifespan") == []
    assert called == ["lifespan"], "what the server says to itself is no request"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:7860", "localhost"),
        ("LocalHost", "localhost"),
        ("[::1]:7860", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("", ""),
        (":7860", ""),
        ("[::1", ""),
    ],
)
def test_the_name_in_a_host_header(host: str, name: str) -> None:
    assert hostname(host) == name
