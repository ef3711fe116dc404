"""What filters leave of a catalogue: worked examples, the null table, combinations of expressions."""

import pytest

from openpersonalize.errors import InvalidInput
from openpersonalize.filters.compiler import compile_filter

from .catalogue import (
    ACTION_IDS,
    ACTIONS,
    ITEM_IDS,
    ITEMS,
    SCHEMAS,
    USER_CANDIDATES,
    USER_IDS,
    USERS,
    Facts,
    action_facts,
    bound,
    columns,
    item_facts,
    kept,
    remaining,
    schema,
)

ALL = ITEM_IDS
EXC = "EXCLUDE ItemID WHERE "
INC = "INCLUDE ItemID WHERE "
ACTIONS_A = 'INCLUDE ActionID WHERE Actions.CATEGORY IN ("a")'
THREE_PROBLEMS = (
    "Invalid value for filter parameter P. Missing value for filter parameter G. "
    "Invalid value for filter parameter Y."
)


def without(gone: str) -> str:
    return "".join(item for item in ALL if item not in gone)


STATIC = {
    INC + 'Items.GENRE IN ("Comedy")': "a",
    INC + 'Items.GENRE IN ("Horror")': "ch",
    EXC + 'Items.GENRE IN ("Comedy","Drama")': without("a"),
    INC + 'Items.GENRE NOT IN ("Horror")': without("ch"),
    INC + 'Items.GENRE NOT_IN ("Horror")': without("ch"),
    EXC + 'Items.GENRE NOT IN ("Horror")': "ch",
    INC + "Items.PRICE <= 10": "abek",
    INC + "Items.PRICE < 10": "aek",
    INC + "Items.PRICE > 9.99 AND Items.PRICE < 20": "bcf",
    INC + "Items.YEAR >= 1970 AND Items.YEAR < 1980": "afh",
    INC + "Items.YEAR = 1999 OR Items.YEAR = 2000": "bcg",
    INC + "Items.YEAR != 2000": without("cg"),
    INC + 'Items.GENRE IN ("A") OR Items.GENRE IN ("B") AND Items.PRICE < 5': "def",
    INC + 'Items.GENRE IN ("B") AND Items.PRICE < 5 OR Items.GENRE IN ("A")': "def",
    INC + "Items.STOCK IN ('yes')": "aceghk",
    'include itemid where ITEMS.genre in ("Comedy")': "a",
    INC + 'Items.GENRE = "Comedy"': "a",
    INC + 'Items.GENRE != "Horror"': without("ch"),
    INC + r'Items.GENRE IN ("Children\"s")': "k",
    INC + "Items.YEAR IN (1999, 2000)": "bcg",
    INC + "Items.YEAR NOT IN (1999, 2000)": without("bcg"),
    INC + 'Items.YEAR IN ("1999")': "b",
    INC + "Items.PRICE = 9.99": "k",
    INC + 'Items.ITEM_ID IN ("a", "z", "nowhere")': "az",
    EXC + 'Items.ITEM_ID = "b"': without("b"),
    INC + 'Items.OWNER IN ("in-house") AND Items.STOCK IN ("yes")': "ah",
    INC + 'Items.STOCK NOT IN ("yes")': "bdfz",
    EXC + 'Items.GENRE IN ("A") | ' + EXC + "Items.PRICE > 100": without("dfh"),
    INC + 'Items.GENRE IN ("A") | ' + INC + "Items.PRICE > 100": "dfh",
    INC + 'Items.GENRE IN ("A") | ' + EXC + "Items.PRICE > 100": "f",
    EXC + "Items.PRICE > 100 | " + INC + 'Items.GENRE IN ("A")': "f",
    f'{INC} Items.GENRE IN ("A", "Horror")|{INC} Items.YEAR = 2010|{EXC}Items.YEAR = 2000': "dfhk",
}


