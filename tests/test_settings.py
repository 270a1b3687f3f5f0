from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from qa import QAError
from qa.settings import Settings

BAD_AUTH = "QA_AUTH is not a name, a colon and a password of 8 characters or more; set it so, or unset it."


def load(tmp_path: Path, toml: str = "", **environ: str) -> Settings:
    file = tmp_path / "qa.toml"
    file.write_text(toml, "utf-8")
    return Settings.load(environ, file)


def test_without_a_word_the_page_is_served_to_this_machine_and_asks_for_no_password(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings() == Settings.load({}, tmp_path / "missing.toml")
    assert (settings.host, settings.port, settings.auth, settings.local) == ("127.0.0.1", 7860, "", True)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_only_this_machines_own_addresses_are_local(tmp_path: Path, host: str, local: bool) -> None:
    settings = load(tmp_path, QA_HOST=host)
    assert (settings.host, settings.local) == (host, local)


def test_the_environment_wins_over_the_file_and_what_is_given_over_both(tmp_path: Path) -> None:
    toml = 'host = "::1"\nport = 7000\nauth = "desk:from the file"\n'
    assert load(tmp_path, toml) == replace(Settings(), host="::1", port=7000, auth="desk:from the file")
    set_ = load(tmp_path, toml, QA_HOST="0.0.0.0", QA_AUTH="desk:from outside")
    assert (set_.host, set_.port, set_.auth) == ("0.0.0.0", 7000, "desk:from outside")
    assert load(tmp_path, toml, QA_HOST="").host == "::1", "an empty variable is none"
    given = Settings.load({"QA_HOST": "0.0.0.0"}, tmp_path / "qa.toml", host="localhost", port=None)
    assert (given.host, given.port) == ("localhost", 7000)


@pytest.mark.parametrize(
    "auth", ["desk:12345678", "desk:correct horse", "d:häßlich:e 👩‍👩‍👧", "The Desk:::::::::", "desk:\t       "]
)
def test_a_name_and_a_password(tmp_path: Path, auth: str) -> None:
    assert load(tmp_path, QA_AUTH=auth).auth == auth


@pytest.mark.parametrize(
    "auth",
    ["hunter2hunter2", "desk:hunter2", ":hunter2hunter2", "desk:", ":", " ", "desk:hunter2\nhunter2"],
)
def test_what_is_no_name_and_password_is_said_without_saying_it(tmp_path: Path, auth: str) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, QA_AUTH=auth)
    assert str(raised.value) == BAD_AUTH
    assert "hunter2" not in repr(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("toml", ["auth = false", "auth = 0", "auth = []", "auth = true", "auth = 12345678"])
def test_in_the_file_it_is_a_text(tmp_path: Path, toml: str) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, toml)
    assert str(raised.value) == BAD_AUTH
    assert load(tmp_path, 'auth = ""').auth == ""


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, QA_AUTH="desk:hunter2hunter2")
    assert settings.auth == "desk:hunter2hunter2"
    for text in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert "hunter2" not in text
        assert "desk" not in text
    assert "host='127.0.0.1'" in repr(settings)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80.0", "eighty", "٨٠", " 80", "123456"])
def test_what_is_no_port_is_said(tmp_path: Path, port: str) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, QA_PORT=port)
    assert str(raised.value) == f"The port '{port}' is not a number from 1 to 65535; set QA_PORT to one that is free."


def test_a_setting_that_does_not_exist_is_said_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, 'password = "hunter2"')
    assert str(raised.value) == (
        f"{tmp_path / 'qa.toml'} has a setting 'password' that does not exist; use one of: auth, cache, corpus, "
        "embedder, host, llm_context, llm_key, llm_model, llm_url, port, reader, reranker, store."
    )


