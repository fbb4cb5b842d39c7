"""Queues on disk. What was reported done is still done after a power cut.

folder   a folder for each queue, locked by the process that runs it, and the list of all queues
journal  the journal of a queue, and the ledger of all outputs: SQLite, and the only module that imports it
rows     how an item stands in a row

May import model, and app.system and core.
"""
