"""The names of task queues: one for workflows, one per store for everything that touches records."""


def activity_queue(queue: str, store_id: str) -> str:
    """The queue of one store: only a worker that holds this store takes its work."""
    return f"{queue}--{store_id}"
