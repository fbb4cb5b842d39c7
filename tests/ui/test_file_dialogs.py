"""From a typed name to the file that is meant."""

from pathlib import Path

import pytest

from bgdesk.core.formats import Format
from bgdesk.ui.kit.file_dialogs import export_name


@pytest.mark.parametrize(
    ("typed", "format", "name", "written"),
    [
        ("shoe", Format.PNG, "shoe.png", Format.PNG),
        ("shoe", Format.PSD, "shoe.psd", Format.PSD),
        ("shoe.png", Format.PNG, "shoe.png", Format.PNG),
        ("shoe.PNG", Format.PNG, "shoe.PNG", Format.PNG),
        ("shoe.psd", Format.PNG, "shoe.psd", Format.PSD),  # a suffix that is typed wins over the filter
        ("shoe v1.2", Format.PNG, "shoe v1.2.png", Format.PNG),
        ("shoe v1.2", Format.PSD, "shoe v1.2.psd", Format.PSD),
        ("shoe.jpg", Format.PNG, "shoe.jpg.png", Format.PNG),
        ("1.", Format.PNG, "1..png", Format.PNG),
        (".hidden", Format.PNG, ".hidden.png", Format.PNG),
    ],
)
def test_a_name_keeps_its_dots(typed: str, format: Format, name: str, written: Format) -> None:
    assert export_name(Path("folder") / typed, format) == (Path("folder") / name, written)
