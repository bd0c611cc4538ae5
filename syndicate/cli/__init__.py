"""The command line: one file per noun. It parses, calls and shows; what is allowed is decided further down."""
