"""A channel can be tried before anything is sent: what stands in the way is said, and nothing leaves the house."""

import os
from pathlib import Path

import pytest

from syndicate.channels import MAILERS, MaildirConfig, SmtpConfig
from syndicate.ports import Probe
from tests.servers.smtp import SmtpSink


def smtp(port: int) -> Probe:
    config = SmtpConfig(name="s", host="127.0.0.1", port=port, ehlo_name="news.test", tls="none")
    mailer = MAILERS["smtp"](config)
    assert isinstance(mailer, Probe)
    return mailer


def maildir(path: Path) -> Probe:
    mailer = MAILERS["maildir"](MaildirConfig(name="m", path=path))
    assert isinstance(mailer, Probe)
    return mailer


async def test_a_relay_that_answers_takes_mail_and_gets_none() -> None:
    async with SmtpSink() as sink:
        assert await smtp(sink.port).probe() == ""
        assert sink.messages == []


async def test_a_relay_that_is_not_there_is_said(unused_tcp_port: int) -> None:
    assert await smtp(unused_tcp_port).probe() != ""


@pytest.mark.parametrize("path", ["post", "a/b/post"])
async def test_a_folder_that_can_be_made_takes_mail_and_is_not_made(path: str, tmp_path: Path) -> None:
    assert await maildir(tmp_path / path).probe() == ""
    assert os.listdir(tmp_path) == []


async def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "post").write_text("no folder")

    assert "can't be written" in await maildir(tmp_path / "post").probe()
