"""The work on one photo: what it writes, what it says, and that nothing of a failure is left."""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant, Written
from bgdesk.batch.workers import photo_job
from bgdesk.cli import cut
from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import LoadError, SaveError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import EdgeRecipe, MatteRecipe, Quality
from bgdesk.core.results import Confidence
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Cancelled, CancelToken, Progress, cancellable, silent
from bgdesk.files.load import load
from tests.batch.workers.workers import FakeEngine, engines_of, job_for, photo_at

ALL = BatchRecipe(
    variants=(
        Variant(),
        Variant(name="mask", alpha_only=True),
        Variant(name="white", background=(255, 255, 255)),
        Variant(name="square", size=64, margin=0.1),
        Variant(name="layers", format=Format.PSD),
    )
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return photo_at(tmp_path / "photos" / "shoe.png", 200, 100)


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_every_variant_is_written_under_its_staged_name(photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    job = job_for(photo, tmp_path, 7, ALL)
    outcome = photo_job.do(job, engines_of(FakeEngine()))
    assert outcome.written == tuple(
        Written(staged, target, hashlib.sha256(staged.read_bytes()).hexdigest())
        for staged, target in zip(job.staged, job.targets, strict=True)
    )
    assert left_in(tmp_path / "out") == sorted(staged.name for staged in job.staged)
    assert photo.read_bytes() == before
    plain, mask, white, square = (pixels_of(staged) for staged in job.staged[:4])
    assert plain.shape == (100, 200, 4)
    assert mask.shape == (100, 200)
    assert (mask == plain[:, :, 3]).all()
    assert (white[:, :, 3] == 255).all()
    assert (white[:, 101:, :3] == 255).all()
    assert (white[:, :100, :3] == plain[:, :100, :3]).all()
    assert square.shape == (64, 64, 4)
    assert not square[:6, :, 3].any()
    assert job.staged[4].read_bytes().startswith(b"8BPS")


def test_the_outcome_tells_all(photo: Path, tmp_path: Path) -> None:
    outcome = photo_job.do(job_for(photo, tmp_path), engines_of(FakeEngine()))
    assert (outcome.width, outcome.height) == (200, 100)
    assert list(outcome.timings) == ["load", "network", "alpha", "confidence", "save"]
    assert outcome.confidence is not None
    assert 0 <= outcome.confidence <= 1
    assert (outcome.device, outcome.precision, outcome.model, outcome.model_sha256) == ("CPU", "bf16", "isnet-general", "abc")
    assert outcome.source_sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert outcome.notes == ("A note.",)
    assert outcome.thumbnail == tmp_path / "queue" / "thumbs" / "1.jpg"
    assert left_in(tmp_path / "queue") == ["1.jpg"]
    small = pixels_of(outcome.thumbnail)
    assert small.shape == (100, 200, 3)
    assert small[:, 110:].min() > 200  # the checkerboard is light


@pytest.mark.parametrize(("width", "height", "shape"), [(3000, 1500, (128, 256)), (40, 400, (256, 26)), (30, 20, (20, 30))])
def test_thumbnails_are_small(tmp_path: Path, width: int, height: int, shape: tuple[int, int]) -> None:
    job = job_for(photo_at(tmp_path / "p.jpg", width, height), tmp_path)
    computed = photo_job.compute(photo_job.load(job), engines_of(FakeEngine()))
    file = photo_job.thumbnail(computed.cutout, job)
    assert file is not None
    assert pixels_of(file).shape[:2] == shape


def test_a_plain_variant_is_what_cut_writes(photo: Path, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    cut.add_arguments(parser)

    assert cut.run(parser.parse_args([str(photo), "-o", str(tmp_path / "cut.png")]), lambda *_: FakeEngine()) == 0
    outcome = photo_job.do(job_for(photo, tmp_path), engines_of(FakeEngine()))
    assert outcome.written[0].staged.read_bytes() == (tmp_path / "cut.png").read_bytes()


def test_nobody_sees_the_colours_of_an_opacity(photo: Path, tmp_path: Path) -> None:
    engine = FakeEngine()
    recipe = BatchRecipe(matte=MatteRecipe(spill="auto"), variants=(Variant(alpha_only=True),))
    photo_job.do(job_for(photo, tmp_path, recipe=recipe), engines_of(engine))
    assert engine.recipes == [MatteRecipe(decontaminate=False)]


def test_the_edge_is_finished_after_confidence_was_judged(photo: Path, tmp_path: Path) -> None:
    class Judge(FakeEngine):
        judged: Cutout | None = None

        def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
            self.judged = cutout
            return super().confidence(pixels, cutout, progress)

    engine = Judge(0.9)
    recipe = BatchRecipe(gate=0.5, edge=EdgeRecipe(shift=4), variants=(Variant(), Variant(name="mask", alpha_only=True)))
    job = job_for(photo, tmp_path, recipe=recipe)
    outcome = photo_job.do(job, engines_of(engine))
    assert engine.judged is not None
    assert not engine.judged.alpha[50, 102]
    assert pixels_of(job.staged[0])[50, 102, 3] == pixels_of(job.staged[1])[50, 102] == 255
    assert list(outcome.timings) == ["load", "network", "alpha", "confidence", "finish", "save"]


@pytest.mark.parametrize(
    ("said", "kept", "tries"),
    [
        ([0.9], 0.9, 1),  # at or above the gate
        ([0.8], 0.8, 1),
        ([0.4, 0.7], 0.7, 2),
        ([0.4, 0.3], 0.4, 2),
        ([0.4, 0.4], 0.4, 2),
    ],
)
def test_a_second_attempt_below_the_gate(photo: Path, tmp_path: Path, said: list[float], kept: float, tries: int) -> None:
    engine = FakeEngine(*said)
    recipe = BatchRecipe(gate=0.8, fallback=Fallback(Quality.BEST))
    outcome = photo_job.do(job_for(photo, tmp_path, recipe=recipe), engines_of(engine))
    assert outcome.confidence == kept
    assert outcome.reasons == (f"It looks like {kept:.1f}.",)
    assert [each.quality for each in engine.recipes] == [Quality.BALANCED, Quality.BEST][:tries]
    assert outcome.timings[Stage.NETWORK] == 0.5 * tries
    assert len(outcome.notes) == tries
    if tries == 2:
        assert ("was used: 0.70 instead of 0.40" in outcome.notes[1]) == (kept == 0.7)


def test_another_network_for_the_second_attempt(photo: Path, tmp_path: Path) -> None:
    recipe = BatchRecipe(gate=0.8, fallback=Fallback(Quality.BALANCED, "other"))
    outcome = photo_job.do(job_for(photo, tmp_path, recipe=recipe), engines_of(FakeEngine(0.2), other=FakeEngine(0.6)))
    assert (outcome.confidence, outcome.model_sha256) == (0.6, "other")
    assert outcome.notes[1].startswith("A second attempt (balanced quality with other) was more confident and was used: ")


def test_the_same_again_is_not_a_second_attempt(photo: Path, tmp_path: Path) -> None:
    recipe = BatchRecipe(matte=MatteRecipe(quality=Quality.BEST), gate=0.8, fallback=Fallback(Quality.BEST))
    assert photo_job.do(job_for(photo, tmp_path, recipe=recipe), engines_of(FakeEngine(0.2))).confidence == 0.2


def test_a_photo_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"gone\.png could not be read: there is no such file"):
        photo_job.do(job_for(tmp_path / "gone.png", tmp_path), engines_of(FakeEngine()))


def test_a_failure_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    """The second output's folder is a file; the first output was complete by then."""
    job = job_for(photo, tmp_path, recipe=BatchRecipe(variants=(Variant(), Variant(name="b"))))
    (tmp_path / "no").write_text("a file")
    moved = (job.staged[0], tmp_path / "no" / "folder" / job.staged[1].name)
    job = replace(job, staged=moved)
    with pytest.raises(SaveError, match=r"^shoe-b\.png could not be saved: the folder .*no.folder could not be made"):
        photo_job.do(job, engines_of(FakeEngine()))
    assert left_in(tmp_path / "out") == []


def test_a_message_names_the_output_and_not_its_staged_file(photo: Path, tmp_path: Path) -> None:
    job = job_for(photo, tmp_path)
    job.staged[0].mkdir(parents=True)
    with pytest.raises(SaveError, match=r"^shoe\.png could not be saved: there is a folder of that name"):
        photo_job.do(job, engines_of(FakeEngine()))


def test_cancelling_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    token = CancelToken()
    computed = photo_job.compute(photo_job.load(job_for(photo, tmp_path, recipe=ALL)), engines_of(FakeEngine()))

    def late(stage: str, fraction: float) -> None:
        if fraction > 0.5:  # in the midst of the third of five
            token.cancel()

    with pytest.raises(Cancelled):
        photo_job.finish(computed, cancellable(token, late))
    assert left_in(tmp_path / "out") == []


def test_the_photo_is_never_written_over(photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    job = job_for(photo, tmp_path)
    job = replace(job, targets=(photo,), staged=(photo,))
    with pytest.raises(SaveError, match="never overwrites"):
        photo_job.do(job, engines_of(FakeEngine()))
    assert photo.read_bytes() == before


def test_a_lost_thumbnail_is_no_failure(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file")
    outcome = photo_job.do(job_for(photo, tmp_path), engines_of(FakeEngine()))
    assert outcome.thumbnail is None
    assert outcome.written[0].staged.exists()


def test_a_person_s_fix_is_written_like_the_rest(photo: Path, tmp_path: Path) -> None:
    job = job_for(photo, tmp_path, recipe=ALL)
    cutout = FakeEngine().auto(load(photo).pixels)
    written = photo_job.write(cutout, load(photo), job)
    assert [each.target for each in written] == list(job.targets)
    assert all(each.staged.exists() for each in written)
