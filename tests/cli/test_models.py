"""bgdesk models, on a store whose downloads come from this file."""

import argparse
import hashlib
import json
from pathlib import Path

import pytest

from bgdesk.app.catalog import CatalogEntry, Source
from bgdesk.app.models import ModelStore
from bgdesk.cli import models
from bgdesk.cli.main import run_command
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress

ONNX = b"\x08\x08 the network"
SOURCE = Source("here", len(ONNX), hashlib.sha256(ONNX).hexdigest(), url="https://example.org/net")
CATALOG = (
    CatalogEntry("main", "The main one", "isnet", "Apache-2.0", "https://example.org/l", True, "https://example.org/m", (SOURCE,), True),
    CatalogEntry("other", "Another", "u2netp", "CC-BY-NC-4.0", "https://example.org/l", False, "https://example.org/o", (SOURCE,)),
)


def fetch(source: Source, work: Path, target: Path, progress: Progress) -> None:
    target.write_bytes(ONNX)


def convert(onnx: Path, net: str, target: Path, progress: Progress) -> None:
    target.write_bytes(b"tensors")


def call(folder: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    return models.run(parser.parse_args(arguments), lambda: ModelStore(folder, CATALOG, {"here": fetch}, convert))


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "list") == 0
    header, main, other = capsys.readouterr().out.splitlines()
    assert header.split() == ["ID", "NETWORK", "STATE", "SIZE", "LICENCE", "COMMERCIAL", "USE", "HOME", "PAGE"]
    assert main.split("  ")[0] == "main"
    assert "not installed" in main
    assert "Apache-2.0" in main
    assert "  allowed  " in main
    assert "CC-BY-NC-4.0" in other
    assert "  not allowed  " in other
    assert main.index("Apache") == other.index("CC-BY") == header.index("LICENCE")
    call(tmp_path, "install", "other")
    call(tmp_path, "install", "main")
    capsys.readouterr()
    call(tmp_path, "list")
    _, main, other = capsys.readouterr().out.splitlines()
    assert "installed, in use" in main
    assert "  installed  " in other


def test_list_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(tmp_path, "install", "main")
    capsys.readouterr()
    assert call(tmp_path, "list", "--json") == 0
    main, other = json.loads(capsys.readouterr().out)
    assert (main["id"], main["installed"], main["damaged"], main["commercial"], main["default"]) == ("main", True, False, True, True)
    assert main["installed_from"] == "https://example.org/net"
    assert (other["id"], other["installed"], other["commercial"], other["default"]) == ("other", False, False, False)


@pytest.mark.parametrize("id", [["main"], []])
def test_install(tmp_path: Path, capsys: pytest.CaptureFixture[str], id: list[str]) -> None:
    assert call(tmp_path, "install", *id) == 0
    said = capsys.readouterr()
    assert said.err == f"main is installed in {tmp_path / 'main.safetensors'}. Licence: Apache-2.0, commercial use allowed.\n"
    assert said.out == ""
    call(tmp_path, "install", "other")
    assert capsys.readouterr().err.endswith("Licence: CC-BY-NC-4.0, no commercial use.\n")


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08 my own")
    assert call(tmp_path / "models", "import", str(tmp_path / "net.onnx"), "--as", "other") == 0
    assert capsys.readouterr().err.startswith("other is installed in ")
    with pytest.raises(ModelError, match="could not be read"):
        call(tmp_path / "models", "import", str(tmp_path / "missing.onnx"), "--as", "other")


def test_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "verify") == 0
    assert capsys.readouterr().err == "No network is installed. Install one with: bgdesk models install main\n"
    call(tmp_path, "install", "main")
    call(tmp_path, "install", "other")
    assert call(tmp_path, "verify") == 0
    assert capsys.readouterr().out == "main: good\nother: good\n"
    (tmp_path / "main.safetensors").write_bytes(b"tenso")
    assert call(tmp_path, "verify") == 1
    damaged, good = capsys.readouterr().out.splitlines()
    assert damaged == ("main: damaged: main.safetensors has 5 bytes instead of 7. Install it again with: bgdesk models install main")
    assert good == "other: good"
    assert call(tmp_path, "list") == 0
    assert "  damaged  " in capsys.readouterr().out.splitlines()[1]


def test_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(tmp_path, "install", "main")
    capsys.readouterr()
    assert call(tmp_path, "remove", "main") == 0
    assert capsys.readouterr().err == "Removed main.\n"
    with pytest.raises(ModelError, match="not installed"):
        call(tmp_path, "remove", "main")


@pytest.mark.parametrize("arguments", [["install", "bigger"], ["remove", "bigger"], ["import", "x.onnx", "--as", "bigger"]])
def test_unknown_network(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run_command(["models", *arguments]) == 1
    said = capsys.readouterr().err
    assert said == "bgdesk: There is no network called 'bigger'. The networks are: isnet-general, u2netp.\n"


def test_real_list_and_verify(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "verify"]) == 0
    assert capsys.readouterr().out == "isnet-general: good\nu2netp: good\n"
    assert run_command(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "installed, in use" in lines[1]
    assert [line.count("Apache-2.0") for line in lines] == [0, 1, 1]
