"""The command line: one command a module, each with `add_arguments` and `run`. No window and no Qt.

main             which commands there are, and how their endings become exit statuses
cut, matte       photos in, cut-outs or alpha out. targets: which file each photo goes to
queue            batch and watch, a room of their own
models           networks: list, install, verify, import, remove
doctor, bench    what this machine has, and how fast and good it is. qtlibs, display: whether a window can be opened
engine_options   options that choose the engine. recipe_options: the numbers of a recipe as options, from core.parameters
console          what people see on stderr. json_record: what programs read on stdout

May import batch, bench, app, files and core, and rich. Heavy things are imported by the command that needs them.
"""
