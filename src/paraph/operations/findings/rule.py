"""Every rule of `paraph doctor`: its severity, its title and the source that demands it."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("critical", "high", "medium", "low")
_ZOOM_SECURITY = "Zoom: docs/distribute/security"
_ZOOM_REVIEW = "Zoom: docs/distribute/security-requirements"
_ZOOM_OAUTH = "Zoom: docs/build-flow/basic-info/oauth-info"
_ZOOM_WEBHOOKS = "Zoom: docs/api/webhooks"
_ZOOM_MANIFEST = "Zoom: docs/build-flow/manifests/schema"
_ZOOM_DESIGN = "Zoom: docs/build-flow/technical-design"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        severity: one of `SEVERITIES`.
        title: the weakness in a few words.
        source: the section of a standard, or of Zoom's rules.
    """

    severity: str
    title: str
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness that was found.

    Attributes:
        rule: the name of the rule, a key of `RULES`.
        place: the setting, file, URL or manifest field.
        cause: what was seen, in one sentence. It holds no value of a secret.
        remedy: what to do, in one sentence.
    """

    rule: str
    place: str
    cause: str
    remedy: str

    @property
    def severity(self) -> str:
        """The severity of its rule."""
        return RULES[self.rule].severity

    @property
    def title(self) -> str:
        """The title of its rule."""
        return RULES[self.rule].title

    @property
    def source(self) -> str:
        """The section that demands the remedy."""
        return RULES[self.rule].source


RULES: dict[str, Rule] = {
    # Settings
    "settings-unreadable": Rule("critical", "The settings cannot be read", "paraph: settings"),
    "setting-missing": Rule("high", "A required setting is missing", "paraph: settings"),
    "setting-unknown": Rule("high", "A name that is not a setting", "paraph: settings"),
    "setting-invalid": Rule("high", "A setting with an invalid value", "paraph: settings"),
    "settings-contradict": Rule("high", "Settings that contradict each other", "paraph: settings"),
    "secret-weak": Rule("critical", "A weak or placeholder secret", "RFC 6819 section 5.1.4.2.2"),
    "secret-pasted-wrong": Rule(
        "high", "A pasted value with something around it", "paraph: settings"
    ),
    "secret-with-two-roles": Rule("high", "One secret in two roles", "NIST SP 800-57 section 5.2"),
    "plain-http": Rule("critical", "A URL without TLS", "RFC 6749 section 3.1.2.1"),
    "url-invalid": Rule("high", "A URL that cannot be used as written", "RFC 9700 section 2.1"),
    "encryption-key-wrong": Rule("critical", "No usable encryption key", "ASVS 5.0 11.2.1"),
    "database-without-tls": Rule(
        "critical",
        "A database on another machine without TLS",
        f"ASVS 5.0 12.3.1; {_ZOOM_SECURITY}",
    ),
    "database-not-proven": Rule(
        "medium", "TLS to the database without proof of the server", "ASVS 5.0 12.3.2"
    ),
    "proxies-trust-everybody": Rule(
        "critical", "Every address is trusted as a proxy", "RFC 7239 section 8.1"
    ),
    "proxies-not-named": Rule("medium", "The proxy is not named", "RFC 7239 section 8.1"),
    "clouds-mixed": Rule("critical", "Two clouds of Zoom are mixed", "RFC 9700 section 4.4"),
    "scope-never-granted": Rule(
        "high",
        "A scope that Zoom never grants here",
        "Zoom: docs/internal-apps/oauth-scopes-overview",
    ),
    "no-required-scopes": Rule(
        "low", "No scope is required", "RFC 6749 section 3.3; proof 5 of an installation"
    ),
    "private-side-exposed": Rule(
        "high", "The private side listens beyond this machine", "ASVS 5.0 13.2.4"
    ),
    "zoom-is-simulated": Rule(
        "high", "A public service with a simulated Zoom", "RFC 9700 section 4.4"
    ),
    "zoom-is-foreign": Rule("critical", "A server that is not Zoom's", "RFC 9700 section 4.4"),
    "proxy-allows-everything": Rule(
        "medium", "The proxy of Zoom's API allows every write", "RFC 9700 section 2.3"
    ),
    "public-host-is-address": Rule("medium", "An address instead of a name", _ZOOM_WEBHOOKS),
    "freshness-below-retries": Rule(
        "medium", "Zoom's own retries are refused as stale", f"{_ZOOM_WEBHOOKS} (retries)"
    ),
    "old-webhook-secret": Rule("low", "An old webhook secret is still accepted", "ASVS 5.0 13.3.4"),
    "data-kept-long": Rule("low", "Events are kept for long", f"{_ZOOM_DESIGN} (retention)"),
    "no-receipts": Rule(
        "medium", "Removals are not recorded outside the database", f"{_ZOOM_REVIEW} (deletion)"
    ),
    # Files
    "file-open-to-others": Rule("critical", "Others can read or change a file", "CWE-732"),
    "folder-open-to-others": Rule("high", "Others can replace a file", "CWE-732"),
    "file-of-another": Rule("high", "A file belongs to another user", "CWE-708"),
    "file-not-usable": Rule(
        "high", "A file or folder of the settings cannot be used", "paraph: settings"
    ),
    "file-missing": Rule("high", "A file of the settings is missing", "paraph: settings"),
    "secret-in-repository": Rule(
        "critical", "A secret file that git does not ignore", f"CWE-540; {_ZOOM_SECURITY}"
    ),
    # Database and keys
    "database-unreachable": Rule("critical", "The database cannot be used", "paraph: storage"),
    "database-of-newer-code": Rule(
        "high", "The database belongs to newer code", "paraph: upgrading"
    ),
    "schema-outdated": Rule("low", "Unused parts of the schema remain", "paraph: upgrading"),
    "key-not-held": Rule(
        "critical", "The key that seals is not in the settings", "NIST SP 800-57 section 5.3"
    ),
    "pooler-in-session-mode": Rule("low", "A pooler in session mode", "paraph: where it runs"),
    "clock-of-database": Rule("medium", "The database's clock differs", "paraph: clocks"),
    # Clock, name, TLS, proxy
    "clock-wrong": Rule(
        "high", "This clock differs from Zoom's", f"{_ZOOM_WEBHOOKS} (x-zm-request-timestamp)"
    ),
    "name-unknown": Rule("high", "The public host has no address", "RFC 1034 section 3.6"),
    "name-not-public": Rule("medium", "The public host has a private address", _ZOOM_WEBHOOKS),
    "tls-not-trusted": Rule(
        "critical", "No trusted TLS connection to the public URL", f"{_ZOOM_DESIGN} (question 1)"
    ),
    "tls-keys-logged": Rule("critical", "Keys of TLS connections are written to a file", "CWE-532"),
    "tls-expires": Rule("high", "The certificate ends soon", "RFC 5280 section 4.1.2.5"),
    "tls-old-version": Rule(
        "high", "TLS below 1.2 is accepted", "RFC 8996; Zoom: TLS 1.2 or later"
    ),
    "public-url-silent": Rule("high", "The public URL does not reach the service", _ZOOM_WEBHOOKS),
    "plain-http-served": Rule("high", "The service answers plain http", "RFC 6797 section 7.2"),
    "proxy-hides-scheme": Rule(
        "medium", "The proxy does not report the scheme", "RFC 7239 section 5.4"
    ),
    "proxy-hides-address": Rule(
        "medium", "The proxy does not report the client's address", "RFC 7239 section 5.2"
    ),
    "proxy-not-trusted": Rule(
        "medium", "The proxy's address is not in trusted_proxies", "RFC 7239 section 8.1"
    ),
    "proxy-passes-forged": Rule(
        "high", "The proxy passes headers that a client made up", "RFC 7239 section 8.1"
    ),
    "proxy-changes-host": Rule("low", "The proxy changes the Host header", "RFC 9110 section 7.2"),
    "proxy-logs-codes": Rule(
        "high", "The proxy logs authorization codes", f"RFC 9700 section 4.3.2; {_ZOOM_SECURITY}"
    ),
    # The app at Zoom
    "manifest-unreadable": Rule("high", "The manifest cannot be read", _ZOOM_MANIFEST),
    "redirect-not-exact": Rule(
        "high", "The redirect URI is not registered exactly", "RFC 9700 section 2.1"
    ),
    "redirect-on-another-host": Rule(
        "critical", "Codes go to another host", f"RFC 9700 section 4.1; {_ZOOM_OAUTH}"
    ),
    "redirect-of-another-service": Rule(
        "medium", "A redirect URL of another service", f"RFC 9700 section 4.1; {_ZOOM_OAUTH}"
    ),
    "strict-mode-off": Rule(
        "high", "Strict mode is off", f"RFC 9700 section 2.1; {_ZOOM_OAUTH} (Strict Mode URL)"
    ),
    "subdomain-check-off": Rule(
        "medium", "The subdomain check is off", f"RFC 9700 section 2.1; {_ZOOM_OAUTH}"
    ),
    "base-url-allowed": Rule(
        "high", "A base URL on the allow list", f"RFC 9700 section 4.1.3; {_ZOOM_OAUTH}"
    ),
    "foreign-host-allowed": Rule("high", "A foreign host on the allow list", _ZOOM_REVIEW),
    "webhook-url-wrong": Rule("high", "Events go elsewhere", _ZOOM_WEBHOOKS),
    "webhook-of-another-service": Rule(
        "medium", "Events also go to another service", _ZOOM_WEBHOOKS
    ),
    "no-event-subscription": Rule("high", "No event subscription", _ZOOM_WEBHOOKS),
    "subscription-empty": Rule("low", "A subscription without events", _ZOOM_WEBHOOKS),
    "deauthorization-url-wrong": Rule(
        "high", "Removals are reported elsewhere", f"{_ZOOM_REVIEW} (deauthorization)"
    ),
    "manifest-url-invalid": Rule("high", "Not a URL", _ZOOM_MANIFEST),
    "manifest-url-not-https": Rule(
        "critical", "A URL without TLS at Zoom", "RFC 6749 section 3.1.2.1; Zoom: TLS 1.2 or later"
    ),
    "manifest-url-upper-case": Rule("low", "Upper case in a URL", "RFC 9700 section 2.1"),
    "usage-differs": Rule("high", "User level and account level differ", _ZOOM_MANIFEST),
    "scope-missing": Rule("high", "A required scope is not asked for", "RFC 6749 section 3.3"),
    "scope-optional": Rule("medium", "A required scope is optional", _ZOOM_MANIFEST),
    "scope-not-needed": Rule(
        "medium", "A scope that is not needed", "RFC 9700 section 2.3; OWASP ASVS 10.2.3"
    ),
    "scope-repeated": Rule("low", "A scope twice", _ZOOM_MANIFEST),
    "display-name-refused": Rule("low", "A name that Zoom refuses", _ZOOM_MANIFEST),
    # Zoom itself, asked with --live
    "live-other-redirect": Rule(
        "high", "Zoom exchanges a code at another redirect URI", "RFC 6749 section 4.1.3"
    ),
    "live-needless-verifier": Rule(
        "medium", "Zoom ignores a verifier without a challenge", "RFC 9700 section 2.1.1"
    ),
    "live-second-redirect": Rule(
        "high", "Zoom refuses the redirect URI of the allow list", _ZOOM_OAUTH
    ),
}
