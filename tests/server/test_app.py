"""What a server answers: files as they came, results as the command line gives them, jobs, errors."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgfix.errors import ExitCode
from imgfix.media import image
from tests.server.conftest import Site, mask_png, png


def test_a_file_comes_back_as_it_was_sent(site: Site) -> None:
    data = png()
    row = site.upload(data, "a photo.png")
    assert {**row, "id": "?"} == {
        "id": "?", "name": "a photo.png", "kind": "image", "media_type": "image/png", "width": 48, "height": 32,
        "bytes": len(data),
    }  # fmt: skip
    answer = site.client.get(f"/v1/files/{row['id']}")
    assert answer.content == data and answer.headers["content-type"] == "image/png"
    assert site.client.get(f"/v1/files/{row['id']}?download=1").headers["content-disposition"].startswith("attachment")
    assert site.client.delete(f"/v1/files/{row['id']}").status_code == 204
    assert site.client.get(f"/v1/files/{row['id']}").status_code == 404


def test_a_file_can_be_sent_without_a_form(site: Site) -> None:
    answer = site.client.post("/v1/uploads?name=b.png", content=png(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 201 and answer.json()["name"] == "b.png"


def test_a_preview_is_upright_and_small(site: Site) -> None:
    from PIL import Image

    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((40, 80, 3), (200, 30, 30), np.uint8)).save(stream, "JPEG", exif=exif)
    row = site.upload(stream.getvalue(), "turned.jpg")
    assert (row["width"], row["height"]) == (40, 80)
    answer = site.client.get(f"/v1/files/{row['id']}/preview?width=20")
    assert Image.open(io.BytesIO(answer.content)).size == (20, 40)
    assert answer.headers["content-type"] == "image/jpeg"


def test_a_clip_can_be_looked_at_and_is_always_a_job(site: Site, tmp_path: Path) -> None:
    from PIL import Image

    from tests.media import clips

    path = clips.make(tmp_path / "film.mp4", clips.Recipe(rotation=90))
    row = site.upload(path.read_bytes(), "film.mp4")
    assert (row["kind"], row["media_type"], row["frames"]) == ("video", "video/mp4", 24)
    assert (row["width"], row["height"]) == (32, 48)
    looks = [
        site.client.get(f"/v1/files/{row['id']}/preview?width=32{more}").content
        for more in ("", "&time=0.5", "&time=99")
    ]
    assert all(Image.open(io.BytesIO(look)).size == (32, 48) for look in looks) and looks[0] != looks[1]
    answer = site.ask("inpaint", input=row["id"], box="10,8,6,5", model="telea", crf=30, end="0.5")
    assert answer.status_code == 202
    found = site.settled(answer.json()["id"])
    assert found["progress"] == {"done": 13, "total": 13, "unit": "frames"}
    assert found["output"]["name"] == "film_filled.mp4" and found["output"]["frames"] == 13
    assert "--resume" not in found["command"]


def test_an_animated_picture_is_one_too(site: Site) -> None:
    from PIL import Image

    frames = [Image.fromarray(np.full((20, 30, 3), 40 * n, np.uint8)) for n in range(4)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=100)
    row = site.upload(stream.getvalue(), "anim.gif")
    assert (row["kind"], row["frames"]) == ("animation", 4)
    look = site.client.get(f"/v1/files/{row['id']}/preview?width=30&time=0.25").content
    assert abs(int(np.asarray(Image.open(io.BytesIO(look)))[5, 5, 0]) - 80) < 4
    found = site.settled(site.ask("inpaint", input=row["id"], box="2,2,6,5", model="telea").json()["id"])
    assert found["output"]["kind"] == "animation"


def test_the_answer_is_the_file_that_the_command_line_writes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix import cli

    sent = {"file": ("photo.png", png()), "mask": ("hole.png", mask_png())}
    answer = site.client.post("/v1/inpaint", files=sent, data={"model": "telea", "grow": "2"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(png())
    Path("hole.png").write_bytes(mask_png())
    words = "inpaint photo.png --mask hole.png --model telea --grow 2 --device cpu -o out.png"
    assert cli.run(words.split()) == ExitCode.OK
    assert answer.content == Path("out.png").read_bytes()
    assert site.server.store.held() == (0, 0)  # nobody has an identifier of what was sent and made


def test_with_json_wanted_the_answer_says_what_was_done(site: Site) -> None:
    photo, mask = site.upload(png()), site.upload(mask_png(), "hole.png")
    found = site.ask("inpaint", input=photo["id"], mask=mask["id"], model="telea").json()
    assert found["status"] == "done" and found["result"]["model"] == "telea"
    assert found["command"] == "imgfix inpaint photo.png --model telea --mask hole.png"
    assert found["output"]["name"] == "photo_filled.png"
    made = site.client.get(f"/v1/files/{found['output']['id']}").content
    before, after = image.read(png()).pixels, image.read(made).pixels
    white = image.read(mask_png()).pixels[..., 0] == 0
    assert np.array_equal(before[white], after[white]) and not np.array_equal(before, after)


def test_the_file_says_how_it_was_made_without_places_of_the_server(site: Site) -> None:
    photo, mask = site.upload(png()), site.upload(mask_png(), "hole.png")
    found = site.ask("inpaint", input=photo["id"], mask=mask["id"], model="telea").json()
    made = site.client.get(f"/v1/files/{found['output']['id']}").content
    record = image.read_record(made)
    assert record is not None
    assert record["command"] == "imgfix inpaint photo.png --model telea --mask hole.png --device cpu"
    assert os.fsencode(site.server.store.folder) not in made


def test_several_steps_give_what_the_recipe_gives(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgfix import cli

    photo, mask = site.upload(png()), site.upload(mask_png(), "hole.png")
    steps = [
        {"verb": "inpaint", "mask": mask["id"], "model": "telea"},
        {"verb": "upscale", "model": "bicubic", "scale": 2},
    ]
    found = site.ask("run", input=photo["id"], steps=steps).json()
    assert found["status"] == "done" and found["command"] == "imgfix run recipe.toml photo.png"
    assert (found["output"]["name"], found["output"]["width"]) == ("photo_filled_x2.png", 96)
    assert [step["verb"] for step in found["result"]["run"]] == ["inpaint", "upscale"]
    made = site.client.get(f"/v1/files/{found['output']['id']}").content
    assert os.fsencode(site.server.store.folder) not in made
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(png())
    Path("hole.png").write_bytes(mask_png())
    Path("recipe.toml").write_text(
        '[[step]]\nverb = "inpaint"\nmask = "hole.png"\nmodel = "telea"\n'
        '[[step]]\nverb = "upscale"\nmodel = "bicubic"\nscale = 2\n'
    )
    assert cli.run(["run", "recipe.toml", "photo.png", "-o", "out.png"]) == ExitCode.OK
    assert np.array_equal(image.read(made).pixels, image.read(Path("out.png")).pixels)


RECIPE = """
quality = 80
format = "webp"

