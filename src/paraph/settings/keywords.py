"""The settings as keywords of `Zoom`, with their types: an editor completes them.

`Written` reads and checks the values; a test compares the names.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Literal, TypedDict

from paraph.secret import Secret

Text = str | Secret | Path
Texts = Collection[str | Secret]


class SettingKeywords(TypedDict, total=False):
    """Every setting; docs/reference/settings.md describes them."""

    client_id: Text
    client_secret: Text
    webhook_secrets: Texts
    public_url: Text
    public_bind: Text
    private_bind: Text
    database_url: Text
    events_url: Text
    encryption_keys: Texts
    encryption_keys_file: Text
    key_service_url: Text
    key_service_mount: Text
    key_service_key: Text
    key_service_token: Text
    key_service_token_file: Text
    key_service_ca_file: Text
    linking: Literal["none", "host"]
    start_url: Text
    link_url: Text
    required_scopes: Texts
    level: Literal["user", "account"]
    authorization_server: Text
    api_servers: Texts
    proxy_allow: Texts
    forward_url: Text
    forward_secrets: Texts
    trusted_proxies: Texts
    freshness_past: int
    freshness_future: int
    event_retention: int
    dead_letter_retention: int
    app_name: Text
    verify_zoom: Text
    security_contact: Text
    operator_url: Text
    receipts_folder: Text
    webhook_rotation_until: datetime
    event_timeout: int
    event_order: Literal["none", "account"]
    fast_path: bool
    private_hosts: Texts
    outgoing_proxy: Text
    outgoing_proxy_bypass: Texts
    ca_file: Text
    drain_seconds: int
