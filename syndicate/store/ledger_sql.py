"""The statements of the ledger that are made for each handful of mails: for their parameters see `ledger.py`.

On SQLite none of them returns more than one row, for each row would let go of the interpreter's lock.
"""

from sqlalchemy import text

from syndicate.domain.audience import SubscriptionState
from syndicate.domain.delivery import Happening, State, step
from syndicate.domain.edition import EditionState

MARK_STATES = {
    "claimed": State.CLAIMED.value,
    "sending": step(State.CLAIMED, Happening.MARK).value,
    "frozen": EditionState.FROZEN.value,
    "active": SubscriptionState.ACTIVE.value,
}
OUTCOME = ("state", "attempt", "not_before", "code", "text", "ref", "settled_at")
COUNTS = ("open", "accepted", "refused", "uncertain", "excluded")
MOVE = text("""
UPDATE edition_books SET open = open + :open, accepted = accepted + :accepted, refused = refused + :refused,
  uncertain = uncertain + :uncertain, excluded = excluded + :excluded
WHERE edition_id = :edition_id
RETURNING edition_id
""")
HELD_SQLITE = text("""
SELECT json_group_array(json_array(id, edition_id)) FROM deliveries
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = :sending AND owner = :owner
""")
_MARK = """
UPDATE deliveries SET state = :sending
WHERE id = ANY(:ids) AND state = :claimed AND owner = :owner
  AND EXISTS (SELECT * FROM editions JOIN subscriptions ON subscriptions.newsletter = editions.newsletter
    WHERE editions.id = deliveries.edition_id AND editions.state = :frozen
      AND subscriptions.subscriber_id = deliveries.subscriber_id AND subscriptions.state = :active)
  AND NOT EXISTS (SELECT * FROM subscribers JOIN suppressions ON suppressions.digest = subscribers.digest
    WHERE subscribers.id = deliveries.subscriber_id AND (suppressions.until IS NULL OR suppressions.until > :now))
  AND NOT EXISTS (SELECT * FROM holds)
RETURNING id
"""
MARK_POSTGRES = text(_MARK)
MARKABLE_SQLITE = text(
    _MARK.replace("UPDATE deliveries SET state = :sending", "SELECT json_group_array(id) FROM deliveries")
    .replace("= ANY(:ids)", "IN (SELECT value FROM json_each(:ids))")
    .replace("RETURNING id", "")
)
MARK_SQLITE = text("UPDATE deliveries SET state = :sending WHERE id IN (SELECT value FROM json_each(:ids))")
SETTLE_SQLITE = text("""
UPDATE deliveries SET state = ?, attempt = ?, not_before = ?, code = ?, text = ?, provider_ref = ?, settled_at = ?,
  owner = ''
WHERE id = ? AND state = 'sending' AND owner = ?
""")
SETTLE_POSTGRES = text("""
UPDATE deliveries SET state = o.state, attempt = o.attempt, not_before = o.not_before, code = o.code, text = o.text,
  provider_ref = o.ref, settled_at = o.settled_at, owner = ''
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS o(id bigint, state text, attempt int, not_before bigint,
  code text, text text, ref text, settled_at bigint)
WHERE deliveries.id = o.id AND deliveries.state = 'sending' AND deliveries.owner = :owner
RETURNING deliveries.id, deliveries.edition_id
""")
