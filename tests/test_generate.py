"""The door to a language model, by value: what is sent, what comes, what each failure says, and that a stop stops."""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from qa import doctor, generate, models
from qa.generate import Endpoint, endpoint, probe, stream
from qa.settings import Settings
from qa.types import ModelError
from tests.conftest import Library, words
from tests.llm import (
    TOO_LONG,
    Behaviour,
    Exchange,
    cut,
    garbled,
    hangs,
    html,
    redirect,
    says,
    scripted,
    smollm,
    status,
    too_long,
)

KEY = "hunter2hunter2"
ARTICLE = "Ann found the salt in the old mine."
MESSAGES = [
    {"role": "system", "content": "Answer with quotes."},
    {"role": "user", "content": f"{ARTICLE} Who found the salt?"},
]
SOON = 5.0
"""Seconds in which the other side must have noticed; it takes a few hundredths where nothing else runs."""
PATIENT = 30.0
"""Seconds for what shall come, however busy the machine is."""

BROKE_OFF = "broke off in the middle of its answer; ask again, or look into that server's log."
NO_CHAT = "sends no chat completion; correct QA_LLM_URL, which for most servers ends in /v1."
TOO_MUCH = "was given more than it can read at once; ask a shorter question, or start it with a larger context."
NOTHING = "answers nothing; ask in other words, or set QA_LLM_MODEL to another."
UNKNOWN = "is not known there (404); correct QA_LLM_MODEL, or QA_LLM_URL, which for most servers ends in /v1."
BUSY = "is asked too often, or its quota is used up (429); wait a minute, then ask again."
SILENT = "has not begun to answer in 0.3 s; ask again when it is less busy, or set QA_LLM_MODEL to a smaller one."
FELL_SILENT = "fell silent for 0.3 s in the middle of its answer; ask again, or set QA_LLM_MODEL to a smaller one."


def error_event(exchange: Exchange) -> None:
    exchange.head()
    exchange.delta("Ann")
    exchange.event({"error": {"message": f"no memory left for: {ARTICLE} {KEY}", "code": 500}})


def context_event(exchange: Exchange) -> None:
    exchange.head()
    exchange.event(TOO_LONG["llama.cpp"][1])


def endless_page(exchange: Exchange) -> None:
    exchange.head(200, "text/html")
    for _ in range(1_000):
        exchange.wait(0.01)
        exchange.raw("<p>more</p>")


ECHO = {"error": {"message": f"Incorrect API key provided: {KEY}. You sent: {ARTICLE}", "code": "invalid_api_key"}}

FAILURES: dict[str, tuple[Behaviour, list[str], str]] = {
    "a key that is not valid": (status(401, ECHO), [], "does not take the key (401); set QA_LLM_KEY to a valid one."),
    "a key that may not": (status(403, ECHO), [], "does not take the key (403); set QA_LLM_KEY to a valid one."),
    "no such model": (status(404), [], UNKNOWN),
    "no such path": (status(404, "<h1>Not Found</h1>"), [], UNKNOWN),
    "too many requests": (status(429, ECHO), [], BUSY),
    "a crash": (
        status(500, ECHO),
        [],
        "cannot answer now (500); ask again in a minute, or look into that server's log.",
    ),
    "a model that is being loaded": (
        status(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}),
        [],
        "cannot answer now (503); ask again in a minute, or look into that server's log.",
    ),
    "a request that is not understood": (
        status(400, ECHO),
        [],
        "does not take this request (400); set QA_LLM_MODEL to a model for chats.",
    ),
    "too long for llama.cpp": (too_long("llama.cpp"), [], TOO_MUCH),
    "too long for OpenAI": (too_long("openai"), [], TOO_MUCH),
    "too long for vLLM": (too_long("vllm"), [], TOO_MUCH),
    "too long, said in the stream": (context_event, [], TOO_MUCH),
    "a page": (html(), [], NO_CHAT),
    "a page that does not end": (endless_page, [], SILENT),
    "a completion that is not streamed": (
        status(200, {"choices": [{"message": {"role": "assistant", "content": ARTICLE}}]}),
        [],
        NO_CHAT,
    ),
    "no JSON": (garbled(data=f"{ARTICLE} {KEY}"), [], NO_CHAT),
    "JSON of another form": (garbled(data='{"answer": "Ann"}'), [], NO_CHAT),
    "a number": (garbled(data="5"), [], NO_CHAT),
    "a choice without text": (garbled(data='{"choices": [{"delta": null}]}'), [], NO_CHAT),
    "text that is none": (garbled(data='{"choices": [{"delta": {"content": ["Ann"]}}]}'), [], NO_CHAT),
    "JSON that is cut": (garbled("Ann", " found"), ["Ann", " found"], BROKE_OFF),
    "an error in the stream": (error_event, ["Ann"], BROKE_OFF),
    "a connection that ends early": (cut("Ann", " found"), ["Ann", " found"], BROKE_OFF),
    "a connection that is cut": (cut("Ann", politely=False), ["Ann"], BROKE_OFF),
    "a connection that ends at once": (lambda exchange: exchange.abort(), [], BROKE_OFF),
    "silence": (hangs(head=False), [], SILENT),
    "silence after the headers": (hangs(), [], SILENT),
    "silence with signs of life": (hangs(pings=0.05), [], SILENT),
    "silence in the middle": (hangs("Ann"), ["Ann"], FELL_SILENT),
    "silence in the middle with signs of life": (hangs("Ann", pings=0.05), ["Ann"], FELL_SILENT),
    "nothing": (says(), [], NOTHING),
    "blanks": (says(" ", "\n"), [" ", "\n"], NOTHING),
    "another address": (
        redirect("http://127.0.0.1:1/v1"),
        [],
        "sends on to another address (307), which is not followed; set QA_LLM_URL to that address itself.",
    ),
}


