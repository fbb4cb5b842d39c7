"""The queue while it runs: what is claimed, what comes of it, and what a person decides.

queue        the queue: its phases, its thread, and everything that a window or a command can ask of it
in_progress  which items are with the workers, and how quickly they are done
results      what becomes of an item when its worker is done with it
finisher     outputs take their places or go in review; decisions; putting right what a kill left
review_deck  which photo in review is shown next, and when its decision is carried out
watch        photos that appear in a watched folder go into a queue

May import every other room of batch.
"""
