"""The small job that faults happen to, and what it gives without any."""

from __future__ import annotations

import pytest

from tests.faults.jobs import Job, done, results, small_job, trackgen


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return small_job(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="session")
def expected(job: Job, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed run, but for run.json."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done(trackgen(*job.scan(output)))
    return results(output)
