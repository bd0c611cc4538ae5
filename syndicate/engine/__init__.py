"""Carries job ids to workers. The kinds: `embedded`, a queue in this process."""

from syndicate.engine.embedded import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
