"""`paraph check` on an example product, without a target file of its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from examples.products import ROOT, Example
from paraph.checks.catalogue import catalogue
from paraph.checks.runner import run, select
from paraph.checks.target import Hook, Hooks, Limits, Start, Target, Urls, Variant, load_target
from paraph.checks.verdict import Finding, Verdict

# Made once for all environments of a run: a product that is started again keeps its key.
_KEY = "checked:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
_FORWARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_HOOKS = "http://127.0.0.1:{port2}"
_UNSIGNED = Variant(environment={"PARAPH_WEBHOOK_SECRETS": '[""]', "ZOOM_WEBHOOK_SECRET": ""})
_VARIANTS = {
    "no_webhook_secret": _UNSIGNED,
    "tls_zoom": Variant(environment={"PARAPH_CA_FILE": "{ca_file}"}),
    "account": Variant(
        level="account", environment={"PARAPH_LEVEL": "account", "PARAPH_REQUIRED_SCOPES": "[]"}
    ),
}


def check_product(
    target: Path | Target | Example,
    groups: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    jobs: int = 1,
) -> list[str]:
    """Attack a product; return a line for each case that fails or is inconclusive.

    Args:
        target: a target file, a target, or an example product.
        groups: the groups of cases; all if empty.
        only: the cases, by id or pattern; all if empty.
        jobs: the number of copies of the product that run at the same time.
    """
    if isinstance(target, Example):
        target = target_of(target)
    found = run(
        load_target(target) if isinstance(target, Path) else target,
        select(only, groups),
        jobs=jobs,
        told=lambda _finding: None,
    )
    wrong = {Verdict.FAIL, Verdict.INCONCLUSIVE}
    return [_line_of(one) for one in found.findings if one.verdict in wrong]


def _line_of(finding: Finding) -> str:
    return f"{finding.id}: {finding.verdict}, {finding.reason}\n" + "\n".join(finding.evidence[-2:])


def first_cases(groups: Sequence[str], leave_out: Sequence[str] = ()) -> list[str]:
    """The first case of each group, for a quick look.

    Args:
        groups: the groups.
        leave_out: cases that do not apply to the product.
    """
    cases = [one for one in catalogue().values() if one.id not in leave_out]
    first = {one.group: one.id for one in reversed(cases)}
    return [first[group] for group in groups]


def target_of(example: Example) -> Target:
    """The target file of an example product, as its team would write it."""
    is_paraph = example.settings is not None
    registration = example.registration
    fields = dict(example.sign_in_fields)
    subject = {"subject": "{subject}"}
    starts_by_path = example.connect.startswith("/")
    return Target(
        name=example.name,
        start=Start(
            command=_commands(example),
            directory=str(example.folder),
            environment={**_variables(example), **example.environment, "PORT": "{port}"},
            ready=f"{_HOOKS}/",
            ready_within=90,
        ),
        urls=Urls(
            # A page with a link among others is for people.
            start=example.connect if starts_by_path else f"{example.prefix}/start",
            pages=[path for path in (example.home, example.profile) if path],
            redirect=registration.get("redirect", f"{example.prefix}/oauth/redirect"),
            webhook=registration.get("webhook", f"{example.prefix}/webhook"),
            marketplace=f"{example.prefix}/marketplace" if is_paraph else "",
        ),
        limits=Limits(
            freshness_past=7200,
            # After a crash the claims of the killed process expire; the clock is not moved.
            effect_within=130.0,
            recovery_within=120.0,
            forwards_unknown_events=is_paraph,
        ),
        hooks=Hooks(
            sign_in=Hook(url="{url}" + example.sign_in, form=fields),
            use=Hook(url=f"{_HOOKS}/use", json=subject),
            links=Hook(url=f"{_HOOKS}/links", json={}) if is_paraph else None,
            events=Hook(url=f"{_HOOKS}/events", json={}) if is_paraph else None,
            expire=Hook(url=f"{_HOOKS}/expire", json=subject) if is_paraph else None,
            disconnect=Hook(method="GET", url="{url}" + example.home) if example.home else None,
            log_file="{folder}/output.log",
            database_file="{folder}/paraph.db" if is_paraph else "",
            sealed_columns=["grants.access_token", "grants.refresh_token"] if is_paraph else [],
        ),
        variants=_VARIANTS if is_paraph else {"no_webhook_secret": _UNSIGNED},
    )


def _commands(example: Example) -> list[str]:
    """Return the commands of a product in one shell: what prepares it, its hooks, and itself."""
    hooks = [
        *("env", f"PYTHONPATH={ROOT / 'tests'}", "{python}", "-m", "examples.hook_server"),
        *("{port2}", "{url}", "{folder}/paraph.db", example.sign_in, example.profile),
        json.dumps(dict(example.sign_in_fields)),
    ]
    # A product that is started again in the same folder is prepared already.
    prepared = "{folder}/prepared"
    first = " && ".join([*(shlex.join(one) for one in example.prepare), f"touch {prepared}"])
    lines = [
        f"[ -e {prepared} ] || {{ {first}; }}",
        f"{shlex.join(hooks)} &",
        f"exec {shlex.join(example.command)}",
    ]
    return ["sh", "-ec", "\n".join(lines)]


def _variables(example: Example) -> Mapping[str, str]:
    if example.settings is None:
        return {
            "ZOOM_CLIENT_ID": "{client_id}",
            "ZOOM_CLIENT_SECRET": "{client_secret}",
            "ZOOM_WEBHOOK_SECRET": "{webhook_secret}",
            "ZOOM_PUBLIC_URL": "{url}",
            "ZOOM_REDIRECT_URI": "{redirect_uri}",
            "ZOOM_AUTHORIZE_URL": "{zoom}/oauth/authorize",
            "ZOOM_TOKEN_URL": "{zoom}/oauth/token",
            "ZOOM_REVOKE_URL": "{zoom}/oauth/revoke",
            "ZOOM_API_URL": "{zoom}/v2",
        }
    settings = {
        "client_id": "{client_id}",
        "client_secret": "{client_secret}",
        "webhook_secrets": ["{webhook_secret}"],
        "public_url": "{url}",
        "authorization_server": "{zoom}",
        "api_servers": ["{zoom}"],
        "encryption_keys": [_KEY],
        "database_url": "sqlite:///{folder}/paraph.db",
        "receipts_folder": "{folder}/receipts",
        "required_scopes": ["user:read:user"],
        "forward_url": f"{_HOOKS}/forwarded",
        "forward_secrets": [_FORWARD],
        **example.settings,
    }
    return {
        f"PARAPH_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