@pytest.mark.parametrize("expression", STATIC)
def test_the_same_for_everybody(expression):
    assert bound(expression).is_static
    assert remaining(expression) == STATIC[expression]
    assert remaining(expression, user="unknown") == STATIC[expression]


EVENTS = {
    EXC + 'Interactions.EVENT_TYPE IN ("purchase")': without("bz"),
    EXC + 'Interactions.EVENT_TYPE IN ("PURCHASE")': without("bz"),
    INC + 'Interactions.EVENT_TYPE IN ("watch","like")': "ac",
    EXC + 'Interactions.EVENT_TYPE IN ("*")': "dghk",
    EXC + "Interactions.EVENT_TYPE IN ('*')": "dghk",
    EXC + "Interactions.EVENT_TYPE IN (*)": "dghk",
    INC + "Interactions.EVENT_TYPE IN (*)": "abcefz",
    EXC + "Interactions.EVENT_TYPE NOT IN (*)": ALL,
    INC + 'Interactions.EVENT_TYPE NOT IN ("purchase")': "abcef",
    EXC + 'Interactions.event_type NOT IN ("purchase", "Favorite")': without("abc"),
    INC + 'Interactions.EVENT_TYPE = "Click"': "bc",
    INC + 'Interactions.EVENT_TYPE != "click"': "abcefz",
    INC + 'Interactions.EVENT_TYPE IN ("click") AND Interactions.EVENT_TYPE IN ("like")': "c",
    INC + 'Interactions.EVENT_TYPE IN ("like") OR Interactions.EVENT_TYPE IN ("click")'
    ' AND Interactions.EVENT_TYPE IN ("purchase")': "bc",
    EXC + 'Interactions.EVENT_TYPE IN ("watch") OR Interactions.EVENT_TYPE IN ("like")': without("ac"),
    EXC + 'Interactions.EVENT_TYPE IN ("never seen")': ALL,
    INC + 'Items.GENRE IN ("A") | ' + INC + 'Interactions.EVENT_TYPE IN ("favorite")': "def",
    INC + 'Items.GENRE IN ("A") | ' + EXC + 'Interactions.EVENT_TYPE IN ("favorite")': "d",
    EXC + 'Items.GENRE IN ("A") | ' + EXC + 'Interactions.EVENT_TYPE IN ("favorite")': without("def"),
    EXC + 'Items.GENRE IN ("A") | ' + INC + 'Interactions.EVENT_TYPE IN ("favorite")': "e",
}


@pytest.mark.parametrize("expression", EVENTS)
def test_what_the_user_did(expression):
    assert not bound(expression).is_static
    assert remaining(expression) == EVENTS[expression]


def test_a_user_without_events():
    assert remaining(EXC + "Interactions.EVENT_TYPE IN (*)", user="unknown") == ALL
    assert remaining(INC + "Interactions.EVENT_TYPE IN (*)", user="unknown") == ""
    assert remaining(INC + 'Interactions.EVENT_TYPE NOT IN ("click")', user="unknown") == ""


def test_an_event_without_type_is_of_any_type_and_of_none():
    assert remaining(INC + "Interactions.EVENT_TYPE IN (*)", user="child") == "de"
    assert remaining(INC + 'Interactions.EVENT_TYPE NOT IN ("click")', user="child") == "e"


