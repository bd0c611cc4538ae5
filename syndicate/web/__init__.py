"""The edge that speaks HTTP: feeds, pages, unsubscribe links. It parses, calls and shows; it has no rules of its own.

docs/http.md says what every address answers.
"""
