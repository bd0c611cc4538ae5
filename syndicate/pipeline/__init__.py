"""The product, one module per arrow: gather → publish, notify, compose → enqueue → dispatch; reconcile mends.

Everything a step needs is passed in. Every step may be run again at any time; it goes on where the last one stopped.
"""
