"""bgdesk bench interactive measures the real canvas, and its figures come out as any bench's do."""

import json

import pytest

from bgdesk import __main__


@pytest.mark.usefixtures("qapp")
def test_quick_run_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["bench", "interactive", "--quick", "--json"]) == 0
    figures = {figure["name"]: figure for figure in json.loads(capsys.readouterr().out)["figures"]}
    assert {name.split(",")[0].split(".")[0] for name in figures} == {"edge", "zoom", "brush"}
    assert all(figure["value"] > 0 and figure["unit"] == "ms" for figure in figures.values())
    assert {figures[f"edge.{slider}, 0.1 MP, fit"]["bar"]["limit"] for slider in ("shift", "smooth", "feather", "contrast")} == {33}
