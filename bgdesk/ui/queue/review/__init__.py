"""The page on which a person accepts, rejects or fixes doubtful cutouts.

Files: review_page (the page), deck (order and decisions, without Qt), review_loader (reads pictures), review_view (shows one).
"""
