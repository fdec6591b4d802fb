"""`python -m paraph`: the command line."""

from __future__ import annotations

from paraph.cli.main import main

if __name__ == "__main__":
    main()
