"""The list of what a request may say."""

from __future__ import annotations

import json
from dataclasses import fields as fields_of

import pytest

from imgfix.errors import UsageError
from imgfix.pipelines.options import ClipOptions, Machine, Saving
from imgfix.server.fields import OWN, REFUSED, VERBS, Verb, default_of, read

TRANSFORMING = [verb for verb in VERBS.values() if verb.request is not None]


@pytest.mark.parametrize("verb", TRANSFORMING, ids=lambda verb: verb.name)
def test_every_field_of_a_request_is_allowed_or_refused(verb: Verb) -> None:
    assert verb.request is not None
    known = {one.name for one in fields_of(verb.request)}
    allowed = {field.target for field in verb.fields}
    refused = REFUSED.get(verb.request, set())
    assert known == (known & allowed) | refused
    assert not allowed & refused
    common = {one.name for record in (Saving, ClipOptions, Machine) for one in fields_of(record)}
    assert allowed <= known | common | OWN  # what no record takes would be passed over in silence


@pytest.mark.parametrize("record", [Saving, ClipOptions, Machine])
def test_every_common_field_is_allowed_or_refused(record: type) -> None:
    known = {one.name for one in fields_of(record)}
    allowed = {field.target for field in VERBS["upscale"].fields}
    assert known == (known & allowed) | REFUSED[record]
    assert not allowed & REFUSED[record]


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_no_field_stands_for_two_things(verb: Verb) -> None:
    names = [name for field in verb.fields for name in {field.name, field.also} if name]
    assert len(names) == len(set(names))


def test_defaults_are_those_of_the_records() -> None:
    found = {field.name: default_of(VERBS["inpaint"], field) for field in VERBS["inpaint"].fields}
    assert (found["score"], found["dilate"], found["audio"], found["model"]) == (None, "auto", True, "auto")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"tta": ["true"]}, {"tta": True}),
        ({"tta": False}, {"tta": False}),
        ({"width": ["640"]}, {"width": 640}),
        ({"scale": "x2"}, {"scale": 2.0}),
        ({"scale": 1.5}, {"scale": 1.5}),
        ({"scale": None}, {}),
    ],
)
def test_values_of_forms_and_of_json_mean_the_same(given: dict[str, object], found: dict[str, object]) -> None:
    assert read(VERBS["upscale"], given) == found


STEPS = [{"verb": "restore", "denoise": "auto"}, {"verb": "upscale", "scale": "x2", "tta": "true"}]
READ = [{"verb": "restore", "denoise": "auto"}, {"verb": "upscale", "scale": 2.0, "tta": True}]


@pytest.mark.parametrize("given", [STEPS, json.dumps(STEPS), [json.dumps(STEPS)]])
def test_steps_are_read_as_requests_of_their_own(given: object) -> None:
    assert read(VERBS["run"], {"steps": given}) == {"steps": READ}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"verb": "restore"}, {"verb": "upscale", "scal": 2}], "step 2 (upscale): 'scal' is no field"),
        ([{"verb": "upscale", "output": "/tmp/x.png"}], "step 1 (upscale): 'output' is no field"),
        ([{"verb": "upscale", "quality": 50}], "step 1 (upscale): 'quality' is no field"),
        ([{"verb": "restore", "save_mask": "/tmp/x.png"}], "step 1 (restore): 'save_mask' is no field"),
        ([{"verb": "generate"}], "step 1: 'generate' is no step"),
        ([{}], "step 1: 'None' is no step"),
        ([], "no list of objects"),
        ("recipe.toml", "no list of objects"),
        ({"verb": "restore"}, "no list of objects"),
        ([["restore"]], "no list of objects"),
        ([{"verb": "restore"}] * 65, "65"),
    ],
)
def test_a_step_that_makes_no_sense_is_named(given: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(VERBS["run"], {"steps": given})
    assert said in caught.value.message


def test_points_may_be_pairs_of_numbers_or_text() -> None:
    given = {"points": [[10, 20.5], "5%,5%"], "not_point": [3, 4]}
    assert read(VERBS["select"], given) == {"point": [[10, 20.5], "5%,5%"], "not_point": [[3, 4]]}


@pytest.mark.parametrize(
    "given",
    [
        {"output": "/tmp/x.png"}, {"overwrite": True}, {"device": "cuda"}, {"offline": False},
        {"encoder_option": "x=y"}, {"scale": "nan"}, {"scale": "large"},
        {"frames": True}, {"resume": True}, {"width": "6.5"}, {"width": True}, {"scale": [1, 2]}, {"scale": {"a": 1}},
        {"format": "a\0b"}, {"format": "x" * 5000},
    ],
)  # fmt: skip
def test_anything_else_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        read(VERBS["upscale"], given)
