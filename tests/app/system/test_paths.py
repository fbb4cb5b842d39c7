"""Folders follow BGDESK_HOME, and what ships is found in a checkout and in a wheel."""

from pathlib import Path

import pytest

from bgdesk.app.system import paths


def test_home_holds_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BGDESK_HOME", str(tmp_path))
    assert paths.data_folder() == tmp_path
    assert paths.models_folder() == tmp_path / "models"
    assert paths.settings_folder() == tmp_path / "settings"


def test_home_may_be_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BGDESK_HOME", "here")
    assert paths.models_folder() == tmp_path / "here" / "models"


def test_without_home_the_system_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGDESK_HOME")
    folders = [paths.data_folder(), paths.settings_folder()]
    assert all(folder.is_absolute() for folder in folders)
    assert all("bgdesk" in folder.parts for folder in folders)


def test_checkout() -> None:
    assert paths.catalog_file().is_file()
    assert paths.resource("samples").is_dir()


def test_wheel_carries_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "bgdesk"
    (package / "_data" / "resources").mkdir(parents=True)
    (package / "_data" / "models").mkdir()
    (tmp_path / "resources").mkdir()  # something else that lies beside the package in site-packages
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.resource("icons/brush.svg") == package / "_data" / "resources" / "icons" / "brush.svg"
    assert paths.catalog_file() == package / "_data" / "models" / "catalog.toml"
