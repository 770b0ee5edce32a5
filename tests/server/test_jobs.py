"""The queue: its bound, who goes first, cancelling, and what is left after a restart."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imgfix.server.answers import Refused
from imgfix.server.fields import VERBS
from imgfix.server.jobs import Queue
from imgfix.server.metrics import Metrics
from imgfix.server.orders import JobResult, Order
from imgfix.server.store import FileRow, Store, new_identifier
from tests.server.conftest import Site, png


class Slow:
    """In the place of a executor: does its work step by step, each when it is let."""

    device = "cpu"

    def __init__(self) -> None:
        self.steps = threading.Semaphore(0)
        self.log: list[str] = []

    def unit(self, order: Order) -> str:
        return "steps"

    def names(self, order: Order) -> dict[str, str]:
        return {}

    def carry_out(self, order: Order, job: str, progress: Callable[[int, int], None]) -> JobResult:
        name = str(order.values["name"])
        self.log.append(f"{name} begins")
        if order.values.get("quick"):
            return JobResult((), {"result": name})
        if order.values.get("fails"):
            raise RuntimeError("a fault")
        for number in range(3):
            assert self.steps.acquire(timeout=60)
            progress(number + 1, 3)
        self.log.append(f"{name} ends")
        return JobResult((), {"result": name})


class Bench:
    """A queue with its store and its slow executor."""

    def __init__(self, folder: Path, most: int = 3) -> None:
        self.store, self.executor = Store(folder), Slow()
        self.queue = Queue(self.store, [self.executor], most, Metrics())  # type: ignore[list-item]
        self.queue.start()

    def submit(self, name: str, lasting: bool = True, **values: Any) -> Any:
        return self.queue.submit(Order("upscale", None, {"name": name, **values}), f"imgfix {name}", lasting)

    def wait(self, job: Any, *statuses: str) -> None:
        """Until a job is so, as those see it who ask the queue; one that runs has begun in the executor, too."""
        end = time.monotonic() + 60
        begins = f"{job.order.values['name']} begins"
        while self.seen(job) not in statuses or (job.status == "running" and begins not in self.executor.log):
            assert time.monotonic() < end, (job.status, self.executor.log)
            time.sleep(0.005)

    def seen(self, job: Any) -> str:
        row = self.queue.job(job.id)
        return str(job.status if row is None else row.status)  # what does not last is forgotten when it has ended

    def close(self) -> None:
        self.queue.stop(patience=0)  # so that what runs stops at its next step
        for _ in range(100):
            self.executor.steps.release()
        self.queue.stop()
        self.store.close()


@contextmanager
def bench(folder: Path, most: int = 3) -> Iterator[Bench]:
    made = Bench(folder, most)
    try:
        yield made
    finally:
        made.close()


def test_orders_are_carried_out_one_after_the_other(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        jobs = [here.submit("a"), here.submit("b")]
        here.executor.steps.release(6)
        for job in jobs:
            here.wait(job, "done")
        assert here.executor.log == ["a begins", "a ends", "b begins", "b ends"]
        assert here.queue.job(jobs[0].id).facts["result"] == "a"  # type: ignore[union-attr]


def test_each_device_has_a_worker_of_its_own(tmp_path: Path) -> None:
    store, executors = Store(tmp_path), [Slow(), Slow()]
    queue = Queue(store, executors, 3, Metrics())  # type: ignore[arg-type]
    queue.start()
    jobs = [queue.submit(Order("upscale", None, {"name": name}), name, True) for name in "abc"]
    end = time.monotonic() + 60
    # A job counts as running a moment before its worker begins on it: both are waited for.
    while sorted(line for executor in executors for line in executor.log) != ["a begins", "b begins"]:
        assert time.monotonic() < end, [executor.log for executor in executors]
        time.sleep(0.005)
    assert queue.counts == {"running": 2, "jobs": 1, "requests": 0}
    for executor in executors:
        executor.steps.release(9)
    while any(job.status != "done" for job in jobs):
        assert time.monotonic() < end
        time.sleep(0.005)
    queue.stop()
    store.close()


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    with bench(tmp_path, most=2) as here:
        here.wait(here.submit("a"), "running")
        here.submit("b")
        here.submit("c")
        with pytest.raises(Refused) as refused:
            here.submit("d")
        assert refused.value.status == 429
        assert 1 <= int((refused.value.headers or {})["Retry-After"]) <= 60
        assert len(here.store.jobs()) == 3  # what was refused is not written down


def test_requests_that_wait_have_a_queue_of_their_own_and_a_job_makes_way_for_them(tmp_path: Path) -> None:
    with bench(tmp_path, most=1) as here:
        here.wait(here.submit("film"), "running")
        here.submit("next film")
        waiting = here.submit("click", lasting=False, quick=True)
        here.executor.steps.release()  # the film's next frame
        here.wait(waiting, "done")
        assert here.executor.log == ["film begins", "click begins"]


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_at_its_next_step(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        running, waiting = here.submit("a"), here.submit("b")
        here.wait(running, "running")
        assert here.queue.cancel(waiting.id) and waiting.status == "cancelled"
        assert here.queue.cancel(running.id) and running.status == "running"
        here.executor.steps.release()
        here.wait(running, "cancelled")
        assert here.executor.log == ["a begins"]
        assert not here.queue.cancel(running.id)
        assert [row.status for row in here.store.jobs()] == ["cancelled", "cancelled"]


def test_a_fault_ends_its_job_and_no_other(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        bad, good = here.submit("bad", fails=True), here.submit("good", quick=True)
        here.wait(good, "done")
        assert bad.status == "failed" and bad.refused.status == 500
        assert "fault" not in bad.refused.message  # what broke is for the log, not for callers
        assert here.queue.works


def test_jobs_survive_a_restart_and_requests_do_not(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        running, waiting = here.submit("a"), here.submit("b")
        here.wait(running, "running")
        here.submit("click", lasting=False)
        (here.store.folder_of(running.id) / "half").touch()
        (here.store.folder_of("0" * 32) / "litter").touch()
        here.executor.steps.release()
    with bench(tmp_path) as again:
        end = time.monotonic() + 60
        while _names(again) != ["a", "b"]:  # one that a worker is just taking stands in neither list
            assert time.monotonic() < end, _names(again)
            time.sleep(0.005)
        assert (again.store.work / running.id / "half").exists()
        assert not (again.store.work / ("0" * 32)).exists()
        again.executor.steps.release(6)
        end = time.monotonic() + 60
        while any(row.status != "done" for row in again.store.jobs()) and time.monotonic() < end:
            time.sleep(0.01)
        assert {row.id: row.status for row in again.store.jobs()} == {running.id: "done", waiting.id: "done"}


def _names(here: Bench) -> list[str]:
    return sorted(str(job.order.values["name"]) for job in (*here.queue._running, *here.queue._slow))


def test_what_is_old_is_deleted_but_for_what_is_in_use(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        rows = []
        for hours in (30, 20, 30):
            place = here.store.incoming / "x"
            place.write_bytes(b"x")
            made = time.time() - 3600 * hours
            row = FileRow(new_identifier(), "x.png", "image", "image/png", 1, 1, 1, None, None, ".png", made)
            rows.append(here.store.add_file(place, row))
        assert here.store.expire(24, used={rows[2].id}) == 1
        assert [here.store.file(row.id) is not None for row in rows] == [False, True, True]
        assert not here.store.path(rows[0]).exists()


def test_files_without_a_row_and_rows_without_a_file_are_cleared_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.incoming / "half").touch()
    (tmp_path / "files" / "orphan").mkdir()
    place = store.incoming / "y"
    place.write_bytes(b"y")
    row = store.add_file(
        place, FileRow(new_identifier(), "y.png", "image", "image/png", 1, 1, 1, None, None, ".png", time.time())
    )  # fmt: skip
    store.path(row).unlink()
    store.close()
    again = Store(tmp_path)
    assert list((tmp_path / "files").iterdir()) == [] and list(again.incoming.iterdir()) == []
    assert again.held() == (0, 0)
    again.close()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with bench(tmp_path) as here:
        here.submit("a", quick=True)
        for path in (here.store.work, here.store.incoming, tmp_path / "files", *tmp_path.glob("state*")):
            assert path.stat().st_mode & 0o077 == 0, path


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    from imgfix.errors import UsageError

    store = Store(tmp_path)
    with pytest.raises(UsageError, match="another server"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_work_that_takes_too_long_for_an_answer_goes_on_as_a_job(
    start: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = start(timeout=0.0)
    answer = site.client.post(
        "/v1/inpaint", files={"file": ("a.png", png())}, data={"box": "10,8,6,5", "model": "telea"}
    )  # fmt: skip
    if answer.status_code == 202:  # else it was quicker than no time at all
        assert site.settled(answer.json()["id"])["status"] == "done"


def test_large_work_is_a_job_by_itself(start: Callable[..., Site]) -> None:
    site = start(at_once=1000)
    row = site.upload(png())
    answer = site.ask("inpaint", input=row["id"], box="10,8,6,5", model="telea")
    assert answer.status_code == 202
    assert site.settled(answer.json()["id"])["output"]["width"] == 48


def test_a_click_is_answered_at_once_however_large_the_picture(start: Callable[..., Site]) -> None:
    site = start(at_once=1000)
    order = Order("select", site.upload(png())["id"], {"point": [[5, 5]]})
    assert site.server.executors[0].check(order) == ("imgfix select photo.png --point 5,5", 0)


def test_a_file_that_a_job_needs_is_not_deleted(site: Site) -> None:
    row = site.upload(png())
    gate = threading.Event()
    executor = site.server.executors[0]
    work = executor.carry_out

    def held(*words: Any) -> JobResult:
        assert gate.wait(60)
        return work(*words)

    executor.carry_out = held  # type: ignore[method-assign]
    values = {"input": row["id"], "box": "10,8,6,5", "model": "telea"}
    job = site.client.post("/v1/inpaint?job=1", json=values).json()["id"]
    assert site.client.delete(f"/v1/files/{row['id']}").status_code == 409
    gate.set()
    site.settled(job)
    assert site.client.delete(f"/v1/files/{row['id']}").status_code == 204


def test_metrics_count_what_happened(site: Site) -> None:
    row = site.upload(png())
    site.ask("inpaint", input=row["id"], box="10,8,6,5", model="telea")
    site.ask("inpaint", input="nothing", box="10,8,6,5")
    for name in (*VERBS, "recipes"):  # each is counted under its own name, whatever is answered
        site.ask(name)
    text = site.client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['imgfix_requests_total{method="POST",route="/v1/inpaint",status="200"}'] == "1"
    assert lines['imgfix_requests_total{method="POST",route="/v1/inpaint",status="404"}'] == "1"
    assert lines['imgfix_work_total{verb="inpaint",status="done"}'] == "1"
    assert not any('route="other"' in line for line in lines)
    assert lines['imgfix_work_seconds_bucket{verb="inpaint",le="+Inf"}'] == "1"
    assert lines["imgfix_files"] == "2" and float(lines["imgfix_resident_bytes"]) > 1e6


def test_metrics_do_not_grow_with_what_is_asked_for(site: Site) -> None:
    for name in ("a", "b", "c"):
        site.client.get(f"/v1/files/{name}")
        site.client.get(f"/{name}")
        site.client.get(f"/v1/{name}")
        site.client.request(name.upper(), "/v1/models")
    text = site.client.get("/metrics").text
    assert sum(line.startswith("imgfix_requests_total{") for line in text.splitlines()) == 3
