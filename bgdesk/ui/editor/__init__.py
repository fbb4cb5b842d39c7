"""The main window.

Files: main_window (layout, drops, closing), stage (canvas and banners), inspector, film_strip, status_bar, empty_state (what is shown
without photos), actions (all commands as a table), commands (what the longer ones do), presenter (shows what the session reports),
settings_dialog, help_dialogs.

Views hold no state: an event of the session makes the presenter read the session again. Imports: all other rooms but application.
"""
