import threading

import pytest

from recording.encoder_pool import EncoderPool


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_jobs_of_one_key_keep_their_order(threads: int) -> None:
    pool = EncoderPool(threads, clock=lambda: 0.0)
    done: dict[int, list[int]] = {key: [] for key in range(5)}
    for number in range(50):
        for key, mine in done.items():
            pool.submit(key, lambda mine=mine, number=number: mine.append(number))  # type: ignore[misc] # mypy infers no lambda with defaults
        if number % 3 == 0:
            pool.flush()
    pool.close()
    assert all(mine == list(range(50)) for mine in done.values())


def test_the_lag_is_the_age_of_the_job_at_hand() -> None:
    now = 10.0
    started, release = threading.Event(), threading.Event()
    pool = EncoderPool(1, clock=lambda: now)

    def slow() -> None:
        started.set()
        release.wait(10.0)

    assert pool.lag_s == 0.0
    pool.submit(0, slow)
    assert pool.lag_s == 0.0, "nothing begins by itself"
    pool.flush()
    assert started.wait(10.0)
    now = 13.0
    assert pool.lag_s == 3.0
    release.set()
    pool.close()
    assert pool.lag_s == 0.0
    assert pool.busy_s >= 0.0
