"""The page's table is made of the comments in values.yaml, which describe every value."""

import helm_readme
import pytest
from rendering import CHART

VALUES = """\
## @section One
one:
  ## @param one.two The second
  two: "2"
  ## @param one.rest Whatever else
  rest: {a: {b: 1}}
"""


def test_the_committed_table_is_the_generated_one():
    committed = (CHART / "README.md").read_text(encoding="utf-8")
    made = helm_readme.page(committed, (CHART / "values.yaml").read_text(encoding="utf-8"))
    assert committed == made, "run `make generate`"


def test_a_row_has_the_name_the_default_and_the_text():
    made = helm_readme.table(VALUES)
    assert made.startswith("### One\n")
    assert '| `one.two` | `"2"` | The second |' in made
    assert '| `one.rest` | `{"a": {"b": 1}}` | Whatever else |' in made


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (VALUES.replace("  ## @param one.two The second\n", ""), "no `## @param` for one.two"),
        (VALUES.replace("one.two The", "one.too The"), "one.too is described and is no value"),
        (VALUES.replace("one.two The second", "one.two"), "needs a section above it and a text"),
        (VALUES.replace("## @section One\n", ""), "needs a section above it and a text"),
        (VALUES.replace("one.rest", "one.two", 1), "one.rest"),
    ],
)
def test_comments_and_values_may_not_differ(values, said):
    with pytest.raises(helm_readme.Undescribed, match=said):
        helm_readme.table(values)


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(helm_readme.Undescribed, match="end of values"):
        helm_readme.page("# Chart", VALUES)
