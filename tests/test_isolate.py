"""A file that was made to break its reader costs bounded time and memory, is reported, and the rest is indexed."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from qa.readers import isolate
from qa.readers.child import IDLE, LENGTHS, MAX_HEAD, sound
from qa.readers.isolate import VARIABLES, Child, command
from qa.types import CorpusError, Extract, Segment, Span
from tests.conftest import SHARED, Library, heed_ctrl_c

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

MOST = 1_000
"""Characters of a text, here."""

READERS = r"""
import ctypes, os, resource, subprocess, sys, time
from qa.types import CorpusError, Extract, Segment, Span

seen = []


def reader(function):
    def read(data):
        seen.append(function)
        made = function(data)
        return made if isinstance(made, Extract) else Extract(str(made))
    return read


def loop(data):
    while True:
        pass

def recurse(data):
    return recurse(data)

def eat(data):
    held = []
    while True:
        held.append(bytearray(10_000_000))

def nibble(data):
    held = []
    while True:
        held.append(bytes(400))

def shout(data):
    print("x" * 1_000_000)
    os.write(1, b"y" * 1_000_000)
    for _ in range(10):
        os.write(2, b"z" * 1_000_000)
    return sys.stdin.read() + "said"

def refuse(data):
    raise CorpusError("is\x1b[2J locked; save it\nopen")

def fail(data):
    raise LookupError("secret")

def write(data):
    with open(data.decode(), "w") as file:
        file.write("x" * 100_000)

def dislike_company(data):
    if len(seen) > 1:
        os.abort()
    return "alone"

def leave_behind(data):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(data.decode(), "w") as told:  # It is empty: the number is its name.
        os.rename(data.decode(), f"{data.decode()}-{sleeper.pid}")
    loop(data)

READERS = {
    ".fine": lambda data: data.decode(),
    ".loop": loop,
    ".nap": lambda data: time.sleep(1),
    ".sleep": lambda data: time.sleep(60),
    ".recurse": recurse,
    ".eat": eat,
    ".nibble": nibble,
    ".exit": lambda data: os._exit(0),
    ".abort": lambda data: os.abort(),
    ".segfault": lambda data: ctypes.string_at(0),
    ".shout": shout,
    ".refuse": refuse,
    ".fail": fail,
    ".lacks": lambda data: __import__("no_such_package"),
    ".write": write,
    ".huge": lambda data: "x" * 1001,
    ".odd": lambda data: Extract("a\x00\ud800\udc00😀", title="\udfff\x00 b", parts=(Segment(Span(0, 5), "body"),)),
    ".pid": lambda data: os.getpid(),
    ".variables": lambda data: sorted(os.environ.items()),
    ".open": lambda data: sorted(os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in os.listdir("/proc/self/fd")
                                 if os.path.exists(f"/proc/self/fd/{n}")),
    ".limits": lambda data: [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
                             for name in ("AS", "FSIZE", "CORE", "NPROC")],
    ".processor": lambda data: resource.getrlimit(resource.RLIMIT_CPU)[0] - time.process_time(),
    ".company": dislike_company,
    ".leave": leave_behind,
    ".backwards": lambda data: Extract("abc", parts=(Segment(Span(2, 3), "body"), Segment(Span(0, 1), "body"))),
}
serve({suffix: reader(function) for suffix, function in READERS.items()})
"""
"""A child's program: readers that misbehave."""


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child(command(READERS), memory=300_000_000)
    yield made
    made.end()


@pytest.fixture
def hurried() -> Iterator[Child]:
    made = Child(command(READERS), seconds=1)
    yield made
    made.end()


def text(child: Child, suffix: str, data: bytes = b"") -> str:
    return child.extract(suffix, data, MOST).text


