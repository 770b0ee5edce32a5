"""Runs `imgfix` and `python` for the guides' shells without importing torch again for every command.

    python server.py SOCKET      imports everything once, then forks for each request
    python server.py FOLDER SOCKET --shims       writes the two programs that shells find on their PATH

A shim sends its arguments, folder, environment and its three standard streams; the forked child takes them over, so
pipes, redirections and exit codes are the shell's own.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

_connect = socket.socket.connect
_SHIM = """#!{python} -SEs
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as to:
    to.connect({socket!r})
    request = {{"program": {program!r}, "arguments": sys.argv[1:], "folder": os.getcwd()}}
    request["environment"] = dict(os.environ)
    streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    to.sendmsg([b"."], streams)
    to.sendall(json.dumps(request).encode())
    to.shutdown(socket.SHUT_WR)
    answer = to.recv(8)
sys.exit(int(answer or b"70"))
"""
PRELOADED = ("torch", "cv2", "PIL.Image", "imgfix.api", "imgfix.cli.app", "imgfix.media.video.reader")
SHORTER: dict[str, tuple[str, ...]] = {
    "train": ("--steps", "2", "--batch", "2", "--set", "validate_every=2"),
    "inpaint": ("--no-tta",),
    "bench": ("--size", "48x48", "--rounds", "1"),
}
"""Appended to a command: what a guide says takes minutes, and the tests have seconds."""
SMALLER = {"--long-side": "300", "--frames": "6"}
"""Values of options that are replaced, where they are larger."""


def write_shims(folder: Path, path: str) -> None:
    """Write `imgfix` and `python` into a folder; they talk to the server behind the socket."""
    for program in ("imgfix", "python"):
        shim = folder / program
        shim.write_text(_SHIM.format(python=sys.executable, socket=path, program=program))
        shim.chmod(0o755)


def main(path: str) -> None:
    """Answer requests until standard input ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(16)
        print("ready", flush=True)
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:  # its end is that of the tests
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                os._exit(_serve(connection))
            connection.close()


def _serve(connection: socket.socket) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", line_buffering=True)
    if os.environ.get("GUIDES_NETWORK") != "1":
        socket.socket.connect = _refuse  # type: ignore[method-assign]
    if os.environ.get("GUIDES_STAND_IN") == "1":
        from tests.guides import stand_in

        stand_in.install()
    code = _run(request["program"], request["arguments"])
    for text in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            text.flush()
    connection.sendall(str(code).encode())
    return code


def _run(program: str, arguments: list[str]) -> int:
    if program == "imgfix":
        from imgfix.cli import run

        return run(shortened(arguments))
    sys.argv = arguments
    try:
        if arguments[0] == "-c":
            exec(compile(arguments[1], "-c", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def shortened(arguments: list[str]) -> list[str]:
    """The same command with less work."""
    if {"--help", "-h", "help", "--preview", "telea", "ns", "--tta", "--no-tta"} & set(arguments):
        return arguments
    found = [
        str(min(int(word), int(SMALLER[before]))) if before in SMALLER and word.isdecimal() else word
        for before, word in zip(["", *arguments], arguments, strict=False)
    ]
    if found[:1] == ["watch"]:  # what is there is enough; behind `--` stand the options of the verb
        found.insert(1, "--once")
    return [*found, *SHORTER.get(arguments[0] if arguments else "", ())]


def _refuse(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] == "127.0.0.1":  # a server of ours
        return _connect(self, address)
    raise OSError(f"a command of the guides tried to connect to {address}")


if __name__ == "__main__":
    main(sys.argv[1])
