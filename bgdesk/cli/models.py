"""bgdesk models: list, install, verify, import and remove networks."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.app.networks.onnx_presets import PRESETS, Description, describe, parse_size, parse_three
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.cli.console import Console
from bgdesk.core.errors import UsageError
from bgdesk.core.geometry import Size
from bgdesk.core.network import Activation, Fit, NetworkKind, sides

#: Options of `import` that are fields of NetworkSpec by the same name.
_PLAIN = ("kind", "size", "scale", "activation", "stretch", "output", "fit", "multiple")
_DESCRIBING = (*_PLAIN, "preset", "mean", "std", "title", "licence", "commercial")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="show the networks, their licences, and which are installed")
    listing.add_argument("--json", action="store_true", help="as JSON")
    install = actions.add_parser("install", help="download, check and convert a network")
    install.add_argument("id", metavar="ID", nargs="?", help="the default network if left out")
    actions.add_parser("verify", help="read the installed networks and compare their sha256")
    importing = actions.add_parser("import", help="install a network from an ONNX file that you have")
    importing.add_argument("file", metavar="FILE", help="the ONNX file")
    importing.add_argument(
        "--as", dest="id", metavar="ID", required=True, help="a network of the catalogue, or a new id for one of your own"
    )
    _add_describing(importing.add_argument_group("a network of your own"))
    actions.add_parser("presets", help="show the networks that import's --preset knows, and their licences")
    remove = actions.add_parser("remove", help="delete an installed network")
    remove.add_argument("id", metavar="ID")


def _add_describing(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--preset", metavar="NAME", help="fill in all this for a network that bgdesk knows (see: bgdesk models presets)")
    group.add_argument(
        "--kind",
        choices=[each.value for each in NetworkKind],
        help="segment: finds the subject of a photo; matte: works out edges from photo and trimap",
    )
    group.add_argument("--size", type=_size, metavar="N or WxH", help="what it was trained for, in pixels; left out, the file's own size")
    group.add_argument("--mean", nargs="+", metavar="M", help="taken off values in [0, 1]: one number, or red, green and blue")
    group.add_argument("--std", nargs="+", metavar="S", help="then divided by this: one number, or red, green and blue")
    group.add_argument("--scale", type=float, metavar="N", help="8-bit values are divided by this before anything else (255)")
    group.add_argument(
        "--activation", choices=[each.value for each in Activation], help="what its answers still lack; auto, the default, finds out"
    )
    group.add_argument("--stretch", action="store_true", default=None, help="stretch its answers to fill the range from 0 to 1")
    group.add_argument("--output", metavar="NAME", help="which of several outputs holds the matte")
    group.add_argument("--fit", choices=[Fit.STRETCH.value, Fit.ASPECT.value], help="stretch photos to its size, or keep their shape")
    group.add_argument("--multiple", type=int, metavar="N", help="sides must be multiples of this")
    group.add_argument("--title", help="what it is called in lists")
    group.add_argument("--licence", help="the licence of its weights, such as MIT")
    group.add_argument("--commercial", choices=("yes", "no"), help="whether that licence allows commercial use")


def _size(text: str) -> Size:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _three(option: str, words: Sequence[str] | None) -> tuple[float, ...] | None:
    """`--mean 0.5`, `--mean 0.4,0.5,0.6` and `--mean 0.4 0.5 0.6`."""
    try:
        return None if words is None else parse_three(" ".join(words))
    except ValueError as error:
        raise UsageError(f"--{option}: {error}") from error


def run(args: argparse.Namespace, open_store: Callable[[], ModelStore] = default_store) -> int:
    store, console = open_store(), Console()
    if args.action == "list":
        print(_as_json(store.statuses()) if args.json else _as_table(store.statuses(), store.default_id()))
        return 0
    if args.action == "presets":
        print(_presets_table())
        return 0
    if args.action == "verify":
        return _verify(store, console)
    if args.action == "remove":
        store.remove(args.id)
        console.say(f"Removed {args.id}.")
        return 0
    if args.action == "import" and args.id not in {entry.id for entry in store.catalog}:
        return _import_own(args, store, console)
    id = args.id or store.default_entry.id
    entry = store.entry(id)
    if args.action == "import" and any(getattr(args, name) is not None for name in _DESCRIBING):
        raise UsageError(f"{id} is a network of the catalogue, about which all is known; for a network of your own choose another ID")
    progress = console.progress(id)
    try:
        weights = store.import_file(Path(args.file), id, progress) if args.action == "import" else store.install(id, progress)
    finally:
        console.clear()
    console.say(f"{id} is installed in {weights.path}. Licence: {entry.terms}.")
    return 0


def _import_own(args: argparse.Namespace, store: ModelStore, console: Console) -> int:
    description = _description(args)
    try:
        imported = store.import_own(Path(args.file), args.id, description, console.progress(args.id))
    finally:
        console.clear()
    for note in imported.notes:
        console.say(f"{args.id}: {note}")
    network, entry = imported.network, store.entry(args.id)
    option = "--matting" if network.spec.kind is NetworkKind.MATTE else "--model"
    console.say(f"{args.id} is installed in {network.path}. Licence: {entry.terms}.")
    console.say(f"Use it with: bgdesk cut PHOTO -o OUT {option} {args.id}")
    return 0


def _description(args: argparse.Namespace) -> Description:
    return describe(
        args.id,
        args.preset,
        mean=_three("mean", args.mean),
        std=_three("std", args.std),
        title=args.title,
        licence=args.licence,
        commercial=None if args.commercial is None else args.commercial == "yes",
        **{name: getattr(args, name) for name in _PLAIN},
    )


def _verify(store: ModelStore, console: Console) -> int:
    checked = store.verify()
    if not checked:
        console.say(f"No network is installed. Install one with: bgdesk models install {store.default_entry.id}")
    for status in checked:
        print(f"{status.entry.id}: damaged: {status.problem}. {remedy(status)}" if status.damaged else f"{status.entry.id}: good")
    return 1 if any(status.damaged for status in checked) else 0


def remedy(status: ModelStatus) -> str:
    """What to do about a damaged network."""
    id = status.entry.id
    if status.own:
        return f"Import it again, after: bgdesk models remove {id}"
    return f"Install it again with: bgdesk models install {id}"


def _state(status: ModelStatus, used: str | None) -> str:
    if status.damaged:
        return "damaged"
    if status.installed:
        return "installed, in use" if status.entry.id == used else "installed"
    return "not installed"


_USE = {True: "allowed", False: "not allowed", None: "not known"}


def _as_table(statuses: Sequence[ModelStatus], used: str | None) -> str:
    rows = [("ID", "NETWORK", "STATE", "SIZE", "LICENCE", "COMMERCIAL USE", "HOME PAGE")]
    for status in statuses:
        entry = status.entry
        title = f"{entry.title} (edges)" if status.kind == "matte" else entry.title
        size = f"{status.size / 1e6:.1f} MB"
        rows.append((entry.id, title, _state(status, used), size, entry.licence or "not stated", _USE[entry.commercial], entry.homepage))
    return _aligned(rows)


def _presets_table() -> str:
    rows = [("PRESET", "NETWORK", "KIND", "SIZE", "LICENCE", "COMMERCIAL USE", "HOME PAGE")]
    for name, preset in PRESETS.items():
        spec = preset.spec
        size = sides(spec.size) if spec.size else "the file's"
        rows.append((name, preset.title, spec.kind, size, preset.licence, _USE[preset.commercial], preset.homepage))
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _as_json(statuses: Sequence[ModelStatus]) -> str:
    return json.dumps(
        [
            {
                "id": status.entry.id,
                "title": status.entry.title,
                "net": status.entry.net,
                "kind": status.kind,
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
