"""Small stand-ins: a catalog of our own, a web server that can misbehave, ncnn files made by code."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile

TINY = {"scale": 2, "features": 4, "convs": 1, "activation": "prelu", "in_channels": 3, "out_channels": 3}


def tiny_net() -> nn.Module:
    """A small SRVGG with fixed random weights."""
    torch.manual_seed(7)
    return ARCHITECTURES["srvgg"].build(TINY).eval()


def tiny_checkpoint(path: Path) -> Path:
    """Its weights as a `.pth` of the usual form."""
    torch.save({"params": tiny_net().state_dict()}, path)
    return path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tiny_entry(*sources: DownloadSource, **changes: Any) -> Entry:
    """A catalog entry for `tiny_net`."""
    values: dict[str, Any] = {
        "name": "tiny-x2",
        "task": "upscale",
        "net": "srvgg",
        "config": TINY,
        "licence": "CC0-1.0",
        "rank": 10,
        "sources": sources,
    }
    return Entry(**(values | changes))


def http_source(url: str, data: bytes, **changes: Any) -> DownloadSource:
    """A source that is one file behind an address."""
    name = url.rsplit("/", 1)[-1]
    values: dict[str, Any] = {
        "kind": "http",
        "address": url,
        "format": "torch",
        "files": (SourceFile(name, digest(data), len(data)),),
    }
    return DownloadSource(**(values | changes))


@dataclass
class Server:
    """Files served on this machine, with what went over the wire."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    """Path -> content."""
    ranges: bool = True
    """Whether it answers `Range` requests."""
    cut_after: int | None = None
    """Close the connection after so many bytes of an answer, as often as `cuts` says."""
    cuts: int = 0
    announce: bool = True
    """Whether it says how long its answer is."""
    status: int | None = None
    """Answer everything with this status."""
    drip: float = 0.0
    """Seconds to wait after each byte of an answer."""
    drip_headers: bool = False
    """Whether the headers are dripped too."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of each request."""


@contextmanager
def serve(**files: bytes) -> Iterator[Server]:
    """A web server on a free port of this machine."""
    state = Server(files={f"/{name.replace('__', '.')}": data for name, data in files.items()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            with contextlib.suppress(ConnectionError):
                while state.drip_headers:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n"[:1])
                    time.sleep(state.drip)
            state.requests.append((self.path, wanted))
            data = state.files.get(self.path)
            if state.status or data is None:
                self.send_error(state.status or 404)
                return
            start = 0
            if wanted and state.ranges and (match := re.fullmatch(r"bytes=(\d+)-", wanted)):
                start = int(match[1])
                if start >= len(data):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            if self.path.endswith("/"):
                self.send_header("Content-Type", "text/html")
            body = data[start:]
            if state.announce:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cuts and state.cut_after is not None:
                state.cuts -= 1
                body = body[: state.cut_after]
            with contextlib.suppress(ConnectionError):  # a client that has had enough hangs up
                if not state.drip:
                    self.wfile.write(body)
                for byte in body if state.drip else b"":
                    self.wfile.write(bytes([byte]))
                    time.sleep(state.drip)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- ncnn -----------------------------------------------------------------------------------------


class NcnnWriter:
    """Builds a `.param` and a `.bin` layer by layer."""

    def __init__(self, half: bool = True) -> None:
        self.lines: list[str] = []
        self.blobs = 0
        self.data = b""
        self.half = half

    def layer(self, kind: str, inputs: list[str], *params: str, outputs: int = 1) -> list[str]:
        """One line; returns the names of its outputs."""
        names = [f"t{self.blobs + number}" for number in range(outputs)]
        self.blobs += outputs
        words = [kind, f"l{len(self.lines)}", str(len(inputs)), str(outputs), *inputs, *names, *params]
        self.lines.append(" ".join(words))
        return names

    def conv(self, name: str, conv: nn.Conv2d, slope: float | None = None) -> str:
        """A convolution with its weights, and the leaky ReLU that ncnn folds into it."""
        weight = conv.weight.detach().numpy().ravel()
        if self.half:
            stored = weight.astype("<f2").tobytes()
            self.data += struct.pack("<I", 0x01306B47) + stored + bytes(-len(stored) % 4)
        else:
            self.data += struct.pack("<I", 0) + weight.astype("<f4").tobytes()
        assert conv.bias is not None
        self.data += conv.bias.detach().numpy().astype("<f4").tobytes()
        params = [f"0={conv.out_channels}", "1=3", "4=1", "5=1", f"6={weight.size}"]
        params += [] if slope is None else ["9=2", f"-23310=1,{slope:e}"]
        return self.layer("Convolution", [name], *params)[0]

    def prelu(self, name: str, module: nn.PReLU) -> str:
        """A PReLU with its slopes."""
        self.data += module.weight.detach().numpy().astype("<f4").tobytes()
        return self.layer("PReLU", [name], f"0={module.weight.numel()}")[0]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The two files."""
        param, binary = folder / "net.param", folder / "net.bin"
        param.write_text(f"7767517\n{len(self.lines)} {self.blobs}\n" + "\n".join(self.lines) + "\n")
        binary.write_bytes(self.data)
        return param, binary


def write_ncnn_srvgg(net: Any, folder: Path, half: bool = True) -> tuple[Path, Path]:
    """An SRVGG as ncnn's converter writes it."""
    writer = NcnnWriter(half)
    (x,) = writer.layer("Input", [])
    body, base = writer.layer("Split", [x], outputs=2)
    for module in net.body:
        body = writer.conv(body, module) if isinstance(module, nn.Conv2d) else writer.prelu(body, module)
    (up,) = writer.layer("PixelShuffle", [body], f"0={net.shuffle}")
    (base,) = writer.layer("Interp", [base], "0=1", f"1={net.shuffle:e}", f"2={net.shuffle:e}")
    (out,) = writer.layer("BinaryOp", [up, base])
    if net.scale != net.shuffle:
        factor = net.scale / net.shuffle
        writer.layer("Interp", [out], "0=3", f"1={factor:e}", f"2={factor:e}")
    return writer.write(folder)


def write_ncnn_rrdbnet(net: Any, folder: Path, half: bool = True) -> tuple[Path, Path]:
    """An RRDBNet (without unshuffle) as ncnn's converter writes it."""
    writer = NcnnWriter(half)
    residual = ("0=1", "-23301=2,2.000000e-01,1.000000e+00")
    (x,) = writer.layer("Input", [])
    first = x = writer.conv(x, net.conv_first)
    for block in net.body:
        start = x
        for dense in (block.rdb1, block.rdb2, block.rdb3):
            seen = [x]
            for number in range(1, 5):
                joined = writer.layer("Concat", seen)[0] if number > 1 else x
                seen.append(writer.conv(joined, getattr(dense, f"conv{number}"), slope=0.2))
            last = writer.conv(writer.layer("Concat", seen)[0], dense.conv5)
            (x,) = writer.layer("Eltwise", [last, x], *residual)
        (x,) = writer.layer("Eltwise", [x, start], *residual)
    (x,) = writer.layer("BinaryOp", [first, writer.conv(x, net.conv_body)])
    for stage in (net.conv_up1, net.conv_up2):
        (x,) = writer.layer("Interp", [x], "0=1", "1=2.000000e+00", "2=2.000000e+00")
        x = writer.conv(x, stage, slope=0.2)
    writer.conv(writer.conv(x, net.conv_hr, slope=0.2), net.conv_last)
    return writer.write(folder)