ADULTS_ONLY = EXC + 'Items.GENRE IN ("Adult") IF CurrentUser.AGE < 18'
KIDS_ONLY = INC + 'Items.GENRE IN ("Kids") IF CurrentUser.AGE < 12'
LUXURY = INC + 'Items.GENRE IN ("Lux") IF CurrentUser.AGE > 18 AND CurrentUser.MEMBERSHIP IN ("gold")'


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        (ADULTS_ONLY, {"child": without("h"), "adult": ALL, "nil": ALL, "unknown": ALL}),
        (KIDS_ONLY, {"child": "k", "adult": ALL, "nil": ALL, "unknown": ALL}),
        (LUXURY, {"child": ALL, "adult": "k", "nil": ALL, "unknown": ALL}),
        (
            KIDS_ONLY + " | " + INC + 'Items.GENRE IN ("A")',
            {"child": "dfk", "adult": "df", "nil": "df", "unknown": "df"},
        ),
        (
            EXC + 'Items.GENRE IN ("A") IF CurrentUser.MEMBERSHIP != "basic"',
            {"child": ALL, "adult": without("df"), "nil": without("df"), "unknown": without("df")},
        ),
        (
            EXC + 'Items.GENRE IN ("A") IF CurrentUser.MEMBERSHIP NOT IN ("vip", "basic")',
            {"child": ALL, "adult": ALL, "nil": without("df"), "unknown": without("df")},
        ),
        (
            INC + "Items.YEAR > 1998 IF CurrentUser.AGE IN (8, 9)",
            {"child": "bcgk", "adult": ALL, "nil": ALL, "unknown": ALL},
        ),
        (
            EXC + "Interactions.EVENT_TYPE IN (*) IF currentuser.age >= 40",
            {"child": ALL, "adult": "dghk", "nil": ALL, "unknown": ALL},
        ),
        (
            EXC + 'Items.GENRE IN ("A") | ' + EXC + "Items.PRICE > 200 IF CurrentUser.AGE > 17",
            {"child": without("df"), "adult": without("dfh")},
        ),
    ],
)
def test_conditions_on_the_user(expression, left):
    assert {user: remaining(expression, user=user) for user in left} == left


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        (
            INC + "Items.PRICE < CurrentItem.PRICE AND Items.GENRE IN CurrentItem.GENRE",
            {"f": "e", "h": "c", "g": "", "z": "", None: ""},
        ),
        (
            INC + "Items.GENRE NOT IN CurrentItem.GENRE",
            {"f": without("def"), "g": ALL, "z": ALL, None: ALL},
        ),
        (INC + "Items.GENRE IN (CurrentItem.GENRE)", {"f": "def", "g": "", None: ""}),
        (INC + "ITEMS.genre = currentitem.GENRE", {"f": "def", "a": "a"}),
        (INC + "Items.YEAR != CurrentItem.YEAR", {"c": without("cg"), "e": ALL, None: ALL}),
        (INC + "Items.YEAR IN CurrentItem.YEAR", {"c": "cg", "e": "", None: ""}),
        (INC + "Items.YEAR NOT IN CurrentItem.YEAR", {"c": without("cg"), "e": ALL}),
        (EXC + "Items.ITEM_ID = CurrentItem.ITEM_ID", {"c": without("c"), None: ALL}),
        (INC + "Items.PRICE > (CurrentItem.YEAR)", {"f": "", None: ""}),
    ],
)
def test_the_item_asked_about(expression, left):
    assert compile_filter(expression, SCHEMAS).needs_current_item
    assert {current: remaining(expression, current=current) for current in left} == left


