"""The folder queue: thousands of photos, unattended, and none lost.

Rooms, each of which may import those before it, and below them app, files, engine and core:

model       values, events and words that all of them use
outputs     how files get their places, and the reports
planning    which photos, and where each one's outputs go; nothing is written
journal     queues on disk: the only room that speaks SQL
workers     processes that cut photos out, on this machine or a cluster
run         the queue itself: claims photos, gives them to workers, puts the outputs in their places

planning, journal and workers do not know each other. Nothing here knows Qt or the command line.
"""
