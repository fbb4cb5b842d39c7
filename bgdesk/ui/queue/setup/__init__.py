"""The page that sets up a queue.

Files: setup_page (the page), sources (photos and filters), options (what is made of them, and where), choices (all of it as one frozen
value, and the recipe and plan that follow).
"""