VALUES = [
    (INC + "Items.CREATION_TIMESTAMP > $SINCE", {"SINCE": "1700000000"}, "bcgk"),
    (INC + "Items.CREATION_TIMESTAMP > $SINCE", {"SINCE": '"1700000000"'}, "bcgk"),
    (INC + "Items.PRICE >= ($MIN)", {"MIN": "12.5"}, "cdfh"),
    (EXC + "Items.GENRE IN ($G)", {"G": '"Comedy","A"'}, without("adf")),
    (EXC + "Items.GENRE IN ($G)", None, ALL),
    (EXC + "Items.GENRE IN ($G)", {"G": ""}, ALL),
    (EXC + 'Items.GENRE IN ("$G")', {"G": '"Comedy","A"'}, without("adf")),
    (EXC + "Items.GENRE IN ('$G')", {}, ALL),
    (INC + "Items.GENRE IN ($G)", {"G": '"Kids"', "UNKNOWN": '"'}, "k"),
    (INC + "Items.GENRE IN ($G)", {"G": "Kids, A"}, "dfk"),
    (INC + "Items.GENRE != $G", {"G": '"Horror"'}, without("ch")),
    (INC + "Items.YEAR IN ($Y)", {"Y": '"1999", 2000'}, "bcg"),
    (INC + "Items.YEAR >= $Y AND Items.YEAR <= $Y", {"Y": "1999"}, "b"),
    (EXC + "Interactions.EVENT_TYPE IN ($T)", {"T": '"WATCH","like"'}, without("ac")),
    (EXC + "Interactions.EVENT_TYPE IN ($T)", {"T": '"*"'}, "dghk"),
    (EXC + "Interactions.EVENT_TYPE IN ($T)", None, ALL),
    (EXC + "Items.GENRE IN ($G) IF CurrentUser.AGE = $AGE", {"G": '"Comedy"', "AGE": "40"}, without("a")),
    (EXC + "Items.GENRE IN ($G) IF CurrentUser.AGE = $AGE", {"G": '"Comedy"', "AGE": "41"}, ALL),
    (EXC + "Items.GENRE IN ($G) IF CurrentUser.AGE = $AGE", {"G": '"Comedy"'}, ALL),
    (EXC + "Items.GENRE IN ($G) IF CurrentUser.AGE = $AGE", {"AGE": "40"}, ALL),
    (EXC + "Items.GENRE IN ($G) | " + EXC + "Items.PRICE > 200 IF CurrentUser.AGE > 17", {}, without("h")),
    (EXC + "Items.GENRE IN ($A) AND Items.YEAR > $B", {"A": '"Horror"'}, ALL),
    (
        INC + "Items.GENRE IN ($G) | " + EXC + 'Interactions.EVENT_TYPE IN ("watch")',
        {"G": '"Drama","A"'},
        "df",
    ),
    (
        EXC + 'Interactions.EVENT_TYPE IN ("watch") | ' + INC + "Items.GENRE IN ($G)",
        {"G": '"Drama","A"'},
        "df",
    ),
]


@pytest.mark.parametrize(("expression", "values", "left"), VALUES)
def test_values(expression, values, left):
    assert remaining(expression, values) == left


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        (INC + "Items.GENRE IN ($G)", None, "Missing value for filter parameter G."),
        (INC + "Items.GENRE IN ($G)", {"G": ""}, "Missing value for filter parameter G."),
        (INC + "Items.GENRE IN ($G)", {"g": '"A"'}, "Missing value for filter parameter G."),
        (
            INC + "Items.YEAR = 1999 IF CurrentUser.AGE > $AGE",
            {},
            "Missing value for filter parameter AGE.",
        ),
        (
            INC + "Items.GENRE IN ($G) AND Items.PRICE < $P",
            {},
            "Missing value for filter parameter G. Missing value for filter parameter P.",
        ),
        (INC + "Items.GENRE IN ($G)", {"G": '"A'}, "Invalid value for filter parameter G."),
        (EXC + "Items.GENRE IN ($G)", {"G": '"United States""'}, "Invalid value for filter parameter G."),
        (INC + "Items.PRICE < $P", {"P": "cheap"}, "Invalid value for filter parameter P."),
        (INC + "Items.PRICE < $P", {"P": "1,2"}, "Invalid value for filter parameter P."),
        (INC + "Items.PRICE < $P", {"P": "nan"}, "Invalid value for filter parameter P."),
        (INC + "Items.YEAR IN ($Y)", {"Y": "1999,x"}, "Invalid value for filter parameter Y."),
        (INC + "Items.GENRE = $G", {"G": '"A","B"'}, "Invalid value for filter parameter G."),
        (
            EXC + "Items.YEAR = 1 IF CurrentUser.AGE = $AGE",
            {"AGE": "old"},
            "Invalid value for filter parameter AGE.",
        ),
        (
            INC + "Items.GENRE IN ($G) AND Items.PRICE < $P | " + EXC + "Items.YEAR = $Y",
            {"P": ",", "Y": "x"},
            THREE_PROBLEMS,
        ),
    ],
)
def test_values_that_cannot_be_used(expression, values, message):
    with pytest.raises(InvalidInput) as error:
        compile_filter(expression, SCHEMAS).bind(values)
    assert error.value.message == message


