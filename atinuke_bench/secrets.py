"""Texts without passwords, keys and tokens: every URL and every message of another package is shown through here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote

HIDDEN = "***"

#: Names of a URL's query fields whose values are secret; `passfile` names a file.
_SECRET_NAME = re.compile(
    r"pass(?!file)|pwd|secret|token|credential|signature|api_?key|access_?key|account_?key|^(sig|key|auth)$",
    re.IGNORECASE,
)
#: Names of environment variables whose values are secret; `PWD` is none.
_SECRET_VARIABLE = re.compile(r"(password|passwd|_pwd|secret|token|_key|apikey)$", re.IGNORECASE)
# A scheme is short. Without a bound a long text without any takes time that grows with its square.
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s\"'<>`]+")
# Costs are per token, and a tokenizer has its own ones (`pad_token=[PAD]`); a comparison assigns nothing.
_ASSIGNMENT = re.compile(
    r"\b(\w*(?:password|passwd|pwd|secret|api_?key)|(?!\w*(?:per|pad|unk|cls|sep|mask|bos|eos|special)_token\b)\w*token)"
    r"(\s*=\s*)(?!=)([^\s&;,\"')]+)",
    re.IGNORECASE,
)
#: A host with or without a port, and nobody's name before it.
_HOST_ALONE = re.compile(r"(\[[^\]]*\]|[^:@]*)(:\d*)?")
#: Shorter values of the environment are words that a text may hold for other reasons.
_FEWEST_CHARACTERS = 8


def shown_url(url: str) -> str:
    """A URL without its password and the secret fields of its query; on the web without its user, often a token.

    >>> shown_url("postgresql://ada:pass@host/studies?sslmode=require&sslpassword=pass")
    'postgresql://ada:***@host/studies?sslmode=require&sslpassword=***'
    >>> shown_url("https://token@host:8080/api"), shown_url("ada:pass@proxy:3128")
    ('https://***@host:8080/api', '***@proxy:3128')
    """
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    user, rest = _split_user(rest)
    if user is not None:
        name, colon, _ = user.partition(":")
        is_database = separator and not scheme.lower().startswith("http")
        rest = (f"{name}{colon and ':' + HIDDEN}" if is_database else HIDDEN) + "@" + rest
    path, mark, query = rest.partition("?")
    fields = [_shown_field(field) for field in re.split(r"([&;#])", query)]
    return scheme + separator + path + mark + "".join(fields)


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text without the secrets of its URLs, of assignments such as `password=…`, and of the environment.

    >>> without_secrets("cannot reach postgresql://ada:pass@host/studies (token=abc)", {})
    'cannot reach postgresql://ada:***@host/studies (token=***)'
    """
    text = _URL_IN_TEXT.sub(lambda found: shown_url(found[0]), text)
    text = _ASSIGNMENT.sub(rf"\1\2{HIDDEN}", text)
    for name, value in environment.items():
        if len(value) >= _FEWEST_CHARACTERS and _SECRET_VARIABLE.search(name) and value in text:
            text = text.replace(value, HIDDEN)
    return text


def _split_user(rest: str) -> tuple[str | None, str]:
    """User and password, if any, and what follows the last `@`: a password may hold what should be escaped in it."""
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in host and (_HOST_ALONE.fullmatch(host) or "@" not in rest):
        return None, rest
    user, _, rest = rest.rpartition("@")
    return user, rest


def _shown_field(field: str) -> str:
    name, equals, value = field.partition("=")
    if equals and (_SECRET_NAME.search(unquote(name)) or _ASSIGNMENT.search(unquote(value))):
        return f"{name}={HIDDEN}"
    return field
