"""`python app.py` serves the chat page, as `qa chat` does."""

import sys

from qa.cli import main

if __name__ == "__main__":
    sys.exit(main(["chat", *sys.argv[1:]]))
