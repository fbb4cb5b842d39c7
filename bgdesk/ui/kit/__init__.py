"""What all windows are made of: the theme and its style sheet, icons, small controls, the message bar, work progress, dialogs that ask a
question, words for states and figures, and the bridge from worker threads to Qt's.

Imports: core, app and Qt; no other room of the window.
"""
