"""daper: durable automation agents that repair what is wrong in a system of records."""

__version__ = "0.1.0"
