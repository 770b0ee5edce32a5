"""Who may call a server, what it refuses to read, and that no path of its disk is ever taken from a request."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgfix.errors import UsageError
from imgfix.server.settings import Settings, size
from tests.server.conftest import HOST, Site, png

TOKEN = "a-token-for-tests"
PRIVATE = "/etc/passwd"
V1 = [
    ("GET", "/v1/models"), ("GET", "/v1/jobs"), ("GET", "/v1/files/0"), ("POST", "/v1/uploads"),
    ("POST", "/v1/upscale"), ("POST", "/v1/select"), ("DELETE", "/v1/files/0"), ("GET", "/v1/jobs/0/events"),
    ("GET", "/v1/options/upscale"), ("GET", "/metrics"), ("GET", "/v1/nothing"),
]  # fmt: skip


# -- the token ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), V1)
@pytest.mark.parametrize("sent", [None, "Bearer wrong-token", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", TOKEN])
def test_without_the_token_nothing_is_served(
    start: Callable[..., Site], method: str, path: str, sent: str | None
) -> None:
    site = start(token=TOKEN)
    site.client.headers.pop("authorization")
    answer = site.client.request(method, path, headers={"Authorization": sent} if sent else {})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_with_the_token_it_is(start: Callable[..., Site]) -> None:
    site = start(token=TOKEN)
    assert site.client.get("/v1/models").status_code == 200
    assert site.upload(png())["width"] == 48


def test_a_token_in_the_address_is_no_token(start: Callable[..., Site]) -> None:
    site = start(token=TOKEN)
    site.client.headers.pop("authorization")
    assert site.client.get(f"/v1/models?token={TOKEN}").status_code == 401


def test_only_health_and_description_and_page_need_no_token(start: Callable[..., Site]) -> None:
    site = start(token=TOKEN)
    site.client.headers.pop("authorization")
    assert site.client.get("/healthz").status_code == 200
    assert site.client.get("/openapi.json").status_code == 200
    assert site.client.get("/page/nothing.js").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_where_others_can_reach_it_a_token_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="token"):
        Settings(tmp_path, host)
    assert not Settings(tmp_path, host, token=TOKEN).local


@pytest.mark.parametrize("token", ["short", "with a blank in it", "letters\nand lines", ""])
def test_a_token_that_is_easily_guessed_or_cannot_be_sent_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(UsageError, match="token"):
        Settings(tmp_path, token=token)


def test_it_listens_on_loopback_unless_told(tmp_path: Path) -> None:
    from imgfix.server.run import _bound

    with _bound(Settings(tmp_path, port=0)) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


# -- other sites -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/uploads"), ("GET", "/v1/models"), ("OPTIONS", "/v1/uploads")]
)
def test_a_request_from_another_site_is_refused(site: Site, origin: str, method: str, path: str) -> None:
    answer = site.client.request(method, path, headers={"Origin": origin})
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_the_page_itself_may_call(site: Site) -> None:
    assert site.client.get("/v1/models", headers={"Origin": HOST}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "192.0.2.7"])
def test_a_name_that_was_bound_to_this_machine_by_others_is_refused(site: Site, host: str) -> None:
    assert site.client.get("/v1/models", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
def test_loopback_is_known_by_its_names(site: Site, host: str) -> None:
    assert site.client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_a_server_for_others_is_called_by_address_or_by_a_name_that_was_said(start: Callable[..., Site]) -> None:
    site = start(host="0.0.0.0", token=TOKEN, names=("photos.example",))
    status = {
        host: site.client.get("/v1/models", headers={"Host": host}).status_code
        for host in ("192.0.2.7:8765", "photos.example", "evil.example")
    }
    assert status == {"192.0.2.7:8765": 200, "photos.example": 200, "evil.example": 403}


def test_what_is_answered_cannot_run_in_a_browser(site: Site) -> None:
    html = site.client.post("/v1/uploads?name=x.html", content=b"<html><script>alert(1)</script>", headers=RAW)
    assert html.status_code == 415
    row = site.upload(png())
    headers = site.client.get(f"/v1/files/{row['id']}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert (
        "sandbox" in headers["content-security-policy"] and "default-src 'none'" in headers["content-security-policy"]
    )
    assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"


RAW = {"Content-Type": "application/octet-stream"}


# -- names and what is in files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../../../etc/cron.d/x.png", "x.png"), ("..\\..\\windows\\x.png", "x.png"), ("/etc/passwd", "passwd.png"),
        ("..", "file.png"), (".hidden.png", "hidden.png"), ("-o.png", "o.png"),
        ("x" * 500 + ".png", "x" * 117 + ".png"),
        ("a\x00\x1b[2Jb.png", r"a\x00\x1b[2Jb.png"), ("<b onclick=x>.png", "<b onclick=x>.png"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
    ],
)  # fmt: skip
def test_a_name_is_no_path_and_does_not_act(given: str, kept: str) -> None:
    from imgfix.server.uploads import name_from

    assert name_from(given, ".png") == kept


def test_what_a_file_is_called_has_nothing_to_do_with_where_it_lies(site: Site, tmp_path: Path) -> None:
    row = site.upload(png(), "../../../../escape.png")
    places = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")]
    assert places == [Path("state", "files", row["id"], "file.png")]


@pytest.mark.parametrize(
    "name",
    ["../state.sqlite", "..%2f..%2fstate.sqlite", "%2e%2e/%2e%2e/etc/passwd", "....//", "A" * 32, "0" * 31 + "g"],
)
def test_an_identifier_is_no_path(site: Site, name: str) -> None:
    for path in (f"/v1/files/{name}", f"/v1/files/{name}/preview", f"/v1/jobs/{name}", f"/page/{name}"):
        answer = site.client.get(path)
        assert answer.status_code == 404 and b"SQLite" not in answer.content


def test_html_in_names_and_exif_stays_text(site: Site) -> None:
    from PIL import Image

    evil = '"><script>alert(1)</script>.jpg'
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stream, "JPEG", exif=exif)
    row = site.client.post("/v1/uploads", params={"name": evil}, content=stream.getvalue(), headers=RAW).json()
    answer = site.client.get(f"/v1/files/{row['id']}?download=1")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=utf-8''")
    assert "<" not in answer.headers["content-disposition"] and answer.headers["content-type"] == "image/jpeg"
    preview = site.client.get(f"/v1/files/{row['id']}/preview?width=16")
    assert b"script" not in preview.content
    error = site.ask("upscale", input=row["id"], scale=99)
    assert error.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("verb", "values"),
    [
        ("inpaint", {"mask": PRIVATE}), ("inpaint", {"mask": "~/x.png"}), ("inpaint", {"mask": ["a", "b"]}),
        ("inpaint", {"save_mask": "/tmp/x.png", "box": "1,1,2,2"}), ("upscale", {"output": "/tmp/x.png"}),
        ("upscale", {"model": "/tmp/x.safetensors"}), ("upscale", {"model": "../x.pth"}),
        ("upscale", {"model": "hf:org/name"}), ("upscale", {"model": "https://example.org/x.pth"}),
        ("upscale", {"encoder_option": "stats=/tmp/x"}), ("upscale", {"overwrite": True}),
        ("restore", {"save_mask": "/tmp/x.png", "scratches": True}), ("select", {"preview": "/tmp/x", "subject": True}),
        ("cutout", {"behind": PRIVATE}), ("cutout", {"save_mask": "/tmp/x.png"}),
        ("generate", {"prompt": "a", "prompt_file": PRIVATE}), ("generate", {"prompt": "a", "like": PRIVATE}),
        ("generate", {"prompt": "a", "sound": PRIVATE}), ("generate", {"prompt": "a", "image": PRIVATE}),
        ("generate", {"prompt": "a", "grid": "/tmp/x.png"}), ("generate", {"prompt": "a", "model": "/tmp"}),
        ("generate", {"prompt": "a", "upscale": 2, "upscale_model": "/tmp/x.pth"}),
        ("evaluate", {"against": PRIVATE}), ("inpaint", {"object": "dog", "detector": "/tmp/x.pth"}),
        ("upscale", {"smooth": 2, "smooth_model": "/tmp/x.pth"}), ("restore", {"only": True, "mask": PRIVATE}),
        ("upscale", {"only": True, "box": "1,1,5,5", "save_mask": "/tmp/x.png"}),
    ],
)  # fmt: skip
def test_no_path_is_taken_from_a_request(site: Site, verb: str, values: dict[str, Any]) -> None:
    if verb != "generate":
        values = {"input": site.upload(png())["id"], **values}
    answer = site.ask(verb, **values)
    assert answer.status_code in (400, 404), answer.text
    assert "root:" not in answer.text


def test_a_path_is_no_input(site: Site) -> None:
    for place in (PRIVATE, "../../state.sqlite", "-", "@list.txt", "*.png", ["/etc/passwd"], 7, None):
        assert site.ask("upscale", input=place).status_code in (400, 404)


def test_a_file_at_hand_is_not_taken_for_what_is_put_behind(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "white").write_bytes(png())
    values, executor = {"behind": "white"}, site.server.executors[0]
    from imgfix.server.orders import Order

    wanted = executor._asked(Order("cutout", site.upload(png())["id"], values))
    assert wanted.request.behind == "#ffffff"


PLAYLIST = b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "data",
    [PLAYLIST, b"ffconcat version 1.0\nfile /etc/passwd\n", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
     b"<svg></svg>", b"MZ",
     b"%PDF-1.4", b"PK\x03\x04", b""],
    ids=["hls", "concat", "sdp", "svg", "exe", "pdf", "zip", "empty"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["clip.mp4", "photo.png"])
def test_a_file_that_names_other_files_or_is_none_of_ours_is_not_opened(site: Site, data: bytes, name: str) -> None:
    answer = site.client.post("/v1/uploads", files={"file": (name, data)})
    assert answer.status_code == 415
    assert site.server.store.held() == (0, 0) and not list(site.server.store.incoming.iterdir())


# -- sizes -------------------------------------------------------------------------------------------------------------


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that says it has side times side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_its_header(site: Site) -> None:
    answer = site.client.post("/v1/uploads", files={"file": ("bomb.png", bomb(60_000))})
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "too_large"
    for verb in ("upscale", "restore", "cutout"):
        assert site.client.post(f"/v1/{verb}", files={"file": ("bomb.png", bomb(60_000))}).status_code == 413
    assert site.server.store.held() == (0, 0)


def test_a_result_that_would_be_a_bomb_is_refused(start: Callable[..., Site]) -> None:
    site = start(max_pixels=10_000)
    row = site.upload(png())
    answer = site.ask("upscale", input=row["id"], scale=16)
    assert answer.status_code == 413 and "768 x 512" in answer.json()["error"]["message"]
    assert site.ask("inpaint", input=row["id"], expand="all=300", model="telea").status_code in (413, 422)


class Trickle:
    """Counts how much of a body was asked for."""

    def __init__(self, chunk: bytes, pause: float = 0.0) -> None:
        self.chunk, self.pause, self.read = chunk, pause, 0

    async def __call__(self) -> dict[str, Any]:
        await asyncio.sleep(self.pause)
        self.read += len(self.chunk)
        return {"type": "http.request", "body": self.chunk, "more_body": True}


def asked(app: Any, body: Trickle, **headers: str) -> tuple[int, bytes]:
    """Send a request whose body never ends straight to an application; status and answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"host": "127.0.0.1:8765", "content-type": "application/octet-stream", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    scope = {
        "type": "http", "method": "POST", "path": "/v1/uploads", "query_string": b"", "http_version": "1.1",
        "scheme": "http", "headers": raw,
    }  # fmt: skip
    asyncio.run(app(scope, body, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_an_upload_of_two_gigabytes_is_refused_before_it_is_read(start: Callable[..., Site]) -> None:
    site = start()
    body = Trickle(bytes(1 << 16), pause=0.05)
    status, answer = asked(site.client.app, body, content_length=str(2 << 30))
    assert status == 413 and b"too_large" in answer
    assert body.read < 4 << 20
    assert not list(site.server.store.incoming.iterdir())


def test_one_that_does_not_say_its_size_is_stopped_at_the_limit(start: Callable[..., Site]) -> None:
    site = start(max_upload=1 << 20)
    body = Trickle(bytes(1 << 16))
    status, answer = asked(site.client.app, body, transfer_encoding="chunked")
    assert status == 413 and b"too_large" in answer
    assert body.read <= (1 << 20) + (2 << 16)
    assert not list(site.server.store.incoming.iterdir())


@pytest.mark.parametrize("pause", [5.0, 0.02])
def test_one_that_comes_too_slowly_is_given_up(start: Callable[..., Site], pause: float) -> None:
    site = start(patience=0.2)
    status, answer = asked(site.client.app, Trickle(b"x", pause), transfer_encoding="chunked")
    assert status == 408 and b"timeout" in answer


@pytest.mark.parametrize("length", ["-1", "many", "1e9"])
def test_a_length_that_is_none_is_refused(start: Callable[..., Site], length: str) -> None:
    assert asked(start().client.app, Trickle(b"x", 0.02), content_length=length)[0] == 413


def test_no_more_is_kept_than_there_may_be(start: Callable[..., Site]) -> None:
    site = start(max_storage=2 * len(png()))
    assert site.client.post("/v1/uploads", content=png(), headers=RAW).status_code == 201
    assert site.client.post("/v1/uploads", content=png(), headers=RAW).status_code == 201
    answer = site.client.post("/v1/uploads", content=png(), headers=RAW)
    assert answer.status_code == 507 and answer.json()["error"]["code"] == "storage"


def test_json_that_is_huge_or_deep_is_refused(site: Site) -> None:
    kind = {"Content-Type": "application/json"}
    assert site.client.post("/v1/upscale", content=b" " * (2 << 20), headers=kind).status_code == 413
    assert site.client.post("/v1/upscale", content=b'{"a":' * 100_000, headers=kind).status_code == 400
    assert site.client.post("/v1/upscale", content=b"[1]", headers=kind).status_code == 400


def test_a_form_has_few_parts(site: Site) -> None:
    files = [("file", ("a.png", png())) for _ in range(9)]
    assert site.client.post("/v1/upscale", files=files).status_code == 400
    assert site.client.post("/v1/upscale", data={f"f{n}": "1" for n in range(500)}).status_code == 400
    assert site.client.post("/v1/upscale", content=b"--x\r\nbroken", headers={
        "Content-Type": "multipart/form-data; boundary=x"}).status_code == 400  # fmt: skip


@pytest.mark.parametrize(("text", "found"), [("500M", 500 << 20), ("2G", 2 << 30), ("1.5k", 1536), ("7", 7)])
def test_sizes_are_written_with_their_unit(text: str, found: int) -> None:
    assert size(text) == found


@pytest.mark.parametrize("text", ["", "0", "much", "5X", "-1G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no size"):
        size(text)
