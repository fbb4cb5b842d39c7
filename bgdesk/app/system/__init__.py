"""System: what the program keeps on this computer, and where.

paths            folders of the person's own, and of what travels with the program
settings         every remembered choice: one table of what is valid, labels included
codec            values <-> JSON: checks names, types and choices for settings, recipes, records, journals and messages
locks            one writer at a time, across processes
proven_devices   which devices gave the CPU's answer on this machine

May import core, files.names, msgspec, filelock and platformdirs. Folders are named here, and made by whoever writes into them.
"""