def failure(pieces: Iterator[str]) -> tuple[list[str], ModelError]:
    """What came, and what was said then."""
    came: list[str] = []
    with pytest.raises(ModelError) as raised:
        came.extend(pieces)  # extend keeps what came before the error
    return came, raised.value


# --- what is sent and what comes --------------------------------------------------------------------------------------


def test_the_pieces_come_as_they_are_written() -> None:
    with scripted(says("Ann", " found", " the salt", ".", pace=0.1)) as server:
        pieces = [(piece, time.monotonic()) for piece in stream(server.endpoint, MESSAGES, 50)]
    assert [piece for piece, _ in pieces] == ["Ann", " found", " the salt", "."]
    assert pieces[1][1] - pieces[0][1] > 0.05, "not all at the end"


def test_what_is_sent_by_value() -> None:
    with scripted("Ann.", key=KEY) as server:
        assert list(stream(server.endpoint, MESSAGES, 50)) == ["Ann."]
        (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.messages == MESSAGES
    del asked.body["messages"]
    assert asked.body == {"model": "scripted", "max_tokens": 50, "temperature": 0, "seed": 1, "stream": True}
    assert asked.headers["Authorization"] == f"Bearer {KEY}"


def test_nothing_is_sent_that_the_settings_do_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", "https://elsewhere.example/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer theirs\nX-Secret: theirs")
    with scripted("Ann.") as server:
        list(stream(server.endpoint, MESSAGES, 50))
        (asked,) = server.asked
    names = {name.lower() for name in asked.headers}
    assert names == {"host", "connection", "accept", "content-type", "content-length", "user-agent"}


def test_another_way_to_give_the_same_key_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer theirs")
    with scripted("Ann.", key=KEY) as server:
        list(stream(server.endpoint, MESSAGES, 50))
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with scripted("From the proxy.") as proxy, scripted("From the server.") as server:
        proxied(monkeypatch, proxy.url)
        here = Endpoint(server.url.replace("127.0.0.1", host), "scripted")
        assert "".join(stream(here, MESSAGES, 50)) == "From the server."
        assert proxy.asked == []


def test_another_machine_is_asked_through_the_proxy_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted("From the proxy.") as proxy:
        proxied(monkeypatch, proxy.url)
        assert "".join(stream(Endpoint("http://models.invalid/v1", "m"), MESSAGES, 50)) == "From the proxy."
        assert proxy.asked[0].path == "http://models.invalid/v1/chat/completions"


def proxied(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url.removesuffix("/v1"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_a_redirect_takes_neither_question_nor_key_to_another_server() -> None:
    for code in (301, 302, 303, 307, 308):
        with scripted("Stolen.") as other, scripted(redirect(f"{other.url}/chat/completions", code), key=KEY) as server:
            came, error = failure(stream(server.endpoint, MESSAGES, 50))
            assert came == []
            assert other.asked == []
            assert f"sends on to another address ({code})" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "Ä 北京 👩‍👩‍👧 \u200b\u202e",
        '"}]}\n\ndata: [DONE]\n\n',
        "data: x\r\n",
        "\u2028\x85\x0b\0",
        "<script>alert(1)</script>",
    ],
)
def test_every_text_goes_and_comes_as_it_is(text: str) -> None:
    with scripted(says(text)) as server:
        assert list(stream(server.endpoint, [{"role": "user", "content": text}], 50)) == [text]
        assert server.asked[0].messages == [{"role": "user", "content": text}]


def test_half_a_character_neither_goes_nor_comes() -> None:
    with scripted(says("a\ud83d", "b")) as server:
        assert list(stream(server.endpoint, [{"role": "user", "content": "\udc00?"}], 50)) == ["a\ufffd", "b"]
        assert server.asked[0].messages[0]["content"] == "\ufffd?"


def test_an_answer_that_is_as_long_as_it_may_be_is_one() -> None:
    with scripted(says("Ann", " fou", finish="length")) as server:
        assert list(stream(server.endpoint, MESSAGES, 2)) == ["Ann", " fou"]


def test_what_an_answer_cost_is_no_part_of_it() -> None:
    def costly(exchange: Exchange) -> None:
        exchange.head()
        exchange.delta("Ann.")
        exchange.delta(None, "stop")
        exchange.event({"choices": [], "usage": {"completion_tokens": 1, "prompt_tokens": 9, "total_tokens": 10}})

    with scripted(costly) as server:
        assert list(stream(server.endpoint, MESSAGES, 50)) == ["Ann."]


def test_many_are_answered_at_once_and_each_with_its_own() -> None:
    def echo(exchange: Exchange) -> None:
        says(*exchange.asked.messages[0]["content"].split(), pace=0.02)(exchange)

    came: dict[int, list[str]] = {}
    with scripted(echo) as server:

        def ask(number: int) -> None:
            question = [{"role": "user", "content": f"{number} {number + 1} {number + 2}"}]
            came[number] = list(stream(server.endpoint, question, 50))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert came == {number: [str(number), str(number + 1), str(number + 2)] for number in range(12)}


# --- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_says_what_to_do_and_shows_neither_key_nor_article(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour, pieces, says_ = FAILURES[name]
    monkeypatch.setattr(generate, "BETWEEN", 0.3 if says_ is FELL_SILENT else PATIENT)
    seconds = 0.3 if says_ is SILENT else PATIENT
    with caplog.at_level(logging.DEBUG), scripted(behaviour, key=KEY) as server:
        came, error = failure(stream(server.endpoint, MESSAGES, 50, seconds))
        assert came == pieces
        assert str(error) == f"The model scripted at {server.url} {says_}"
        assert len(server.asked) <= 1, "nothing is tried twice"
    assert caplog.records, "the libraries do tell something"
    for text in [repr(error), repr(server.endpoint), *traceback.format_exception(error), caplog.text]:
        assert KEY not in text
        assert ARTICLE not in text


@pytest.mark.parametrize(("code", "says_"), [(401, "asks for a key (401)"), (403, "asks for a key (403)")])
def test_a_server_that_wants_a_key_and_gets_none(code: int, says_: str) -> None:
    with scripted(status(code)) as server:
        came, error = failure(stream(server.endpoint, MESSAGES, 50))
        assert "Authorization" not in server.asked[0].headers
    assert str(error) == f"The model scripted at {server.url} {says_}; set QA_LLM_KEY to a valid one."
    assert came == []


def test_where_no_server_is() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    began = time.monotonic()
    _, error = failure(stream(Endpoint(f"http://127.0.0.1:{port}/v1", "m", KEY), MESSAGES, 50))
    assert str(error) == (
        f"The model m at http://127.0.0.1:{port}/v1 is not there; start that server, or correct QA_LLM_URL."
    )
    assert time.monotonic() - began < SOON, "and at once"


def test_a_machine_that_takes_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "CONNECT", 0.3)
    with closing(socket.socket()) as full, closing(socket.socket()) as first, closing(socket.socket()) as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        _, error = failure(stream(Endpoint(url, "m", KEY), MESSAGES, 50))
    assert str(error) == f"The model m at {url} is not there; start that server, or correct QA_LLM_URL."


