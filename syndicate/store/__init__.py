"""The store: every SQL statement of the product, as named functions that take a connection."""
