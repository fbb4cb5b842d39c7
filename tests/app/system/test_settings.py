"""What is remembered, and that nothing is lost when the file is not what it should be."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from bgdesk.app.system import settings
from bgdesk.app.system.settings import SETTINGS, Settings
from bgdesk.core.recipe import EdgeRecipe, MatteRecipe, Quality, Recipe


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "settings.json"
    chosen = replace(
        Settings(),
        theme="dark",
        brush_size=12.5,
        overlay=0.25,
        precut=False,
        undo_bytes=1 << 24,
        undo_disk_bytes=0,
        shift=-1.25,
        feather=3,
        folded=("panel.shadow",),
    )
    settings.save(chosen, file)
    assert settings.load(file) == chosen
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_without_a_file_there_are_the_defaults(home: Path) -> None:
    assert settings.load() == Settings()
    settings.save(replace(Settings(), theme="light"))
    assert settings.load().theme == "light"
    assert (home / "settings" / "settings.json").is_file()


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'"text"', b"\xff\xfe\x00", b"null"])
def test_a_broken_file_is_kept_aside(tmp_path: Path, expect_log: Any, content: bytes) -> None:
    expect_log("starting with the defaults")
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    assert settings.load(file) == Settings()
    assert settings.load(file) == Settings()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.json", "settings.json.broken"]
    assert (tmp_path / "settings.json.broken").read_bytes() == content
    settings.save(Settings(), file)
    assert (tmp_path / "settings.json.broken").read_bytes() == content


def test_another_broken_file_does_not_replace_the_first(tmp_path: Path, expect_log: Any) -> None:
    expect_log("starting with the defaults")
    file = tmp_path / "settings.json"
    for content in ("{1", "{2"):
        file.write_text(content)
        settings.load(file)
    assert (tmp_path / "settings.json.broken").read_text() == "{1"
    assert (tmp_path / "settings.json.broken-2").read_text() == "{2"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theme", "pink"),
        ("theme", 3),
        ("brush_size", "large"),
        ("brush_size", 0),
        ("brush_size", True),
        ("overlay", 1.5),
        ("overlay", float("nan")),
        ("undo_bytes", -1),
        ("undo_disk_bytes", 1 << 60),
        ("shift", 20.5),
        ("feather", -1),
        ("decontaminate", 1.5),
        ("quality", "worst"),
        ("reach", "far"),
        ("device", "abacus"),
        ("spill", "green"),
        ("precut", 1),
        ("folded", "brush"),
        ("folded", [1]),
        ("export_format", "exe"),
        ("splitter_state", None),
        ("from_a_newer_version", {"a": 1}),
    ],
)
def test_one_senseless_value_loses_only_itself(tmp_path: Path, expect_log: Any, name: str, value: Any) -> None:
    expect_log(f"left out: {name}")
    file = tmp_path / "settings.json"
    good = replace(Settings(), export_folder="out", model="u2netp")
    content = json.dumps({**asdict(good), name: value})
    file.write_text(content)
    assert settings.load(file) == good
    assert (tmp_path / "settings.json.broken").read_text() == content


def test_a_file_from_an_older_version_gets_the_new_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"theme": "dark"}')
    assert settings.load(file) == replace(Settings(), theme="dark")
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.json"
    settings.save(replace(Settings(), theme="dark"), file)

    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space"):
        settings.save(Settings(), file)
    assert settings.load(file).theme == "dark"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_folder_in_place_of_the_file(tmp_path: Path, expect_log: Any) -> None:
    expect_log("could not be read")
    expect_log("could not be kept aside")
    (tmp_path / "settings.json").mkdir()
    assert settings.load(tmp_path / "settings.json") == Settings()


def test_every_setting_takes_its_own_default(tmp_path: Path) -> None:
    assert list(SETTINGS) == [each.name for each in fields(Settings)]
    for name, facts in SETTINGS.items():
        default = getattr(Settings(), name)
        assert not facts.choices or default in facts.choices
        assert facts.number is None or facts.number.standard == default


def test_what_new_photos_are_cut_out_with() -> None:
    chosen = Settings(quality="best", decontaminate=0.5, spill="#00b140", shift=1, smooth=2, feather=3, contrast=40)
    assert chosen.recipe == Recipe(
        matte=MatteRecipe(strength=0.5, spill=(0, 0xB1, 0x40), quality=Quality.BEST),
        edge=EdgeRecipe(shift=1, smooth=2, feather=3, contrast=40),
    )
    assert Settings().recipe == Recipe()
