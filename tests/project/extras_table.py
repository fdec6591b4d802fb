"""`make extras`: measures what each extra installs, and writes docs/reference/extras.md."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import generate
from markdown_table import table

from project.extras_environment import IMPORTS, Installed, build_wheel, install

PAGE = generate.DOCS / "reference" / "extras.md"
HEADS = ("extra", "distributions", "MB", "import", "seconds")


def row_of(environment: Installed) -> tuple[str, ...]:
    """Measure one environment."""
    return (
        f"`{environment.extra}`" if environment.extra else "(none)",
        str(len(environment.distributions())),
        f"{environment.megabytes():.1f}",
        f"`{IMPORTS[environment.extra]}`",
        f"{environment.import_seconds():.2f}",
    )


def main() -> None:
    """Measure all extras and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wheel = build_wheel(folder)
        for extra in IMPORTS:
            rows.append(row_of(install(wheel, extra, folder)))
            print(*rows[-1], flush=True)
    note = f"Python {platform.python_version()} on {platform.system()}, {platform.machine()}."
    text = PAGE.read_text(encoding="utf-8")
    content = f"{table(HEADS, rows)}\n\n{note}"
    PAGE.write_text(generate._replace(text, "extras", content), encoding="utf-8")


if __name__ == "__main__":
    main()
