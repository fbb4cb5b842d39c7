"""What the rooms of the queue speak of, and nothing that does anything.

values   frozen values: recipes, items and their states, jobs, outcomes
events   what a queue tells its listeners
pool     the protocol between the queue and its workers
words    words for a person: numbers, states, stages

May import core and app.system.codec.
"""
