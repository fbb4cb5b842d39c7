from pathlib import Path

import pytest

from bgdesk.app.system.proven_devices import ProvenFile


def test_what_was_proved_is_known_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "new" / "devices.json"
    proven = ProvenFile(file)
    assert "card" not in proven
    proven.add("card")
    proven.add("other")
    assert "card" in ProvenFile(file)
    assert "other" in ProvenFile(file)
    assert "third" not in ProvenFile(file)


def test_only_the_latest_are_kept(tmp_path: Path) -> None:
    proven = ProvenFile(tmp_path / "devices.json")
    for number in range(60):
        proven.add(str(number))
        proven.add("always")
    assert "0" not in proven
    assert "59" in proven
    assert "always" in proven


@pytest.mark.parametrize("text", ["", "{}", "[1, null]", "\\xff"])
def test_a_damaged_file_proves_nothing_and_is_written_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "devices.json"
    file.write_text(text, "utf-8")
    assert "card" not in ProvenFile(file)
    ProvenFile(file).add("card")
    assert "card" in ProvenFile(file)


def test_a_folder_that_cannot_be_written_costs_nothing_but_another_proof(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    proven = ProvenFile(tmp_path / "file" / "devices.json")
    proven.add("card")
    assert "card" not in proven
