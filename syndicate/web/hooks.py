"""`/hooks/CHANNEL`: what a provider tells of our mails. Verified on the bytes as they came, stored, read later.

A provider asks again for hours until it gets 200 or 406. What will never be right gets 406; a signature that isn't
good gets 401, since the mistake may be in our own configuration.
"""

from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from syndicate.channels.mail.mailgun_events import Flaw, check_signature
from syndicate.pipeline.receipts import take_event
from syndicate.web.pages import NEVER, Front

_STATUS: Mapping[Flaw, int] = {Flaw.MALFORMED: 406, Flaw.STALE: 406, Flaw.FORGED: 401}
log = structlog.get_logger()


class HookDesk:
    """Takes webhooks for the channels whose keys are known."""

    def __init__(self, front: Front) -> None:
        self._front, self._keys = front, front.app.settings.hook_keys()

    async def say_ready(self, request: Request) -> Response:
        """HEAD: some providers look whether anybody is there."""
        return _said(200 if request.path_params["channel"] in self._keys else 404)

    async def take(self, request: Request) -> Response:
        """One event. Saying it twice changes nothing."""
        app, channel = self._front.app, request.path_params["channel"]
        key = self._keys.get(channel)
        if key is None:
            return _said(404)
        body, now = await request.body(), app.clock.now()
        token = check_signature(body, key, now=now)
        if isinstance(token, Flaw):
            log.warning("hook.turned_away", channel=channel, why=token.value)
            return _said(_STATUS[token])
        kind = app.settings.channels[channel].kind
        await take_event(app.db, kind=kind, channel=channel, token=token, body=body, now=now)
        return _said(200)


def _said(status: int) -> Response:
    challenge = {"www-authenticate": "Signature"} if status == 401 else {}  # RFC 9110 §15.5.2
    return Response(status_code=status, headers={"cache-control": NEVER, **challenge})
