"""What the composition root hands to the windows: the services behind them, in one bag."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.app.session.session import Session
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.jobs import Jobs, Post
from bgdesk.ui.kit.file_dialogs import Ask

if TYPE_CHECKING:
    from bgdesk.batch.run.queue import MakePool


class NetworkStore(Protocol):
    """The part of app.networks.store.ModelStore that the windows use."""

    def statuses(self) -> list[ModelStatus]: ...
    def default_id(self) -> str | None: ...
    def verify(self) -> list[ModelStatus]: ...
    def remove(self, id: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """Made once, by `application.build`, and handed to the main window and the queue's."""

    #: The open photos and what is done to them.
    session: Session
    #: The networks on this computer.
    store: NetworkStore
    #: Runs work away from the window's thread.
    jobs: Jobs
    #: Every question to the person that takes a dialog.
    ask: Ask
    #: Lets go of the loaded network, so that the next photo asks which one is wanted.
    renew_engine: Callable[[], None]
    #: Writes settings to disk; raises OSError.
    remember: Callable[[Settings], None]
    #: Runs a call on the window's thread.
    post: Post
    #: Gives what works through a queue's photos; imports it when it is asked for.
    pools: "Callable[[], MakePool]"