def running(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    """Whether a process ends within a second."""
    for _ in range(50):
        if not running(pid):
            return True
        time.sleep(0.02)
    return False


# --- readers that misbehave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "clause"),
    [
        (".eat", "needs more than 0.3 GB of memory to be read"),
        (".nibble", "needs more than 0.3 GB of memory to be read"),
        (".exit", "made its reader crash or run out of memory"),
        (".abort", "made its reader crash or run out of memory"),
        (".segfault", "made its reader crash or run out of memory"),
        (".recurse", r"made its reader fail \(RecursionError\)"),
        (".fail", r"made its reader fail \(LookupError\)"),
        (".backwards", "made its reader answer nonsense"),
    ],
)
@posix
def test_a_file_that_breaks_its_reader_is_named_and_the_next_one_is_read(
    child: Child, suffix: str, clause: str
) -> None:
    assert text(child, ".fine", b"before") == "before"
    began = time.monotonic()
    with pytest.raises(CorpusError, match=f"^{clause}; save it in another format$"):
        text(child, suffix)
    assert time.monotonic() - began < 5
    assert text(child, ".fine", b"after") == "after"


@pytest.mark.parametrize("suffix", [".loop", ".sleep"])
def test_a_file_that_takes_too_long_is_named_and_the_next_one_is_read(hurried: Child, suffix: str) -> None:
    began = time.monotonic()
    with pytest.raises(CorpusError, match=r"^cannot be read within 1 seconds; save it in another format$"):
        text(hurried, suffix)
    assert 1 <= time.monotonic() - began < 3
    assert text(hurried, ".fine", b"after") == "after"


def test_what_a_reader_says_is_wrong_passes_through_on_one_line_that_commands_no_terminal(child: Child) -> None:
    with pytest.raises(CorpusError, match=r"^is�\[2J locked; save it open$"):
        text(child, ".refuse")


def test_a_package_that_is_missing_is_named(child: Child) -> None:
    with pytest.raises(CorpusError, match=r"^needs the package no_such_package, .*; run `make install`$"):
        text(child, ".lacks")


def test_details_of_a_failure_go_to_the_log_and_not_to_people(child: Child, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "qa.readers.isolate"), pytest.raises(CorpusError) as raised:
        text(child, ".fail")
    assert "secret" in caplog.text
    assert "secret" not in str(raised.value)


def test_a_text_that_is_too_long_is_not_sent(child: Child) -> None:
    with pytest.raises(CorpusError, match=r"^has 1,001 characters; split it into files of at most 1,000$"):
        text(child, ".huge")


def test_what_a_reader_prints_disturbs_nothing(child: Child) -> None:
    assert text(child, ".shout") == "said"
    assert text(child, ".fine", b"next") == "next"


def test_what_no_file_can_hold_is_replaced_one_for_one(child: Child) -> None:
    extract = child.extract(".odd", b"", MOST)
    assert extract == Extract("a���😀", title="�� b", parts=(Segment(Span(0, 5), "body"),))
    assert sound("\x01 é\n😀") == "\x01 é\n😀"


def test_a_large_file_arrives_whole(child: Child) -> None:
    data = os.urandom(3_000_000).hex().encode()
    assert child.extract(".fine", data, len(data)).text.encode() == data


def test_a_large_file_may_take_longer() -> None:
    child = Child(command(READERS), seconds=0.001)
    with pytest.raises(CorpusError, match="within 2 seconds"):
        text(child, ".sleep", b"x" * 600_000)


# --- limits -----------------------------------------------------------------------------------------------------------


@posix
def test_a_child_can_write_nothing(child: Child, tmp_path: Path) -> None:
    target = tmp_path / "written"
    with pytest.raises(CorpusError, match=r"fail \(OSError\)"):
        text(child, ".write", os.fsencode(target))
    assert not target.exists() or target.stat().st_size == 0


@posix
def test_a_child_has_its_limits_for_good(child: Child) -> None:
    assert text(child, ".limits") == "[(300000000, 300000000), (0, 0), (0, 0), (0, 0)]"


@posix
def test_the_processor_is_limited_file_by_file(hurried: Child) -> None:
    for _ in range(2):
        assert 0 < float(text(hurried, ".processor")) <= 1 + 1


