"""The message bar: what is shown when, and what it is about."""

from collections.abc import Callable
from functools import partial

from pytestqt.qtbot import QtBot

from bgdesk.app.work.events import Message, Severity
from bgdesk.ui.kit.message_bar import MessageBar


def test_what_is_about_a_photo_is_shown_with_it_alone_until_it_is_edited(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    everywhere = Message(Severity.WARNING, "The disk is nearly full.")
    first, second = (Message(Severity.WARNING, f"{key}: large parts are half transparent.", about=key) for key in (1, 2))

    def shown() -> Message | None:
        return bar.message

    bar.show_photo(1)
    for message in (everywhere, first, second):
        bar.tell(message)
    seen = [bar.message]
    acts: list[Callable[[], None]] = [partial(bar.show_photo, 2), partial(bar.photo_edited, 2), bar.dismiss, partial(bar.show_photo, 1)]
    for act in acts:
        act()
        seen.append(bar.message)
        assert bar.isHidden() is (bar.message is None)
    assert seen == [first, second, everywhere, None, first]
