"""bgdesk cut and bgdesk matte: real files, and an engine that answers at once; then once with a real network."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bgdesk.app.networks.open_engine import EngineChoice
from bgdesk.cli import cut, matte
from bgdesk.cli.main import run_command
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import BgdeskError, LoadError, MattingError, SaveError, UsageError
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Coloured, Refined
from bgdesk.core.tasks import Progress, silent
from tests.fakes.engine import FakeEngine

DEFAULT = MatteRecipe()


class SpokenEngine(FakeEngine):
    """A photo that is 13 pixels wide fails, and of one of 17 there is something to be said. `asked`: what it was opened with and for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[object] = []
        self.interrupt_after: int | None = None

    def open(self, choice: EngineChoice, network: bool) -> "SpokenEngine":
        self.asked.append((choice, network))
        return self

    def auto(self, pixels: Pixels, recipe: MatteRecipe = DEFAULT, progress: Progress = silent) -> Cutout:
        if self.interrupt_after is not None and len(self.recipes) == self.interrupt_after:
            raise KeyboardInterrupt
        if pixels.shape[1] == 13:
            raise MattingError("13 pixels bring bad luck. Crop the photo.")
        cutout = super().auto(pixels, recipe, progress)
        return replace(cutout, notes=("The solver was slow.",)) if pixels.shape[1] == 17 else cutout

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        self.asked.append("matte")
        notes = ("1 of 4 tiles could not be refined.",) if pixels.shape[1] == 17 else ()
        return replace(super().matte(pixels, trimap, prior, progress), notes=notes)

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = DEFAULT) -> Coloured:
        self.asked.append("foreground")
        return super().foreground(pixels, alpha, progress, recipe)


