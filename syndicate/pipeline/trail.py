"""What every explanation is made of: findings in their order, and what is said first of a story."""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.change import Change
from syndicate.domain.edition import Edition
from syndicate.domain.explanation import Answer, Explanation, Finding, sum_up
from syndicate.domain.selection import Selection, traits
from syndicate.errors import NotFound
from syndicate.store import articles, changes


@dataclass(kw_only=True)
class Trail:
    """Findings as they are made. Moments are said in `zone`, the newspaper's own."""

    zone: str
    findings: list[Finding] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def note(self, rule: str, said: str, answer: Answer | None = None, /, **facts: object) -> None:
        """Adds a finding; with `answer` one that decides."""
        self.findings.append(Finding(rule=rule, said=said, facts=facts))
        if answer is not None:
            self.answers.append(answer)

    def at(self, moment: datetime) -> str:
        """A moment in a sentence."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M:%S %Z}"

    def explanation(self) -> Explanation:
        """What it all comes to."""
        return Explanation(answer=sum_up(self.answers), findings=tuple(self.findings))


async def tell_article(connection: AsyncConnection, trail: Trail, identifier: str) -> tuple[Article, list[Change]]:
    """The story as it stands, and what happened to it. Raises NotFound."""
    article = await articles.get(connection, identifier)
    if article is None:
        raise NotFound("article", identifier)
    log = await changes.of_article(connection, identifier)
    title = f"“{article.content.title}”, from {article.source}"
    said = f"{title}, is {article.state.value}, in version {article.version}."
    facts: dict[str, object] = {"article": identifier, "version": article.version, "state": article.state}
    trail.note("article", said, title=article.content.title, source=article.source, **facts)
    for one in log:
        first = " with its source's first import, which mails and pushes leave out" if one.baseline else ""
        words = f"Change {one.seq}, {trail.at(one.at)}: {one.kind.value} (version {one.version}){first}."
        facts = {"seq": one.seq, "version": one.version, "baseline": one.baseline, "at": one.at}
        trail.note(f"change.{one.kind.value}", words, **facts)
    return article, log


def refused_by(selection: Selection, article: Article) -> str:
    """The key of a selection that keeps an article out, in words; "" if it belongs there."""
    refusal = selection.refusal(traits(article))
    if refusal is None:
        return ""
    wanted, held = (", ".join(sorted(names)) for names in (refusal.wanted, refusal.held))
    if refusal.excluded:
        return f"it rules out {refusal.key} {wanted}"
    return f"it asks for {refusal.key} {wanted}, and the story has {held or 'none'}"


def edition_name(edition: Edition) -> str:
    """What people call it."""
    return f"{edition.newsletter}/{edition.slot}"
