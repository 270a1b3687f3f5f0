"""The README shows what really happens."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qa.cli import _parser
from tests.conftest import CORPUS, ROOT

README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("readme")
    shutil.copytree(CORPUS, made / "corpus")
    return made


@pytest.mark.slow
def test_the_python_session_is_real(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (session,) = re.findall(r"```python\n(.*?)```", README, re.S)
    test = doctest.DocTestParser().get_doctest(session, {}, "README", None, None)
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.slow
def test_the_terminal_session_is_real(folder: Path) -> None:
    qa = str(Path(sys.executable).with_name("qa"))
    subprocess.run([qa, "index"], cwd=folder, check=True, capture_output=True)
    ((question, printed),) = re.findall(r'```console\n\$ qa ask "(.*?)"\n(.*?)```', README, re.S)
    done = subprocess.run([qa, "ask", question], cwd=folder, check=True, capture_output=True, text=True)
    assert done.stdout == printed


def test_every_command_is_in_the_readme() -> None:
    commands = set(re.findall(r"^    (\w+)  ", _parser().format_help(), re.M))
    assert commands == set(re.findall(r"^\| `qa (\w+)", README, re.M))


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
