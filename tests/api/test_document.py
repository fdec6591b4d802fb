"""The OpenAPI document against the running service, over a socket: what it says is what happens."""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.live import Live

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# API_EXAMPLES=500 for a longer run of `make verify`.
EXAMPLES = [4, pytest.param(int(os.environ.get("API_EXAMPLES", "25")), marks=pytest.mark.slow)]


def operations(live: Live) -> list[Any]:
    """Every operation of the document."""
    schema = schemathesis.openapi.from_dict(live.document)
    schema.config.update(base_url=live.url)
    operations: list[Any] = list(schema.get_all_operations())
    return [found.ok() for found in operations]


def drive(live: Live, operation: Any, examples: int, *, valid: bool, real_id: bool) -> None:
    """Send some calls of one operation, and compare each response with the document."""
    mode = schemathesis.GenerationMode.POSITIVE if valid else schemathesis.GenerationMode.NEGATIVE

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if real_id:
            case.path_parameters["installation_id"] = live.installation_id
        case.call_and_validate(headers={"authorization": live.key}, checks=CHECKS, timeout=20)

    run()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_500_and_no_undocumented_response(live: Live, examples: int) -> None:
    """Every operation, with calls as documented and with calls that are not."""
    found = operations(live)
    assert 15 <= len(found)
    for operation in found:
        drive(live, operation, examples, valid=True, real_id=False)
        drive(live, operation, examples, valid=False, real_id=False)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_same_for_an_installation_that_exists(live: Live, examples: int) -> None:
    """Vending, reading and the proxy, where they succeed."""
    for operation in operations(live):
        if "{installation_id}" in operation.path and operation.method != "delete":
            drive(live, operation, examples, valid=True, real_id=True)


def test_every_operation_documents_key_problems_and_idempotency(live: Live) -> None:
    """All need the key and refer to `Problem`; the POSTs that change data take the other key."""
    keyed = set()
    for path, methods in live.document["paths"].items():
        for method, operation in methods.items():
            assert [{"apiKey": []}] == operation["security"]
            for status in ("401", "403", "404", "422", "500", "503"):
                (content,) = operation["responses"][status]["content"].items()
                schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
                assert ("application/problem+json", schema) == content
            names = [one["name"] for one in operation.get("parameters", [])]
            if "idempotency-key" in names:
                keyed.add((method, path))
    posts = {
        ("post", path) for path, methods in live.document["paths"].items() if "post" in methods
    }
    keyless = {("post", "/v1/user-export")}
    assert {one for one in posts if "/installations/" not in one[1]} - keyless == keyed


def test_routes_that_only_the_document_has_are_not_run(live: Live) -> None:
    """An id that is too long for access tokens and the proxy is an unknown path, not a call."""
    import httpx

    with httpx.Client(base_url=live.url, headers={"authorization": live.key}) as client:
        for end in ("access-token", "zoom/v2/users/me"):
            response = client.post(f"/v1/installations/{'x' * 65}/{end}", json={"subject": "a"})
            assert (404, "not_found") == (response.status_code, response.json()["code"])


def test_without_a_key_everything_is_one_401(live: Live) -> None:
    """Every call gets the same bytes, which reveal nothing about existing resources."""
    import httpx

    responses = set()
    with httpx.Client(base_url=live.url) as client:
        for path, methods in live.document["paths"].items():
            where = path.replace("{installation_id}", live.installation_id)
            where = where.replace("{path}", "users/me").replace("{claim}", "x")
            for method in methods:
                for headers in ({}, {"authorization": "Bearer wrong"}):
                    response = client.request(method.upper(), where, headers=headers)
                    responses.add((response.status_code, response.content))
        responses.add((client.get("/v1/openapi.json").status_code, response.content))
    assert {401} == {status for status, _ in responses}
    assert 1 == len(responses)
