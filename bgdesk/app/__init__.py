"""The application without its window: everything that a person does to photos, for the window, the command line and scripts.

Rooms, each of which may import those before it, and below them engine, files and core:

system      folders, settings, locks, and the codec of everything that is stored
networks    which networks there are, how they come and go, and the one way to open an engine
one_photo   one photo, one way through: load, cut, finish, write
work        lanes that work off jobs, what is being worked on, and events
editing     one photo's work: gestures, labels, alpha, history; jobs as frozen requests
session     the open photos together: the one controller that a window talks to

Only networks knows the engine's networks. Nothing here knows Qt, SQL, torch or the command line.
"""