@pytest.mark.parametrize(
    ("expression", "values", "left"),
    [
        ('INCLUDE UserID WHERE Users.MEMBERSHIP IN ("gold")', None, ["adult"]),
        ("EXCLUDE UserID WHERE Users.AGE < $AGE", {"AGE": "18"}, ["adult", "nil", "unknown"]),
        ("EXCLUDE UserID WHERE Users.AGE < $AGE", None, list(USER_IDS)),
        ('INCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("like","rating")', None, ["adult"]),
        ('EXCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("click")', None, ["nil", "unknown"]),
        ('exclude UserId where users.user_id in ("child", "Japan購入")', None, ["adult", "nil", "unknown"]),
    ],
)
def test_users_as_candidates(expression, values, left):
    assert not compile_filter(expression, SCHEMAS).needs_user
    rows = kept(bound(expression, values), USERS, USER_CANDIDATES)
    assert [USER_IDS[i] for i in rows] == left


@pytest.mark.parametrize(
    ("expression", "values", "left"),
    [
        ('EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("TAKEN")', None, "qr"),
        ('EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("NOT_TAKEN")', None, "pr"),
        ("INCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN (*)", None, "pq"),
        ('INCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("Not taken")', None, "q"),
        ('INCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE NOT IN ("nottaken")', None, "p"),
        ("INCLUDE ActionID WHERE Actions.VALUE > ($V)", {"V": "5"}, "q"),
        (
            "INCLUDE ActionID WHERE Actions.VALUE > ($V) IF CurrentUser.MEMBERSHIP = $M",
            {"V": "4", "M": '"gold"'},
            "pq",
        ),
        (
            "EXCLUDE ActionID WHERE Actions.VALUE < ($V) IF CurrentUser.MEMBERSHIP = $M",
            {"V": "9", "M": "silver"},
            "pqr",
        ),
        ('INCLUDE ActionID WHERE Action.CATEGORY IN ("a")', None, "p"),
        ('INCLUDE ActionID WHERE Interactions.EVENT_TYPE IN ("Taken")', None, ""),
        (
            f'{ACTIONS_A} | EXCLUDE ActionID WHERE Interactions.EVENT_TYPE IN ("taken")',
            None,
            "p",
        ),
    ],
)
def test_actions_as_candidates(expression, values, left):
    assert (
        "".join(ACTION_IDS[i] for i in kept(bound(expression, values), ACTIONS, action_facts("adult")))
        == left
    )


def test_what_a_filter_says_about_itself():
    filter = compile_filter(
        'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("watch") | '
        "INCLUDE ItemID WHERE Items.genre IN ($G) AND Items.PRICE < CurrentItem.price"
        " IF CurrentUser.age > $AGE",
        SCHEMAS,
    )
    assert filter.target == "ItemID"
    assert filter.parameters == {"G", "AGE"}
    assert filter.fields == {"INTERACTIONS.EVENT_TYPE", "ITEMS.GENRE", "ITEMS.PRICE", "USERS.AGE"}
    assert filter.needs_user
    assert filter.needs_current_item
    assert filter.reads_interactions
    assert filter.excludes_interactions
    plain = compile_filter('INCLUDE ItemID WHERE Items.GENRE IN ("A")', SCHEMAS)
    assert not plain.needs_user
    assert not plain.needs_current_item
    assert not plain.reads_interactions
    assert not plain.excludes_interactions
    assert plain.parameters == frozenset()


def test_events_are_excluded_only_when_the_expression_is_used():
    filter = compile_filter(EXC + "Interactions.EVENT_TYPE IN ($T)", SCHEMAS)
    assert filter.excludes_interactions
    assert not filter.bind(None).excludes_interactions
    assert filter.bind(None).is_static
    assert filter.bind({"T": "click"}).excludes_interactions


