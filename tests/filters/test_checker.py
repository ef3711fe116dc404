"""What is said about expressions that make no sense for a dataset group."""

import pytest

from openpersonalize.errors import InvalidInput
from openpersonalize.filters.checker import check, complaint
from openpersonalize.filters.language import parse

from .catalogue import SCHEMAS, schema
from .published import EXPRESSIONS

INC = "INCLUDE ItemID WHERE "
LONG = "P" * 51

BROAD = {
    "ITEMS": schema(
        "Items",
        ("ITEM_ID", "string"),
        *((name, "float") for name in ("PRICE", "YEAR")),
        *((name, "long") for name in ("CREATION_TIMESTAMP", "PUBLISHED_DATE")),
        *((name, "string") for name in ("DESCRIPTION", "AVAILABLE", "OUT_OF_STOCK")),
        *(
            (name, "string", "categorical")
            for name in ("CATEGORY", "CATEGORY_L1", "CATEGORY_L2", "GENRE", "OWNER", "ALLOWED_COUNTRIES")
        ),
        ("PROMOTED", "string"),
    ),
    "USERS": schema(
        "Users",
        ("USER_ID", "string"),
        ("AGE", "int"),
        *((name, "string", "categorical") for name in ("MEMBERSHIP", "MEMBERSHIP_STATUS", "COUNTRY")),
    ),
    "INTERACTIONS": SCHEMAS["INTERACTIONS"],
    "ACTION_INTERACTIONS": SCHEMAS["ACTION_INTERACTIONS"],
    "ACTIONS": schema(
        "Actions",
        ("ACTION_ID", "string"),
        ("VALUE", "long"),
        ("CATEGORY", "string", "categorical"),
        ("MEMBERSHIP_LEVEL", "string", "categorical"),
    ),
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_published_expressions_fit_a_shop(expression):
    assert check(parse(expression), BROAD)


NOT_IN = "Invalid input symbol: ${}. Placeholders are not allowed with NOT_IN operator."
INVALID = "Invalid Expression: "
OF_ITEMS = (
    "filters can use of Items the columns ITEM_ID, GENRE, PRICE, YEAR, STOCK, OWNER, CREATION_TIMESTAMP"
)
OF_USERS = "filters can use of Users the columns USER_ID, AGE, MEMBERSHIP"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (INC + "Items.GENRE NOT IN ($G)", NOT_IN.format("G")),
        (INC + 'Items.GENRE NOT_IN ("$G")', NOT_IN.format("G")),
        (
            INC + 'Items.GENRE IN ("A") AND Interactions.EVENT_TYPE IN ("click")',
            INVALID + "all conditions of one expression must use dataset Items",
        ),
        (
            INC + 'Interactions.EVENT_TYPE IN ("click") OR Items.GENRE IN ("A")',
            INVALID + "all conditions of one expression must use dataset Interactions",
        ),
        (INC + "CurrentUser.AGE > 18", INVALID + "CurrentUser can be used only in an IF condition"),
        (
            INC + "Items.YEAR = 1 AND CurrentUser.AGE > 18",
            INVALID + "CurrentUser can be used only in an IF condition",
        ),
        (
            INC + "Items.PRICE < 5 IF Items.YEAR > 2000",
            INVALID + "IF can be used only once, at the end, with CurrentUser",
        ),
        (
            INC + "Items.PRICE < 5 IF CurrentUser.AGE > 18 AND Items.YEAR > 2000",
            INVALID + "IF can be used only once, at the end, with CurrentUser",
        ),
        (
            INC + "Items.PRICE < 5 IF CurrentUser.AGE > 18 IF CurrentUser.AGE < 30",
            INVALID + "IF can be used only once, at the end, with CurrentUser",
        ),
        (
            INC + "Items.PRICE < 5 IF CurrentUser.AGE > 18 OR CurrentUser.AGE < 5",
            INVALID + "OR cannot be used in an IF condition",
        ),
        (INC + 'Items.AVAILABLE IN ("True")', INVALID + "field Items.AVAILABLE has boolean type"),
        (INC + "Items.available = $A", INVALID + "field Items.available has boolean type"),
        (INC + 'Items.DESCRIPTION IN ("boot")', INVALID + "field Items.DESCRIPTION is textual"),
        (INC + 'Items.NOPE IN ("A")', INVALID + "unknown field Items.NOPE; " + OF_ITEMS),
        (
            INC + "Items.PRICE = 1 IF CurrentUser.NOPE = 1",
            INVALID + "unknown field CurrentUser.NOPE; " + OF_USERS,
        ),
        (INC + "Items.PRICE = CurrentItem.NOPE", INVALID + "unknown field CurrentItem.NOPE; " + OF_ITEMS),
        (INC + 'Products.GENRE IN ("A")', INVALID + "unknown dataset Products"),
        (
            INC + 'Interactions.DEVICE IN ("phone")',
            INVALID + "only EVENT_TYPE can be used with Interactions",
        ),
        (INC + "Interactions.EVENT_VALUE > 3", INVALID + "only EVENT_TYPE can be used with Interactions"),
        (
            "INCLUDE ActionID WHERE Action_Interactions.TIMESTAMP > 3",
            INVALID + "only EVENT_TYPE can be used with Action_Interactions",
        ),
        (INC + 'Items.GENRE IN ("*")', INVALID + "* can be used only with EVENT_TYPE"),
        (INC + "Items.GENRE NOT IN (*)", INVALID + "* can be used only with EVENT_TYPE"),
        (INC + "Items.GENRE = '*'", INVALID + "* can be used only with EVENT_TYPE"),
        (
            INC + "Items.YEAR = 1 IF CurrentUser.MEMBERSHIP IN ('*')",
            INVALID + "* can be used only with EVENT_TYPE",
        ),
        (INC + 'Items.GENRE > "A"', INVALID + "operator > needs a numeric field"),
        (INC + "Items.STOCK <= $S", INVALID + "operator <= needs a numeric field"),
        (INC + "Interactions.EVENT_TYPE < 5", INVALID + "operator < needs a numeric field"),
        (INC + "Items.PRICE < CurrentItem.GENRE", INVALID + "operator < needs a numeric field"),
        (
            INC + "Items.PRICE < 5 IF CurrentUser.MEMBERSHIP >= 2",
            INVALID + "operator >= needs a numeric field",
        ),
        (INC + "Users.AGE > 18", INVALID + "ItemID cannot be filtered by dataset Users"),
        (INC + "Actions.VALUE > 18", INVALID + "ItemID cannot be filtered by dataset Actions"),
        (
            INC + 'Action_Interactions.EVENT_TYPE IN ("x")',
            INVALID + "ItemID cannot be filtered by dataset Action_Interactions",
        ),
        (
            'INCLUDE UserID WHERE Items.GENRE IN ("A")',
            INVALID + "UserID cannot be filtered by dataset Items",
        ),
        ("INCLUDE ActionID WHERE Items.YEAR = 1", INVALID + "ActionID cannot be filtered by dataset Items"),
        (
            "INCLUDE UserID WHERE Users.AGE > 1 IF CurrentUser.AGE > 1",
            INVALID + "UserID cannot be filtered by dataset CurrentUser",
        ),
        (
            "INCLUDE ActionID WHERE Actions.EXPIRATION_TIMESTAMP > 0",
            INVALID + "field Actions.EXPIRATION_TIMESTAMP cannot be used in filters",
        ),
        (
            "INCLUDE ActionID WHERE Actions.repeat_frequency > 0",
            INVALID + "field Actions.repeat_frequency cannot be used in filters",
        ),
        (
            INC + 'Items.GENRE IN ("A") | EXCLUDE UserID WHERE Users.AGE < 18',
            INVALID + "expressions must have the same target",
        ),
        (INC + "Items.GENRE IN ($A, $B)", INVALID + "a list may hold literals or one parameter"),
        (INC + 'Items.GENRE IN ("x", $B)', INVALID + "a list may hold literals or one parameter"),
        (
            INC + "Items.YEAR = 1 IF CurrentUser.AGE IN ($A, 5)",
            INVALID + "a list may hold literals or one parameter",
        ),
        (INC + f"Items.GENRE IN (${LONG})", INVALID + "parameter name longer than 50 characters"),
        (INC + "Items.PRICE < 'cheap'", INVALID + "field Items.PRICE needs numbers"),
        (INC + "Items.YEAR IN (1999, 'x')", INVALID + "field Items.YEAR needs numbers"),
        (
            INC + "Items.GENRE IN CurrentItem.PRICE",
            INVALID + "fields Items.GENRE and CurrentItem.PRICE are not of one kind",
        ),
        (
            INC + "Interactions.EVENT_TYPE IN CurrentItem.GENRE",
            INVALID + "field Interactions.EVENT_TYPE cannot be compared with CurrentItem",
        ),
        (
            "INCLUDE UserID WHERE Users.AGE = CurrentItem.YEAR",
            INVALID + "field Users.AGE cannot be compared with CurrentItem",
        ),
    ],
)
def test_one_mistake(expression, said):
    with pytest.raises(InvalidInput) as error:
        check(parse(expression), SCHEMAS)
    assert error.value.message == "Could not create filter. " + said
    assert complaint(parse(expression), SCHEMAS) == said


