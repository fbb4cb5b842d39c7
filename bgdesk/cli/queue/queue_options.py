"""The options that batch and watch share: what is made of a photo, which photos are taken, and who does the work."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bgdesk.app.networks import open_engine
from bgdesk.app.networks.open_engine import DEVICES, PRECISIONS
from bgdesk.batch.model.pool import Pool, PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Existing, Fallback
from bgdesk.batch.planning import naming
from bgdesk.batch.planning.scan import Filters
from bgdesk.batch.planning.templates import DEFAULT, edge_of, load_recipe, variants_of
from bgdesk.batch.run.queue import MakePool
from bgdesk.batch.workers.photo_job import choices_of
from bgdesk.cli import recipe_options
from bgdesk.core.errors import UsageError
from bgdesk.core.parameters import GATE
from bgdesk.core.recipe import Quality
from bgdesk.engine.confidence import PASS

#: Fallbacks that do not name a network: the best quality, and no fallback in place of a recipe's.
_BEST, _NONE = "best", "none"


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """What is made of a photo. Everything is None unless it is given, so that a recipe file's values hold."""
    made = parser.add_argument_group("what is made of a photo")
    made.add_argument("--recipe", metavar="FILE", help="take everything from this TOML or JSON file that no other option says")
    made.add_argument(
        "--template", action="append", metavar="ID", help=f"the files to make of each photo: {DEFAULT} unless said; several with a comma"
    )
    made.add_argument(
        GATE.option,
        type=float,
        metavar=GATE.span,
        help=f"results whose confidence is below this go to OUT/review for a person to check: {PASS:g} unless said, 0 lets all pass",
    )
    made.add_argument(
        "--fallback", metavar="best|ID", help="try photos under the gate again first, in best quality or with another network"
    )
    made.add_argument("--quality", choices=[quality.value for quality in Quality], help="how much time the network takes for a photo")
    made.add_argument("--model", metavar="ID", help="the network to use (see: bgdesk models list)")
    made.add_argument("--matting", metavar="ID", help="work out edges with this matting network, in place of bgdesk's own solver")
    made.add_argument("--device", choices=DEVICES, help="where to compute; auto takes the fastest there is")
    made.add_argument("--precision", choices=PRECISIONS, help="auto takes what the device does fast and well")
    recipe_options.add_edge(parser)


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Which photos are taken, and how their outputs are called."""
    taken = parser.add_argument_group("which photos, and where they go")
    taken.add_argument("--recursive", action="store_true", help="take the photos in subfolders too, and keep the subfolders")
    taken.add_argument("--include", action="append", metavar="GLOB", help='only files of this name, such as "*.jpg"; may be repeated')
    taken.add_argument("--exclude", action="append", metavar="GLOB", help="no files of this name; may be repeated")
    tokens = ", ".join(f"{{{token}}}" for token in naming.TOKENS)
    taken.add_argument("--pattern", metavar="P", help=f'names of outputs below OUT, such as "{{subfolder}}/{{name}}"; known are {tokens}')
    taken.add_argument(
        "--existing",
        choices=[existing.value for existing in Existing],
        help="what to do where an output is there: skip photos that are up to date (unless said), replace it, or number the new one",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Who does the work."""
    work = parser.add_argument_group("who does the work")
    work.add_argument("--jobs", type=int, metavar="N", help="worker processes: one, or one for each GPU, unless said")
    work.add_argument("--memory", type=float, metavar="GB", help="most memory that they take together, about: half of what there is")
    work.add_argument("--engine", choices=("local", "ray"), default="local", help="this computer, or a Ray cluster (extra: bgdesk[ray])")
    work.add_argument("--address", metavar="A", help="of the Ray cluster, such as auto or ray-head:6379; one is started here unless said")


