"""Rules over the app at Zoom: its manifest, and Zoom's answers to undocumented questions."""

from __future__ import annotations

from collections.abc import Iterator

from paraph.operations.findings.rule import Finding
from paraph.operations.probes.facts import LiveAnswer, ManifestFacts
from paraph.settings.model import Settings, Written
from paraph.zoom.manifest_weakness import find_weaknesses


def manifest_findings(
    facts: ManifestFacts, settings: Settings | Written | None
) -> Iterator[Finding]:
    """Find what is weak in the manifest, compared with the settings.

    Args:
        facts: the manifest, or why it cannot be read.
        settings: checked ones, or as written if they have problems of their own.
    """
    if facts.manifest is None:
        yield Finding(
            "manifest-unreadable",
            facts.source,
            f"The manifest cannot be read: {facts.failure}.",
            "Export it again in Zoom's build flow, or check the token and the app id.",
        )
        return
    if settings is None or not settings.public_url:
        return
    public_url = settings.public_url.rstrip("/")
    for one in find_weaknesses(
        facts.manifest,
        redirect_uri=f"{public_url}/oauth/redirect",
        webhook_url=f"{public_url}/webhook",
        level=settings.level,
        required_scopes=frozenset(settings.required_scopes),
    ):
        yield Finding(one.rule, one.field, one.what, one.remedy)


def live_findings(answer: LiveAnswer) -> Iterator[Finding]:
    """Find an answer of Zoom's that takes a safeguard away."""
    if answer.refused is None:
        return
    seen = f"status {answer.status}" + (f", {answer.error}" if answer.error else "")
    if answer.question == "other-redirect" and not answer.refused:
        yield Finding(
            "live-other-redirect",
            "token endpoint",
            f"A code of one redirect URI was exchanged at another one ({seen}).",
            "Register no redirect URI that you do not serve, and report this to Zoom.",
        )
    elif answer.question == "needless-verifier" and not answer.refused:
        yield Finding(
            "live-needless-verifier",
            "token endpoint",
            f"A verifier was accepted for a code without a challenge ({seen}), so PKCE does not "
            "stop injected codes here.",
            "Change nothing: `state` bound to the browser is the proof, and PKCE is an addition.",
        )
    elif answer.question == "second-redirect" and answer.refused:
        yield Finding(
            "live-second-redirect",
            "authorization endpoint",
            f"A redirect URI that stands on the allow list only was refused ({seen}).",
            "Make /oauth/redirect the primary redirect URL at Zoom.",
        )
