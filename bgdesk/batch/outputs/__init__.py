"""Output files: how they get their places, and what is written about them.

placing  staged names, renaming into place, the review folder, and what is wrong with a disk; safe to repeat after a kill
report   the CSV file and the HTML page about a queue

May import model, and files, app.system and core.
"""