def test_folders_are_paths_and_home_is_found(tmp_path: Path) -> None:
    settings = load(tmp_path, 'corpus = "news"', QA_STORE="~/index")
    assert settings.corpus == Path("news")
    assert settings.store == Path("~/index").expanduser()
    with pytest.raises(QAError, match=r"^The folder '~nobody-of-that-name/x' names no known user; set QA_CACHE to an"):
        load(tmp_path, QA_CACHE="~nobody-of-that-name/x")


def test_a_language_model_is_named_by_address_name_and_key(tmp_path: Path) -> None:
    without = load(tmp_path)
    assert (without.llm_url, without.llm_model, without.llm_key) == ("", "", "")
    toml = 'llm_url = "https://models.example/v1/"\nllm_model = "large"\nllm_key = "from-the-file"\n'
    settings = load(tmp_path, toml)
    assert (settings.llm_url, settings.llm_model) == ("https://models.example/v1", "large"), "no slash at the end"
    assert settings.llm_key == "from-the-file"
    assert load(tmp_path, toml, QA_LLM_MODEL="small", QA_LLM_KEY="from-outside").llm_key == "from-outside"
    assert load(tmp_path, 'llm_url = ""\nllm_model = "large"').llm_url == "", "an empty address is none"
    whole = "https://models.example/v1/chat/completions"
    assert load(tmp_path, QA_LLM_URL=whole, QA_LLM_MODEL="m").llm_url == "https://models.example/v1"


@pytest.mark.parametrize("tokens", ["abc", "-5", "0", "1.5", ""])
def test_a_context_that_is_no_number_is_said(tmp_path: Path, tokens: str) -> None:
    if not tokens:
        assert load(tmp_path, QA_LLM_CONTEXT=tokens).llm_context == 4096
        return
    assert load(tmp_path, QA_LLM_CONTEXT="512").llm_context == 512
    said = f"^QA_LLM_CONTEXT is '{re.escape(tokens)}', which is no number of tokens; set it to one, such as 4096\\.$"
    with pytest.raises(QAError, match=said):
        load(tmp_path, QA_LLM_CONTEXT=tokens)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "http://[::1]:8080", "http://localhost/v1", "https://a.example:65535/x/y/v1"]
)
def test_where_a_language_model_may_be(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, QA_LLM_URL=url, QA_LLM_MODEL="m").llm_url == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "localhost:8080/v1",
        "ftp://a.example/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://a.example:0/v1",
        "http://a.example:65536/v1",
        "http://a.example:port/v1",
        "http://[::1/v1",
        "http://ann:hunter2@a.example/v1",
        "http://a.example/v1?key=hunter2",
        "http://a.example/v1#hunter2",
        "http://a.example/v1 ",
        "http://a.example/\nv1",
        "http://exämple/v1",
    ],
)
def test_what_is_no_address_of_a_server_is_said_without_saying_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, QA_LLM_URL=url, QA_LLM_MODEL="m", QA_LLM_KEY="hunter2")
    assert str(raised.value) == (
        "QA_LLM_URL is not an http or https address without password or query, such as http://127.0.0.1:8080/v1; "
        "set it so, or unset it."
    )
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_an_address_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, QA_LLM_URL="http://127.0.0.1:8080/v1")
    assert str(raised.value) == (
        "QA_LLM_URL names a server and no model on it; set QA_LLM_MODEL too, or unset QA_LLM_URL."
    )


@pytest.mark.parametrize("key", ["hunter2 hunter2", "hunter2\n", "hunter2\r\nX-Other: 1", "hünter2", "\0"])
def test_what_is_no_key_is_said_without_saying_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(QAError) as raised:
        load(tmp_path, QA_LLM_KEY=key)
    assert str(raised.value) == (
        "QA_LLM_KEY holds a character that no key has, such as a space; copy it anew, or unset it."
    )


def test_a_key_is_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, QA_LLM_URL="http://127.0.0.1:1", QA_LLM_MODEL="m", QA_LLM_KEY="hunter2")
    for text in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert "hunter2" not in text
