"""The list of kinds."""

import pytest

from syndicate.errors import ConfigError
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.sources import KINDS, Tools, open_source
from tests.sources.conftest import MakeConfig


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_opens(kind: str, client: Client, jail: Jail, make_config: MakeConfig) -> None:
    assert open_source(make_config("x", kind=kind), Tools(client=client, jail=jail))


def test_an_unknown_kind_names_the_known_ones(client: Client, jail: Jail, make_config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="folder, feed"):
        open_source(make_config("x", kind="gopher"), Tools(client=client, jail=jail))
