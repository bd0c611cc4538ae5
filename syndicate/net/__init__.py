"""The only way out to the network: nothing else in the package opens a socket to another host.

`client` fetches URLs that come from data (guarded, capped, polite); `connect` opens the sockets of hosts that
the operator wrote into the configuration (mail relays), which are trusted and so not guarded.
"""
