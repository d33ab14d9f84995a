"""The index of the built-in catalogue: the group of each provider; written by `nox -s docs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from victor_fp.core import catalogue
from victor_fp.core.catalogue import load_group
from victor_fp.core.catalogue.entries import GROUPS

HEAD = '''"""The names of the built-in providers by group; written by `nox -s docs` from the groups in `entries`."""

from __future__ import annotations

'''
INDEX_FILE = Path(catalogue.__file__).parent / "index.py"


def render_index() -> str:
    """Return the text of `core/catalogue/index.py`."""
    entries = [(group, entry) for group in GROUPS for entry in load_group(group)]
    names = {entry.name: group for group, entry in entries}
    aliases = {alias: entry.name for _, entry in entries for alias in entry.aliases}
    return HEAD + _render("NAMES", names) + _render("ALIASES", aliases)


def _render(name: str, items: Mapping[str, str]) -> str:
    rows = "".join(f'    "{key}": "{value}",\n' for key, value in items.items())
    return f"{name}: dict[str, str] = {{\n{rows}}}\n"