def test_the_key_tells_filters_apart_by_what_they_decide():
    filter = compile_filter(INC + "Items.GENRE IN ($G)", SCHEMAS)
    assert filter.bind({"G": '"A"'}).key == filter.bind({"G": " A "}).key
    assert filter.bind({"G": '"A"', "X": "1"}).key == filter.bind({"G": '"A"'}).key
    assert filter.bind({"G": '"A"'}).key != filter.bind({"G": '"B"'}).key
    again = compile_filter(INC + "Items.GENRE IN ($G)", SCHEMAS)
    assert again.bind({"G": '"A"'}).key == filter.bind({"G": '"A"'}).key
    optional = compile_filter(EXC + "Items.GENRE IN ($G)", SCHEMAS)
    assert optional.bind(None).key != optional.bind({"G": '"A"'}).key
    numbers = {**SCHEMAS, "ITEMS": schema("Items", ("ITEM_ID", "string"), ("STOCK", "int"))}
    retyped = compile_filter(INC + 'Items.STOCK IN ("1")', numbers)
    assert retyped.bind(None).key != compile_filter(INC + 'Items.STOCK IN ("1")', SCHEMAS).bind(None).key
    hash(filter.bind({"G": '"A"'}).key)


def test_deciding_the_user_makes_the_rest_static():
    filter = bound(ADULTS_ONLY)
    assert filter.depends_on_user_fields
    assert not filter.is_static
    assert filter.dropped_rows(item_facts("child")) is None
    decided = {user: filter.decided(item_facts(user)) for user in USER_IDS}
    assert all(one.is_static for one in decided.values())
    assert decided["adult"].key == decided["unknown"].key != decided["child"].key
    assert decided["adult"].decided(Facts()) is decided["adult"]


def test_rows_are_named_when_only_events_are_excluded():
    filter = bound(EXC + 'Interactions.EVENT_TYPE IN ("click") | ' + INC + 'Items.GENRE IN ("A","Horror")')
    assert sorted(filter.dropped_rows(item_facts("adult")).tolist()) == [1, 2]
    assert filter.dropped_rows(item_facts("unknown")).tolist() == []
    assert bound(INC + 'Items.GENRE IN ("A")').dropped_rows(item_facts("adult")).tolist() == []
    assert bound(INC + "Interactions.EVENT_TYPE IN (*)").dropped_rows(item_facts("adult")) is None
    assert bound(INC + "Items.PRICE < CurrentItem.PRICE").dropped_rows(item_facts("adult")) is None


def test_a_filter_that_needs_no_user_can_be_asked_without():
    assert bound(INC + "Items.YEAR = CurrentItem.YEAR").keep(ITEMS, user=None, current_item=2).sum() == 2
    with pytest.raises(ValueError, match="needs a user"):
        bound(ADULTS_ONLY).keep(ITEMS, user=None)


def test_the_item_asked_about_need_not_be_a_candidate():
    elsewhere = columns("ITEMS", ["new", "old"], {"new": ("B", 10.0)}, "GENRE", "PRICE")
    filter = bound(INC + "Items.PRICE < CurrentItem.PRICE AND Items.GENRE IN CurrentItem.GENRE")
    left = [
        filter.keep(ITEMS, user=None, current_item=row, current_columns=elsewhere).nonzero()[0].tolist()
        for row in (0, 1)
    ]
    assert left == [[ITEM_IDS.index("e")], []]


def test_records_put_later_are_seen():
    later = ITEMS.with_rows({ITEM_IDS.index("z"): {"ITEM_ID": "z", "GENRE": "A|Horror", "PRICE": 1.0}})
    filter = bound(INC + 'Items.GENRE IN ("A") AND Items.PRICE < 20')
    assert [ITEM_IDS[i] for i in kept(filter, later, Facts())] == ["f", "z"]
    assert [ITEM_IDS[i] for i in kept(filter, ITEMS, Facts())] == ["f"]
