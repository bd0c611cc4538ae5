"""The figures this project is held to, measured on this machine: `python -m bench`, or `make bench`."""
