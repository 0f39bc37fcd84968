"""nuages: the production container environment for Django."""

__version__ = "0.1.0"
