"""Reports of earlier runs, which an evidence pack repeats; they are decoded strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from paraph.errors import ConfigurationError

T = TypeVar("T")


class CheckedCase(msgspec.Struct):
    """One case of `paraph check`; its other members do not matter here."""

    id: str
    severity: str
    verdict: Literal["pass", "fail", "inconclusive", "not-applicable"]
    reason: str


class SelfTest(msgspec.Struct):
    """The self-test of the release that ran the check."""

    cases: int


class CheckReport(msgspec.Struct):
    """The report of `paraph check --format json`."""

    target: str
    started_at: str
    profile: str
    cases: list[CheckedCase]
    self_test: SelfTest | None = None


class KeptAnswer(msgspec.Struct):
    """The answer of Zoom to one question."""

    question: str
    refused: bool | None


class LiveReport(msgspec.Struct):
    """The answers that `paraph doctor --live` keeps."""

    asked_at: str
    authorization_server: str
    answers: list[KeptAnswer]


def load_check_report(file: Path) -> CheckReport:
    """Read a report of `paraph check`.

    Raises:
        ConfigurationError: the file cannot be read, or is no such report.
    """
    remedy = "Write one with `paraph check --format json --output FILE`."
    return _loaded(file, CheckReport, "a JSON report of paraph check", remedy)


def load_live_report(file: Path) -> LiveReport:
    """Read the answers of Zoom.

    Raises:
        ConfigurationError: the file cannot be read, or holds no such answers.
    """
    remedy = "Name another file with --live-file; `paraph doctor --live` writes it."
    return _loaded(file, LiveReport, "a file of paraph doctor --live", remedy)


def _loaded(file: Path, kind: type[T], name: str, remedy: str) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigurationError([f"{file}: {error.strerror}"], remedy=remedy) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError([f"{file} is not {name}: {error}"], remedy=remedy) from None
