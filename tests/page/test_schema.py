"""Requests made up from the server's own description: none may break it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from luthier.page.keys import Keys

from .conftest import STUDY, make_store
from .test_events import served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def served_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server with a study in it, and its store."""
    path = make_store(tmp_path_factory.mktemp("fuzz"), trials=6)
    with served(path) as client:
        yield str(client.base_url).rstrip("/"), path


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_request_breaks_it(served_url: tuple[str, Path]) -> None:
    base, path = served_url
    keys = Keys.beside(path)
    headers = {
        "Cookie": f"{keys.cookie}={keys.token('owner')}",
        "X-Luthier-Token": keys.acting("owner"),
    }
    schema = schemathesis.openapi.from_url(f"{base}/api/v1/openapi.json", headers=headers)
    n_cases = 0
    for operation in schema.get_all_operations():
        found = operation.ok()
        if found.path.endswith("/events"):
            continue  # it never ends; test_events.py listens to it

        @settings(max_examples=12, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=found.as_strategy())
        def send(case: schemathesis.Case) -> None:
            nonlocal n_cases
            n_cases += 1
            if n_cases % 2 and "study" in (case.path_parameters or {}):
                case.path_parameters["study"] = STUDY
                if "run" in case.path_parameters:
                    case.path_parameters["run"] = "0.0"
            answer = case.call(base_url=base, headers=headers)
            case.validate_response(answer, checks=CHECKS)

        send()
    assert n_cases > 150
    assert httpx.get(f"{base}/api/v1/studies", headers=headers).status_code == 200
