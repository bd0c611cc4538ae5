"""Syndicate: a newsroom publishes once; every reader, subscriber and partner gets it once."""

__version__ = "0.1.0"
