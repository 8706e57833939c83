"""Content types and gzip within bounds."""

import gzip
import os

import pytest

from engine.ingest.body import BadBody, inflate, kind_of


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", "json"),
        ("application/json", "json"),
        ("Application/JSON; charset=UTF-8", "json"),
        ('application/json; charset="utf-8"; x=y', "json"),
        ("application/x-ndjson", "ndjson"),
    ],
)
def test_known_content_types(header, kind):
    assert kind_of(header) == kind


@pytest.mark.parametrize("header", ["text/plain", "application/json; charset=utf-16", ";", "x" * 5000])
def test_others_are_415(header):
    with pytest.raises(BadBody) as error:
        kind_of(header)
    assert error.value.status == 415
    assert len(error.value.problem) < 200


def test_gzip_comes_back_whole_in_several_members_too():
    data = os.urandom(300_000)
    assert inflate(gzip.compress(data), "gzip", 10**6) == data
    assert inflate(gzip.compress(data) + gzip.compress(b"x"), " GZIP ", 10**6) == data + b"x"
    assert inflate(data, "identity", 1) == data


def test_the_bound_is_exact():
    assert len(inflate(gzip.compress(bytes(1000)), "gzip", 1000)) == 1000
    with pytest.raises(BadBody) as error:
        inflate(gzip.compress(bytes(1001)), "gzip", 1000)
    assert error.value.status == 413


def test_many_empty_members_come_to_an_end():
    assert inflate(gzip.compress(b"") * 2000, "gzip", 1000) == b""


@pytest.mark.parametrize("cut", [1, 5, 10, 20, 100])
def test_damage_is_400(cut):
    whole = gzip.compress(os.urandom(500))
    for body in (whole[:cut], whole[:-cut], b"x" + whole, whole + b"x" * cut):
        with pytest.raises(BadBody) as error:
            inflate(body, "gzip", 10**6)
        assert error.value.status == 400
