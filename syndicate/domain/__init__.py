"""The nouns of the product and the decisions about them. Standard library only: no await, no clock, no log."""
