"""Verbatim beside what one would take instead; `python -m bench.peers` (see `__main__`)."""
