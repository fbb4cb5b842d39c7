"""Put real networks where the tests look for them: fill_test_cache.py HOME ID...

Run by dev.py with the Python of .venv. Beside the installed weights it keeps each ONNX file that they were converted from,
because a test compares the two.
"""

import os
import shutil
import sys
from pathlib import Path

from bgdesk.app.networks.catalog import load_catalog
from bgdesk.app.networks.download import sha256_of
from bgdesk.app.networks.store import ModelStore
from bgdesk.app.system import paths
from bgdesk.core.errors import BgdeskError
from bgdesk.core.tasks import Progress
from bgdesk.engine.networks.weights import convert


def fill(home: Path, networks: list[str]) -> None:
    originals = home / "onnx"
    originals.mkdir(parents=True, exist_ok=True)

    def convert_and_keep(onnx: Path, net: str, target: Path, progress: Progress) -> None:
        """The store checks a download, then converts it and throws it away: this is the moment to keep it."""
        part = originals / f"{onnx.name}.part"
        shutil.copyfile(onnx, part)
        os.replace(part, originals / onnx.name)
        convert(onnx, net, target, progress)

    store = ModelStore(home / "models", load_catalog(paths.catalog_file()), convert=convert_and_keep)
    for network in networks:
        original = originals / f"{network}.onnx"
        known = {source.sha256 for source in store.entry(network).sources}
        whole = original.is_file() and sha256_of(original) in known
        if not whole and any(status.installed and status.entry.id == network for status in store.statuses()):
            store.remove(network)  # the weights alone are not enough, and a download gives both
        weights = store.install(network)  # at once, but for reading and checking the file, if it is there
        print(f"{network}: {weights.path}")


if __name__ == "__main__":
    try:
        fill(Path(sys.argv[1]).absolute(), sys.argv[2:])
    except BgdeskError as error:
        sys.exit(str(error))
