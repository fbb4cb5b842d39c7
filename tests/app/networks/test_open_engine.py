"""Opening the engine: what is asked for, what stands in every photo's way, and choices that change while it is open."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bgdesk.app.networks.onnx_presets import describe
from bgdesk.app.networks.open_engine import DEVICES, PRECISIONS, EngineChoice, check_engine, choice_of, open_engine
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.app.system.settings import SETTINGS, Settings
from bgdesk.core.errors import DeviceError, ModelError
from bgdesk.core.geometry import Size
from tests.networks import matting, weighted

PIXELS = np.full((40, 50, 3), 200, np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Two networks that find subjects, and one that works out edges."""
    found = default_store()
    found.import_own(weighted(tmp_path / "a.onnx"), "first", describe("first", "birefnet-lite", size=Size(128, 128)))
    found.import_own(weighted(tmp_path / "b.onnx"), "second", describe("second", "rmbg-2.0", size=Size(128, 128)))
    found.import_own(matting(tmp_path / "c.onnx"), "hair", describe("hair", "vitmatte-base", size=Size(128, 128)))
    return found


def test_without_a_network_an_engine_opens_and_a_check_says_what_is_missing() -> None:
    open_engine(EngineChoice())
    with pytest.raises(ModelError, match="No network is installed"):
        check_engine(EngineChoice())
    with pytest.raises(ModelError, match="No network is installed"):
        open_engine(EngineChoice(), check=True)
    assert check_engine(EngineChoice(), network=False) == ()


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (EngineChoice(model="none"), "no network called 'none'"),
        (EngineChoice(model="hair"), "hair works out edges"),
        (EngineChoice(matting="none"), "no network called 'none'"),
        (EngineChoice(matting="first"), "first finds subjects"),
    ],
)
def test_a_network_of_no_use_is_said_at_once(store: ModelStore, choice: EngineChoice, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        check_engine(choice, store)
    with pytest.raises(ModelError, match=said):
        open_engine(choice, store, check=True)


@pytest.mark.usefixtures("models_home")
@pytest.mark.parametrize(("device", "precision"), [("abacus", "auto"), ("cpu", "fp16"), ("cpu", "fp8")])
def test_a_device_or_precision_that_this_machine_lacks_is_said_at_once(device: str, precision: str) -> None:
    with pytest.raises(DeviceError):
        check_engine(EngineChoice(model="u2netp", device=device, precision=precision))
    assert check_engine(EngineChoice(model="u2netp", device="cpu", precision="fp32")) == ()


def test_networks_that_may_not_be_used_commercially_are_named(store: ModelStore) -> None:
    assert check_engine(EngineChoice(model="first", matting="hair"), store) == ()
    (sentence,) = check_engine(EngineChoice(model="second", matting="hair"), store)
    assert sentence == "Network second: licence CC-BY-NC-4.0, no commercial use."
    assert check_engine(EngineChoice(model="second", matting="hair"), store, network=False) == ()


def test_the_networks_that_were_chosen_compute(store: ModelStore) -> None:
    cutout = open_engine(EngineChoice(model="second", matting="hair"), store).auto(PIXELS)
    assert cutout.model == "second + hair"


def test_a_matting_network_is_read_once(store: ModelStore) -> None:
    """A queue goes on with the network that it began with."""
    engine = open_engine(EngineChoice(model="first", matting="hair"), store)
    engine.auto(PIXELS)
    store.remove("hair")
    assert engine.auto(PIXELS).model == "first + hair"


def test_a_choice_that_changes_is_followed(store: ModelStore) -> None:
    settings = Settings(model="first")
    engine = open_engine(choice_of(settings, store), store, current=lambda: choice_of(settings, store))
    assert engine.auto(PIXELS).model == "first"
    settings = replace(settings, model="second", matting="hair")
    engine.close()
    assert engine.auto(PIXELS).model == "second + hair"


def test_settings_that_name_what_is_not_there_any_more(store: ModelStore) -> None:
    assert choice_of(Settings(), store) == EngineChoice()
    assert choice_of(Settings(model="gone", matting="gone", device="cpu"), store) == EngineChoice(device="cpu")
    assert choice_of(Settings(model="hair", matting="first"), store) == EngineChoice()
    assert choice_of(Settings(model="second", matting="hair"), store) == EngineChoice(model="second", matting="hair")


def test_settings_offer_what_the_engine_knows() -> None:
    assert set(SETTINGS["device"].choices) == set(DEVICES)
    assert set(SETTINGS["precision"].choices) == set(PRECISIONS)
