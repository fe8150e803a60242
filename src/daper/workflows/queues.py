"""The names of task queues: one for workflows, and three per store, for everything that touches its records."""


def activity_queue(queue: str, store_id: str) -> str:
    """The queue of one store: only a worker that holds this store takes its work."""
    return f"{queue}--{store_id}"


def models_queue(activity_queue: str) -> str:
    """The queue of a store for calls of language models: slow answers take no place from effects."""
    return f"{activity_queue}--models"


def people_queue(activity_queue: str) -> str:
    """The queue of a store for telling people: a server that hangs takes no place from effects."""
    return f"{activity_queue}--people"
