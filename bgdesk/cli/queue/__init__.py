"""The commands of the queue.

batch           bgdesk batch: folders of photos, unattended; how queues stand, and going on with them
watch_folder    bgdesk watch: whatever photos appear in a folder
queue_options   the options that both share: what is made of a photo, which photos, who does the work
queue_run       a queue until it is done or a signal comes, and the sentences at its end
queue_display   a live picture on a terminal, plain lines elsewhere, JSON records for programs

May import the rest of cli, batch, app, files and core.
"""
