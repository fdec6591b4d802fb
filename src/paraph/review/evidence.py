"""The evidence pack for Zoom's review: what is true of one set-up, and how it is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from paraph.operations.findings.examination import Examination
from paraph.operations.probes.facts import LIVE_PART, Facts
from paraph.review.data_flow import data_flow_svg
from paraph.review.data_kept import data_section, duration_of, keys_section
from paraph.review.doctor_report import QUESTIONS, moment
from paraph.review.earlier_reports import CheckReport, LiveReport
from paraph.review.pack import (
    BY_TEAM,
    FROM_SETTINGS,
    MEASURED,
    OPEN,
    Block,
    Pack,
    Picture,
    Section,
    Statement,
    Table,
    tested,
)
from paraph.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Reports:
    """Reports that were made before; None if not made.

    Attributes:
        check: of `paraph check --format json`.
        live: the answers that `paraph doctor --live` keeps.
        packages: name, version and license of each installed package.
    """

    check: CheckReport | None
    live: LiveReport | None
    packages: Sequence[tuple[str, str, str]]


def build_pack(
    facts: Facts, settings: Settings, examination: Examination, reports: Reports
) -> Pack:
    """Build the pack of one set-up.

    Args:
        facts: what the doctor's probes have read.
        settings: checked settings.
        examination: the doctor's findings.
        reports: earlier reports.
    """
    return Pack(
        title=settings.app_name,
        made_at=moment(facts.now),
        sections=(
            _overview(settings),
            _design_answers(facts, settings),
            _flow(settings),
            data_section(settings),
            keys_section(facts, settings),
            _removal(settings),
            _doctor(examination),
            _check(reports.check),
            _live(reports.live),
            _dependencies(reports.packages),
            _contact(settings),
        ),
    )


def _overview(settings: Settings) -> Section:
    rows = [
        ["App", settings.app_name],
        ["Public URL", settings.public_url],
        ["Redirect URI", settings.redirect_uri],
        ["Added by", "each user" if settings.level == "user" else "an administrator"],
        ["Required scopes", ", ".join(sorted(settings.required_scopes)) or "none"],
        [
            "Linking",
            "confirmed by the host" if settings.linking == "host" else "the Zoom user alone",
        ],
    ]
    return Section("The app", (Table(("field", "value"), rows, FROM_SETTINGS),))


def _design_answers(facts: Facts, settings: Settings) -> Section:
    return Section(
        "Technical design: Zoom's three questions",
        (*_tls(facts, settings), *_integrity(settings), *_encryption(settings)),
    )


def _tls(facts: Facts, settings: Settings) -> Iterator[Block]:
    tls = facts.tls
    if tls is not None and not tls.failure:
        old = f"; it also accepts {', '.join(tls.old_versions)}" if tls.old_versions else ""
        unknown = tls.old_versions or tls.unanswered_versions
        refused = "" if unknown else " and refuses TLS 1.0 and 1.1"
        yield Statement(
            f"Question 1, TLS 1.2 or later: {tls.origin} speaks {tls.version}{refused}{old}.",
            MEASURED,
        )
    elif tls is not None:
        yield Statement(f"Question 1: no trusted TLS connection: {tls.failure}.", MEASURED)
    else:
        yield Statement("Question 1, TLS 1.2 or later: the public URL was not measured.", OPEN)
    yield Statement(
        "Every connection to Zoom, to a key service and to the product uses TLS with verified "
        "certificates; plain http is accepted on loopback only.",
        tested("tests/remote/test_transport.py"),
    )
    if not settings.database_url.startswith("sqlite:"):
        yield Statement(
            "The connection to PostgreSQL is encrypted, unless the server is on this machine.",
            tested("tests/storage/engines/test_postgresql_connection.py"),
        )


def _integrity(settings: Settings) -> Iterator[Block]:
    yield Statement(
        "Question 2, integrity of events: the signature of each delivery is verified with the "
        "secret token, over the raw bytes, before anything is parsed.",
        tested("tests/zoom/test_webhook_verification.py"),
    )
    yield Statement(
        f"Deliveries are accepted for {duration_of(settings.freshness_past)}, and each only once.",
        FROM_SETTINGS,
    )
    yield Statement(
        "The URL validation is answered only if it is signed itself, so it signs nothing for "
        "others.",
        tested("tests/zoom/test_webhook_verification.py"),
    )


def _encryption(settings: Settings) -> Iterator[Block]:
    yield Statement(
        "Question 3, encryption of retained data: tokens, profiles and bodies of events are "
        "sealed with AES-256-GCM, bound to database, table, column and row.",
        tested("tests/storage/test_swapped_ciphertexts.py"),
    )
    yield Statement(
        "Codes, tokens, states and secrets reach no log, error page, metric or URL.",
        tested("tests/end_to_end/test_secrets.py"),
    )
    where = "wrapped by a key service" if settings.key_service else "in the settings of the service"
    yield Statement(
        f"The encryption keys are not in the database: they are {where}.", FROM_SETTINGS
    )
    yield Statement(
        "Documents on secure development, and the report of a penetration test.",
        BY_TEAM,
    )


def _flow(settings: Settings) -> Section:
    return Section(
        "Architecture and data flow",
        (
            Picture(data_flow_svg(settings), "Who sends what to whom", FROM_SETTINGS),
            Statement(
                "An installation needs six proofs: state sealed to the browser, PKCE, exchange by "
                "the client, owner of the token, granted scopes, and the host's confirmation "
                "where accounts are linked.",
                tested("tests/end_to_end/test_attack.py"),
            ),
            Statement(
                "Access tokens go to the hosts of the settings only, never where a response "
                "points.",
                tested("tests/zoom/test_server_metadata.py"),
            ),
        ),
    )


def _removal(settings: Settings) -> Section:
    blocks: list[Block] = [
        Statement(
            "A removal at Zoom ends the installation and destroys its tokens and queued events.",
            tested("tests/lifecycle/test_deauthorization.py"),
        ),
        Statement(
            "A removal counts at once on every replica: no token is given out after it.",
            tested("tests/faults/test_removal_race.py"),
        ),
        Statement(
            "A receipt remains that names the person by a keyed hash alone.",
            tested("tests/operations/test_receipt_export.py"),
        ),
    ]
    if settings.receipts_folder:
        blocks.append(
            Statement(
                "Receipts are also kept outside the database, and a restored backup brings no "
                "removed person back.",
                tested("tests/operations/test_restore.py"),
            )
        )
    return Section("Removal and deletion", tuple(blocks))


def _doctor(examination: Examination) -> Section:
    blocks: list[Block] = [
        Table(
            ("severity", "weakness", "place", "source"),
            [[one.severity, one.title, one.place, one.source] for one in examination.findings],
            MEASURED,
        )
        if examination.findings
        else Statement("`paraph doctor` found no weakness.", MEASURED)
    ]
    blocks += [
        Statement(f"Not checked: {one.part} ({one.reason}).", OPEN)
        for one in examination.not_checked
        # It has a section of its own.
        if not one.part.startswith(LIVE_PART)
    ]
    return Section("Settings, machine and app at Zoom", tuple(blocks))


def _check(report: CheckReport | None) -> Section:
    title = "Attacks on the running app"
    if report is None:
        blocks: tuple[Block, ...] = (
            Statement("No report of `paraph check` was given (--check FILE).", OPEN),
        )
        return Section(title, blocks)
    known = f"measured at {report.started_at} by paraph check"
    # A run may be limited to some cases, so their number stands beside the number of all.
    count = str(len(report.cases))
    if report.self_test is not None:
        count += f" of {report.self_test.cases}"
    counts = Counter(one.verdict for one in report.cases)
    rows = [[name, str(number)] for name, number in sorted(counts.items())]
    failed = [
        [one.id, one.severity, one.verdict, one.reason]
        for one in report.cases
        if one.verdict in {"fail", "inconclusive"}
    ]
    tables = [
        Table(("target", "profile", "cases"), [[report.target, report.profile, count]], known),
        Table(("verdict", "cases"), rows, known),
    ]
    if failed:
        tables.append(Table(("case", "severity", "verdict", "reason"), failed, known))
    return Section(title, tuple(tables))


def _live(report: LiveReport | None) -> Section:
    title = "Undocumented behaviour of Zoom"
    if report is None:
        return Section(title, (Statement("Zoom was not asked (`paraph doctor --live`).", OPEN),))
    words = {True: "refused", False: "accepted", None: "not answered"}
    rows = [
        [QUESTIONS.get(one.question, one.question), words[one.refused]] for one in report.answers
    ]
    known = f"measured at {report.asked_at} at {report.authorization_server}"
    return Section(title, (Table(("question", "Zoom"), rows, known),))


def _dependencies(packages: Sequence[tuple[str, str, str]]) -> Section:
    return Section(
        "Dependencies",
        (
            Statement("The same list is in sbom.cdx.json (CycloneDX 1.5).", MEASURED),
            Table(("package", "version", "license"), packages, MEASURED),
        ),
    )


def _contact(settings: Settings) -> Section:
    if settings.security_contact:
        text = f"Reports of vulnerabilities: {settings.security_contact} (security.txt names it)."
        return Section("Security contact", (Statement(text, FROM_SETTINGS),))
    return Section("Security contact", (Statement("The setting security_contact is empty.", OPEN),))