def test_a_name_that_no_network_knows() -> None:
    _, error = failure(stream(Endpoint("http://models.invalid/v1", "m", KEY), MESSAGES, 50))
    assert str(error) == (
        "The model m at http://models.invalid/v1 is on a machine that no network knows; correct QA_LLM_URL."
    )


def test_a_server_that_does_not_speak_https() -> None:
    with scripted("Ann.") as server:
        url = server.url.replace("http:", "https:")
        _, error = failure(stream(Endpoint(url, "m", KEY), MESSAGES, 50))
    assert str(error) == (
        f"The model m at {url} is not reached by trusted https; give it a valid certificate, or correct QA_LLM_URL."
    )


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    _, error = failure(stream(Endpoint("http://127.0.0.1:1", "m", KEY), MESSAGES, 50))
    assert str(error) == (
        "The model m at http://127.0.0.1:1 cannot be asked, as a package is missing; "
        "run `make install`, or use no SOCKS proxy."
    )


def test_the_wait_between_words_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "BETWEEN", 0.3)
    with scripted(hangs("Ann")) as server:
        came, error = failure(stream(server.endpoint, MESSAGES, 50, seconds=60))
    assert came == ["Ann"]
    assert str(error) == f"The model scripted at {server.url} {FELL_SILENT}"


