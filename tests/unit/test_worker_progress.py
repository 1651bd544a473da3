"""A stage that gets on is healthy however busy or idle it is; one that does not is not."""

from stream.worker.progress import Progress


class Stage:
    """A stage whose lag and last commit the test sets."""

    def __init__(self) -> None:
        self.lag = 0
        self.committed: float | None = None
        self.progress = Progress(lambda: self.lag, lambda: self.committed)

    def stuck(self, now: float) -> str | None:
        return self.progress.stuck(now, after=60)


def test_idle_for_days_it_is_healthy_and_so_is_the_first_record_after() -> None:
    stage = Stage()
    stage.committed = 10
    assert stage.stuck(100_000) is None
    stage.lag = 1
    assert stage.stuck(100_001) is None
    assert stage.stuck(100_050) is None


def test_records_that_wait_without_a_commit_make_it_unhealthy() -> None:
    stage = Stage()
    stage.lag = 1500
    assert stage.stuck(1000) is None
    assert stage.stuck(1060) is None
    assert stage.stuck(1061) == "1,500 records wait, and nothing was committed for 61 s"


def test_as_long_as_it_commits_any_lag_is_healthy() -> None:
    stage = Stage()
    stage.lag = 10**9
    for now in range(1000, 5000, 50):
        stage.committed = now - 40
        assert stage.stuck(now) is None


def test_once_all_is_done_it_is_healthy_again() -> None:
    stage = Stage()
    stage.lag = 1
    stage.stuck(0)
    assert stage.stuck(100) is not None
    stage.lag = 0
    assert stage.stuck(101) is None
    stage.lag = 1
    assert stage.stuck(150) is None
