"""The nets that conftest.py hangs under every test hold."""

import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

log = logging.getLogger("bgdesk.guards")


def test_log_line_nobody_expected_is_a_fault(log_guard: Any) -> None:
    log.warning("the disk is %s", "full")
    assert log_guard.faults() == ["unexpected log line: bgdesk.guards: the disk is full"]
    log_guard.records.clear()


def test_expected_log_line_is_no_fault(log_guard: Any, expect_log: Callable[[str], None]) -> None:
    expect_log(r"^bgdesk\.guards: the disk is")
    assert log_guard.faults() == [r"log line never came: ^bgdesk\.guards: the disk is"]
    log.error("the disk is full")
    assert log_guard.faults() == []


def test_quiet_log_line_is_no_fault(log_guard: Any) -> None:
    log.setLevel(logging.INFO)
    try:
        log.info("the disk has room")
    finally:
        log.setLevel(logging.NOTSET)
    assert log_guard.faults() == []


def test_warning_is_an_error() -> None:
    with pytest.raises(UserWarning, match="careful"):
        warnings.warn("careful", stacklevel=1)


def test_home_is_an_empty_folder_of_this_test(home: Path) -> None:
    assert os.environ["BGDESK_HOME"] == str(home)
    assert list(home.iterdir()) == []


def test_models_home_holds_weights_and_what_they_were_made_from(models_home: Path, home: Path, onnx_originals: dict[str, Path]) -> None:
    assert os.environ["BGDESK_HOME"] == str(home) == str(models_home)
    assert set(onnx_originals) == {"isnet-general", "u2netp"}


def test_imagemagick_is_the_real_one(imagemagick: Callable[..., str], sample: Path, sample_cat: Path) -> None:
    assert imagemagick("identify", "-format", "%m %wx%h", sample) == "PNG 512x512"
    assert imagemagick("convert", sample_cat, "-crop", "2x1+0+0", "-depth", "8", "txt:-").startswith("# ImageMagick pixel enumeration: 2,1")