@posix
def test_a_child_inherits_no_variables(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_AUTH", "name:password")
    inherited = dict(ast.literal_eval(text(child, ".variables")))
    inherited.pop("LC_CTYPE", None)  # Python sets that itself.
    assert inherited == VARIABLES


@linux
def test_a_child_inherits_no_open_file(child: Child, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert text(child, ".open") == str(["/dev/null"] * 4 + ["pipe"] * 2)


def test_a_child_imports_nothing_from_the_folder_it_is_started_in(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "re.py", "numpy.py", "qa.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert text(child, ".fine", b"safe") == "safe"


# --- a child that a file has taken over -------------------------------------------------------------------------------

TAKEN = "import os\nfor line in iter(os.fdopen(0, 'rb').readline, b''):\n    "
GOOD = {"title": "", "date": "", "url": "", "author": "", "pages": [], "parts": []}


def answers(head: object, text: bytes = b"abc", lengths: tuple[int, int] | None = None) -> Child:
    """A child that answers so, whatever it is asked."""
    sent = head if isinstance(head, bytes) else json.dumps(head).encode()
    message = LENGTHS.pack(*(lengths or (len(sent), len(text)))) + sent + text
    return Child(command(f"{TAKEN}os.write(1, {message!r})"), seconds=2)


def test_an_answer_is_taken_as_it_is_when_it_is_sane() -> None:
    said = {
        "title": " a\n b\x00",
        "date": "2024-02-29",
        "url": "https://example.org/" + "x" * 3000,
        "author": "A",
        "pages": [0, 1, 1, 3],
        "parts": [[0, 1, "title"], [1, 3, "comment"]],
    }
    child = answers(said, "é\x00c".encode())
    extract = child.extract(".any", b"", 3)
    child.end()
    assert extract == Extract(
        "é�c",
        title="a b�",
        date="2024-02-29",
        url=("https://example.org/" + "x" * 3000)[:2000],
        author="A",
        parts=(Segment(Span(0, 1), "title"), Segment(Span(1, 3), "comment")),
        pages=(0, 1, 1, 3),
    )


@pytest.mark.parametrize("day", ["2024-02-30", "2024", "99999-01-01", "20240101", "<b>", "２０２４-01-01"])
def test_a_date_that_is_none_is_dropped(day: str) -> None:
    child = answers(GOOD | {"date": day})
    assert child.extract(".any", b"", 3).date == ""
    child.end()


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (b"not JSON", b""),
        (b"[" * 100_000, b""),
        (b"9" * 10_000, b""),
        ([], b""),
        (None, b""),
        ({}, b""),
        ({"clause": 7}, b""),
        ({"failure": [], "detail": ""}, b""),
        (GOOD, b"\xff"),
        (GOOD, b"\xed\xa0\x80"),
        (GOOD, b"abcd"),
        (GOOD | {"title": None}, b"abc"),
        (GOOD | {"url": ["x"]}, b"abc"),
        (GOOD | {"pages": [1, 0]}, b"abc"),
        (GOOD | {"pages": [-1]}, b"abc"),
        (GOOD | {"pages": [4]}, b"abc"),
        (GOOD | {"pages": [True]}, b"abc"),
        (GOOD | {"pages": [0.5]}, b"abc"),
        (GOOD | {"pages": None}, b"abc"),
        (GOOD | {"parts": [[0, 2, "body"], [1, 3, "body"]]}, b"abc"),
        (GOOD | {"parts": [[0, 4, "body"]]}, b"abc"),
        (GOOD | {"parts": [[1, 1, "body"]]}, b"abc"),
        (GOOD | {"parts": [[-2, 1, "body"]]}, b"abc"),
        (GOOD | {"parts": [[0, True, "body"]]}, b"abc"),
        (GOOD | {"parts": [[0, 1, "admin"]]}, b"abc"),
        (GOOD | {"parts": [[0, 1, []]]}, b"abc"),
        (GOOD | {"parts": [[0, 1]]}, b"abc"),
        (GOOD | {"parts": {"a": 1}}, b"abc"),
    ],
)
def test_an_answer_that_no_sane_child_gives_is_refused(head: object, sent: bytes) -> None:
    child = answers(head, sent)
    with pytest.raises(CorpusError, match=r"^made its reader answer nonsense; save it in another format$"):
        child.extract(".any", b"", 3)
    assert child._process is None, "a child that was taken over must not read the next file"


@pytest.mark.parametrize("lengths", [(2, 13), (MAX_HEAD + 1, 0), (2**63, 2**63)])
def test_an_answer_that_is_too_long_is_not_received(lengths: tuple[int, int]) -> None:
    child = answers({}, b"", lengths)
    began = time.monotonic()
    with pytest.raises(CorpusError, match="crash"):
        child.extract(".any", b"", 3)
    assert time.monotonic() - began < 2


def test_a_gigabyte_from_a_child_takes_no_memory() -> None:
    pour = f"os.write(1, {LENGTHS.pack(0, 12)!r}); [os.write(1, bytes(1_000_000)) for _ in range(1000)]"
    child = Child(command(TAKEN + pour), seconds=5)
    tracemalloc.start()
    with pytest.raises(CorpusError, match="nonsense"):
        child.extract(".any", b"", 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_densest_answer_takes_bounded_memory() -> None:
    head = b"[" + b"{}," * ((MAX_HEAD - 10) // 3) + b"0]"
    tracemalloc.start()
    with pytest.raises(TypeError):
        isolate._extract(head, b"", 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250_000_000


# --- one child for many files -----------------------------------------------------------------------------------------


def test_one_child_reads_many_files_and_is_replaced_in_the_end() -> None:
    child = Child(command(READERS), files=2)
    pids = [text(child, ".pid") for _ in range(5)]
    child.end()
    assert [pids.index(pid) for pid in pids] == [0, 0, 2, 2, 4]


@linux
def test_a_child_that_was_killed_between_two_files_is_replaced(child: Child) -> None:
    pid = int(text(child, ".pid"))
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    assert text(child, ".fine", b"next") == "next"


def test_a_file_is_not_blamed_for_the_files_before_it(child: Child) -> None:
    assert text(child, ".fine", b"first") == "first"
    assert text(child, ".company") == "alone"


@linux
def test_a_child_that_nobody_asks_ends_and_is_started_again() -> None:
    child = Child(command(f"from qa.readers import child\nchild.IDLE = 0.2\n{READERS}"))
    pid = int(text(child, ".pid"))
    assert ends(pid)
    assert int(text(child, ".pid")) != pid
    child.end()
    assert IDLE > 1


@linux
def test_an_end_takes_what_the_child_started_with_it(hurried: Child, tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        text(hurried, ".leave", os.fsencode(tmp_path / "sleeper"))
    left = list(tmp_path.glob("sleeper-*"))
    assert len(left) == (os.geteuid() == 0), "only root's readers can start a process"
    assert all(ends(int(path.name.rpartition("-")[2])) for path in left)


def test_threads_take_turns(child: Child) -> None:
    read: dict[int, str] = {}

    def ask(number: int) -> None:
        for _ in range(20):
            read[number] = text(child, ".fine", b"%d" % number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == {number: str(number) for number in range(8)}


# --- whoever asks -----------------------------------------------------------------------------------------------------

ASKS = """
import os, sys, threading, time
from pathlib import Path
from qa.readers import isolate
from qa.readers.isolate import Child, command

program = command(Path(sys.argv[1]).read_text())
child = Child(program)
child.extract(".fine", b"", 9)
print(child._process.pid, flush=True)
"""


Asking = Callable[[str], tuple[subprocess.Popen[str], int]]


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    """Starts a program that has a child, and does something then; gives the program and the child's number."""
    parents: list[subprocess.Popen[str]] = []
    (tmp_path / "readers.py").write_text(READERS)

    def start(then: str) -> tuple[subprocess.Popen[str], int]:
        program = [sys.executable, "-c", ASKS + then, str(tmp_path / "readers.py")]
        pipe = subprocess.PIPE
        parents.append(
            subprocess.Popen(
                program, stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
            )
        )
        assert parents[-1].stdout
        return parents[-1], int(parents[-1].stdout.readline())

    yield start
    for parent in parents:
        with suppress(ProcessLookupError, ValueError):
            os.killpg(parent.pid, signal.SIGKILL)
            parent.communicate()


@linux
@pytest.mark.parametrize(
    "then", ["time.sleep(60)", "child.extract('.loop', b'', 9)", "child.extract('.sleep', b'', 9)"]
)
def test_no_child_outlives_a_parent_that_is_killed(asking: Asking, then: str) -> None:
    parent, pid = asking(then)
    time.sleep(0.3)
    assert running(pid)
    parent.kill()
    parent.communicate()
    assert ends(pid)


@linux
def test_ctrl_c_ends_parent_and_child_with_one_traceback(asking: Asking) -> None:
    parent, pid = asking("child.extract('.loop', b'', 9)")
    time.sleep(0.3)
    os.killpg(parent.pid, signal.SIGINT)
    _, told = parent.communicate(timeout=5)
    assert told.count("Traceback") == told.count("KeyboardInterrupt") == 1
    assert ends(pid)


@linux
def test_a_parent_that_ends_takes_even_a_child_that_hears_nothing_with_it(asking: Asking) -> None:
    deaf = """
child.end()
isolate._child = child = Child(command("import time; time.sleep(60)"))
threading.Thread(target=child.extract, args=(".any", b"", 9), daemon=True).start()
while not child._process: time.sleep(0.01)
print(child._process.pid, flush=True)
"""
    parent, _ = asking(deaf)
    told, _ = parent.communicate(timeout=5)
    assert ends(int(told))


@linux
def test_a_forked_process_has_a_child_of_its_own(asking: Asking) -> None:
    fork = """
isolate._child, isolate.command = child, lambda: program
thread = threading.Thread(target=isolate.extract, args=(".nap", b"", 9))
thread.start()
time.sleep(0.2)  # Another thread is reading.
forked = os.fork()
if not forked:
    print(isolate.extract(".pid", b"", 9).text, flush=True)
    sys.exit()
os.waitpid(forked, 0)
forked = os.fork()
if not forked:
    sys.exit()
os.waitpid(forked, 0)
thread.join()
print(isolate.extract(".pid", b"", 9).text)
"""
    parent, pid = asking(fork)
    told, wrong = parent.communicate(timeout=10)
    forked, own = map(int, told.split())
    assert (own, wrong) == (pid, "")
    assert forked != pid


def test_a_script_without_a_guard_reads_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"from qa import documents\nprint(documents.extracted('.html', {PAGE!r}).text)")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert SENTENCE in run.stdout
    assert run.stdout.count("\n\n") < 5


# --- end to end -------------------------------------------------------------------------------------------------------

SENTENCE = "The harbour was closed for the winter because the ice had come early, the mayor said."
STORY = f"{SENTENCE} Nobody had seen so much of it since the year in which the old pier was built. " * 5
PAGE = f"<html><body><article><h1>Ice</h1><p>{STORY}</p></article></body></html>".encode()


def pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is its catalogue (ISO 32000-1, 7.5)."""
    file, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = b"startxref\n%d\n%%%%EOF" % len(file)
    count = len(objects) + 1
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\n%s" % (
        file, count, table, count, start
    )  # fmt: skip


def pdf_of(content: bytes, pages: int = 1, packed: int = 2) -> bytes:
    """A PDF with a page, or many that are the same, whose content is compressed over and over."""
    for _ in range(packed):
        content = zlib.compress(content, 9)
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b"3 0 R " * pages),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Filter[%s]/Length %d>>stream\n%s\nendstream" % (b"/FlateDecode" * packed, len(content), content),
    )


def docx(document: bytes, **parts: bytes) -> bytes:
    """A Word document with this as its main part."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    office = "http://schemas.openxmlformats.org"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{office}/package/2006/content-types"><Default Extension="rels" ContentType="application/'
            f'vnd.openxmlformats-package.relationships+xml"/><Override PartName="/w.xml" '
            f'ContentType="{kind}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="r" Target="w.xml" Type="'
            f'{office}/officeDocument/2006/relationships/officeDocument"/></Relationships>',
        )
        archive.writestr("w.xml", document)
    return file.getvalue()


WORDS = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>%s</w:body></w:document>'
LAUGHS = b"<!DOCTYPE w [<!ENTITY a0 'ha'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)
"""Ten to the ninth laughs (the "billion laughs")."""

BOMBS: dict[str, Callable[[], bytes]] = {
    "operators.pdf": lambda: pdf_of(b"BT/F 9 Tf" + b"(a)'" * 12_500_000),
    "text.pdf": lambda: pdf_of(b"BT/F 9 Tf 9 TL" + b"(%s)'" % (b"a " * 16_000) * 1560, packed=3),
    "pages.pdf": lambda: pdf_of(b"BT/F 9 Tf 9 TL" + b"(%s)'" % (b"a " * 16_000) * 4, pages=45),
    "zip.docx": lambda: docx(WORDS % (b" " * 300_000_000)),
    "laughs.docx": lambda: docx(LAUGHS + WORDS % b"<w:p><w:r><w:t>&a9;</w:t></w:r></w:p>"),
    "deep.docx": lambda: docx(WORDS % (b"<w:sdt>" * 1_000_000)),
    "paragraphs.docx": lambda: docx(WORDS % (b"<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 3_000_000)),
    "deep.html": lambda: b"<div>" * 5_000_000 + STORY.encode(),
    "bold.html": lambda: b"<html><body><article>" + b"<b><i>" * 500_000 + STORY.encode(),
    "laughs.html": lambda: LAUGHS + b"<html><body><p>&a9;</p></body></html>",
}
"""Small files that become large ones, 50 MB and more, or deep ones."""

GOOD_FILES: dict[str, Callable[[], bytes]] = {
    "zz.txt": lambda: STORY.encode(),
    "zz.html": lambda: PAGE,
    "zz.pdf": lambda: pdf_of(b"BT/F 1 Tf 2 TL" + b"(%s)'" % STORY.encode() * 3),
    "zz.docx": lambda: docx(WORDS % b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % STORY.encode()),
}
"""Files that are read after the others of their format."""


@pytest.mark.slow
def test_bombs_are_reported_and_the_rest_is_indexed(library: Library) -> None:
    for name, make in (BOMBS | GOOD_FILES).items():
        library.write(name, make())
    began = time.monotonic()
    report = library.build()
    assert time.monotonic() - began < 60
    failed = dict(report.failed)
    assert sorted(failed) == sorted(BOMBS)
    assert all(told.startswith(f"{name} ") and told.endswith(" and index again.") for name, told in failed.items())
    assert sorted(report.added) == sorted(GOOD_FILES)
    found = {passage.source for passage in library.assistant.retrieve("Why was the harbour closed?", k=50)}
    assert found == set(GOOD_FILES)


def test_a_page_that_takes_too_long_is_reported_and_the_rest_is_indexed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = (
        'from qa.readers import html\nserve({".html": lambda data: html.read(data) if b"harbour" in data else loop()})'
    )
    child = Child(command(f"def loop():\n    while True: pass\n{slow}"), seconds=3)
    monkeypatch.setattr(isolate, "_child", child)
    library.write("a.html", b"<p>never ends")
    library.write("b.html", PAGE)
    report = library.build()
    child.end()
    assert report.added == ("b.html",)
    assert report.failed == (
        ("a.html", "a.html cannot be read within 4 seconds; save it in another format and index again."),
    )


@pytest.mark.parametrize(("suffix", "megabytes"), [(".txt", 1000), (".html", 1000), (".jsonl", 200)])
def test_a_gigabyte_of_one_line_is_reported_and_the_rest_is_indexed(
    library: Library, suffix: str, megabytes: int
) -> None:
    library.write("good.txt", STORY)
    library.write(f"line{suffix}", "a")
    os.truncate(library.corpus / f"line{suffix}", megabytes * 1_000_000)
    tracemalloc.start()
    report = library.build()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.added == ("good.txt",)
    [(source, told)] = report.failed
    assert source.partition("#")[0] == f"line{suffix}"
    assert "split it into files of at most 50 MB and index again." in told
    assert peak < 250_000_000


HOSTILE = SHARED / "eval" / "hostile" / "pdf"


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="../shared/eval/hostile is absent")
def test_every_hostile_pdf_is_read_or_reported(library: Library) -> None:
    names = sorted(path.name for path in HOSTILE.glob("*.pdf"))
    for name in names:
        library.write(name, (HOSTILE / name).read_bytes())
    library.write("good.txt", STORY)
    began = time.monotonic()
    report = library.build()
    assert time.monotonic() - began < 60
    failed = dict(report.failed)
    assert sorted((*report.added, *failed)) == sorted((*names, "good.txt"))
    assert "good.txt" in report.added
    assert len(report.added) > 1
    assert all(told.startswith(f"{name} ") and told.endswith(" and index again.") for name, told in failed.items())
    for source in report.added:
        assert library.assistant.document(source).text.strip()
