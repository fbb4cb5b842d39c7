"""The dialogs about networks: the installed ones, and the import of one's own.

Imports: app.networks, services, kit and Qt. What takes time runs on the session's lanes.
"""
