"""Bring a network of one's own through the window: import it, see its licence, use it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from bgdesk.app.networks.onnx_presets import describe
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.core.geometry import Size
from bgdesk.ui.application import build
from bgdesk.ui.kit.bridge import Bridge
from bgdesk.ui.kit.file_dialogs import Ask
from tests.networks import matting, weighted


class Answers(Ask):
    def __init__(self) -> None:
        self.network: Path | None = None

    def network_file(self, parent: QWidget, title: str) -> Path | None:
        return self.network

    def remove_network(self, parent: QWidget, title: str) -> bool:
        return True


class Hands:
    """The real window over the real engine and an empty home, and the hands on it."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot, self.ask, self.bridge = qtbot, Answers(), Bridge()
        self.window = build(default_store(), self.bridge, self.ask)
        self.window.show()
        qtbot.waitExposed(self.window)

    def find(self, name: str) -> Any:
        """A control that is there and not on its way out."""
        found = [widget for widget in QApplication.allWidgets() if widget.objectName() == name and widget.isVisible()]
        return found[-1] if found else None

    def click(self, name: str) -> None:
        self.until(lambda: self.find(name) is not None and self.find(name).isEnabled())
        button = self.find(name)
        assert isinstance(button, QPushButton)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def type(self, name: str, text: str) -> None:
        line = self.find(name)
        assert isinstance(line, QLineEdit)
        line.setFocus()
        line.selectAll()
        QTest.keyClick(line, Qt.Key.Key_Delete)
        QTest.keyClicks(line, text)

    def pick(self, name: str, text: str) -> None:
        """As with the keyboard: the first entry that begins with what is typed."""
        combo = self.find(name)
        assert isinstance(combo, QComboBox)
        combo.setFocus()
        QTest.keyClicks(combo, text)
        assert combo.currentText().startswith(text)

    def text(self, name: str) -> str:
        label = self.find(name)
        return "" if label is None else str(label.text())

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=20_000)

    def networks(self) -> None:
        self.window.actions_["action.models"].trigger()
        self.until(lambda: self.find("dialog.models") is not None)

    def open(self, photo: Path) -> None:
        self.window.commands.open_paths([photo])
        self.until(lambda: self.alpha() is not None)

    def alpha(self) -> float | None:
        """The mean opacity of the photo that is shown, once nothing is being computed."""
        session = self.window._session
        if session.busy is not None or session.work is None or not session.work.has_alpha:
            return None
        return float(session.work.solved.mean())

    def close(self) -> None:
        for name in ("dialog.own_network", "dialog.models"):
            dialog = self.find(name)
            if dialog is not None:
                dialog.reject()
        self.window.close()
        self.bridge.close()
        self.window.deleteLater()
        QApplication.processEvents()


@pytest.fixture
def hands(qtbot: QtBot, home: Path) -> Iterator[Hands]:
    hands = Hands(qtbot)
    yield hands
    hands.close()


@pytest.fixture
def store(home: Path) -> ModelStore:
    return default_store()


def test_import_with_a_preset(hands: Hands, tmp_path: Path, home: Path) -> None:
    hands.ask.network = weighted(tmp_path / "model.onnx", (6.0, 0.0, 0.0), 0.0)
    hands.networks()
    hands.click("models.import_own")
    hands.click("own.choose")
    assert hands.text("own.file") == "model.onnx"
    assert hands.text("own.id") == "model"
    hands.pick("own.preset", "RMBG 1.4")
    assert hands.text("own.id") == "rmbg-1.4"
    assert hands.text("own.mean") == "0.5, 0.5, 0.5"
    assert "bria-rmbg-1.4" in hands.text("own.terms")
    assert "not for commercial use" in hands.text("own.terms")
    hands.type("own.size", "96")
    hands.click("own.import")
    hands.until(lambda: hands.find("models.rmbg-1.4") is not None)
    words = " ".join(label.text() for label in hands.find("models.rmbg-1.4").findChildren(QLabel))
    assert "RMBG 1.4" in words
    assert "<b>not for commercial use</b>" in words
    assert "Installed, in use" in words
    assert hands.text("models.rmbg-1.4.badge") == "Non-commercial"
    assert hands.text("models.stage") == "rmbg-1.4 is installed."
    # What is used may not be used for everything: it says so all the time.
    assert hands.window.status.text("model") == "rmbg-1.4 (non-commercial)"
    record = json.loads((home / "models" / "rmbg-1.4.json").read_text(encoding="utf-8"))
    assert (record["size"], record["commercial"], record["stretch"]) == ([96, 96], False, True)
    hands.click("models.rmbg-1.4.remove")
    hands.until(lambda: hands.find("models.rmbg-1.4") is None)
    assert hands.window.status.text("model") == "no network"


