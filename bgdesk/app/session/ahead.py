"""The next photos, read and cut out while nobody waits for anything."""

from __future__ import annotations

from collections.abc import Callable

from bgdesk.app.session.cutting import Cutter
from bgdesk.app.session.photos import PhotoState
from bgdesk.app.session.strip import Strip, StripEntry

#: How many photos after the current one are cut out ahead of time.
AHEAD = 2


def go_ahead(strip: Strip, cutter: Cutter, current: StripEntry, memory_bytes: int, load: Callable[[StripEntry], None]) -> None:
    """Read or cut out one of the photos after `current`.

    Parameters
    ----------
    memory_bytes
        What the open photos may take together: a photo is read only where there is room for one more.
    load
        Reads a photo in the background.
    """
    editor, entries = current.editor, strip.entries
    # Once a person paints, the compute lane is kept free for the brush.
    if editor is None or editor.edited or not editor.idle or any(entry.loading or entry.cutting or entry.parking for entry in entries):
        return
    room = strip.nbytes + editor.work.nbytes <= memory_bytes  # the next photo is probably as large as this one
    index = entries.index(current)
    for entry in entries[index + 1 : index + 1 + AHEAD]:
        if entry.state is PhotoState.WAITING and not entry.declined and not entry.skipped:
            if entry.editor is not None:
                cutter.cut(entry, ahead=True)
            elif room:
                load(entry)
            return
