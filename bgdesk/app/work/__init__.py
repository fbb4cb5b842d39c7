"""Work in the background: what runs, on which lane, and how its answers come back.

jobs          lanes that work off jobs one at a time, away from the owner's thread; answers come back on that thread
inline_jobs   the same without an event loop, for scripts
activity      the jobs with the words that a person sees about them, and how they are cancelled
events        what the session tells whoever shows it: values
ports         what the session needs from the rooms beside it, as protocols

May import app.networks, app.one_photo, app.system, engine, files and core.
"""