@pytest.fixture
def fake_engine() -> SpokenEngine:
    return SpokenEngine()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(here: Path) -> Callable[..., Path]:
    """photo("name.png", width=20) writes a photo 10 pixels high into the current folder."""

    def write(name: str, width: int = 20) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(1).integers(1, 255, (10, width, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


Photo = Callable[..., Path]


def run_cut(engine: SpokenEngine, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cut.add_arguments(parser)
    return cut.run(parser.parse_args(arguments), engine.open)


def run_matte(engine: SpokenEngine, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    matte.add_arguments(parser)
    return matte.run(parser.parse_args(arguments), engine.open)


def pixels_of(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_photo(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    source = photo("photo.png")
    before = source.read_bytes()
    assert run_cut(fake_engine, "photo.png", "-o", "out.png") == 0
    out = pixels_of("out.png")
    assert out.shape == (10, 20, 4)
    assert (out[:, :10, 3] == 255).all()
    assert (out[:, 10:, 3] == 0).all()
    assert (out[:, :, :3] == pixels_of(source)).all()
    assert source.read_bytes() == before
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("photo.png -> out.png (")
    assert fake_engine.asked == [(EngineChoice(), True)]
    assert fake_engine.recipes == [MatteRecipe(refine=True, decontaminate=True)]


def test_named_output_is_replaced(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    photo("out.png", 5)
    assert run_cut(fake_engine, "photo.png", "-o", "out.png") == 0
    assert pixels_of("out.png").shape == (10, 20, 4)


def test_choices_reach_the_engine(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    choices = ["--model", "u2netp", "--device", "cpu", "--precision", "fp32", "--no-refine", "--no-decontaminate"]
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", *choices) == 0
    assert fake_engine.asked == [(EngineChoice(model="u2netp", device="cpu", precision="fp32"), True)]
    assert fake_engine.recipes == [MatteRecipe(refine=False, decontaminate=False)]


def test_the_quality(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    for choice in (["--quality", "fast"], ["--quality", "best"], []):
        assert run_cut(fake_engine, "photo.png", "-o", "out.png", *choice) == 0
    assert [recipe.quality.value for recipe in fake_engine.recipes] == ["fast", "best", "balanced"]
    write_trimap("trimap.png")
    with pytest.raises(UsageError, match="--trimap and --quality cannot be combined"):
        run_cut(fake_engine, "photo.png", "-o", "out.png", "--trimap", "trimap.png", "--quality", "best")


def test_the_strength_of_decontamination(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--decontaminate-strength", "0.25") == 0
    assert run_cut(fake_engine, "photo.png", "-o", "out.png") == 0
    write_trimap("trimap.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--trimap", "trimap.png", "--decontaminate-strength", "0.5") == 0
    assert [recipe.strength for recipe in fake_engine.recipes] == [0.25, 1.0, 0.5]


def test_the_backdrop_whose_spill_goes(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    for choice in (["--spill", "#00b140"], ["--spill", "auto"], [], ["--spill", "auto", "--alpha-only"]):
        assert run_cut(fake_engine, "photo.png", "-o", "out.png", *choice) == 0
    assert [recipe.spill for recipe in fake_engine.recipes] == [(0, 177, 64), "auto", None, None]
    with pytest.raises(UsageError, match="is not a colour"):
        run_cut(fake_engine, "photo.png", "-o", "out.png", "--spill", "green")


def test_the_edge_is_finished(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the left ten of twenty columns, two more are opaque."""
    photo("photo.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--shift", "2", "--json") == 0
    assert (pixels_of("out.png")[:, :, 3] > 127).sum(axis=1).tolist() == [12] * 10
    record = json.loads(capsys.readouterr().out)
    assert record["edge"] == {"shift": 2, "smooth": 0, "feather": 0, "contrast": 0}
    assert list(record["timings"]) == ["load", "network", "trimap", "alpha", "finish", "save"]


def test_an_edge_is_moved_inwards(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--shift", "-2.5", "--feather=0.5") == 0
    found = pixels_of("out.png")[:, :, 3]
    assert found[5, 3] == 255
    assert found[5, 9] == 0


def test_the_help_tells_the_ranges_of_the_edge(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command(["cut", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--shift -20..20 moves the edge outwards, or inwards where the number is negative (px)" in said
    assert "100 % leaves only opaque and clear (%)" in said


@pytest.mark.parametrize("strength", ["1.5", "-0.1", "nan"])
def test_a_senseless_strength(fake_engine: SpokenEngine, photo: Photo, strength: str) -> None:
    photo("photo.png")
    with pytest.raises(UsageError, match="from 0 to 1"):
        run_cut(fake_engine, "photo.png", "-o", "out.png", f"--decontaminate-strength={strength}")


def test_alpha_only(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--alpha-only") == 0
    out = pixels_of("out.png")
    assert out.shape == (10, 20)
    assert (out[:, :10] == 255).all()
    assert (out[:, 10:] == 0).all()
    assert fake_engine.recipes == [MatteRecipe(refine=True, decontaminate=False)]


def test_psd(fake_engine: SpokenEngine, photo: Photo) -> None:
    from psd_tools import PSDImage

    photo("photo.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out", "--format", "psd") == 0
    layers = list(PSDImage.open("out.psd"))
    assert len(layers) == 2
    assert (layers[0].visible, layers[1].visible) == (False, True)
    assert layers[1].has_mask()


def test_json(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("in/a.png", 20)
    photo("in/b.png", 13)
    photo("in/c.png", 17)
    Path("empty").mkdir()
    assert run_cut(fake_engine, "in", "missing.jpg", "empty", "-o", "new/out", "--json") == 1
    said = capsys.readouterr()
    records = [json.loads(line) for line in said.out.splitlines()]
    nothing, first, second, third, last = records
    assert nothing["source"] == "empty"
    assert nothing["error"].startswith("empty holds no photo that bgdesk can read.")
    assert (first["source"], first["output"]) == (str(Path("in/a.png")), str(Path("new/out/a.png")))
    assert (first["width"], first["height"], first["notes"]) == (20, 10, [])
    assert (first["device"], first["precision"], first["model"]) == ("CPU", "bf16", "isnet-general")
    assert list(first["timings"]) == ["load", "network", "trimap", "alpha", "save"]
    assert first["timings"]["network"] == 0.5
    assert 0 < first["timings"]["load"] < 60
    assert 0 < first["timings"]["save"] < 60
    assert first["peak_memory_mb"] > 10
    assert first["edge"] == {"shift": 0, "smooth": 0, "feather": 0, "contrast": 0}
    known = {"source", "output", "width", "height", "edge", "timings", "device", "precision", "model", "peak_memory_mb", "notes"}
    assert set(first) == known
    assert second == {"source": str(Path("in/b.png")), "error": "13 pixels bring bad luck. Crop the photo."}
    assert third["notes"] == ["The solver was slow."]
    assert last["source"] == "missing.jpg"
    assert "missing.jpg could not be read" in last["error"]
    assert "c.png: The solver was slow." in said.err
    assert "13 pixels bring bad luck. Crop the photo." in said.err
    assert sorted(path.name for path in Path("new/out").iterdir()) == ["a.png", "c.png"]


def test_the_others_are_done_when_one_fails(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("good.png")
    Path("bad.jpg").write_bytes(b"no photo")
    assert run_cut(fake_engine, "bad.jpg", "good.png", "-o", "out") == 1
    assert [path.name for path in Path("out").iterdir()] == ["good.png"]
    assert "bad.jpg could not be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (MemoryError(), "a.png does not fit into this computer's memory"),
        (ZeroDivisionError("by zero.\nmore"), "a.png could not be cut out, something unforeseen went wrong: by zero. If memory"),
        (KeyError(), "something unforeseen went wrong: KeyError."),
    ],
)
def test_the_others_are_done_whatever_goes_wrong_with_one(
    fake_engine: SpokenEngine,
    photo: Photo,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    expect_log: Callable[[str], None],
    failure: Exception,
    said: str,
) -> None:
    photo("a.png", 21)
    photo("b.png", 20)
    auto = fake_engine.auto
    if not isinstance(failure, MemoryError):
        expect_log("an unforeseen failure")

    def failing(pixels: Pixels, recipe: MatteRecipe = DEFAULT, progress: Progress = silent) -> Cutout:
        if pixels.shape[1] == 21:
            raise failure
        return auto(pixels, recipe, progress)

    monkeypatch.setattr(fake_engine, "auto", failing)
    assert run_cut(fake_engine, "a.png", "b.png", "-o", "out", "--json") == 1
    assert [path.name for path in Path("out").iterdir()] == ["b.png"]
    heard = capsys.readouterr()
    assert said in heard.err
    records = [json.loads(line) for line in heard.out.splitlines()]
    assert said in records[0]["error"]
    assert records[1]["source"] == "b.png"


def test_a_folder_that_cannot_be_opened_fails_alone(
    fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("a.png")
    Path("locked").mkdir()

    def refused(folder: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bgdesk.files.find.os.scandir", refused)
    assert run_cut(fake_engine, "locked", "a.png", "-o", "out") == 1
    assert Path("out/a.png").is_file()
    assert "locked could not be opened: Permission denied." in capsys.readouterr().err


def test_only_empty_folders(fake_engine: SpokenEngine, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert run_cut(fake_engine, "empty", "-o", "out") == 1
    assert fake_engine.asked == []
    assert not Path("out").exists()
    assert capsys.readouterr().err.startswith("empty holds no photo")


def test_same_names_are_numbered(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("a/x.png", 6)
    photo("b/x.png", 8)
    assert run_cut(fake_engine, "a", "b", "-o", "out") == 0
    assert {path.name: pixels_of(path).shape[1] for path in Path("out").iterdir()} == {"x.png": 6, "x-2.png": 8}


def test_folder_that_cannot_be_made(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("photo.png")
    Path("file").write_text("in the way", encoding="utf-8")
    with pytest.raises(SaveError, match=r"The folder file.out could not be made: .*\. Choose another place with -o\."):
        run_cut(fake_engine, "photo.png", "-o", "file/out/")


def test_no_network_is_told_once(home: Path, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("a.png")
    photo("b.png")
    assert run_command(["cut", "a.png", "b.png", "-o", "out"]) == 1
    assert capsys.readouterr().err == "bgdesk: No network is installed. Install one with: bgdesk models install isnet-general\n"


def test_ctrl_c_keeps_what_is_done(fake_engine: SpokenEngine, photo: Photo) -> None:
    photo("a.png")
    photo("b.png")
    fake_engine.interrupt_after = 1
    with pytest.raises(KeyboardInterrupt):
        run_cut(fake_engine, "a.png", "b.png", "-o", "out")
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]


# --- trimaps ---------------------------------------------------------------------------------------------------------


def write_trimap(name: str, width: int = 20) -> None:
    trimap = np.zeros((10, width), np.uint8)
    trimap[:, :8], trimap[:, 8:12] = 255, 128
    Image.fromarray(trimap).save(name)


def test_cut_with_trimap(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    source = photo("photo.png")
    write_trimap("trimap.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--trimap", "trimap.png", "--json") == 0
    assert fake_engine.asked == [(EngineChoice(), False), "matte", "foreground"]
    out = pixels_of("out.png")
    assert out[0, :, 3].tolist() == [255] * 8 + [128] * 4 + [0] * 8
    assert (out[:, :8, :3] == pixels_of(source)[:, :8]).all()
    record = json.loads(capsys.readouterr().out)
    assert (record["model"], record["device"]) == (None, "CPU")
    assert list(record["timings"]) == ["load", "alpha", "foreground", "save"]


def test_cut_with_trimap_and_the_photos_own_colours(fake_engine: SpokenEngine, photo: Photo) -> None:
    source = photo("photo.png")
    write_trimap("trimap.png")
    assert run_cut(fake_engine, "photo.png", "-o", "out.png", "--trimap", "trimap.png", "--no-decontaminate") == 0
    assert "foreground" not in fake_engine.asked
    assert (pixels_of("out.png")[:, :, :3] == pixels_of(source)).all()


def test_cut_never_writes_onto_the_trimap(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("photo.png")
    write_trimap("trimap.png")
    before = Path("trimap.png").read_bytes()
    assert run_cut(fake_engine, "photo.png", "-o", "trimap.png", "--trimap", "trimap.png") == 1
    assert Path("trimap.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.png", "b.png", "-o", "out", "--trimap", "t.png"], "--trimap belongs to one photo"),
        (["a.png", "-o", "out.png", "--trimap", "t.png", "--no-refine"], "--trimap and --no-refine cannot be combined: from a trimap"),
        (["a.png", "-o", "out.png", "--trimap", "t.png", "--model", "u2netp"], "--trimap and --model cannot be combined: with a trimap"),
        (["a.png", "-o", "out.png", "--matting", "hair", "--no-refine"], "--matting and --no-refine cannot be combined: refining"),
        (["a.png", "-o", "out.png", "--shift", "30"], "Shift edge is a number from -20 to 20 px, not 30"),
        (["a.png", "-o", "out.png", "--contrast", "-1"], "Contrast is a number from 0 to 100 %, not -1"),
        (["a.png", "-o", "out.psd", "--alpha-only"], "--alpha-only writes PNG"),
        (["a.png", "b.png", "-o", "out", "--format", "psd", "--alpha-only"], "--alpha-only writes PNG"),
        (["a.png", "-o", "a.png"], "a.png is the photo itself"),
    ],
)
def test_wrong_usage(fake_engine: SpokenEngine, photo: Photo, arguments: list[str], said: str) -> None:
    photo("a.png")
    photo("b.png")
    with pytest.raises(UsageError, match=said):
        run_cut(fake_engine, *arguments)
    assert fake_engine.asked == []
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "b.png"]


def test_matte(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("photo.png")
    write_trimap("trimap.png")
    assert run_matte(fake_engine, "photo.png", "trimap.png", "-o", "alpha.png", "--json") == 0
    assert pixels_of("alpha.png")[0].tolist() == [255] * 8 + [128] * 4 + [0] * 8
    assert fake_engine.asked == [(EngineChoice(), False), "matte"]
    said = capsys.readouterr()
    assert list(json.loads(said.out)["timings"]) == ["load", "alpha", "save"]
    assert said.err.startswith("photo.png -> alpha.png (")


def test_matte_tells_what_could_not_be_refined(fake_engine: SpokenEngine, photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    photo("photo.png", 17)
    write_trimap("trimap.png", 17)
    assert run_matte(fake_engine, "photo.png", "trimap.png", "-o", "alpha.png") == 0
    assert "photo.png: 1 of 4 tiles could not be refined." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["photo.png", "trimap.png", "-o", "alpha.psd"], UsageError, "must end with .png"),
        (["photo.png", "small.png", "-o", "alpha.png"], LoadError, "does not fit as a trimap"),
        (["photo.png", "missing.png", "-o", "alpha.png"], LoadError, "missing.png could not be read"),
        (["missing.png", "trimap.png", "-o", "alpha.png"], LoadError, "missing.png could not be read"),
        (["photo.png", "trimap.png", "-o", "trimap.png"], SaveError, "never overwrites"),
        (["photo.png", "trimap.png", "-o", "photo.png"], SaveError, "never overwrites"),
    ],
)
def test_matte_refuses(fake_engine: SpokenEngine, photo: Photo, arguments: list[str], error: type[BgdeskError], said: str) -> None:
    photo("photo.png")
    write_trimap("trimap.png")
    write_trimap("small.png", 7)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    with pytest.raises(error, match=said):
        run_matte(fake_engine, *arguments)
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


# --- the real thing --------------------------------------------------------------------------------------------------


def test_real_network(models_home: Path, sample: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cut", str(sample), "-o", "out.png", "--model", "u2netp", "--device", "cpu", "--precision", "fp32", "--json"]
    assert run_command(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["device"], record["precision"], record["model"]) == ("CPU", "fp32", "u2netp")
    assert list(record["timings"]) == ["load", "network", "trimap", "alpha", "foreground", "save"]
    source, out = pixels_of(sample), pixels_of("out.png")
    alpha = out[:, :, 3]
    # The astronaut: her face is subject, the upper left corner is background, and what is opaque keeps its colours.
    assert alpha[80:140, 200:240].min() > 250
    assert alpha[:60, :60].max() < 5
    assert 0.2 < (alpha > 127).mean() < 0.8
    assert (out[alpha == 255][:, :3] == source[alpha == 255][:, :3]).all()


def test_real_trimap(home: Path, sample: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a trimap alone, with no network installed at all."""
    trimap = np.full(pixels_of(sample).shape[:2], 0, np.uint8)
    trimap[20:400, 100:330], trimap[60:200, 180:260] = 128, 255
    Image.fromarray(trimap).save("trimap.png")
    assert run_command(["matte", str(sample), "trimap.png", "-o", "alpha.png"]) == 0
    alpha = pixels_of("alpha.png")
    assert (alpha[trimap == 255] == 255).all()
    assert (alpha[trimap == 0] == 0).all()
    assert len(np.unique(alpha[trimap == 128])) > 100