[[step]]
verb = "inpaint"
box = "1,1,9,9"
model = "telea"

[[step]]
verb = "upscale"
model = "bicubic"
long-side = 96
"""


def test_a_recipe_file_is_taken_as_it_is(site: Site) -> None:
    said = site.ask("recipes", recipe=RECIPE)
    assert said.status_code == 200, said.text
    steps = [
        {"verb": "inpaint", "box": ["1,1,9,9"], "model": "telea"},
        {"verb": "upscale", "model": "bicubic", "long_side": 96},
    ]
    assert said.json() == {"quality": 80, "format": "webp", "steps": steps}
    photo = site.upload(png())["id"]
    made = site.ask("run", input=photo, **said.json()).json()
    assert (made["output"]["name"], made["output"]["width"]) == ("photo_filled_large.webp", 96)
    form = {"files": {"recipe": ("clean.toml", RECIPE.encode())}, "headers": {"Accept": "application/json"}}
    sent = site.client.post("/v1/run", data={"input": photo, "quality": "30"}, **form).json()
    texts = [site.client.get(f"/v1/files/{one['output']['id']}").content for one in (made, sent)]
    assert len(texts[1]) < len(texts[0])  # what is said besides wins
    in_json = site.ask("run", input=photo, recipe=RECIPE).json()
    assert site.client.get(f"/v1/files/{in_json['output']['id']}").content == texts[0]


@pytest.mark.parametrize(
    ("recipe", "status", "said"),
    [
        ("[[step]", 400, "is no recipe"),
        ("", 400, "no list of objects"),
        ("step = 3", 400, "no list of objects"),
        ('[[step]]\nverb = "train"', 400, "is no step"),
        ('[[step]]\nverb = "upscale"\nlong_sid = 4', 400, "step 1 (upscale): 'long_sid'"),
        ('output = "/tmp/x.png"\n[[step]]\nverb = "upscale"', 400, "'output' is no field"),
        ('[[step]]\nverb = "inpaint"\nmask = "/etc/passwd"', 404, "there is no file"),
        ('[[step]]\nverb = "upscale"\nmodel = "/etc/passwd"', 400, "no such model"),
        ('[[step]]\nverb = "restore"\nstrength = 7', 400, "step 1 (restore)"),
        (7, 400, "is no text"),
        ("x = " + "[" * 5000, 400, "is no recipe"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_before_any_file(
    site: Site, recipe: object, status: int, said: str
) -> None:
    answer = site.ask("recipes", recipe=recipe)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"] and "/state" not in answer.text


def test_steps_and_a_recipe_are_not_mixed(site: Site) -> None:
    answer = site.ask("run", input=site.upload(png())["id"], recipe=RECIPE, steps=[{"verb": "restore"}])
    assert answer.status_code == 400 and "both given" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("steps", "status", "said"),
    [
        (None, 400, "there are no"),
        ([{"verb": "upscale", "model": "/etc/passwd"}], 400, "no such model"),
        ([{"verb": "inpaint", "mask": "/etc/passwd", "model": "telea"}], 404, "there is no file"),
        ([{"verb": "cutout", "background": "/etc/passwd"}], 400, "step 1 (cutout)"),
        ([{"verb": "restore", "strength": 7}], 400, "step 1 (restore)"),
        ([{"verb": "upscale", "scale": 16, "model": "bicubic"}] * 4, 413, "the result would have"),
    ],
)
def test_steps_that_make_no_sense_are_refused(site: Site, steps: Any, status: int, said: str) -> None:
    asked = {} if steps is None else {"steps": steps}
    answer = site.ask("run", input=site.upload(png())["id"], **asked)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert site.server.store.jobs() == []


def test_boxes_are_numbers_or_text(site: Site) -> None:
    photo = site.upload(png())
    found = [
        site.ask("inpaint", input=photo["id"], box=boxes, model="telea").json()["command"]
        for boxes in ([[10, 8, 6, 5]], "10,8,6,5", ["10,8,6,5"])
    ]
    assert set(found) == {"imgfix inpaint photo.png --model telea --box 10,8,6,5"}


def test_a_job_tells_its_progress_and_its_end(site: Site) -> None:
    photo = site.upload(png())
    answer = site.client.post("/v1/inpaint?job=1", json={"input": photo["id"], "box": "10,8,6,5", "model": "telea"})
    assert answer.status_code == 202
    found = site.settled(answer.json()["id"])
    assert found["status"] == "done" and found["progress"]["done"] == found["progress"]["total"] > 0
    assert site.client.get(f"/v1/files/{found['output']['id']}").status_code == 200
    assert [job["id"] for job in site.client.get("/v1/jobs").json()["jobs"]] == [found["id"]]
    assert site.client.delete(f"/v1/jobs/{found['id']}").status_code == 204
    assert site.client.get("/v1/jobs").json() == {"jobs": []}


def test_a_job_that_fails_says_why(site: Site) -> None:
    photo, mask = site.upload(png()), site.upload(mask_png(30, 30), "small.png")
    values = {"input": photo["id"], "mask": mask["id"], "model": "telea", "job": True}
    found = site.settled(site.client.post("/v1/inpaint", json=values).json()["id"])
    assert found["status"] == "failed" and found["error"]["code"] == "input"
    assert "small.png" in found["error"]["message"] and str(site.server.store.folder) not in str(found)


def test_several_pictures_that_were_drawn_come_as_an_archive_or_one_by_one(site: Site) -> None:
    answer = site.client.post("/v1/generate", data={"prompt": "a red apple", "count": "2", "seed": "7"})
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["001_a-red-apple_7.png", "002_a-red-apple_8.png"]
    found = site.ask("generate", prompt="a red apple", count=2, seed=7).json()
    assert [one["name"] for one in found["outputs"]] == ["a-red-apple_7.png", "a-red-apple_8.png"]
    assert found["command"] == "imgfix generate 'a red apple' -n 2 --seed 7"
    first = site.client.get(f"/v1/files/{found['outputs'][0]['id']}").content
    assert first == archive.read("001_a-red-apple_7.png")


def test_a_result_is_measured_against_its_reference(site: Site) -> None:
    one, other = site.upload(png()), site.upload(png(seed=9), "other.png")
    found = site.ask("evaluate", input=one["id"], against=other["id"], metric=["psnr"]).json()
    assert found["command"] == "imgfix evaluate photo.png --against other.png --metric psnr"
    assert 20 < found["result"]["values"]["psnr"] < 40
    same = site.ask("evaluate", input=one["id"], against=one["id"], metric=["psnr"]).json()
    assert same["result"]["values"] == {"psnr": None}


@pytest.mark.parametrize(
    ("verb", "values", "status", "fields"),
    [
        ("upscale", {"scale": 99}, 400, ["scale"]),
        ("upscale", {"scale": 2, "sclae": 2}, 400, []),
        ("upscale", {"tta": "perhaps"}, 400, ["tta"]),
        ("inpaint", {"box": [[1, 2, 3]]}, 400, ["box"]),
        ("inpaint", {}, 400, None),
        ("inpaint", {"box": "900,8,6,5", "model": "telea"}, 422, None),
        ("restore", {"precision": "fp7"}, 400, ["precision"]),
        ("generate", {"prompt": "cat", "upscale": 99}, 400, ["upscale"]),
        ("generate", {"prompt": "cat", "count": 1000}, 400, ["count", "seeds"]),
        ("generate", {"prompt": ["cat"] * 65}, 400, ["count", "seeds"]),
        ("generate", {"prompt": "cat", "seeds": "0-999999999999"}, 400, ["seeds"]),
        ("cutout", {"behind": "no colour"}, 400, None),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_field(
    site: Site, verb: str, values: dict[str, Any], status: int, fields: list[str] | None
) -> None:
    if verb != "generate":
        values = {"input": site.upload(png())["id"], **values}
    answer = site.ask(verb, **values)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["message"] and (fields is None or error["fields"] == fields)


def test_methods_without_weights_are_models_too(site: Site) -> None:
    photo = site.upload(png())
    found = site.ask("upscale", input=photo["id"], model="lanczos", scale=2).json()
    assert found["command"] == "imgfix upscale photo.png --model lanczos --scale 2"
    assert site.ask("inpaint", input=photo["id"], model="lanczos", box="1,1,5,5").status_code == 400
    assert site.ask("upscale", input=photo["id"], model="telea").status_code == 400


def test_a_model_that_is_not_here_is_not_fetched(site: Site) -> None:
    photo = site.upload(png())
    answer = site.ask("upscale", input=photo["id"], model="realesrgan-x4plus")
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "model"
    known = {model["name"]: model for model in site.client.get("/v1/models").json()["models"]}
    assert not known["realesrgan-x4plus"]["installed"] and known["photo-x4"]["installed"]


def test_the_server_describes_itself(site: Site) -> None:
    document = site.client.get("/openapi.json").json()
    assert set(document["paths"]) >= {"/v1/upscale", "/v1/uploads", "/v1/jobs/{id}/events", "/healthz"}
    fields = {field["name"]: field for field in site.client.get("/v1/options/upscale").json()["fields"]}
    assert fields["audio"]["default"] is True and fields["deinterlace"]["choices"] == ["auto", "on", "off"]
    assert site.client.get("/healthz").json()["status"] == "ok"
