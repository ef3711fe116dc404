"""Function words of some languages, `FUNCTION_WORDS`: words that say little by themselves (stop words)."""

from __future__ import annotations

_ENGLISH = """
a about after all also an and any are as at be been before between but by can could did do does for from
get gets has have he her his how i if in into is it its just like may more most must my new no not now of
off on one or other our out over own s she so some such t than that the their them then there these they
this to too two up us very was we were what when where which who whose will with would you your
"""
_GERMAN = """
aber als am an auch auf aus bei das dem den der des die durch ein eine einem einen einer es für hat ich im
ist mit nach nicht oder sich sie sind so über um und unter vom von vor was wie wird zu zum zur
"""
_FRENCH = """
au aux avec ce ces dans de des du elle en est et il la le les leur mais ne on ou par pas pour qui que sa
se ses son sont sur un une
"""
_SPANISH = "al con como del el es esta este la las lo los más o para pero por que se sin su sus un una y"
_ITALIAN = "che con da dei del della di e gli i il in la le lo nel non per più si sono un una"
_PORTUGUESE = "com da das do dos e em na no nos o os para por que se um uma"

FUNCTION_WORDS = frozenset(" ".join((_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE)).split())
