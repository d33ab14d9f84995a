"""Redaction: secrets stay out of messages, URLs, evidence and logs.

Texts are redacted before they are truncated, so that a truncated secret is not missed. For texts that were truncated
before the secrets were known, `hide_secrets` also removes a prefix of a secret at the end. All functions are linear in
the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

HIDDEN = "..."
REDACTED = "[redacted]"
CUT = "\N{HORIZONTAL ELLIPSIS}"
"""The last character of a truncated text."""
SHORTEST_SECRET = 8
"""Characters. Shorter values are placeholders such as "none", and would match ordinary words."""
SHORTEST_PREFIX = 4
"""Minimum characters of a secret's prefix that is removed from the end of a truncated text."""
LONGEST_TEXT = 64 * 1024
"""Maximum characters of a text that are processed; the remainder is never shown."""

_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET_WORDS = frozenset(
    {
        "apikey",
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "key",
        "passphrase",
        "passwd",
        "password",
        "secret",
        "secrets",
        "sig",
        "signature",
        "token",
    }
)
_USER_INFO = re.compile(r"(?<=://)[^/\s?#@]*@(?=[^/\s?#])")
_QUERY_VALUE = re.compile(r"(?<=[?&])([^=&?#\s]*)=([^&#\s]+)")


@cache
def _compile_credentials() -> tuple[re.Pattern[str], ...]:
    """Compile the formats of credentials that are recognisable in any text, at the first text that is redacted."""
    return (
        # Prefixes of vendors: OpenAI, Anthropic, OpenRouter, DeepSeek (sk-), Groq, xAI, Google, Hugging Face, AWS, ...
        # Asterisks: some vendors repeat a masked key, of which both ends are still visible.
        re.compile(
            r"\b(?:(?:sk|pk|rk|gsk|xai|hf|pplx|csk|fw|nvapi|r8|tgp_v1)[-_]|AIza|AKIA|ASIA|ya29\.)[A-Za-z0-9_*-]{10,}"
        ),
        re.compile(r"(?i)(?<=\bbearer )[a-z0-9._~+/=-]{8,}"),
        # OpenAI: "Incorrect API key provided: <the key>."
        re.compile(r"(?<=provided: )[^\s.,;]+(?:[.,;]+[^\s.,;]+)*"),
        re.compile(r"(?<=://)[^/\s?#@:]*:[^/\s?#@]*(?=@)"),
    )


@cache
def _compile_named_credentials() -> re.Pattern[str]:
    """Compile the format of values that follow the name of a header or field for keys: for evidence and logs only."""
    return re.compile(
        r"(?i)((?:authorization|api[-_ ]?key|access[-_]?token|secret|password)[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?)(?:bearer |basic )?[^\s\"',;&}]+"
    )


def is_secret_name(name: str) -> bool:
    """Return whether the name of a keyword, header or query parameter indicates a secret.

    >>> is_secret_name("aws_secret_access_key"), is_secret_name("X-Api-Key"), is_secret_name("max_tokens")
    (True, True, False)
    """
    return not _SECRET_WORDS.isdisjoint(word.lower() for word in _WORDS.findall(name))


def redact_url(url: str) -> str:
    """Remove user info, fragment and secret query values from a URL.

    >>> redact_url("https://me:hunter2@gateway.test/v1?key=abc&alt=sse")
    'https://...@gateway.test/v1?key=...&alt=sse'
    """
    bare = _USER_INFO.sub(f"{HIDDEN}@", url.partition("#")[0])
    return _QUERY_VALUE.sub(lambda pair: f"{pair[1]}={HIDDEN if is_secret_name(pair[1]) else pair[2]}", bare)


def redact_text(text: str, *, names: bool = False) -> str:
    """Remove credentials from a text; with `names`, also values that follow names like `api_key:`.

    >>> redact_text("Incorrect API key provided: sk-abcdefghijklmnop. See our docs.")
    'Incorrect API key provided: [redacted]. See our docs.'
    """
    for pattern in _compile_credentials():
        text = pattern.sub(REDACTED, text)
    return _compile_named_credentials().sub(rf"\1{REDACTED}", text) if names else text


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Remove these secrets from a text; if it was truncated, also a secret's prefix at its end.

    >>> hide_secrets("wrong key: abcdefgh-1234, abcdef\N{HORIZONTAL ELLIPSIS}", ["abcdefgh-1234"])
    'wrong key: [redacted], [redacted]\N{HORIZONTAL ELLIPSIS}'
    """
    hidden = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    for secret in hidden:
        text = text.replace(secret, REDACTED)
    if hidden and text.endswith(CUT):
        body = text.removesuffix(CUT)
        for secret in hidden:
            for length in range(min(len(secret), len(body)), SHORTEST_PREFIX - 1, -1):
                if body.endswith(secret[:length]):
                    return f"{body[:-length]}{REDACTED}{CUT}"
    return text


def cut_text(text: str, limit: int) -> str:
    """Truncate a text to `limit` characters, with an ellipsis at the end."""
    return text if len(text) <= limit else text[: limit - 1] + CUT


def cut_bytes(text: str, limit: int) -> str:
    """Truncate a text to `limit` bytes of UTF-8, with an ellipsis at the end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    return data[: limit - len(CUT.encode())].decode("utf-8", "ignore") + CUT
