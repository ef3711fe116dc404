"""From text to expressions, and what is said when the text is not one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.errors import InvalidInput
from openpersonalize.filters.language import (
    Condition,
    Constant,
    Expression,
    ItemField,
    Parameter,
    parse,
)

from .published import EXPRESSIONS

INC = "INCLUDE ItemID WHERE "


def refusal(text: str) -> str:
    with pytest.raises(InvalidInput) as error:
        parse(text)
    prefix = "Could not create filter. Invalid Expression: "
    assert error.value.message.startswith(prefix)
    return error.value.message.removeprefix(prefix)


def only_condition(text: str) -> Condition:
    (condition,) = parse(text).expressions[0].conditions()
    return condition


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_published_expressions(expression):
    filter = parse(expression)
    assert filter.text == expression
    assert len(filter.expressions) == expression.count("|") + 1


def test_every_part_of_an_expression():
    filter = parse(
        "include ITEMID where Items.GENRE in (\"A\", 'B') and ITEMS.Price<=-2.50 or items.YEAR not in (1999)"
        " if currentuser.AGE > $AGE and CurrentUser.M NOT_IN ('x')|EXCLUDE itemid WHERE Items.P <"
        " (CurrentItem.P)"
    )
    assert filter.expressions == (
        Expression(
            include=True,
            target="ItemID",
            where=(
                (
                    Condition("Items", "GENRE", "IN", (Constant("A"), Constant("B"))),
                    Condition("ITEMS", "Price", "<=", (Constant("-2.50"),)),
                ),
                (Condition("items", "YEAR", "NOT IN", (Constant("1999"),)),),
            ),
            conditions_on_user=(
                (
                    (
                        Condition("CurrentUser", "AGE", ">", (Parameter("AGE"),)),
                        Condition("CurrentUser", "M", "NOT IN", (Constant("x"),)),
                    ),
                ),
            ),
        ),
        Expression(False, "ItemID", ((Condition("Items", "P", "<", (ItemField("P"),)),),), ()),
    )
    assert filter.expressions[0].parameters() == {"AGE"}


@pytest.mark.parametrize(
    ("written", "operands"),
    [
        ("IN ($GENRE)", (Parameter("GENRE"),)),
        ('IN ("$GENRE")', (Parameter("GENRE"),)),
        ("IN ('$GENRE')", (Parameter("GENRE"),)),
        ("= '$x_1'", (Parameter("x_1"),)),
        ('IN (" $GENRE")', (Constant(" $GENRE"),)),
        (r'IN ("\$GENRE")', (Constant("$GENRE"),)),
        ('IN ("$")', (Constant("$"),)),
        (r'IN ("Children\"s", "a\\b")', (Constant('Children"s'), Constant("a\\b"))),
        (r"IN ('it\'s', 'a" + '"' + "b')", (Constant("it's"), Constant('a"b'))),
        ('IN ("click, rating")', (Constant("click, rating"),)),
        ('IN ("Japan購入")', (Constant("Japan購入"),)),
        ('IN ("a|b", "AND IF (")', (Constant("a|b"), Constant("AND IF ("))),
        ('IN ("")', (Constant(""),)),
        ("IN (*)", (Constant("*"),)),
        ("IN ('*')", (Constant("*"),)),
        ("NOT\n IN\t( 1 ,2.5, -3 )", (Constant("1"), Constant("2.5"), Constant("-3"))),
        ("IN CurrentItem.x", (ItemField("x"),)),
        ("NOT IN (CURRENTITEM.x)", (ItemField("x"),)),
        (">=($MIN)", (Parameter("MIN"),)),
        ("!=('x')", (Constant("x"),)),
    ],
)
def test_operands(written, operands):
    assert only_condition(f"{INC}Items.F {written}").operands == operands


@pytest.mark.parametrize("name", ["IN", "Not", "where", "CURRENTUSER", "ItemID", "_x1", "in_stock", "ORDER"])
def test_keywords_may_name_fields(name):
    assert only_condition(f"{INC}Items.{name} = 1").field == name
    assert only_condition(f"{INC}Items.A < CurrentItem.{name}").operands == (ItemField(name),)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("INCLUDE ItemID", "expected WHERE at position 15, found end of expression"),
        ('ItemID WHERE Items.GENRE IN ("A")', "expected INCLUDE or EXCLUDE at position 1, found ItemID"),
        (INC + "Items.GENRE IN ()", "expected literal, parameter, * or CurrentItem at position 38, found )"),
        (INC + 'Items.GENRE IN ("A"', "expected , or ) at position 41, found end of expression"),
        (
            INC + "Items.GENRE IN (Comedy)",
            "expected literal, parameter, * or CurrentItem at position 38, found Comedy",
        ),
        (INC + 'Items.GENRE LIKE "A"', "expected operator at position 34, found LIKE"),
        (
            "INCLUDE ItemID IF CurrentUser.AGE > 18 WHERE Items.PRICE < 5",
            "expected WHERE at position 16, found IF",
        ),
        (INC + "(Items.PRICE < 5 OR Items.PRICE > 50)", "expected dataset at position 22, found ("),
        (
            INC + "Items.PRICE < Items.YEAR",
            "expected literal, parameter or CurrentItem at position 36, found Items",
        ),
        (
            INC + "Items.CREATION_TIMESTAMP > NOW() - 86400",
            "expected literal, parameter or CurrentItem at position 49, found NOW",
        ),
        (
            INC + 'Items.GENRE IN ("A") | ',
            "expected INCLUDE or EXCLUDE at position 45, found end of expression",
        ),
        (INC + 'Items.GENRE IN ("A") AND', "expected dataset at position 46, found end of expression"),
        (
            INC + "Items.PRICE < 5, Items.YEAR > 2000",
            "expected AND, OR, IF, | or end of expression at position 37, found ,",
        ),
        ("", "expected INCLUDE or EXCLUDE at position 1, found end of expression"),
        ("INCLUDE", "expected ItemID, UserID or ActionID at position 8, found end of expression"),
        (INC + "Items", "expected . at position 27, found end of expression"),
        (INC + "Items = 5", "expected . at position 28, found ="),
        (
            INC + 'CATEGORY = "Wein"',
            "expected . at position 31, found =. Name the dataset of a field: Items.CATEGORY",
        ),
        (
            "EXCLUDE ActionID WHERE Actions.A = 1 OR VALUE < 3",
            "expected . at position 47, found <. Name the dataset of a field: Actions.VALUE",
        ),
        (
            INC + "Items.A = 1 IF AGE > 3",
            "expected . at position 41, found >. Name the dataset of a field: CurrentUser.AGE",
        ),
        (INC + "Items.", "expected field name at position 28, found end of expression"),
        (INC + "Items.5", "expected field name at position 28, found 5"),
        (INC + "Items.A IN $A", "expected ( or CurrentItem at position 33, found $A"),
        (INC + "Items.A NOT = 5", "expected IN at position 34, found ="),
        (INC + 'Items.A = ("a", "b")', "expected ) at position 36, found ,"),
        (INC + "Items.A = 5 IF", "expected CurrentUser at position 36, found end of expression"),
        (INC + "CurrentItem.A = 5", "expected dataset at position 22, found CurrentItem"),
        (
            INC + "Items.A = 5 IF CurrentUser.A = 1 | INCLUDE ItemID WHERE",
            "expected dataset at position 77, found end of expression",
        ),
        (
            INC + "Items.A = 5 IF CurrentUser.A = CurrentItem.A",
            "expected literal or parameter at position 53, found CurrentItem",
        ),
        (INC + 'Items.A = "abc', 'expected closing " at position 36, found end of expression'),
        (INC + "Items.A = 'abc\\'", "expected closing ' at position 38, found end of expression"),
        (INC + "Items.A = é", "expected literal, parameter or CurrentItem at position 32, found é"),
        (INC + "Items.A = $", "expected literal, parameter or CurrentItem at position 32, found $"),
        (INC + "Items.A IN (*, 'a')", "expected ) at position 35, found ,"),
        (INC + "Items.A < 1e2", "expected AND, OR, IF, | or end of expression at position 33, found e2"),
        (INC + "Items.A <> 1", "expected literal, parameter or CurrentItem at position 31, found >"),
        (INC + "Items.A == 1", "expected literal, parameter or CurrentItem at position 31, found ="),
        (INC + "Items." + "A" * 60 + " x", "expected operator at position 89, found x"),
        (INC + "Items.A " + "x" * 60, f"expected operator at position 30, found {'x' * 50}..."),
        (INC + "Items.A = \ud800", "expected Unicode text at position 32, found a lone surrogate"),
    ],
)
def test_what_was_expected(text, detail):
    assert refusal(text) == detail


WORDS = (
    "INCLUDE EXCLUDE ItemID UserID WHERE Items Interactions . . GENRE IN NOT NOT_IN ( ) \"A\" 'b' $P * , = !="
    " <= > 5 -1.5 AND OR IF CurrentUser CurrentItem | \" ' \\ é"
)
TOKENS = st.sampled_from(WORDS.split())


@settings(deadline=None)
@given(st.one_of(st.text(max_size=2500), st.lists(TOKENS, max_size=400).map(" ".join)))
def test_any_text_is_read_or_refused(text):
    try:
        filter = parse(text)
    except InvalidInput as error:
        error.message.encode()
    else:
        assert filter.expressions


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2500,
        '"' * 2500,
        "\\" * 2500,
        "'" + "\\" * 2499,
        INC + "Items.A = '" + "\\'" * 1200,
        " " * 2500,
        "INCLUDE " * 300,
        INC + "Items." * 400,
        INC + "Items.A IN (" + '"a",' * 600,
        INC + "Items.A = " + "1." * 1200,
        INC + "Items.A = 1 AND " * 150,
        INC + "Items.A = 1" + " IF CurrentUser.A = 1" * 100 + " IF",
        "|" * 2500,
        "$" * 2500,
        "\0" * 2500,
    ],
)
def test_long_nonsense_is_refused(text):
    refusal(text)


def test_long_filters_are_read():
    chain = parse(INC + " OR ".join(["Items.A=1 AND Items.B=2"] * 90)).expressions[0].where
    assert len(chain) == 90
    assert {len(branch) for branch in chain} == {2}
    assert len(parse("|".join([INC + "Items.A=1"] * 70)).expressions) == 70
    assert only_condition(INC + "Items.A = " + "1" * 2400).operands == (Constant("1" * 2400),)
    assert len(only_condition(INC + "Items.A IN (" + ",".join(["1"] * 1200) + ")").operands) == 1200
