"""What Python does in a worker: its event loops, its threads, its garbage collector."""
