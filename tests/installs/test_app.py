"""The arguments of an install flow: weak, wrong and contradictory ones are all reported at once."""

from __future__ import annotations

from typing import Any

import pytest

from installs.install_kit import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SEALING_KEY, Kit
from paraph.errors import ConfigurationError
from paraph.installs import InstallFlow
from paraph.secret import Secret

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no client id": ({"client_id": ""}, "client_id is missing"),
    "a placeholder": ({"client_secret": "your-client-secret"}, "client_secret[0] looks like"),
    "a short secret": ({"client_secret": "abc12345"}, "client_secret[0] is shorter than 12"),
    "no secret": ({"client_secret": []}, "client_secret[0] is missing"),
    "an older placeholder": ({"client_secret": [CLIENT_SECRET, "changeme-now"]}, "secret[1] looks"),
    "plain http": ({"redirect_uri": "http://app.example/cb"}, "redirect_uri is plain http"),
    "a fragment": ({"redirect_uri": "https://app.example/cb#a"}, "redirect_uri must hold no"),
    "a broken URI": ({"redirect_uri": "https://["}, "redirect_uri is not a URL"),
    "a relative URI": ({"redirect_uri": "/cb"}, "redirect_uri is not an absolute"),
    "no key": ({"sealing_key": []}, "sealing_key is missing"),
    "another key": ({"sealing_key": "correct horse battery"}, "sealing_key[0] is not what"),
    "a key of zeros": ({"sealing_key": f"aa:{'A' * 43}"}, "sealing_key[0] is not what"),
    "two keys of one id": (
        {"sealing_key": [SEALING_KEY, "6c7f1f0a:9hT2wLq8ZxYv7Nf3RkMbCsPdUgJeWi0oAa1S5D6F4tE"]},
        "sealing_key[1] repeats the key id",
    ),
    "a value twice": ({"client_secret": [CLIENT_SECRET] * 2}, "must all differ"),
    "scopes as a text": ({"required_scopes": "user:read:user"}, "required_scopes is a text"),
    "joined scopes": ({"required_scopes": ["a b"]}, "required_scopes[0] is not a scope"),
    "no store": ({"use_state": None}, "use_state must be a function"),
    "mixed clouds": ({"api_servers": ["https://api.zoomgov.com"]}, "api_servers[0] belongs to"),
    "a path": ({"authorization_server": "https://zoom.us/oauth"}, "authorization_server must be"),
    "a loop": ({"start_url": "/zoom/callback"}, "start_url is the redirect URI"),
    "a scheme": ({"start_url": "javascript:alert(1)"}, "start_url is not an absolute"),
    "a network path": ({"start_url": "//evil.example"}, "start_url is not an absolute"),
    "a proxy": ({"outgoing_proxy": "socks5://proxy:1080"}, "outgoing_proxy must begin with"),
    "a CA file": ({"ca_file": "/nowhere.pem"}, "ca_file: /nowhere.pem cannot be read"),
    "no timeout": ({"timeout": 0}, "timeout must be 1 to 60 seconds"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_named(case: str) -> None:
    """Each problem is a sentence that names the argument."""
    changes, said = WRONG[case]
    with pytest.raises(ConfigurationError) as caught:
        Kit(**changes)
    assert said in str(caught.value)


def test_all_problems_at_once_and_no_secret() -> None:
    """Everything that is wrong is reported together, without the value of a secret."""
    with pytest.raises(ConfigurationError) as caught:
        InstallFlow(
            client_id="",
            client_secret="hunter2-hunter2-\n",
            redirect_uri="http://app.example/cb",
            sealing_key="not-a-key-at-all",
            use_state=lambda _hash, _until: True,
        )
    assert 4 == len(caught.value.problems)
    assert "hunter2" not in str(caught.value)
    assert "not-a-key" not in str(caught.value)


def test_secrets_may_be_wrapped_and_loopback_may_be_http() -> None:
    """A `Secret` is accepted where a text is; plain http is for this machine only."""
    flow = InstallFlow(
        client_id=CLIENT_ID,
        client_secret=Secret(CLIENT_SECRET),
        redirect_uri="http://127.0.0.1:5000/zoom/callback",
        sealing_key=[Secret(SEALING_KEY)],
        use_state=lambda _hash, _until: True,
    )
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fzoom%2Fcallback" in flow.start().location
    assert CLIENT_SECRET not in repr(vars(flow))


def test_the_government_cloud_has_its_own_hosts() -> None:
    """The API hosts follow the authorization server."""
    kit = Kit(authorization_server="https://zoomgov.com")
    assert kit.start().redirect.location.startswith("https://zoomgov.com/oauth/authorize?")
    assert "https://api.zoomgov.com" in kit.flow._app.origins
    assert REDIRECT_URI == kit.flow._app.client.redirect_uri
