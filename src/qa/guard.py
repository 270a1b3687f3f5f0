"""Who may call the page: our own names, our own pages, and, where one is set, whoever has the password."""

from __future__ import annotations

import base64
import binascii
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine for itself. Any other in a request to it is a foreign page's, led here by its own DNS."""

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy, behind the escaping: whatever slipped through could still load and send nothing. Gradio's
own scripts need the two "unsafe" words."""

HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}

OPEN = "/gradio_api/startup-events"
"""What Gradio calls to see that its server is up, before anybody can know a password; it says "true" and no more."""

REALM = 'Basic realm="Verbatim", charset="UTF-8"'


class Guard:
    """ASGI middleware. A request under a foreign name or from a foreign page is turned away with 403, one without the
    name and password of `auth` ("name:password", or "" for none) with 401. (RFC 7617)

    When the page is `local`, only this machine's own names will do; else it goes by any name, as nobody knows those of
    a network here, and the password keeps foreign pages out: a browser gives it to none but the page it was typed in.
    """

    def __init__(self, app: ASGIApp, local: bool, auth: str) -> None:
        self.app = app
        self.local = local
        self.auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or turn it away, with our headers on either response."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            answering = self._refusal(Headers(scope=scope), scope["path"]) or self.app
            await answering(scope, receive, _with_headers(send))
        # The page uses no web sockets, so nothing else is answered.

    def _refusal(self, headers: Headers, path: str) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if self.local and hostname(host) not in OWN:
            return PlainTextResponse("This page is served under the name localhost; open it there.", 403)
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return PlainTextResponse("This page is not called from other pages; open it itself.", 403)
        if self.auth and path != OPEN and not _knows(headers.get("authorization", ""), self.auth):
            return PlainTextResponse("A name and a password are needed.", 401, {"www-authenticate": REALM})
        return None


def hostname(host: str) -> str:
    """The name or address in a Host header, without port and brackets; "" when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _knows(authorization: str, auth: str) -> bool:
    scheme, _, sent = authorization.partition(" ")
    try:
        given = base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and secrets.compare_digest(given, auth.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