def test_a_reader_who_takes_his_time_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "BETWEEN", 0.3)
    with scripted(says("Ann", " found", " it")) as server:
        came = []
        for piece in stream(server.endpoint, MESSAGES, 50):
            time.sleep(0.4)
            came.append(piece)
    assert came == ["Ann", " found", " it"]


# --- what is stopped --------------------------------------------------------------------------------------------------


def gone(event: threading.Event) -> bool:
    return event.wait(SOON)


def no_thread_is_left() -> bool:
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        if not any(thread.name == "language model" for thread in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


def test_a_stop_ends_it_at_the_next_piece_and_the_server_sees_it() -> None:
    with scripted(says(*"abcdefgh", pace=0.1)) as server:
        came: list[str] = []
        came.extend(stream(server.endpoint, MESSAGES, 50, stopped=lambda: len(came) == 3))
        assert came == ["a", "b", "c"]
        assert gone(server.asked[0].left)
    assert no_thread_is_left()


@pytest.mark.parametrize("behaviour", [hangs(head=False), hangs(), hangs(pings=0.05)])
def test_a_stop_ends_the_wait_for_the_first_word(behaviour: Behaviour) -> None:
    with scripted(behaviour) as server:
        began = time.monotonic()
        assert list(stream(server.endpoint, MESSAGES, 50, stopped=lambda: bool(server.asked))) == []
        assert time.monotonic() - began < SOON
        assert gone(server.asked[0].left)
    assert no_thread_is_left()


def test_closing_it_early_closes_the_connection() -> None:
    with scripted(says(*"abcdefgh", pace=0.1)) as server:
        pieces = stream(server.endpoint, MESSAGES, 50)
        assert next(pieces) == "a"
        assert not server.asked[0].left.is_set()
        pieces.close()
        assert gone(server.asked[0].left)
    assert no_thread_is_left()


def test_an_error_of_the_reader_closes_the_connection() -> None:
    def read(pieces: Iterator[str]) -> None:
        for _ in pieces:
            raise KeyError

    with scripted(says(*"abcdefgh", pace=0.1)) as server:
        with pytest.raises(KeyError):
            read(stream(server.endpoint, MESSAGES, 50))
        assert gone(server.asked[0].left)


def test_what_came_to_its_end_was_not_left() -> None:
    with scripted("Ann found it.") as server:
        list(stream(server.endpoint, MESSAGES, 50))
        assert gone(server.asked[0].served)
        assert not server.asked[0].left.is_set()
    assert no_thread_is_left()


@pytest.mark.parametrize("name", ["silence", "silence in the middle with signs of life", "a page that does not end"])
def test_what_is_too_slow_is_left(name: str) -> None:
    with scripted(FAILURES[name][0]) as server:
        failure(stream(server.endpoint, MESSAGES, 50, seconds=1))
        assert gone(server.asked[0].left)
    assert no_thread_is_left()


def test_a_stop_while_it_is_still_connecting_closes_what_is_then_connected() -> None:
    with scripted(hangs(head=False)) as server:
        call = generate._Call(server.endpoint, MESSAGES, 50)
        call.close()
        call.start()
        assert isinstance(call.said.get(timeout=SOON), ModelError)
    assert no_thread_is_left()


def test_what_is_stopped_before_it_begins_or_never_read_is_never_sent() -> None:
    with scripted("Ann.") as server:
        assert list(stream(server.endpoint, MESSAGES, 50, stopped=lambda: True)) == []
        stream(server.endpoint, MESSAGES, 50)
        assert server.asked == []


# --- the settings and the doctor --------------------------------------------------------------------------------------


def test_the_settings_name_the_model_or_none() -> None:
    assert endpoint(Settings()) is None
    assert endpoint(Settings(llm_model="m", llm_key=KEY)) is None
    named = endpoint(Settings(llm_url="http://127.0.0.1:8080/v1", llm_model="m", llm_key=KEY))
    assert named == Endpoint("http://127.0.0.1:8080/v1", "m", KEY)
    assert repr(named) == "Endpoint(url='http://127.0.0.1:8080/v1', model='m')"
    assert str(named) == "The model m at http://127.0.0.1:8080/v1"


def test_a_probe_tells_the_speed_of_an_answer_in_many_pieces_only() -> None:
    with scripted(says(*"abcdefghijk", pace=0.05), says("a b c d e f g h i j k")) as server:
        many, one = probe(server.endpoint), probe(server.endpoint)
    about = re.escape(f"scripted at {server.url} answers in")
    assert (told := re.fullmatch(rf"{about} \d\.\d s \((\d+) tokens a second\)", many))
    assert 0 < int(told[1]) <= 20
    assert re.fullmatch(rf"{about} \d\.\d s", one)


@pytest.fixture
def examined(library: Library, monkeypatch: pytest.MonkeyPatch) -> Callable[..., doctor.Finding]:
    """What the doctor finds of the model; the weights of the others are not loaded for it."""
    monkeypatch.setattr(models, "load_embedder", lambda settings: library.embedder)
    monkeypatch.setattr(models, "token_counter", lambda settings: words)

    def examine(named: Endpoint | None = None) -> doctor.Finding:
        chosen = Settings(
            corpus=library.corpus,
            store=library.store_folder,
            reranker="none",
            llm_url=named.url if named else "",
            llm_model=named.model if named else "",
            llm_key=named.key if named else "",
        )
        (finding,) = [finding for finding in doctor.examine(chosen) if finding.about == "model"]
        return finding

    return examine


def test_the_doctor_says_that_no_model_is_needed(examined: Callable[..., doctor.Finding]) -> None:
    assert examined() == doctor.Finding("model", True, "switched off; answers are made of quotes")


def test_the_doctor_asks_the_model(examined: Callable[..., doctor.Finding]) -> None:
    with scripted("One.", status(401), key=KEY) as server:
        well, ill = examined(server.endpoint), examined(server.endpoint)
    assert well.ok
    assert well.says.startswith(f"scripted at {server.url} answers in ")
    assert not ill.ok
    assert ill.says.startswith(f"The model scripted at {server.url} does not take the key (401);")


# --- a real model -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smol() -> Iterator[Endpoint]:
    with smollm(context=1024, key=KEY) as named:
        yield named


SALT = [{"role": "user", "content": "Tell me about salt."}]


def test_a_real_model_writes_word_by_word_and_the_same_again(smol: Endpoint) -> None:
    first, again = (list(stream(smol, SALT, 12)) for _ in range(2))
    assert len(first) > 5
    assert "salt" in "".join(first).lower()
    assert first == again


def test_a_real_model_stops_when_the_reader_leaves(smol: Endpoint) -> None:
    pieces = stream(smol, SALT, 900)  # It has one place, and would be busy for fifteen seconds.
    next(pieces)
    pieces.close()
    began = time.monotonic()
    next(stream(smol, SALT, 900))
    assert time.monotonic() - began < SOON


def test_a_real_model_says_when_it_cannot_read_so_much(smol: Endpoint) -> None:
    _, error = failure(stream(smol, [{"role": "user", "content": f"{ARTICLE} " * 200}], 12))
    assert str(error) == f"The model smollm2 at {smol.url} {TOO_MUCH}"


def test_a_real_server_wants_its_key(smol: Endpoint) -> None:
    _, wrong = failure(stream(Endpoint(smol.url, smol.model, "another"), SALT, 12))
    _, none = failure(stream(Endpoint(smol.url, smol.model), SALT, 12))
    assert "does not take the key (401)" in str(wrong)
    assert "asks for a key (401)" in str(none)


def test_a_real_server_without_the_path_says_so(smol: Endpoint) -> None:
    _, error = failure(stream(Endpoint(f"{smol.url}/v2", smol.model, smol.key), SALT, 12))
    assert str(error) == f"The model smollm2 at {smol.url}/v2 {UNKNOWN}"


def test_the_doctor_asks_a_real_model(smol: Endpoint, examined: Callable[..., doctor.Finding]) -> None:
    finding = examined(smol)
    print(finding.says)
    assert finding.ok
    assert finding.says.startswith(f"smollm2 at {smol.url} answers in ")
    assert finding.says.endswith(" tokens a second)")


def test_a_real_server_ends_with_its_test() -> None:
    with smollm(context=256) as named:
        assert list(stream(named, SALT, 2))
    _, error = failure(stream(named, SALT, 2))
    assert str(error).endswith("is not there; start that server, or correct QA_LLM_URL.")