def recipe_of(args: argparse.Namespace) -> BatchRecipe:
    """The recipe file's values, or the usual ones, with what the options say in their place. Raises UsageError."""
    given = None if args.recipe is None else load_recipe(Path(args.recipe))
    recipe = given or BatchRecipe(gate=PASS)
    ids = [id.strip() for ids in args.template or () for id in ids.split(",") if id.strip()]
    if ids or given is None:
        ids = ids or [DEFAULT]
        recipe = replace(recipe, variants=variants_of(ids), edge=edge_of(ids) or recipe.edge)
    recipe = replace(recipe, edge=recipe_options.edge_of(args, recipe.edge))
    if args.quality is not None:
        recipe = replace(recipe, matte=replace(recipe.matte, quality=Quality(args.quality)))
    if args.gate is not None:
        recipe = replace(recipe, gate=args.gate or None)
    chosen = {name: getattr(args, name) for name in ("model", "matting", "device", "precision") if getattr(args, name) is not None}
    recipe = replace(recipe, **chosen)
    if recipe.matting is not None and not recipe.matte.refine:
        raise UsageError("--matting and a recipe without refine cannot be combined: refining is what a matting network does")
    return _with_fallback(recipe, args.fallback)


def _with_fallback(recipe: BatchRecipe, wanted: str | None) -> BatchRecipe:
    if wanted is None:
        return recipe
    if wanted == _NONE:
        return replace(recipe, fallback=None)
    if recipe.gate is None:
        raise UsageError("--fallback is for photos under the gate: it needs one above 0")
    fallback = Fallback(Quality.BEST) if wanted == _BEST else Fallback(recipe.matte.quality, wanted)
    return replace(recipe, fallback=fallback)


def filters_of(args: argparse.Namespace) -> Filters:
    return Filters(tuple(args.include or ()), tuple(args.exclude or ()))


def existing_of(args: argparse.Namespace) -> Existing:
    return Existing(args.existing or Existing.SKIP)


def pattern_of(args: argparse.Namespace, recipe: BatchRecipe) -> str:
    """What was asked for, else the name alone, below the photo's own subfolders if those are taken in. Raises UsageError."""
    pattern: str = naming.default(recipe, args.recursive) if args.pattern is None else args.pattern
    naming.parse(pattern, recipe)
    return pattern


def check_workers(args: argparse.Namespace) -> None:
    """Raise UsageError for workers that make no sense."""
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs is 1 or more, not {args.jobs}")
    if args.memory is not None and not 0 < args.memory < 1e6:
        raise UsageError(f"--memory is a number of gigabytes above 0, not {args.memory:g}")
    if args.engine != "ray" and args.address is not None:
        raise UsageError("--address is that of a Ray cluster: add --engine ray")
    if args.engine == "ray" and args.memory is not None:
        raise UsageError("--memory is for the workers of this computer: leave it out with --engine ray")


def make_pools(args: argparse.Namespace) -> MakePool:
    """How the queue gets its workers. Raises UsageError where Ray is asked for and not installed."""
    jobs, address = args.jobs, args.address
    if args.engine == "ray":
        try:
            from bgdesk.batch.workers.ray_pool import RayPool
        except ImportError as error:
            raise UsageError(f"Ray could not be loaded ({error}). Install it with: pip install 'bgdesk[ray]'") from error

        def on_ray(events: PoolEvents, recipe: BatchRecipe) -> Pool:
            return RayPool(events, recipe, address=address, jobs=jobs)

        return on_ray
    memory = None if args.memory is None else round(args.memory * 1e9)

    def here(events: PoolEvents, recipe: BatchRecipe) -> Pool:
        from bgdesk.batch.workers.local_pool import LocalPool

        return LocalPool(events, recipe, jobs=jobs, memory=memory)

    return here


def check_engine(recipe: BatchRecipe, say: Callable[[str], None]) -> None:
    """What stands in the way of every photo is told before anything is begun; so are networks that may not be used commercially.

    Raises ModelError for a missing or damaged network, DeviceError for a device or precision that this machine lacks.
    """
    found = [sentence for choice in choices_of(recipe) for sentence in open_engine.check_engine(choice)]
    for sentence in dict.fromkeys(found):
        say(sentence)
