"""Interactions stored by the server, retrieved by id."""

from __future__ import annotations

from functools import partial

from victor_fp_wire.gemini_interactions.operations import CancelInteraction, GetInteraction

from victor_fp.core.json import Undecodable
from victor_fp.core.long_running.background import Background, BackgroundStatus
from victor_fp.core.protocols.gemini_interactions.response import INTERACTIONS, UNFINISHED
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Endpoint, HttpRequest


def bind_background(endpoint: Endpoint) -> Background:
    """Return the operations that retrieve and cancel an interaction."""
    return Background(
        read_status=read_background_status,
        retrieve=partial(_build_retrieval, endpoint),
        cancel=partial(_cancel, endpoint),
    )


def read_background_status(body: bytes) -> BackgroundStatus:
    """Return the id of the interaction in a body, and whether it is still running."""
    interaction = INTERACTIONS.decode(body)
    if isinstance(interaction, Undecodable) or not interaction.id:
        return BackgroundStatus()
    return BackgroundStatus(id=interaction.id, progress="running" if interaction.status in UNFINISHED else "ended")


def _build_retrieval(endpoint: Endpoint, id_: str) -> HttpRequest:
    return build_request(endpoint, GetInteraction(id=id_))


def _cancel(endpoint: Endpoint, id_: str) -> HttpRequest:
    return build_request(endpoint, CancelInteraction(id=id_))
