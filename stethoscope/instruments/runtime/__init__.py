"""What Python does in a worker: its event loops, its threads, its garbage collector.

worker       all of it, from the first request on
loops        how late each event loop is
stalls       what blocks one, seen from another thread (`alarm` wakes it)
stall_notes  the lines that did
blocked      those that do it again and again, or for long, as findings
threads      AnyIO's and the default executor's
collector    pauses of the garbage collector
"""
