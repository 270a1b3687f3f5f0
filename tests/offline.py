"""`unshare -n python -m tests.offline FOLDER`: index FOLDER/corpus, serve it, ask in a browser, without any network."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from pathlib import Path

from tests.browsing import ask, chromium, served, visiting

SIOCSIFFLAGS = 0x8914
UP_AND_RUNNING = 0x1 | 0x40


def main(folder: str) -> None:
    """Print the first answer; the loopback of a new network has to be switched on first."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP_AND_RUNNING))
    with chromium() as browser, served(Path(folder)) as address, visiting(browser, address) as page:
        ask(page, "How many grenade launchers did the army seize?")
        page.wait_for_selector("#source mark.focus")
        print(page.inner_text("#chat .answer"))


if __name__ == "__main__":
    main(sys.argv[1])
