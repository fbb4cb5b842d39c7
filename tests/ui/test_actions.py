"""The table of actions, the icons they name, and the words beside them."""

import re
from collections import Counter

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from bgdesk.app.system.paths import resource
from bgdesk.core.geometry import Size
from bgdesk.ui.canvas.render import View
from bgdesk.ui.editor.actions import ACTIONS, ActionSpec, label, tool_tip
from bgdesk.ui.kit import words
from bgdesk.ui.kit.icons import Icons, application_icon
from bgdesk.ui.kit.theme import DARK

FILES = sorted(resource("icons").glob("*.svg"))


def test_ids_and_shortcuts_are_unique() -> None:
    assert not [id for id, count in Counter(spec.id for spec in ACTIONS).items() if count > 1]
    keys = Counter(QKeySequence(keys).toString() for spec in ACTIONS for keys in spec.shortcuts)
    assert not [key for key, count in keys.items() if count > 1]
    assert "" not in keys  # every sequence is one that Qt understands


@pytest.mark.parametrize("spec", ACTIONS, ids=lambda spec: spec.id)
def test_each_action_is_named_worded_and_drawn(spec: ActionSpec) -> None:
    assert re.fullmatch(r"(action|tool|view)(\.[a-z_]+)+", spec.id)
    assert label(spec)
    assert spec.text[0].isupper() or spec.text[0].isdigit()
    assert "!" not in spec.text + spec.hint
    assert spec.text == label(spec) + ("…" if spec.text.endswith("…") else "")
    assert not spec.icon or (resource("icons") / f"{spec.icon}.svg").is_file()
    assert label(spec) in tool_tip(spec)


def test_every_promised_shortcut_is_there() -> None:
    table = {spec.id: spec.shortcuts for spec in ACTIONS}
    promised = {
        "tool.foreground": "1", "tool.background": "2", "tool.unknown": "3", "action.swap": "X", "action.brush.smaller": "[",
        "action.brush.larger": "]", "tool.pan": "H", "action.brush": "B", "action.zoom.fit": "Ctrl+0", "action.zoom.actual": "Ctrl+1",
        "action.view.next": "F", "action.undo": "Ctrl+Z", "action.redo": "Ctrl+Shift+Z", "action.open": "Ctrl+O", "action.paste": "Ctrl+V",
        "action.export": "Ctrl+E", "action.cancel": "Esc", "action.inspector": "Tab",
    }  # fmt: skip
    assert {id: keys for id, keys in promised.items() if keys not in table[id]} == {}


def test_every_view_has_its_action() -> None:
    assert [spec.id for spec in ACTIONS if spec.group == "views"] == ["view." + view.value for view in View]


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "bgdesk"], ids=lambda file: file.stem)
def test_icons_are_one_family(qtbot: QtBot, file: object) -> None:
    text = file.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert 'viewBox="0 0 20 20"' in text
    assert 'stroke-width="1.5"' in text
    assert "currentColor" in text
    image = Icons(DARK).icon(file.stem).pixmap(QSize(20, 20)).toImage()  # type: ignore[attr-defined]
    opaque = sum(image.pixelColor(x, y).alpha() > 100 for x in range(20) for y in range(20))
    assert 10 <= opaque <= 400


def test_icons_take_the_theme_and_pale_when_disabled(qtbot: QtBot) -> None:
    icons = Icons(DARK)
    sharp = icons.pixmap("close", 20, 2.0)
    assert sharp.width() == 40
    assert sharp.devicePixelRatio() == 2
    colours = {image.pixelColor(20, 20).name() for image in (icons.pixmap("close", 20, 2.0, "#ff0000").toImage(),)}
    assert colours == {"#ff0000"}
    assert not application_icon().pixmap(64, 64).isNull()


@pytest.mark.parametrize(("seconds", "text"), [(0.0404, "40 ms"), (0.0999, "0.10 s"), (0.52, "0.52 s"), (9.9, "9.90 s"), (12.3, "12 s")])
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_words() -> None:
    assert words.timings({"network": 0.5, "trimap": 0.1, "rematte": 0.04}) == "network 0.50 s · stroke 40 ms"
    assert words.stage("network") == "Finding the subject"
    assert words.stage("something new") == "Something new"
    assert words.percent(0.0525) == "5.2 %"
    assert words.percent(0.67) == "67 %"
    assert words.size(Size(6000, 4000)) == "6000 × 4000"
    assert words.device("cpu") == "CPU"
    assert words.device("cuda:0 NVIDIA H100") == "NVIDIA H100"
    assert words.device("mps") == "Apple GPU"
    assert words.megabytes(88_188_479) == "88 MB"
    assert words.megabytes(4_574_861) == "4.6 MB"
