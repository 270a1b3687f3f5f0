from __future__ import annotations

import inspect
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qa import Assistant, api
from qa.types import Filters, Passage, StoreError
from tests.conftest import Library

FERRY = """The ferry to Holm

Published on: May 3, 2021

The ferry carried forty goats to the island on Monday, and it came back empty. 👩‍👩‍👧 The captain
said that no goat was seasick.

2 comments

1. Bo Brandt
The goats of Holm are the finest goats of all.

2. Carla Voss
I saw seals from the deck of the ferry.
"""
MILL = """---
title: The mill of Lund
date: 2023-02-01
url: https://www.paper.example/mill
---

The mill of Lund was sold to Ada Lind in spring, for a crown, and the ferry carried its wheel.
"""
GOATS = "How many goats did the ferry carry to the island?"


@pytest.fixture
def goats(library: Library) -> Library:
    library.write("holm/ferry.txt", FERRY)
    library.write("mill.md", MILL)
    library.build()
    return library


@pytest.fixture
def client(goats: Library) -> Iterator[TestClient]:
    with opened(api.tools(goats.assistant)) as client:
        yield client


def opened(tools: list[api.Tool], side_by_side: int = 2) -> TestClient:
    return TestClient(Starlette(routes=api.routes(tools, side_by_side)))


def plain(passages: list[Passage]) -> list[dict[str, Any]]:
    """Passages as the service gives them."""
    return [
        {
            "text": each.text,
            "source": each.source,
            "start": each.start,
            "end": each.end,
            "title": each.title,
            "date": each.date,
            "kind": each.kind,
            "score": each.score,
        }
        for each in passages
    ]


