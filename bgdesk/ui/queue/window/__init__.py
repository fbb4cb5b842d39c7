"""The window around the queue's pages.

Files: queue_window (the window), queue_list (all queues), queue_controller (connects the queue to the main window), fix_bar (the banner
over a photo that is being fixed), yield_to_editor (holds the queue while a person paints).
"""
