"""Makes an edition fit into a mail, so that no reader loses its end, where the link to leave stands.

What is too large keeps all its stories: the last ones, as few as can be, show only their headline. Where even that
isn't enough, it is said which stories are too many; a person decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from syndicate.domain.article import Article
from syndicate.formats.digest import TOO_LARGE, DigestView, Rendered, render


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """An edition as it is mailed. With `too_many` it is still too large: without these it would fit."""

    rendered: Rendered
    brief: int  # stories of which only the headline is shown
    too_many: tuple[Article, ...] = ()


def fit(view: DigestView, templates: Sequence[Path]) -> Fitted:
    """The edition within `TOO_LARGE`, if it can be. Raises as `render` does."""
    rendered = render(view, templates)
    if rendered.size <= TOO_LARGE:
        return Fitted(rendered=rendered, brief=0)
    count = len(view.stories)
    most = max(0, count - 1)  # the lead is never cut short

    def fits(brief: int, dropped: int = 0) -> bool:
        shown = replace(view, brief=brief, stories=view.stories[: count - dropped])
        return render(shown, templates).size <= TOO_LARGE

    if fits(most):
        brief = _first(fits, most)
        return Fitted(rendered=render(replace(view, brief=brief), templates), brief=brief)
    dropped = _first(lambda drop: fits(max(0, most - drop), drop), count)
    rendered = render(replace(view, brief=most), templates)
    return Fitted(rendered=rendered, brief=most, too_many=view.stories[count - dropped :])


def _first(holds: Callable[[int], bool], last: int) -> int:
    """The smallest number from 0 to `last` for which it holds, if it does for all above; `last` if for none below."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
