from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.app.networks.store import default_store
from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import MattingError
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Confidence
from bgdesk.core.tasks import Cancelled, silent
from bgdesk.core.trimap import from_matte
from bgdesk.engine import confidence
from bgdesk.engine.confidence import CHEAP, FAIL, LOOKED, OPEN, PASS, judge, measured, troubles
from bgdesk.engine.networks import weights as weights_module
from bgdesk.engine.networks.device import Device, Machine, OutOfMemory, Run
from bgdesk.engine.networks.nets.architectures import NETS
from bgdesk.engine.networks.segment import mirrored
from bgdesk.engine.networks.weights import Weights
from bgdesk.engine.pipeline import Pipeline
from bgdesk.files.load import load

SHARES = st.floats(0, 1)
FEATURES = st.fixed_dictionaries(
    dict.fromkeys(("doubt", "moved", "width", "faint", "stray", "holes", "border", "agreement"), SHARES)
    | {"subject": st.floats(1e-4, 1), "sides": st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0])}
)


def disc(height: int = 300, width: int = 400, radius: float = 90, soft: float = 1.0, x: float = 0.5, y: float = 0.5) -> np.ndarray:
    """A disc's opacity; `soft` is the width of its rim."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    alpha: np.ndarray = np.clip((radius - np.hypot(xs - x * width, ys - y * height)) / soft + 0.5, 0, 1).astype(np.float32)
    return alpha


def photo(alpha: np.ndarray, front: tuple[int, ...] = (200, 60, 40), back: tuple[int, ...] = (230, 235, 240)) -> np.ndarray:
    part = alpha[..., None]
    pixels: np.ndarray = np.rint(part * np.array(front) + (1 - part) * np.array(back)).astype(np.uint8)
    return pixels


def cutout(pixels: np.ndarray, alpha: np.ndarray, matte: np.ndarray | None = None) -> Cutout:
    return Cutout(source=pixels, alpha=alpha, foreground=pixels, trimap=from_matte(alpha), matte=alpha if matte is None else matte)


def never(part: Rect) -> np.ndarray:
    raise AssertionError("the network was asked again")


class Looks:
    """Answers a second look with the true opacity, or with something else."""

    def __init__(self, answer: Callable[[Rect], np.ndarray]) -> None:
        self.parts: list[Rect] = []
        self._answer = answer

    def __call__(self, part: Rect) -> np.ndarray:
        self.parts.append(part)
        return self._answer(part)


def unsure(alpha: np.ndarray, share: float = 0.12) -> Cutout:
    """A matte that says of a strip of the subject that it may be one or not."""
    matte = alpha.copy()
    rows = np.flatnonzero((alpha > 0.5).any(axis=1))
    strip = slice(rows[0], rows[0] + max(1, round(share * rows.size)))
    matte[strip] *= 0.55
    return cutout(photo(alpha), alpha, matte)


def open_case() -> Cutout:
    """One that the cheap signs leave open."""
    for share in np.linspace(0.02, 0.9, 60):
        found = unsure(disc(), float(share))
        if PASS > judge(found.source, found).value > FAIL:
            return found
    raise AssertionError("no matte of these is in between")


# --- what is plain -----------------------------------------------------------------------------------------------------


def test_a_sharp_subject_on_its_own_passes_without_a_second_look() -> None:
    alpha = disc()
    found = judge(photo(alpha), cutout(photo(alpha), alpha), never)
    assert found.value > OPEN[1]
    assert found.reasons == ()
    assert "agreement" not in found.features
    assert found.features["border"] == found.features["stray"] == found.features["holes"] == 0
    assert found.features["subject"] == pytest.approx(np.pi * 90**2 / (300 * 400), rel=0.02)


@pytest.mark.parametrize(
    ("opacity", "words"), [(0.0, "No subject was found."), (0.3, "No subject was found."), (1.0, "Nothing was removed")]
)
def test_nothing_and_everything_are_no_cutouts(opacity: float, words: str) -> None:
    alpha = np.full((90, 120), opacity, np.float32)
    found = judge(photo(alpha), cutout(photo(alpha), alpha), never)
    assert found.value == 0
    assert found.reasons[0].startswith(words)


def test_a_matte_that_knows_nothing_fails_without_a_second_look() -> None:
    alpha = disc()
    matte = np.clip(cv2.GaussianBlur(alpha, (0, 0), 60), 0, 0.55).astype(np.float32)
    found = judge(photo(alpha), cutout(photo(alpha), alpha, matte), never)
    assert found.value < OPEN[0] < FAIL
    assert "The network was unsure of" in found.reasons[0]


# --- the second look ---------------------------------------------------------------------------------------------------


def test_what_is_open_is_looked_at_once_more_and_only_there() -> None:
    case = open_case()
    agreeing = Looks(lambda part: case.matte[part.slices])  # type: ignore[index]
    blind = Looks(lambda part: np.zeros((384, 384), np.float32))
    yes, no = judge(case.source, case, agreeing), judge(case.source, case, blind)
    assert len(agreeing.parts) == len(blind.parts) == 1
    part = agreeing.parts[0]
    assert Rect.of_shape(case.alpha.shape).contains(part)
    assert part.contains(Rect.bounding(case.alpha >= 0.5))
    assert part.area < case.alpha.size
    assert yes.features["agreement"] > 0.97
    assert no.features["agreement"] == 0
    assert no.value < yes.value
    assert "Seen mirrored, the network finds something else." in no.reasons
    assert "Seen mirrored, the network finds something else." not in yes.reasons


def test_a_large_photo_is_looked_at_in_its_own_pixels() -> None:
    alpha = disc(300, 3100, 100)
    look = Looks(lambda part: alpha[part.slices])
    found = measured(photo(alpha), cutout(photo(alpha), alpha), look)
    assert look.parts[0].contains(Rect.bounding(alpha >= 0.5))
    assert found["agreement"] > 0.97


def test_a_cutout_from_a_trimap_alone_is_judged_by_its_opacity() -> None:
    case = open_case()
    alone = replace(case, alpha=case.matte, matte=None)  # type: ignore[arg-type]
    found = judge(case.source, alone, never)
    assert found.features["moved"] == 0
    assert found.features["doubt"] == pytest.approx(judge(case.source, case).features["doubt"])
    assert 0 < found.value < 1


def test_what_a_second_look_raises_is_passed_on() -> None:
    def stop(part: Rect) -> np.ndarray:
        raise Cancelled

    case = open_case()
    with pytest.raises(Cancelled):
        judge(case.source, case, stop)


# --- each sign ---------------------------------------------------------------------------------------------------------


def signs(alpha: np.ndarray, **colours: tuple[int, ...]) -> dict[str, float]:
    pixels = photo(alpha, **colours)
    return dict(judge(pixels, cutout(pixels, alpha)).features)


def test_loose_pieces_and_holes_are_counted() -> None:
    alpha = disc()
    area = np.count_nonzero(alpha >= 0.5)
    alpha[5:25, 5:25] = 1
    alpha[140:160, 190:210] = 0
    found = signs(alpha)
    assert found["stray"] == pytest.approx(400 / area, rel=0.05)
    assert found["holes"] == pytest.approx(400 / area, rel=0.05)


def test_ground_enclosed_by_subject_and_border_is_no_hole() -> None:
    alpha = np.zeros((60, 80), np.float32)
    alpha[30:40] = 1
    found = signs(alpha)
    assert found["holes"] == 0
    assert found["sides"] == 2


def test_the_further_it_leaves_the_photo_the_more_border_is_covered() -> None:
    covered = [signs(disc(x=x)) for x in (0.5, 0.24, 0.2, 0.1)]
    assert [found["sides"] for found in covered] == [0, 0, 1, 1]
    shares = [found["border"] for found in covered]
    assert shares == sorted(shares)
    assert shares[-1] > shares[-2] > 0


def test_an_edge_between_like_colours_is_faint() -> None:
    alpha = disc()
    assert signs(alpha)["faint"] == 0
    assert signs(alpha, front=(120, 120, 120), back=(124, 124, 124))["faint"] == 1


def test_a_blurred_edge_is_wide() -> None:
    narrow, wide = signs(disc(soft=2)), signs(disc(soft=40))
    assert wide["width"] > 5 * narrow["width"]
    assert wide["doubt"] > narrow["doubt"]


def test_what_the_solver_changed_counts() -> None:
    alpha = disc()
    matte = disc(radius=100)
    assert judge(photo(alpha), cutout(photo(alpha), alpha, matte)).features["moved"] == pytest.approx(1 - 90**2 / 100**2, abs=0.02)


# --- laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [CHEAP, LOOKED])
def test_the_weights_make_sense(model: confidence.ConfidenceModel) -> None:
    assert all(weight >= 0 for weight in model.weights.values())
    assert set(model.weights) <= set(
        troubles(dict.fromkeys((*["doubt", "moved", "width", "faint", "stray", "holes", "border", "sides", "subject"], "agreement"), 0.1))
    )
    assert 0 < OPEN[0] < FAIL < PASS < OPEN[1] < 1


@pytest.mark.parametrize("model", [CHEAP, LOOKED])
@given(found=FEATURES, name=st.sampled_from(["doubt", "moved", "width", "faint", "stray", "holes", "border"]), more=SHARES)
def test_more_trouble_never_raises_the_value(model: confidence.ConfidenceModel, found: dict[str, float], name: str, more: float) -> None:
    value = model.value(found)
    assert 0 <= value <= 1
    assert model.value(found | {name: max(found[name], more)}) <= value
    assert model.value(found | {"agreement": min(found["agreement"], more)}) <= value
    if found["subject"] < 0.5:
        assert model.value(found | {"subject": found["subject"] / 2}) <= value


@given(found=FEATURES)
def test_whoever_is_asked_to_look_is_told_for_what(found: dict[str, float]) -> None:
    value = LOOKED.value(found)
    reasons = confidence._reasons(value, LOOKED, found)
    assert len(reasons) <= 3
    assert len(set(reasons)) == len(reasons)
    assert reasons or value >= PASS
    assert all(reason.endswith(".") and reason[0].isupper() for reason in reasons)


@given(
    seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40), width=st.integers(1, 40),
    kind=st.sampled_from([np.uint8, np.uint16]), shift=st.floats(-0.6, 0.6),
)  # fmt: skip
def test_any_cutout_gets_a_value_and_always_the_same(seed: int, height: int, width: int, kind: type, shift: float) -> None:
    random = np.random.default_rng(seed)
    pixels: Pixels = random.integers(0, np.iinfo(kind).max, (height, width, 3), kind, endpoint=True)  # type: ignore[assignment]
    alpha, matte = (np.clip(random.random((height, width), np.float32) + shift, 0, 1).astype(np.float32) for _ in range(2))
    case = Cutout(source=pixels, alpha=alpha, foreground=pixels, trimap=from_matte(alpha), matte=matte)
    found = judge(pixels, case, lambda part: matte[part.slices])
    assert 0 <= found.value <= 1
    assert all(np.isfinite(each) for each in found.features.values())
    assert found == judge(pixels, case, lambda part: matte[part.slices])


def test_of_a_large_photo_only_a_copy_is_looked_at() -> None:
    """Every third pixel of 3100: what lies between them may be anything."""
    alpha = disc(300, 3100, 100)
    pixels = photo(alpha)
    before = judge(pixels, cutout(pixels, alpha))
    littered = [pixels.copy(), alpha.copy()]
    for each in littered:
        between = np.ones(each.shape[:2], bool)
        between[::3, ::3] = False
        each[between] = 0
    assert (
        judge(
            littered[0], Cutout(source=littered[0], alpha=littered[1], foreground=littered[0], trimap=from_matte(alpha), matte=littered[1])
        )
        == before
    )


def test_eight_and_sixteen_bits_are_judged_alike() -> None:
    case = open_case()
    wide = case.source.astype(np.uint16) * 257
    assert judge(wide, replace(case, source=wide)) == judge(case.source, case)


# --- with a network ----------------------------------------------------------------------------------------------------


def by_red(batch: np.ndarray) -> np.ndarray:
    return batch[:, :1] + np.float32(0.5)


def test_the_mirror_image_is_small_and_turned_back() -> None:
    sizes: list[tuple[int, ...]] = []

    def run(batch: np.ndarray) -> np.ndarray:
        sizes.append(batch.shape)
        assert batch[0, 0, 0, 0] > batch[0, 0, 0, -1]  # the photo's red rises to the right
        return by_red(batch)

    pixels = np.zeros((600, 900, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, 900)
    answer = mirrored(pixels, NETS["isnet"], run)
    assert sizes == [(1, 3, 384, 384)]
    assert np.allclose(answer[0], np.linspace(0, 1, 384), atol=0.01)


def test_a_small_network_is_not_given_more_than_its_own_size() -> None:
    def run(batch: np.ndarray) -> np.ndarray:
        assert batch.shape == (1, 3, 320, 320)
        return np.zeros((1, 1, 320, 320), np.float32)

    assert mirrored(np.zeros((50, 80, 3), np.uint8), NETS["u2netp"], run).shape == (320, 320)


class Seen(Pipeline):
    """A pipeline that is not asked for its network unless a second look needs it."""

    def __init__(self, matte: np.ndarray) -> None:
        super().__init__(lambda: Weights("isnet-general", "isnet", Path("none"), ""))
        self.matte_given, self.asked = matte, 0

    def mirrored(self, pixels: np.ndarray, part: Rect, progress: Callable[[str, float], None] = silent) -> np.ndarray:
        self.asked += 1
        progress("confidence", 0.5)
        return self.matte_given[part.slices]


def test_the_pipeline_looks_again_only_where_it_must() -> None:
    plain, case = disc(), open_case()
    pipeline = Seen(case.matte)  # type: ignore[arg-type]
    said: list[tuple[str, float]] = []
    first = pipeline.confidence(photo(plain), cutout(photo(plain), plain))
    assert pipeline.asked == 0
    second = pipeline.confidence(case.source, case, lambda *each: said.append(each))
    assert pipeline.asked == 1
    assert isinstance(first, Confidence)
    assert first.value > second.value
    assert said == [("confidence", 0.0), ("confidence", 0.5), ("confidence", 1.0)]


def test_a_cutout_of_another_photo_is_refused() -> None:
    alpha = disc()
    with pytest.raises(MattingError, match="cutout"):
        Seen(alpha).confidence(photo(alpha)[:-1], cutout(photo(alpha), alpha))


def test_a_device_that_gives_up_at_the_second_look_is_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def place(module: object, device: Device) -> Run:
        def run(batch: np.ndarray) -> np.ndarray:
            runs.append(device.kind)
            if runs.count("cuda") > 1 and device.kind == "cuda":  # the first is its proof
                raise OutOfMemory("no room")
            return by_red(batch)

        return run

    monkeypatch.setattr(weights_module, "probe", lambda: Machine(cuda="Fake GPU", mps=False, bf16=False))
    monkeypatch.setattr(weights_module, "place", place)
    monkeypatch.setattr(weights_module, "load", lambda weights: object())
    pipeline = Pipeline(lambda: Weights("isnet-general", "isnet", Path("none"), ""))
    pixels = photo(disc())
    answer = pipeline.mirrored(pixels, Rect.of_shape(pixels.shape))
    assert answer.shape == (384, 384)
    assert runs[-2:] == ["cuda", "cpu"]
    assert "ran out of memory" in pipeline.status.notes[0]


def test_a_photo_drowned_in_noise_is_trusted_less_by_the_real_network(models_home: Path, sample: Path) -> None:
    pixels = load(sample).pixels
    store, recipe = default_store(), MatteRecipe(refine=False, decontaminate=False)
    pipeline = Pipeline(lambda: store.weights("u2netp"), "cpu")
    noise = np.random.default_rng(1).normal(0, 90, pixels.shape)
    drowned = np.clip(0.3 * pixels + noise, 0, 255).astype(np.uint8)
    clear, dull = (pipeline.confidence(each, pipeline.auto(each, recipe)) for each in (pixels, drowned))
    assert dull.value < clear.value
    assert dull.reasons
    part = Rect(0, 0, 256, 512)
    assert pipeline.mirrored(pixels, part).shape == Size(320, 320)
