"""The configuration: the only reader of the environment and of config files.

`load` makes one frozen `Settings`, once; `load_keyring` reads the keys. What a key means and what it may be
stands in `tables` and `kinds`; docs/configuration.md describes every key for the operator.
"""

from syndicate.settings.assets import assets
from syndicate.settings.keys import Keys, create_keys, create_sample_secret, load_keyring
from syndicate.settings.load import load, prepare_keys
from syndicate.settings.starter import init_text
from syndicate.settings.whole import Settings

__all__ = [
    "Keys",
    "Settings",
    "assets",
    "create_keys",
    "create_sample_secret",
    "init_text",
    "load",
    "load_keyring",
    "prepare_keys",
]
