"""What the window needs of its Qt binding before anything else: that calling it does not wear the interpreter out."""

import sys

from PySide6.QtCore import QObject


def test_a_qt_call_gives_no_reference_away() -> None:
    thing = QObject()
    before = sys.getrefcount(None)
    for _ in range(1000):
        thing.setObjectName("name")
    assert abs(sys.getrefcount(None) - before) < 100
