"""Direct identifiers (e-mail, phone, name, postal address) and how the import recognizes them: by what a column, a JSON key or an
alias type is called, and by what a value looks like. The texts are RE2 syntax, understood by DuckDB.

A value is recognized when its form leaves no doubt: an address with an at sign in any spelling, an international phone number,
a national one written with spaces or a slash. A name or a street without such a form is refused by what its column is called.
"""

from __future__ import annotations

import re

_SEP = "[_ -]?"
_PERSON = "first|last|full|family|given|middle|maiden|customer|user|contact|recipient|holder|vor|nach|familien|kunden"
_PLACE = "e[_ -]?mail|mail|postal|street|home|billing|shipping|delivery|invoice"
_PART = "|".join(
    (
        f"e{_SEP}mail", "mail", "phone", "mobile", "telephone", "telefon", "handy", "mobil", "whatsapp", "msisdn", "surname", "iban", "ssn",
        "street", "strasse", "straße", "anschrift", "(liefer|rechnungs|privat|wohn|haus|e?mail)?adresse",
        f"({_PERSON}){_SEP}name", f"({_PLACE}){_SEP}address", f"credit{_SEP}card",
    )
)  # fmt: skip
IDENTIFIER_NAME = f"(^|.*[_ .-])({_PART})({_SEP}number|{_SEP}nummer)?([_ .-].*|$)|^(name|address)$"
# Hashes of identifiers are pseudonyms: email_hash is a good alias type, not an address.
HASHED_NAME = "hash|sha|md5|token"

_AT = r"(@|＠|%40|\\u0040| ?[\[(]at[\])] ?)"
_EMAIL = rf"[\p{{L}}\p{{N}}._%+-]{_AT}[\p{{L}}\p{{N}}.-]+\.\p{{L}}{{2,}}"
_PHONES = (
    r"(^|[^0-9A-Za-z])\+[0-9][0-9 ()./-]{7,}",  # +49 170 1234567
    r"(^|[^0-9A-Za-z])00[1-9][0-9]?[ /]+[0-9][0-9 ()/-]{6,}",  # 0049 170 1234567
    r"(^|[^0-9A-Za-z.:/-])\(?0[1-9][0-9]{1,4}\)?[ /]+[0-9][0-9 -]{4,}[0-9]($|[^0-9.:/])",  # 0170 1234567, (030) 123456
    r"(^|[^A-Za-z])tel:[0-9(]",
)
IDENTIFIER_VALUE = "|".join((_EMAIL, *_PHONES))
# An alias type that names a thing, such as mobile_ad_id, is not a phone's number.
_THING = "(^|_)(ads?|app|campaign|cookie|device|mailing|push|session)(_|$)"
# What a hash looks like (32 hex digits or 43 of base64url), or a token (16 letters and digits): nothing a person could be called by.
_HASH = "^[0-9A-Fa-f-]{32,128}$|^[A-Za-z0-9_-]{43,128}$"
HASH_WORDS = "a hash of at least 32 hex digits or 43 base64url characters, or a token of at least 16 letters and digits"


def is_identifier(name: str) -> bool:
    """Whether a name says that it holds a direct identifier in the clear."""
    return is_about_identifier(name) and re.search(HASHED_NAME, name.lower()) is None


def is_about_identifier(name: str) -> bool:
    """Whether a name says that it holds a direct identifier, in the clear or hashed."""
    return re.match(IDENTIFIER_NAME, _spelled(name)) is not None


def clear_alias_type(name: str) -> str:
    """An SQL condition: an alias type (a text expression) says that its aliases are direct identifiers in the clear."""
    return f"({identifying_alias_type(name)} AND NOT regexp_matches({name}, '{HASHED_NAME}'))"


def identifying_alias_type(name: str) -> str:
    """An SQL condition: an alias type (a text expression) says that its aliases are direct identifiers, in the clear or hashed."""
    return f"(regexp_matches({name}, '{IDENTIFIER_NAME}') AND NOT regexp_matches({name}, '{_THING}'))"


def holds_identifier(value: str) -> str:
    """An SQL condition: a text expression looks like an e-mail address or a phone number somewhere."""
    return f"regexp_matches({value}, '{IDENTIFIER_VALUE}')"


def not_hashed(name: str, value: str) -> str:
    """An SQL condition: `value` is no hash, though `name` (both text expressions) says that it holds one."""
    token = f"lower({name}) LIKE '%token%' AND length({value}) >= 16 AND regexp_matches({value}, '[0-9]') AND regexp_matches({value}, '[A-Za-z]')"
    return f"(NOT regexp_matches({value}, '{_HASH}') AND NOT ({token}))"


def plain_json(value: str) -> str:
    """SQL for a JSON text in its shortest spelling, where an escaped letter stands as itself; null where it is no JSON."""
    return f"CAST(CASE WHEN json_valid({value}) THEN json({value}) END AS VARCHAR)"


def json_key() -> str:
    """A regular expression for text that holds a JSON key which says "direct identifier"."""
    start = IDENTIFIER_NAME.replace("(^|.*[_ .-])", '"([^":]*[_ .-])?')
    return start.replace("([_ .-].*|$)", '([_ .-][^":]*)?" *:').replace("^(name|address)$", '"(name|address)" *:')


def holds_identifier_key(value: str) -> str:
    """An SQL condition: a JSON text has a key, at whatever depth, that says "direct identifier"."""
    return f"regexp_matches({_sql_spelled(plain_json(value))}, '{json_key()}')"


def _spelled(name: str) -> str:
    """Lower case, with the parts of a camelCase name apart."""
    return re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _sql_spelled(name: str) -> str:
    return rf"lower(regexp_replace({name}, '([a-z0-9])([A-Z])', '\1_\2', 'g'))"
