"""An operator's own selectors, beside what we know of a newsroom's theme."""

from syndicate.sources.read.rules import PageRule, laid_over

THEME = PageRule(name="tagdiv.classic", applies=("body.td",), body=(".td-post-content",), title=("h1.entry-title",))


def test_an_operators_keys_replace_the_themes_and_leave_it_the_others() -> None:
    over, alone = laid_over({"body": (".isi",)}, [THEME])

    assert (over.name, over.applies, over.body, over.title) == (
        *("tagdiv.classic with rules", ("body.td",), (".isi",), ("h1.entry-title",)),
    )
    assert alone == PageRule(name="rules", body=(".isi",))


def test_an_operators_rule_that_says_where_it_applies_comes_before_the_themes() -> None:
    own = {"applies": (".galeri",), "body": (".isi",)}

    assert laid_over(own, [THEME]) == (PageRule(name="rules", **own), THEME)


def test_without_rules_of_the_operators_the_themes_stay_as_they_are() -> None:
    assert laid_over({}, [THEME]) == (THEME,)
