"""Before a queue is made: which photos, and what would become of each. Nothing is written.

scan       from files and folders to photos, each once
naming     patterns for names such as "{subfolder}/{name}-{variant}"
templates  named sets of variants, and recipe files
plan       each photo's outputs, and which are up to date
estimate   how much disk and time a plan would take

May import model and outputs, and files, engine.confidence, app.system and core.
"""