def test_import_filled_in_by_hand(hands: Hands, tmp_path: Path, home: Path) -> None:
    """What is wrong is said where it was typed, and the trial's verdict where the networks are."""
    hands.networks()
    hands.click("models.import_own")
    hands.click("own.import")
    assert hands.text("own.error") == "Choose the ONNX file first."
    hands.ask.network = weighted(tmp_path / "our net.onnx", size=(32, 32))
    hands.click("own.choose")
    assert hands.text("own.id") == "our-net"
    hands.click("own.import")
    assert "say how it wants its photos" in hands.text("own.error")
    hands.type("own.mean", "0.5 0.5")
    hands.type("own.std", "1")
    hands.click("own.import")
    assert hands.text("own.error") == "'0.5 0.5' are 2 numbers; give one, or three: for red, green and blue."
    hands.type("own.mean", "0.5")
    hands.type("own.size", "64")
    hands.click("own.import")
    hands.until(lambda: "our net.onnx was made for 32×32 pixels" in hands.text("models.stage"))
    assert not list((home / "models").glob("*.onnx"))
    hands.click("models.import_own")
    hands.click("own.choose")
    for name, text in (("own.mean", "0.5"), ("own.std", "0.5"), ("own.id", "ours"), ("own.title", "Ours"), ("own.licence", "by <us>")):
        hands.type(name, text)
    hands.click("own.import")
    hands.until(lambda: hands.find("models.ours") is not None)
    words = " ".join(label.text() for label in hands.find("models.ours").findChildren(QLabel))
    assert "by &lt;us&gt;, <b>commercial use not known</b>" in words


def test_choosing_among_networks(hands: Hands, store: ModelStore, tmp_path: Path, home: Path, photo: Path) -> None:
    """Use takes another network at once, for finding the subject and for edges; the choice is kept."""

    def bring(id: str, file: Path, preset: str, **more: Any) -> None:
        store.import_own(file, id, describe(id, preset, size=Size(128, 128), **more))

    bring("bright", weighted(tmp_path / "a.onnx", (20.0, 0.0, 0.0), -10.0), "birefnet-lite", mean=(0.0,) * 3, std=(1.0,) * 3)
    bring("dark", weighted(tmp_path / "b.onnx", (-20.0, 0.0, 0.0), 10.0), "rmbg-2.0", mean=(0.0,) * 3, std=(1.0,) * 3)
    bring("hair", matting(tmp_path / "c.onnx"), "vitmatte-small")
    hands.open(photo)
    subject = hands.alpha()
    assert subject is not None
    assert subject < 0.3
    combo = hands.window.inspector.model
    hands.networks()
    assert hands.text("models.bright.state") == "Installed, in use"
    assert hands.text("models.hair.state").startswith("Installed. Works out edges")
    assert hands.find("models.bright.use") is None
    hands.click("models.dark.use")
    hands.until(lambda: (hands.alpha() or 0) > 0.7)
    assert hands.text("models.dark.state") == "Installed, in use"
    assert hands.text("models.bright.state") == "Installed"
    assert hands.window.status.text("model") == "dark (non-commercial)"
    assert [combo.itemText(index) for index in range(combo.count())] == ["BiRefNet, lite", "RMBG 2.0 (non-commercial)"]
    hands.click("models.hair.use")
    hands.until(lambda: hands.alpha() is not None and hands.window.status.text("model") == "dark + hair (non-commercial)")
    settings = json.loads((home / "settings" / "settings.json").read_text(encoding="utf-8"))
    assert (settings["model"], settings["matting"]) == ("dark", "hair")
    with_network = hands.alpha()
    hands.click("models.hair.use")  # Stop using
    hands.until(lambda: hands.alpha() not in (None, with_network))
    hands.click("models.bright.use")
    hands.until(lambda: hands.window.status.text("model") == "bright" and (hands.alpha() or 1) < 0.3)
    # One that is taken away is not used any more.
    hands.click("models.hair.use")
    hands.until(lambda: hands.alpha() is not None and hands.window.status.text("model") == "bright + hair")
    hands.click("models.hair.remove")
    hands.until(lambda: hands.find("models.hair") is None and hands.alpha() is not None)
    hands.window._session.cut_again()
    hands.until(lambda: hands.alpha() is not None and hands.window.status.text("model") == "bright")
