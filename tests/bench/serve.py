"""A server under load: many clients at once, and many slow connections.

    python -m tests.bench.serve --out serve.json
    python -m tests.bench.serve --requests 200 --clients 20 --verb upscale --side 96

Sends the same small pictures as many clients at once, counts answers by status, and compares throughput and processor
time with those of the command line over the same files (on a machine that others use, the second is what counts).
Memory is read from /metrics after a quarter of the requests and at the end. Then opens a thousand connections that
send their request's head byte by byte, and measures what a plain request takes meanwhile and after.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np

from tests.server.serving import ROOT, Process

PHOTO = ROOT / "examples" / "photos" / "cat.jpg"


def main() -> None:
    """Measure and print, as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--verb", default="upscale")
    parser.add_argument("--side", type=int, default=64, help="pixels of the pictures")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = _measured(Path(place), asked)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


def _measured(place: Path, asked: argparse.Namespace) -> dict[str, Any]:
    files = _pictures(place / "in", asked.requests, asked.side)
    batch = _batch(place, asked.verb)
    server = Process(place / "state", "--device", "cpu", log=place / "log")
    try:
        load = _load(server, files, asked.verb, asked.clients)
        slow = _slow(server, asked.connections)
    finally:
        server.end()
    return {
        "machine": {"processors": os.cpu_count(), "threads": 1, "python": platform.python_version()},
        "asked": {name: value for name, value in vars(asked).items() if name != "out"},
        "batch": batch, "load": load, "slow": slow,
    }  # fmt: skip


def _pictures(folder: Path, number: int, side: int) -> list[Path]:
    folder.mkdir()
    photo = cv2.imread(str(PHOTO))
    assert photo is not None
    random = np.random.default_rng(0)
    places = []
    for index in range(number):
        top, left = (int(random.integers(0, length - side)) for length in photo.shape[:2])
        places.append(folder / f"{index:03d}.jpg")
        cv2.imwrite(str(places[-1]), photo[top : top + side, left : left + side])
    return places


def _batch(place: Path, verb: str) -> dict[str, float]:
    """What the command line takes, with its start and without (the start is that of one picture)."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "imgfix", verb, "--device", "cpu", "-q"]
    start, before = time.monotonic(), _children()
    subprocess.run([*command, place / "in" / "000.jpg", "-o", place / "one/"], check=True, env=environment)
    one, busy = time.monotonic() - start, _children() - before
    start, before = time.monotonic(), _children()
    subprocess.run([*command, place / "in", "-o", place / "many/"], check=True, env=environment)
    many, busier = time.monotonic() - start, _children() - before
    number = len(list((place / "in").iterdir()))
    return {
        "first_seconds": round(one, 2), "seconds": round(many, 2),
        "pictures_per_second": round((number - 1) / (many - one), 2),
        "cpu_milliseconds_per_picture": round(1000 * (busier - busy) / (number - 1), 1),
    }  # fmt: skip


def _children() -> float:
    """Seconds of processors that programs took which have ended."""
    took = os.times()
    return took.children_user + took.children_system


def _busy(server: Process) -> float:
    """Seconds of processors that a server took so far; not a number but on Linux."""
    try:
        text = Path(f"/proc/{server.process.pid}/stat").read_text("ascii")
    except OSError:
        return math.nan
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _load(server: Process, files: list[Path], verb: str, clients: int) -> dict[str, Any]:
    """Every file once, by so many clients; one that is told to come again does."""
    waiting, lock = list(files), threading.Lock()
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    memory: list[int] = []

    def work() -> None:
        with httpx.Client(base_url=server.address, timeout=120) as client:
            while True:
                with lock:
                    if not waiting:
                        return
                    path = waiting.pop()
                    if len(waiting) == len(files) * 3 // 4:
                        memory.append(_resident(server))
                _ask(client, verb, path, statuses, seconds, lock)

    _ask(server.client, verb, files[0], Counter(), [], lock)  # loads the model
    start, before = time.monotonic(), _busy(server)
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole, busy = time.monotonic() - start, _busy(server) - before
    memory.append(_resident(server))
    seconds.sort()
    return {
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "seconds": round(whole, 2),
        "pictures_per_second": round(len(files) / whole, 2),
        "cpu_milliseconds_per_picture": round(1000 * busy / len(files), 1),
        "median_seconds": round(statistics.median(seconds), 3),
        "p95_seconds": round(seconds[int(0.95 * (len(seconds) - 1))], 3),
        "resident_mb": {"after_a_quarter": memory[0] >> 20, "at_the_end": memory[-1] >> 20},
        "files_left": server.client.get("/metrics").text.split("\nimgfix_files ")[1].split("\n")[0],
    }


def _ask(
    client: httpx.Client, verb: str, path: Path, statuses: Counter[int], seconds: list[float], lock: threading.Lock
) -> None:
    while True:
        start = time.monotonic()
        answer = client.post(f"/v1/{verb}", files={"file": (path.name, path.read_bytes())})
        took = time.monotonic() - start
        with lock:
            statuses[answer.status_code] += 1
            seconds.append(took)
        if answer.status_code != 429:
            return
        time.sleep(float(answer.headers["Retry-After"]))


def _resident(server: Process) -> int:
    text = httpx.get(f"{server.address}/metrics", timeout=60).text
    return int(float(text.split("\nimgfix_resident_bytes ")[1].split("\n")[0]))


def _slow(server: Process, number: int) -> dict[str, Any]:
    """Connections that never end their request's head, and what others see meanwhile and afterwards."""
    parts = urlsplit(server.address)
    before, place = _resident(server), (parts.hostname or "", parts.port or 0)
    opened: list[socket.socket] = []
    refused = 0
    for _ in range(number):
        connection = socket.socket()
        connection.settimeout(10)
        try:
            connection.connect(place)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        except OSError:
            refused += 1
        opened.append(connection)
    time.sleep(1)
    held = sum(not _closed(connection) for connection in opened)
    start = time.monotonic()
    while not _answers(server):
        assert time.monotonic() - start < 120
        time.sleep(0.5)
    waited = time.monotonic() - start
    after = _resident(server)
    for connection in opened:
        connection.close()
    return {
        "opened": number, "refused": refused, "held_at_once": held, "seconds_until_others_are_served": round(waited, 1),
        "resident_mb": {"before": before >> 20, "after": after >> 20},
    }  # fmt: skip


def _closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _answers(server: Process) -> bool:
    try:
        return httpx.get(f"{server.address}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
