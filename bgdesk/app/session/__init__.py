"""The session: the open photos together, and the one controller that a window talks to.

session    gestures come in, events go out; the works hold the truth
strip      which photos are open, which of them are unsaved or in memory, and how they come and go
cutting    asking the network about a photo, and what to do with its answer
ahead      the next photos, read and cut out while nobody waits
exporter   exports in the background
network_installer   networks that are downloaded or imported while photos are open
photos     the photos as the window sees them

May import the other rooms of app, engine, files and core.
"""
