"""bgdesk models, on a store whose downloads come from this file."""

import argparse
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bgdesk.app.networks.catalog import CatalogEntry, Source
from bgdesk.app.networks.onnx_presets import PRESETS
from bgdesk.app.networks.store import ModelStore
from bgdesk.cli import models
from bgdesk.cli.main import run_command
from bgdesk.core.errors import ModelError, UsageError
from bgdesk.core.tasks import Progress
from tests.networks import matting, weighted

ONNX = b"\x08\x08 the network"
SOURCE = Source(kind="here", size=len(ONNX), sha256=hashlib.sha256(ONNX).hexdigest(), url="https://example.org/net")
CATALOG = (
    CatalogEntry(
        id="main",
        title="The main one",
        net="isnet",
        licence="Apache-2.0",
        licence_url="https://example.org/l",
        commercial=True,
        homepage="https://example.org/m",
        sources=(SOURCE,),
        default=True,
    ),
    CatalogEntry(
        id="other",
        title="Another",
        net="u2netp",
        licence="CC-BY-NC-4.0",
        licence_url="https://example.org/l",
        commercial=False,
        homepage="https://example.org/o",
        sources=(SOURCE,),
    ),
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


@pytest.mark.parametrize("arguments", [["install", "bigger"], ["remove", "bigger"], ["remove", "../bigger"]])
def test_unknown_network(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run_command(["models", *arguments]) == 1
    said = capsys.readouterr().err
    known = f"There is no network called {arguments[1]!r}. The networks are: isnet-general, u2netp."
    assert said == f"bgdesk: {known} One of your own: bgdesk models import FILE --as ID.\n"


# --- networks of one's own ---


def own(folder: Path, *arguments: str) -> int:
    """`models import` of a matting or segmenting network that lies in `folder`."""
    file = matting(folder / "edges.onnx") if "vitmatte-small" in arguments else weighted(folder / "net.onnx", (9.0, 0.0, 0.0), -4.0)
    return call(folder / "models", "import", str(file), *arguments)


def test_import_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = ["--size", "64", "--mean", "0", "--std", "1", "1", "1", "--title", "Mine", "--licence", "MIT", "--commercial", "yes"]
    assert own(tmp_path, "--as", "mine", *described) == 0
    place = tmp_path / "models" / "mine.onnx"
    assert capsys.readouterr().err == (
        f"mine is installed in {place}. Licence: MIT, commercial use allowed.\nUse it with: bgdesk cut PHOTO -o OUT --model mine\n"
    )
    assert call(tmp_path / "models", "list") == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split("  ")[0] == "mine"
    for word in ("Mine", "installed, in use", "MIT", "  allowed"):
        assert word in line
    assert call(tmp_path / "models", "verify") == 0
    assert capsys.readouterr().out == "mine: good\n"
    assert call(tmp_path / "models", "remove", "mine") == 0
    assert [file.name for file in (tmp_path / "models").iterdir()] == [".lock"]


def test_presets_and_their_licences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert own(tmp_path, "--as", "rmbg", "--preset", "rmbg-1.4", "--size", "64") == 0
    assert "Licence: bria-rmbg-1.4, no commercial use." in capsys.readouterr().err
    assert own(tmp_path, "--as", "hair", "--preset", "vitmatte-small", "--size", "128") == 0
    said = capsys.readouterr().err
    assert "Licence: MIT, commercial use allowed." in said
    assert said.endswith("--matting hair\n")
    assert call(tmp_path / "models", "list") == 0
    hair, rmbg = capsys.readouterr().out.splitlines()[-2:]
    assert "ViTMatte, small (edges)" in hair
    assert "  not allowed  " in rmbg
    call(tmp_path / "models", "list", "--json")
    listed = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert [(listed[id]["kind"], listed[id]["commercial"], listed[id]["net"]) for id in ("hair", "rmbg", "main")] == [
        ("matte", True, "onnx"),
        ("segment", False, "onnx"),
        ("segment", True, "isnet"),
    ]
    assert call(tmp_path, "presets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PRESETS) + 1
    assert [line.split()[0] for line in lines if "  not allowed  " in line] == ["rmbg-1.4", "rmbg-2.0"]


def test_what_was_found_to_be_otherwise_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert own(tmp_path, "--as", "b", "--preset", "birefnet-lite", "--size", "64x96") == 0
    assert capsys.readouterr().err.startswith("b: Its answers lie between 0 and 1 already: they are taken as they are.\n")


def test_a_damaged_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(tmp_path, "--as", "mine", "--size", "64", "--mean", "0", "--std", "1")
    (tmp_path / "models" / "mine.onnx").write_bytes(b"short")
    capsys.readouterr()
    assert call(tmp_path / "models", "verify") == 1
    said = capsys.readouterr().out
    assert said.startswith("mine: damaged: mine.onnx has 5 bytes instead of ")
    assert said.endswith(". Import it again, after: bgdesk models remove mine\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as", "mine"], "mine is not in the catalogue .* with --preset, or with --size, --mean and --std"),
        (["--as", "mine", "--preset", "sam"], "There is no preset called 'sam'. The presets are: birefnet-general, "),
        (["--as", "mine", "--mean", "0", "--std", "1"], "takes photos of any size. Say which one"),
        (["--as", "mine", "--mean", "0", "--std", "0", "--size", "64"], "must be above zero"),
        (["--as", "../mine", "--preset", "modnet"], "'../mine' cannot be the id of a network"),
        (["--as", "nul.x", "--preset", "modnet"], "'nul.x' cannot be the id of a network"),
        (["--as", "mine", "--preset", "vitmatte-base", "--size", "1000"], "multiples of 32, and 1000×1000 is not"),
    ],
)
def test_descriptions_that_do_not_do(tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        own(tmp_path, *arguments)
    assert not list(tmp_path.glob("models/*.onnx"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as", "mine", "--mean", "0", "1", "--std", "1"], "--mean: '0 1' are 2 numbers; give one, or three"),
        (["--as", "mine", "--mean", "red", "--std", "1"], "--mean: 'red' is not a number"),
        (["--as", "main", "--size", "64"], "main is a network of the catalogue"),
    ],
)
def test_wrong_usage_of_import(tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        own(tmp_path, *arguments)


def test_numbers_and_sizes(tmp_path: Path) -> None:
    for words in (["0.1,0.2,0.3"], ["0.1", "0.2", "0.3"], ["0.1,", "0.2", ",0.3"]):
        own(tmp_path, "--as", "mine", "--size", "64×96", "--mean", *words, "--std", "0.5")
        record = json.loads((tmp_path / "models" / "mine.json").read_text(encoding="utf-8"))
        assert (record["size"], record["mean"], record["std"]) == ([64, 96], [0.1, 0.2, 0.3], [0.5, 0.5, 0.5])
        call(tmp_path / "models", "remove", "mine")
    with pytest.raises(SystemExit):
        own(tmp_path, "--as", "mine", "--size", "large")


def test_cut_with_ones_own(home: Path, tmp_path: Path, sample_cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From import to cut-out on the real command line, with both kinds of network; who may use them is said."""
    net, edges = weighted(tmp_path / "net.onnx", (12.0, 0.0, 0.0), -6.0), matting(tmp_path / "edges.onnx")
    assert run_command(["models", "import", str(net), "--as", "mine", "--preset", "rmbg-1.4", "--size", "96"]) == 0
    assert (
        run_command(["models", "import", str(edges), "--as", "hair", "--preset", "vitmatte-small", "--size", "256", "--licence", "mine"])
        == 0
    )
    capsys.readouterr()
    out = str(tmp_path / "out.png")
    assert run_command(["cut", str(sample_cat), "-o", out, "--model", "mine", "--matting", "hair", "--json", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "Network mine: licence bria-rmbg-1.4, no commercial use." in said.err
    assert "Network hair: licence mine, commercial use not known." in said.err
    record = json.loads(said.out)
    assert (record["model"], record["device"], record["precision"]) == ("mine + hair", "CPU", "fp32")
    trimap = np.full((300, 451), 128, np.uint8)
    trimap[:, :100], trimap[:, 350:] = 0, 255
    cv2.imwrite(str(tmp_path / "trimap.png"), trimap)
    asked = ["matte", str(sample_cat), str(tmp_path / "trimap.png"), "-o", out, "--matting", "hair", "--json"]
    assert run_command(asked) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "hair"
    alpha = cv2.imread(out, cv2.IMREAD_GRAYSCALE)
    assert alpha is not None
    assert (alpha[:, :100] == 0).all()
    assert (alpha[:, 350:] == 255).all()
    for chosen, told in (
        (["--model", "hair"], "The network hair works out edges; it finds no subject. Use it with: --matting hair"),
        (
            ["--matting", "mine"],
            "The network mine finds subjects; it works out no edges. Use it with: --model mine. Matting networks: hair.",
        ),
        (
            ["--matting", "other"],
            "There is no network called 'other'. The networks are: isnet-general, u2netp, hair, mine. "
            "One of your own: bgdesk models import FILE --as ID.",
        ),
    ):
        assert run_command(["cut", str(sample_cat), "-o", out, *chosen]) == 1
        assert capsys.readouterr().err == f"bgdesk: {told}\n"


def test_real_list_and_verify(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "verify"]) == 0
    assert capsys.readouterr().out == "isnet-general: good\nu2netp: good\n"
    assert run_command(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "installed, in use" in lines[1]
    assert [line.count("Apache-2.0") for line in lines] == [0, 1, 1]
