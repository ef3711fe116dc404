"""Expressions printed in Amazon's guides and sample code, as they stand there. All of them are valid."""

# ruff: noqa: E501

EXPRESSIONS = """
EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($EVENT_TYPE)
EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click", "stream")
INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click")
EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchased")
EXCLUDE ItemID WHERE Items.CATEGORY IN ($CATEGORY)
EXCLUDE ItemID WHERE Items.CATEGORY IN ("$CATEGORY")
EXCLUDE ItemID WHERE Items.CATEGORY IN ("shoe") AND Items.DESCRIPTION NOT IN ("boot")
EXCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("shoe") AND Items.CATEGORY_L2 NOT IN ("boot")
INCLUDE ItemID WHERE Items.PRICE <= $PRICE
INCLUDE ItemID WHERE Items.CREATION_TIMESTAMP < $DATE
INCLUDE ItemID WHERE Items.GENRE IN ($GENRE)
INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.GENRE IN CurrentItem.GENRE
INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.CREATION_TIMESTAMP > $DATE
EXCLUDE ItemID WHERE Items.GENRE IN ($GENRE) IF CurrentUser.AGE = $AGE
INCLUDE ItemID WHERE Items.CATEGORY IN ("watch") AND Items.DESCRIPTION IN ("luxury") IF CurrentUser.AGE > 18
INCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("watch") AND Items.CATEGORY_L2 IN ("luxury") IF CurrentUser.AGE > 18
INCLUDE ItemID WHERE Items.OWNER IN ("in-house")
INCLUDE ItemID WHERE Items.CATEGORY IN ("clothing") AND Items.AVAILABLE IN ("True")
INCLUDE ItemID WHERE Items.CATEGORY IN ($CATEGORY) | INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("favorite")
INCLUDE ItemID WHERE Items.GENRE IN ($GENRE) | EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click", "stream")
INCLUDE UserID WHERE Users.MEMBERSHIP_STATUS IN ($MEMBERSHIP)
EXCLUDE UserID WHERE Users.AGE < $AGE
INCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("click, rating")
EXCLUDE UserID WHERE Interactions.EVENT_TYPE IN ($EVENT_TYPE)
INCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ($EVENT_TYPE)
EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("NOT_TAKEN")
EXCLUDE ActionID WHERE Actions.CATEGORY IN ($CATEGORY)
INCLUDE ActionID WHERE Actions.VALUE > ($VALUE)
INCLUDE ActionID WHERE Action.MEMBERSHIP_LEVEL IN ("Premium") IF CurrentUser.MEMBERSHIP = $PREMIUM
EXCLUDE ActionID WHERE Actions.VALUE < ($VALUE) IF CurrentUser.MEMBERSHIP = $PREMIUM
EXCLUDE ItemID WHERE Interactions.event_type IN ("watch")
INCLUDE ItemID WHERE Interactions.event_type IN ("watch")
INCLUDE ItemID WHERE Interactions.event_type IN ('watched','favorited')
EXCLUDE ItemID WHERE Items.out_of_stock IN ('yes')
INCLUDE ItemID WHERE Items.genre IN ($GENRES)
INCLUDE ItemID WHERE Items.GENRE IN ("Film-Noir")
INCLUDE ItemID WHERE Items.YEAR >= 1970 AND Items.YEAR < 1980
INCLUDE ItemID WHERE Items.creation_timestamp > 1633240824
INCLUDE ItemID WHERE Items.CREATION_TIMESTAMP > $TIMESTAMP
INCLUDE ItemID WHERE Items.published_date > 20211001
INCLUDE ItemID WHERE Items.ALLOWED_COUNTRIES IN ($CONTEXT_COUNTRY)
INCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("electronics")
INCLUDE ItemID WHERE ITEMS.CATEGORY_L1 IN ($CATEGORIES)
INCLUDE ItemID WHERE Items.CATEGORY_L2 IN ("halloween")
INCLUDE ItemID WHERE Items.CATEGORY_L2 IN ($CATEGORY)
INCLUDE ItemID WHERE ITEMS.CATEGORY_L1 IN CurrentItem.CATEGORY_L1
EXCLUDE itemId WHERE INTERACTIONS.event_type in ("Purchase")
EXCLUDE ItemID WHERE ITEMS.CATEGORY_L1 NOT IN ("cold dispensed", "hot dispensed", "salty snacks", "food service")
EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase") | EXCLUDE ItemID WHERE ITEMS.CATEGORY_L1 IN ("cold dispensed", "hot dispensed", "salty snacks", "food service")
EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase") | INCLUDE ItemID WHERE ITEMS.CATEGORY_L1 IN CurrentItem.CATEGORY_L1
EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase") | INCLUDE ItemID WHERE ITEMS.PROMOTED IN ("Y")
EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase") | INCLUDE ItemID WHERE ITEMS.PROMOTED IN ("Y") AND ITEMS.CATEGORY_L1 NOT IN ("cold dispensed", "hot dispensed", "salty snacks", "food service")
INCLUDE ItemID WHERE Interactions.EVENT_TYPE in ("click", "stream")
INCLUDE ItemID WHERE Interactions.EVENT_TYPE in ('click', 'stream')
INCLUDE ItemID WHERE Interactions.EVENT_TYPE in ("*")
exclude UserId where users.country in ("England", "Japan購入")
""".strip().splitlines()
