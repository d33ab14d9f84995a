"""A stand-in for a provider's vendor: says turns in the provider's own protocol, whole or as a stream, as it is asked."""

from __future__ import annotations

from victor_fp.core import catalogue
from victor_fp.core.result import outcome
from victor_fp.testing.answers import Answer, Received, Script
from victor_fp.testing.turns import Turn
from victor_fp.testing.writers import PROTOCOLS, Writer, writer


def writer_for(name: str) -> Writer:
    """The writer for a provider's name, an alias, or a protocol's name. Raises LookupError."""
    from returns.result import Failure, Success

    if name in PROTOCOLS:
        return writer(name)
    match outcome(catalogue.find(name)):
        case Success(spec):
            return writer(spec.dialect.protocol)
        case Failure(fault):
            raise LookupError(fault.message)


def vendor(name: str, *turns: Turn | Answer) -> Script:
    """A script for `serving`: the turns one request after another, the last one for all that follow.

    A stand-in takes any key and any model. An `Answer` is given as it is.
    """
    speaks = writer_for(name)
    told = 0

    def script(received: Received) -> Answer:
        nonlocal told
        led = lead(speaks, received)
        if led is not None:
            return led
        turn = turns[min(told, len(turns) - 1)]
        told += 1
        return said(speaks, turn, received)

    return script


def lead(speaks: Writer, received: Received) -> Answer | None:
    """The answer to a request that only leads to the answer."""
    return None if speaks.lead is None else speaks.lead(received)


def said(speaks: Writer, turn: Turn | Answer, received: Received) -> Answer:
    """A turn in the form that was asked for."""
    if isinstance(turn, Answer):
        return turn
    return speaks.stream(turn) if speaks.streams(received) else speaks.whole(turn)
