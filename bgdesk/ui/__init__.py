"""The window: Qt widgets that show the session and the queue, and pass gestures and commands on to them.

Rooms: kit (theme, icons, controls, messages), services (what the windows work with), canvas (the photo), networks (dialogs about
networks), queue (the queue window), editor (the main window), application (makes everything and starts Qt). Each imports only rooms
before it; canvas, networks and queue do not know each other.

Imports: app, batch, core, Qt. Everything slow runs on the lanes of app.work.jobs; widgets keep no state of their own but what is on
the screen.
"""
