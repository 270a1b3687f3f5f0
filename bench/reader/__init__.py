"""How the reader was trained, and how it is measured: see docs/reader.md."""
