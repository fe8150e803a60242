"""What a worker tells of itself: pages that others ask, what it counts, and whether it is ready."""
