"""Workers: processes that cut photos out. A crash takes one of them down, and not the program.

wire        the messages between a pool and its workers
dispatcher  which worker has which job, whatever kind of worker
local_pool  child processes of this machine
ray_pool    actors of a Ray cluster, and the only module that imports Ray
worker      inside a worker process: three lanes that read, compute and write at the same time
photo_job   the work on one photo
memory      how much memory a photo takes, and whether another one may come in

May import model and outputs, and all below batch.
"""
