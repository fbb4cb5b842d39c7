"""bgdesk models: list, install, verify, import and remove networks."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bgdesk.app.models import ModelStatus, ModelStore, default_store
from bgdesk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="show the networks, their licences, and which are installed")
    listing.add_argument("--json", action="store_true", help="as JSON")
    install = actions.add_parser("install", help="download, check and convert a network")
    install.add_argument("id", metavar="ID", nargs="?", help="the default network if left out")
    actions.add_parser("verify", help="read the installed networks and compare their sha256")
    importing = actions.add_parser("import", help="install a network from an ONNX file that you have")
    importing.add_argument("file", metavar="FILE", help="an ONNX file of this network")
    importing.add_argument("--as", dest="id", metavar="ID", required=True, help="which network it is")
    remove = actions.add_parser("remove", help="delete an installed network")
    remove.add_argument("id", metavar="ID")


def run(args: argparse.Namespace, open_store: Callable[[], ModelStore] = default_store) -> int:
    store, console = open_store(), Console()
    if args.action == "list":
        print(_as_json(store.statuses()) if args.json else _as_table(store.statuses(), store.default_id()))
        return 0
    if args.action == "verify":
        return _verify(store, console)
    if args.action == "remove":
        store.remove(args.id)
        console.say(f"Removed {args.id}.")
        return 0
    id = args.id or store.default_entry.id
    entry = store.entry(id)
    progress = console.progress(id)
    try:
        weights = store.import_file(Path(args.file), id, progress) if args.action == "import" else store.install(id, progress)
    finally:
        console.clear()
    console.say(f"{id} is installed in {weights.path}. Licence: {entry.licence}, {_commercial(entry.commercial)}.")
    return 0


def _verify(store: ModelStore, console: Console) -> int:
    checked = store.verify()
    if not checked:
        console.say(f"No network is installed. Install one with: bgdesk models install {store.default_entry.id}")
    for status in checked:
        id = status.entry.id
        print(f"{id}: damaged: {status.problem}. Install it again with: bgdesk models install {id}" if status.damaged else f"{id}: good")
    return 1 if any(status.damaged for status in checked) else 0


def _commercial(allowed: bool) -> str:
    return "commercial use allowed" if allowed else "no commercial use"


def _state(status: ModelStatus, used: str | None) -> str:
    if status.damaged:
        return "damaged"
    if status.installed:
        return "installed, in use" if status.entry.id == used else "installed"
    return "not installed"


def _as_table(statuses: Sequence[ModelStatus], used: str | None) -> str:
    rows = [("ID", "NETWORK", "STATE", "SIZE", "LICENCE", "COMMERCIAL USE", "HOME PAGE")]
    for status in statuses:
        entry = status.entry
        size, allowed = f"{status.size / 1e6:.1f} MB", "allowed" if entry.commercial else "not allowed"
        rows.append((entry.id, entry.title, _state(status, used), size, entry.licence, allowed, entry.homepage))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _as_json(statuses: Sequence[ModelStatus]) -> str:
    return json.dumps(
        [
            {
                "id": status.entry.id,
                "title": status.entry.title,
                "net": status.entry.net,
                "default": status.entry.default,
                "installed": status.installed,
                "damaged": status.damaged,
                "problem": status.problem,
                "size": status.size,
                "licence": status.entry.licence,
                "licence_url": status.entry.licence_url,
                "commercial": status.entry.commercial,
                "homepage": status.entry.homepage,
                "installed_from": status.installed_from,
            }
            for status in statuses
        ],
        indent=2,
    )
