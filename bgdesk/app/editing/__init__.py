"""Editing: one photo's work, from what a person did to what is written.

gestures         what a person did by hand, as frozen values: each knows its rectangle and how it paints labels
work             one photo's arrays, recipe and revisions, and snapshots of it all
history          undo and redo. tiles: pixels kept for later, raw, compressed or on disk
editor           gestures, recipes, whole cut-outs, undo; and what has to be computed after them
requests         frozen requests for a piece of alpha or of foreground: jobs are pure functions of them
rematting        alpha that follows the labels. foreground_job: colours that follow alpha
render_export    a snapshot -> a finished cut-out, and a name for its file
parking          a work in little memory, while another photo is shown

May import app.work, app.one_photo, app.system, engine, files and core. Nothing here knows other photos.
"""