def test_all_mistakes_at_once():
    expression = (
        "INCLUDE ItemID WHERE Items.NOPE = 1 AND Items.GENRE NOT IN ($G) OR Items.NOPE = 2 "
        "IF CurrentUser.AGE > 3 OR CurrentUser.AGE > 'x' | EXCLUDE UserID WHERE Orders.X = 1"
    )
    assert complaint(parse(expression), SCHEMAS) == (
        "Invalid input symbol: $G. Placeholders are not allowed with NOT_IN operator. Invalid Expression: "
        f"OR cannot be used in an IF condition; unknown field Items.NOPE; {OF_ITEMS}; "
        "field CurrentUser.AGE needs numbers; expressions must have the same target; unknown dataset Orders"
    )


def test_only_so_many_columns_are_told():
    many = {"ITEMS": schema("Items", ("ITEM_ID", "string"), *((f"C{k}", "float") for k in range(50)))}
    told = complaint(parse(INC + "Items.NOPE = 1 AND Items.NONE = 2"), many)
    assert told is not None
    assert told.count("C5,") == 1
    assert "C38 and 11 more; unknown field Items.NONE" in told


def test_datasets_that_the_group_lacks():
    only_items = {"ITEMS": SCHEMAS["ITEMS"]}
    event = parse(INC + "Interactions.EVENT_TYPE IN (*)")
    assert complaint(event, only_items) == INVALID + "unknown dataset Interactions"
    guarded = parse(INC + "Items.YEAR = 1 IF CurrentUser.AGE > 1")
    assert complaint(guarded, only_items) == INVALID + "unknown dataset Users"
    untyped = {"INTERACTIONS": schema("Interactions", ("USER_ID", "string"), ("ITEM_ID", "string"))}
    assert complaint(event, untyped) is None
    assert check(event, untyped) == {"INTERACTIONS.EVENT_TYPE"}