def refused(reply: Any, status: int = 400) -> str:
    """The sentence of a refusal; it is all that is in it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    sent = reply.json()
    assert list(sent) == ["error"]
    return str(sent["error"])


# --- what is answered -------------------------------------------------------------------------------------------------


def test_passages_are_those_of_the_assistant(client: TestClient, goats: Library) -> None:
    expected = plain(goats.assistant.retrieve(GOATS, 5))
    assert len(expected) == 2
    assert client.get("/api/retrieve", params={"question": GOATS}).json() == {"passages": expected}
    assert client.post("/api/retrieve", json={"question": GOATS}).json() == {"passages": expected}
    one = plain(goats.assistant.retrieve(GOATS, 1, include_comments=True))
    asked: dict[str, Any] = {"question": GOATS, "k": 1, "include_comments": True}
    assert client.post("/api/retrieve", json=asked).json() == {"passages": one}
    assert client.get("/api/retrieve", params=asked).json() == {"passages": one}
    assert client.get(f"/api/retrieve?question={GOATS}&k=1&include_comments=1").json() == {"passages": one}


def test_an_answer_is_that_of_the_assistant(client: TestClient, goats: Library) -> None:
    answer = goats.assistant.ask(GOATS)
    expected = {
        "question": answer.question,
        "text": answer.text,
        "answered": answer.answered,
        "confidence": answer.confidence,
        "short": None,
        "quotes": [asdict(quote) for quote in answer.quotes],
        "statements": [],
        "model": "",
        "note": "",
    }
    assert expected["quotes"]
    assert client.get("/api/ask", params={"question": GOATS}).json() == expected
    assert client.post("/api/ask", json={"question": GOATS, "history": None, "outlets": None}).json() == expected


@pytest.mark.parametrize(
    "chosen",
    [
        {"since": "2022"},
        {"until": "2022-12"},
        {"since": "2021-05-03", "until": "2021"},
        {"outlets": ["holm"]},
        {"outlets": ["holm", "paper.example"]},
        {"documents": ["mill.md"]},
        {"documents": ["mill.md", "holm/ferry.txt"], "outlets": ["holm"]},
        {"documents": [], "outlets": []},
    ],
)
@pytest.mark.parametrize("tool", ["retrieve", "ask"])
def test_filters_are_those_of_the_assistant(
    client: TestClient, goats: Library, tool: str, chosen: dict[str, Any]
) -> None:
    outlets, documents = (tuple(chosen.get(name, ())) for name in ("outlets", "documents"))
    filters = Filters(chosen.get("since", ""), chosen.get("until", ""), outlets, documents)
    expected = {each.source for each in goats.assistant.retrieve(GOATS, 5, filters=filters)}
    sent = {"question": GOATS, **chosen}
    got = [client.post(f"/api/{tool}", json=sent).json(), client.get(f"/api/{tool}", params=sent).json()]
    assert got[0] == got[1]
    found = {each["source"] for each in got[0]["passages" if tool == "retrieve" else "quotes"]}
    assert found == expected if tool == "retrieve" else found <= expected


def test_a_follow_up_is_understood_by_its_history(client: TestClient, goats: Library) -> None:
    history = [
        {"role": "user", "content": "Who bought the mill of Lund?"},
        {"role": "assistant", "content": "The mill of Lund was sold to Ada Lind in spring."},
    ]
    asked = {"question": "And when did she buy it?", "history": history}
    expected = goats.assistant.ask("And when did she buy it?", history)
    got = client.post("/api/ask", json=asked).json()
    assert got["question"] == expected.question != asked["question"]
    assert got["quotes"] == [asdict(quote) for quote in expected.quotes]


def test_every_offset_is_exact_in_the_document(client: TestClient) -> None:
    asked = {"question": "What did the captain say of goats and seals?", "include_comments": True}
    places = client.post("/api/ask", json=asked).json()["quotes"]
    places += client.post("/api/retrieve", json=asked).json()["passages"]
    assert {place["kind"] for place in places} == {"body", "comment"}
    for place in places:
        text = client.get("/api/document", params={"source": place["source"]}).json()["text"]
        assert text[place["start"] : place["end"]] == place["text"]


def test_a_document_is_its_exact_text_with_its_labelled_parts(client: TestClient, goats: Library) -> None:
    document, parts = goats.assistant.labelled("mill.md")
    got = client.get("/api/document", params={"source": "mill.md"}).json()
    assert got == client.post("/api/document", json={"source": "mill.md"}).json()
    assert got == {
        **asdict(document),
        "pages": list(document.pages),
        "segments": [{"kind": part.kind, "start": part.span.start, "end": part.span.end} for part in parts],
    }
    assert got["text"] == MILL
    assert (got["title"], got["date"], got["url"]) == (
        "The mill of Lund",
        "2023-02-01",
        "https://www.paper.example/mill",
    )
    assert [part["kind"] for part in got["segments"]] == ["boilerplate", "body"]


def test_a_verdict_is_that_of_the_assistant(client: TestClient, goats: Library) -> None:
    text = "The ferry carried forty goats to the island on Monday, and it came back empty. No goat was eaten."
    expected = json.loads(json.dumps([asdict(each) for each in goats.assistant.verify_quote(text)]))
    assert [each["found"] for each in expected] == ["exact", "not found"]
    assert client.get("/api/verify_quote", params={"text": text}).json() == {"verdicts": expected}
    assert client.post("/api/verify_quote", json={"text": text}).json() == {"verdicts": expected}
    asked = {"text": "‘The FERRY carried\n its wheel’", "source": "holm/ferry.txt"}
    (verdict,) = client.post("/api/verify_quote", json=asked).json()["verdicts"]
    assert (verdict["text"], verdict["found"]) == (asked["text"], "elsewhere")
    (place,) = verdict["quotes"]
    assert (place["source"], place["text"]) == ("mill.md", "the ferry carried its wheel")
    assert MILL[place["start"] : place["end"]] == place["text"]
    unknown = client.get("/api/verify_quote", params={"text": "goats", "source": "gone.txt"})
    assert refused(unknown, 404).startswith("No document 'gone.txt' ")


def test_a_document_that_is_not_there_is_not_found(client: TestClient) -> None:
    for source in ("gone.txt", "", "../mill.md", "/etc/passwd", "mill.md\x00", "MILL.MD"):
        sentence = refused(client.post("/api/document", json={"source": source}), 404)
        assert sentence == f"No document '{source}' is in the index; check its name, or run `qa index` to add it."
    assert refused(client.get("/api/document?source=gone.txt"), 404).startswith("No document ")


def test_without_an_index_it_is_not_available(library: Library) -> None:
    with opened(api.tools(library.assistant)) as client:
        for path in ("ask?question=who", "retrieve?question=who", "document?source=a.txt", "verify_quote?text=who"):
            assert "run `qa index`" in refused(client.get(f"/api/{path}"), 503)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "sent", "sentence"),
    [
        ("ask", {}, "The parameter 'question' is missing; send it."),
        ("ask", {"question": "  "}, "The question is empty; type at least one word."),
        (
            "ask",
            {"question": "who", "k": 5},
            "There is no parameter 'k'; use question, history, include_comments, since, until, outlets, documents.",
        ),
        ("document", {"source": "a", "x" * 50: 1}, f"There is no parameter '{'x' * 40}'; use source."),
        ("document", {"document": "a.txt"}, "There is no parameter 'document'; use source."),
        ("retrieve", {"question": "who", "k": 0}, "0 passages cannot be retrieved; ask for a number from 1 to 100."),
        (
            "retrieve",
            {"question": "who", "k": 101},
            "101 passages cannot be retrieved; ask for a number from 1 to 100.",
        ),
        (
            "ask",
            {"question": "who", "since": "yesterday"},
            "'yesterday' is no date; write a year, a month or a day: 2024, 2024-03 or 2024-03-05.",
        ),
        (
            "retrieve",
            {"question": "who", "since": "2024", "until": "2023"},
            "The range from 2024 to 2023 is empty; put the earlier date first.",
        ),
        (
            "ask",
            {"question": "who", "documents": ["gone.txt"]},
            "The index has no document 'gone.txt'; check how it is written, or run `qa index` to add what is new.",
        ),
        (
            "ask",
            {"question": "who", "outlets": ["nobody"]},
            "The index has no outlet 'nobody'; check how it is written, or run `qa index` to add what is new.",
        ),
        ("verify_quote", {}, "The parameter 'text' is missing; send it."),
        ("verify_quote", {"text": " …"}, "The quote is empty; type at least one word."),
        ("verify_quote", {"text": "a " * 10_001}, "The quote has 20,002 characters; check at most 20,000 at once."),
        ("verify_quote", {"text": "who", "k": 5}, "There is no parameter 'k'; use text, source."),
        ("ask", {"question": "who " * 501}, "The question has 2,003 characters; shorten it to at most 2,000."),
    ],
)
def test_what_cannot_be_asked_is_said(client: TestClient, tool: str, sent: dict[str, Any], sentence: str) -> None:
    assert refused(client.post(f"/api/{tool}", json=sent)) == sentence
    assert refused(client.get(f"/api/{tool}", params=sent)) == sentence


WRONG = [
    ("ask", {"question": 5}),
    ("ask", {"question": None}),
    ("ask", {"question": ["who", "what"]}),
    ("ask", {"question": {"text": "who"}}),
    ("ask", {"question": "who", "history": "before"}),
    ("ask", {"question": "who", "history": ["before"]}),
    ("ask", {"question": "who", "history": [{"role": "user", "content": 5}]}),
    ("ask", {"question": "who", "history": [{"role": "user", "content": ["before"]}]}),
    ("ask", {"question": "who", "include_comments": "perhaps"}),
    ("ask", {"question": "who", "since": 2024}),
    ("ask", {"question": "who", "since": None}),
    ("ask", {"question": "who", "outlets": "holm"}),
    ("ask", {"question": "who", "outlets": [5]}),
    ("retrieve", {"question": "who", "k": "many"}),
    ("retrieve", {"question": "who", "k": 1.5}),
    ("retrieve", {"question": "who", "k": None}),
    ("retrieve", {"question": "who", "k": float("inf")}),
    ("retrieve", {"question": "who", "k": float("nan")}),
    ("document", {"source": ["mill.md", "holm/ferry.txt"]}),
    ("document", {"source": True}),
    ("verify_quote", {"text": ["who", "what"]}),
    ("verify_quote", {"text": "who", "source": None}),
]


@pytest.mark.parametrize(("tool", "sent"), WRONG)
def test_what_is_of_another_type_is_said_with_its_name(client: TestClient, tool: str, sent: dict[str, Any]) -> None:
    sentence = refused(client.post(f"/api/{tool}", content=json.dumps(sent)))
    assert sentence.startswith(f"The parameter '{list(sent)[-1]}' is not as it should be: ")
    assert sentence.endswith("; mend it.")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ask?question=who&question=what", "question"),
        ("ask?question=who&history=before", "history"),
        ("ask?question=who&include_comments=perhaps", "include_comments"),
        ("retrieve?question=who&k=many", "k"),
        ("retrieve?question=who&k=1&k=2", "k"),
        ("retrieve?question=who&k=", "k"),
        ("retrieve?question=who&k=" + "9" * 5000, "k"),
    ],
)
def test_so_it_is_in_a_query(client: TestClient, query: str, name: str) -> None:
    sentence = refused(client.get(f"/api/{query}"))
    assert sentence.startswith(f"The parameter '{name}' is not as it should be: ")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"who",
        b"question=who",
        b'{"question": "who"',
        b'{"question": "who",}',
        b'\xff{"question": "who"}',
        b'{"question": "\xff"}',
        '{"question": "who"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"question":' * 50_000,
        b'{"question": "\\ud800"}',
        b'{"question": "who \\udfff left"}',
        b'{"question": "who", "since": "\\ud800"}',
        b'{"question": "who", "until": "\\udc00\\ud800"}',
        b'{"question": "who", "outlets": ["\\ud800"]}',
        b'{"question": "who", "documents": ["\\ud800"]}',
        b'{"question": "who", "history": [{"role": "user", "content": "\\ud800"}]}',
        b'{"\\ud800": "who"}',
        b'{"question": "\xed\xa0\x80"}',
    ],
)
def test_what_is_no_json_is_said(client: TestClient, body: bytes) -> None:
    for tool in ("ask", "retrieve", "document"):
        sentence = refused(client.post(f"/api/{tool}", content=body))
        assert sentence.startswith("The request is no JSON (")
        assert sentence.endswith('); send an object such as {"question": "…"}.')
        assert len(sentence) < 200


def test_half_a_character_is_in_no_name(client: TestClient) -> None:
    assert "The request is no JSON" in refused(client.post("/api/document", content=b'{"source": "\\ud800"}'))
    assert refused(client.get("/api/document?source=%ed%a0%80"), 404).startswith("No document ")
    whole = client.post("/api/ask", content=b'{"question": "who \\ud83d\\ude00 left"}')
    assert whole.json()["question"] == "who 😀 left"


@pytest.mark.parametrize("body", [b"[]", b"5", b'"who"', b"null", b'[{"question": "who"}]'])
def test_what_is_no_object_is_said(client: TestClient, body: bytes) -> None:
    sentence = refused(client.post("/api/ask", content=body))
    assert sentence == 'The request is no JSON object; send one such as {"question": "…"}.'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(values=st.dictionaries(st.sampled_from(["question", "k", "history", "since", "outlets", "source"]), JSON))
def test_no_value_breaks_the_service(values: dict[str, Any]) -> None:
    def nothing(question: str = "", k: int = 5, history: list[dict[str, str]] | None = None,
                since: str = "", outlets: list[str] | None = None) -> dict[str, Any]:  # fmt: skip
        raise StoreError("There is no index; run `qa index`.")

    reply = opened([nothing]).post("/api/nothing", content=json.dumps(values))
    assert reply.status_code in {400, 503}
    assert reply.json()["error"].endswith(".")


# --- how much is taken ------------------------------------------------------------------------------------------------

TOO_LONG = "The request is longer than 1,000,000 bytes; shorten it."


def test_a_body_that_is_too_long_is_refused(client: TestClient) -> None:
    body = b'{"source": "mill.md"}'
    fits = body + b" " * (api.MAX_BODY - len(body))
    assert client.post("/api/document", content=fits).json()["text"] == MILL
    assert refused(client.post("/api/document", content=fits + b" ")) == TOO_LONG
    assert refused(client.post("/api/document", content=b"x" * (api.MAX_BODY * 3))) == TOO_LONG


def test_it_is_counted_whatever_length_is_announced(client: TestClient) -> None:
    def parts(size: int) -> Iterator[bytes]:
        yield b'{"source": '
        yield b" " * size
        yield b'"mill.md"}'

    assert client.post("/api/document", content=parts(9)).json()["text"] == MILL
    assert refused(client.post("/api/document", content=parts(api.MAX_BODY))) == TOO_LONG
    for announced in ("5", "-5", "many", ""):
        sent = client.post("/api/document", content=parts(api.MAX_BODY), headers={"content-length": announced})
        assert refused(sent) == TOO_LONG


def test_only_get_and_post_are_answered(client: TestClient) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/api/ask").status_code == 405
    assert client.get("/api/tools").status_code == 404
    head = client.head("/api/document", params={"source": "mill.md"})
    assert head.status_code == 200


def test_so_many_are_worked_on_side_by_side_and_the_others_wait() -> None:
    lock = threading.Lock()
    running: list[int] = [0]
    most: list[int] = [0]

    def slow(question: str) -> dict[str, Any]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return {"said": question}

    with opened([slow], side_by_side=2) as client, ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: client.get(f"/api/slow?question={n}").json(), range(8)))
    assert replies == [{"said": str(number)} for number in range(8)]
    assert most == [2]


# --- as tools ---------------------------------------------------------------------------------------------------------


def test_the_tools_have_names_and_words_for_a_model(goats: Library) -> None:
    tools = api.tools(goats.assistant)
    assert [tool.__name__ for tool in tools] == ["retrieve", "ask", "document", "verify_quote"]
    for tool in tools:
        assert tool.__doc__
        for name in tool.__annotations__.keys() - {"return"}:
            assert f"            {name}: " in tool.__doc__


def test_a_model_reads_the_same_as_json(goats: Library) -> None:
    every = ({"question": GOATS}, {"question": GOATS}, {"source": "mill.md"}, {"text": "forty goats"})
    for tool, sent in zip(api.tools(goats.assistant), every, strict=True):
        told = api.as_text(tool)
        assert json.loads(told(**sent)) == json.loads(json.dumps(tool(**sent)))
        assert (told.__name__, told.__doc__) == (tool.__name__, tool.__doc__)
        assert inspect.signature(told).parameters == inspect.signature(tool).parameters
        assert inspect.signature(told).return_annotation is str
    assert "👩‍👩‍👧" in api.as_text(api.tools(goats.assistant)[2])("holm/ferry.txt")


def test_with_the_real_weights_every_quote_is_where_it_says(assistant: Assistant) -> None:
    with opened(api.tools(assistant)) as client:
        question = "What does Mexico say about the war in Ukraine?"
        got = client.post("/api/ask", json={"question": question}).json()
        assert got["answered"]
        assert len(got["quotes"]) > 1
        for quote in got["quotes"]:
            text = client.get("/api/document", params={"source": quote["source"]}).json()["text"]
            assert text[quote["start"] : quote["end"]] == quote["text"]
