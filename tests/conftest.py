"""Options and fixtures that all tests share."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code: speed is measured in benchmarks/, never here.
settings.register_profile("trackgen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trackgen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regold", action="store_true", help="write the golden files anew from what the code gives now")


@pytest.fixture
def regold(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew; the differences are then for a person to read."""
    return bool(request.config.getoption("--regold"))