@pytest.mark.parametrize("condition", ['IN ("click")', "IN ($T)", 'NOT IN ("*")', '!= "click"'])
def test_events_without_a_type_can_only_be_met_all(condition):
    untyped = {"INTERACTIONS": schema("Interactions", ("USER_ID", "string"), ("ITEM_ID", "string"))}
    assert complaint(parse(f"{INC}Interactions.event_type {condition}"), untyped) == (
        INVALID + "unknown field Interactions.event_type: the schema of Interactions has no EVENT_TYPE,"
        ' so only Interactions.EVENT_TYPE IN ("*"), all events, can be used'
    )


def test_fields_are_counted_once_whoever_they_are_asked_of():
    filter = parse(
        INC + "Items.genre IN CurrentItem.GENRE AND Items.PRICE > 1 AND Items.PRICE < CurrentItem.YEAR"
        " IF CurrentUser.AGE > 1 AND CurrentUser.age < 9 | EXCLUDE ItemID WHERE interactions.event_type = 'x'"
    )
    assert check(filter, SCHEMAS) == {
        "ITEMS.GENRE",
        "ITEMS.PRICE",
        "ITEMS.YEAR",
        "USERS.AGE",
        "INTERACTIONS.EVENT_TYPE",
    }


def test_ten_fields_are_the_most():
    wide = {"ITEMS": schema("Items", ("ITEM_ID", "string"), *((f"N{i}", "int") for i in range(11)))}

    def over(fields: int) -> str:
        return " | ".join(f"{INC}Items.N{i} = 1 AND Items.n{i} < 5" for i in range(fields))

    assert len(check(parse(over(10)), wide)) == 10
    assert complaint(parse(over(11)), wide) == INVALID + "more than 10 distinct fields"


@pytest.mark.parametrize("name", ["GENRE", "genre", "Genre", "gEnRe"])
def test_names_have_any_case(name):
    assert check(parse(f"include itemid where iTEMs.{name} in ('A')"), SCHEMAS) == {"ITEMS.GENRE"}


def test_a_name_of_fifty_characters_is_short_enough():
    assert check(parse(f"{INC}Items.GENRE IN (${LONG[1:]})"), SCHEMAS)
