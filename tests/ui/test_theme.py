"""Colours that can be read, and neutral ones beside the photo."""

import itertools
import re

import pytest

from bgdesk.ui.kit.theme import DARK, HIGH_CONTRAST, LIGHT, Tokens, choose, contrast, palette, style_sheet

THEMES = (DARK, LIGHT, HIGH_CONTRAST)
#: Text and the grounds that it lies on.
PAIRS = [
    *itertools.product(("text",), ("panel", "raised", "field", "hover", "pressed", "selected", "surround")),
    *itertools.product(("hint",), ("panel", "field")),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    *itertools.product(("info", "warning", "error"), ("raised",)),
]


@pytest.mark.parametrize("tokens", THEMES, ids=lambda tokens: tokens.name)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_against_its_ground(tokens: Tokens, text: str, ground: str) -> None:
    assert contrast(getattr(tokens, text), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("tokens", THEMES, ids=lambda tokens: tokens.name)
def test_focus_can_be_seen_and_nothing_tints_the_photo(tokens: Tokens) -> None:
    assert contrast(tokens.accent, tokens.panel) >= 3
    surround = tokens.surround[1:]
    assert surround[:2] == surround[2:4] == surround[4:]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize(
    ("wish", "dark", "high", "theme"),
    [
        ("system", True, False, DARK),
        ("system", False, False, LIGHT),
        ("dark", False, False, DARK),
        ("light", True, False, LIGHT),
        ("light", True, True, HIGH_CONTRAST),
    ],
)
def test_choice(wish: str, dark: bool, high: bool, theme: Tokens) -> None:
    assert choose(wish, system_dark=dark, system_contrast=high) is theme


@pytest.mark.parametrize("tokens", THEMES, ids=lambda tokens: tokens.name)
def test_style_sheet_takes_every_colour_from_the_tokens(tokens: Tokens) -> None:
    sheet = style_sheet(tokens)
    assert "$" not in sheet
    known = {getattr(tokens, name) for name in Tokens.__dataclass_fields__}
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", sheet)) <= known
    assert palette(tokens).window().color().name() == tokens.panel
