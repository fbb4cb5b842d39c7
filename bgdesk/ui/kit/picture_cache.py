"""A cache of pictures that are loaded away from the window's thread, in the order in which they are wanted."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Generic, TypeVar

from bgdesk.app.work.jobs import Post

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
log = logging.getLogger(__name__)


class PictureCache(Generic[K, V]):
    """Loads what `want` names, and forgets earlier wishes that it has not begun with. Keeps the `capacity` values used last.

    load(key) runs on a thread of the cache's own; where it returns None, the cache remembers that there is no picture.
    arrived(key) is called on the owner's thread, once `get` returns the picture. All methods belong on that thread.
    """

    def __init__(self, name: str, load: Callable[[K], V | None], arrived: Callable[[K], None], post: Post, capacity: int) -> None:
        self._name, self._load, self._arrived, self._post, self._capacity = name, load, arrived, post, capacity
        self._kept: OrderedDict[K, V | None] = OrderedDict()
        self._condition = threading.Condition()
        self._wanted: list[K] = []
        self._loading: K | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def __contains__(self, key: K) -> bool:
        """Whether the key has been loaded, with or without a picture."""
        return key in self._kept

    def get(self, key: K) -> V | None:
        """The picture; None if it is not loaded yet, or if there is none."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def want(self, keys: Iterable[K]) -> None:
        """Load these keys, in this order, in place of those that wait."""
        missing = [key for key in keys if key not in self._kept]
        with self._condition:
            self._wanted = [] if self._closed else [key for key in missing if key != self._loading]
            if not self._wanted:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"bgdesk-{self._name}", daemon=True)
                self._thread.start()
            self._condition.notify()

    def drop(self, key: K) -> None:
        """The picture has changed: load it anew when it is wanted again."""
        self._kept.pop(key, None)

    def close(self) -> None:
        """End the thread. A picture that is being loaded is dropped."""
        with self._condition:
            self._closed = True
            self._wanted = []
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._wanted and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                key = self._loading = self._wanted.pop(0)
            try:
                value = self._load(key)
            except Exception as error:  # the thread goes on with the next picture
                log.error("%s could not be loaded for the window", key, exc_info=error)
                value = None
            with self._condition:
                self._loading = None
            self._post(partial(self._arrive, key, value))
            del value

    def _arrive(self, key: K, value: V | None) -> None:
        if self._closed:
            return
        self._kept[key] = value
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        self._arrived(key)
