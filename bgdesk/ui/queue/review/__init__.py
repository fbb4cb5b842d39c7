"""The page on which a person accepts, rejects or fixes doubtful cutouts.

Files: review_page (the page), review_loader (reads pictures), review_view (shows one).
Order and decisions are in batch/run/review_deck.py, without Qt.
"""
