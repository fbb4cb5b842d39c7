"""One photo, one way through: what the stages do together, and each by itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bgdesk.app import one_photo
from bgdesk.app.one_photo import Request
from bgdesk.core.engine import EngineStatus
from bgdesk.core.errors import LoadError, MattingError, SaveError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import EdgeRecipe, ExportRecipe, MatteRecipe, Recipe
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable
from tests.fakes.engine import FakeEngine

OUTWARDS = EdgeRecipe(shift=2)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "shoe v1.2.png"
    Image.fromarray(np.random.default_rng(1).integers(1, 255, (10, 20, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def trimap(tmp_path: Path) -> Path:
    path = tmp_path / "trimap.png"
    labels = np.zeros((10, 20), np.uint8)
    labels[:, :8], labels[:, 8:12] = 255, 128
    Image.fromarray(labels).save(path)
    return path


def alpha_of(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)[..., -1]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_the_way(photo: Path, tmp_path: Path) -> None:
    request = Request(source=photo, target=tmp_path / "out.png")
    done = one_photo.through(request, FakeEngine())
    assert done.output == tmp_path / "out.png"
    assert (alpha_of(done.output)[:, :10] == 255).all()
    assert (alpha_of(done.output)[:, 10:] == 0).all()
    assert list(done.timings) == ["load", "network", "trimap", "alpha", "save"]
    assert done.timings["network"] == 0.5


def test_the_edge_of_the_file_is_finished_and_what_was_solved_is_left(photo: Path, tmp_path: Path) -> None:
    engine = FakeEngine()
    solved = one_photo.cut(one_photo.load(photo), engine)
    before = solved.alpha.copy()
    finished = one_photo.finish(solved, OUTWARDS)
    assert (solved.alpha == before).all()
    assert finished.alpha[5, 11] > 0.5
    request = Request(source=photo, target=tmp_path / "out.png", recipe=Recipe(edge=OUTWARDS))
    done = one_photo.through(request, engine)
    assert (done.cutout.alpha == finished.alpha).all()
    assert (alpha_of(done.output) == np.rint(255 * finished.alpha)).all()
    assert list(done.timings) == ["load", "network", "trimap", "alpha", "finish", "save"]


def test_a_neutral_edge_is_no_work_at_all(photo: Path) -> None:
    solved = one_photo.cut(one_photo.load(photo), FakeEngine())
    assert one_photo.finish(solved, EdgeRecipe()) is solved


def test_from_labels_by_hand(photo: Path, trimap: Path, tmp_path: Path) -> None:
    recipe = Recipe(matte=MatteRecipe(strength=0.5))
    engine = FakeEngine()
    done = one_photo.through(Request(source=photo, target=tmp_path / "out.png", trimap=trimap, recipe=recipe), engine)
    assert alpha_of(done.output)[0].tolist() == [255] * 8 + [128] * 4 + [0] * 8
    assert engine.recipes == [recipe.matte]
    assert (done.cutout.device, done.cutout.precision, done.cutout.model) == ("CPU", "fp32", None)
    assert list(done.timings) == ["load", "alpha", "foreground", "save"]
    assert one_photo.cut(one_photo.load(photo, trimap), engine, MatteRecipe(decontaminate=False)).foreground.base is None


def test_a_matting_network_is_named(photo: Path, trimap: Path) -> None:
    engine = FakeEngine()
    engine.warm()
    cutout = one_photo.cut(one_photo.load(photo, trimap), engine)
    assert (cutout.device, cutout.model) == ("CPU", "isnet-general")


def test_every_stage_s_notes_come_along(photo: Path, trimap: Path, tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.status = EngineStatus(notes=("The card failed.",))
    engine.photo_notes, engine.colour_notes = ("A tile failed.",), ("No spill.",)
    request = Request(source=photo, target=tmp_path / "out.png", trimap=trimap, recipe=Recipe(edge=OUTWARDS))
    assert one_photo.through(request, engine).cutout.notes == ("The card failed.", "A tile failed.", "No spill.")


def test_nobody_sees_the_colours_of_an_opacity(photo: Path, tmp_path: Path) -> None:
    engine = FakeEngine()
    export, recipe = ExportRecipe(Format.PNG, alpha_only=True), Recipe(matte=MatteRecipe(spill="auto"))
    one_photo.through(Request(source=photo, target=tmp_path / "out.png", export=export, recipe=recipe), engine)
    assert engine.recipes == [MatteRecipe(decontaminate=False)]


def test_no_source_is_written_over(photo: Path, trimap: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for target in (photo, trimap, other):
        with pytest.raises(SaveError, match="never overwrites"):
            one_photo.through(Request(source=photo, target=target, trimap=trimap, protect=(other,)), FakeEngine())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_photo_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"gone\.png could not be read"):
        one_photo.through(Request(source=tmp_path / "gone.png", target=tmp_path / "out.png"), FakeEngine())


def test_every_stage_can_be_cancelled_and_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    before = files_in(tmp_path)
    for stage in ("load", "network", "finish", "save"):
        token = CancelToken()
        heard: list[str] = []

        def report(now: str, fraction: float, stage: str = stage, token: CancelToken = token, heard: list[str] = heard) -> None:
            heard.append(now)
            if now == stage:
                token.cancel()

        request = Request(source=photo, target=tmp_path / "out.png", recipe=Recipe(edge=OUTWARDS))
        with pytest.raises(Cancelled):
            one_photo.through(request, FakeEngine(), cancellable(token, report))
        assert heard[-1] == stage
        assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MattingError("13 bring bad luck. Crop it."), "13 bring bad luck. Crop it."),
        (MemoryError(), "shoe.jpg does not fit into this computer's memory."),
        (RuntimeError("no\nway"), "shoe.jpg could not be cut out, something unforeseen went wrong: no. If memory is short"),
        (ZeroDivisionError(), "something unforeseen went wrong: ZeroDivisionError. If"),
    ],
)
def test_every_failure_has_a_sentence(error: Exception, said: str) -> None:
    assert said in one_photo.failure(Path("/photos/shoe.jpg"), error)
