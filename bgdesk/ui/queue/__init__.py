"""The queue window.

Rooms: open_queue (the open queue without waiting for the disk), setup, progress and review (a page each, which do not know each
other), window (the window around the pages, the list of queues, and the controller that connects it all to the main window).

Imports: batch, app, services, kit and Qt. Only the controller knows the editor's session.
"""
