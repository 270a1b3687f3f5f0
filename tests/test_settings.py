from __future__ import annotations

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
        "embedder, host, port, reranker, store."
    )


def test_folders_are_paths_and_home_is_found(tmp_path: Path) -> None:
    settings = load(tmp_path, 'corpus = "news"', QA_STORE="~/index")
    assert settings.corpus == Path("news")
    assert settings.store == Path("~/index").expanduser()
    with pytest.raises(QAError, match=r"^The folder '~nobody-of-that-name/x' names no known user; set QA_CACHE to an"):
        load(tmp_path, QA_CACHE="~nobody-of-that-name/x")
