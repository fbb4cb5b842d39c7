"""The wheel: what travels in it, and that an installed bgdesk finds it from any folder."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build the "wheel" or "sdist" of the tree at `source`, as pip would, and give the file's path."""
    script = f"import sys, hatchling.build; print(hatchling.build.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made the long way, tree to sdist to wheel: what is missing in the sdist is missing here too."""
    folder = tmp_path_factory.mktemp("build")
    with tarfile.open(build("sdist", ROOT, folder)) as sdist:
        sdist.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    return build("wheel", source, folder)


def test_wheel_made_from_the_sdist_equals_one_made_from_the_tree(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as long_way, zipfile.ZipFile(build("wheel", ROOT, tmp_path)) as direct:
        assert {i.filename: i.CRC for i in long_way.infolist()} == {i.filename: i.CRC for i in direct.infolist()}


def test_wheel_carries_the_program_its_data_and_its_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = {
        f"bgdesk/_data/{path.relative_to(ROOT).as_posix()}"
        for top in ("models", "resources")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.parent.name != "screenshots"  # the README's, of no use to the program
    }
    code = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "bgdesk").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    described = {name for name in names if ".dist-info/" in name}
    assert {"bgdesk/_data/models/catalog.toml", "bgdesk/_data/resources/samples/astronaut.png"} <= data
    assert names - described == data | code
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in described)


def test_installed_wheel_finds_its_data_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    script = """
import bgdesk, sys
heavy = {"torch", "PySide6", "cv2", "numpy"} & set(sys.modules)
from bgdesk.app.system import paths
from bgdesk.app.networks.catalog import load_catalog
print(bgdesk.__file__)
print(sorted(heavy))
print(next(entry.id for entry in load_catalog(paths.catalog_file()) if entry.default))
print(paths.resource("samples/astronaut.png").stat().st_size)
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    size = (ROOT / "resources" / "samples" / "astronaut.png").stat().st_size
    assert done.stderr == ""
    assert done.stdout.splitlines() == [str(site / "bgdesk" / "__init__.py"), "[]", "isnet-general", str(size)]
