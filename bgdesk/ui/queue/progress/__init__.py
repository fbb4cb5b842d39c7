"""The page that shows how far a queue is.

Files: progress_page (figures, chips and buttons), table (the view), table_model (filters and sorts), cells (draws).
"""
