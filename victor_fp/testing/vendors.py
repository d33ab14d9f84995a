"""Scripts that respond like a provider's vendor, in its protocol, with a body or a stream."""

from __future__ import annotations

from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.result import outcome
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing.answers import Answer, Received, Script, json_answer
from victor_fp.testing.retrieval import answer_retrieval
from victor_fp.testing.script import CallIds, Turn
from victor_fp.testing.writers import Writer, load_writer


def find_writer(name: str) -> Writer:
    """Return the writer for a provider's name, an alias, or a protocol's name. Raises LookupError."""
    from returns.result import Failure, Success

    if name in PROTOCOLS:
        return load_writer(name)
    match outcome(ProviderRegistry.catalogue().find(name)):
        case Success(spec):
            return load_writer(spec.dialect.protocol)
        case Failure(fault):
            raise LookupError(fault.message)


def vendor(name: str, *turns: Turn | Answer) -> Script:
    """Return a script for `serving`: one turn for each request in order; the last one is repeated.

    Any key and any model are accepted. An `Answer` is sent unchanged. Embedding and reranking requests are handled by
    stubs and use no turn, so that turns are not required for these; see `stub_vector` and `stub_score`.
    """
    protocol_writer = find_writer(name)
    ids = CallIds()
    sent = 0

    def answer(received: Received) -> Answer:
        nonlocal sent
        preliminary = answer_preliminary(protocol_writer, received) or answer_retrieval(received)
        if preliminary is not None:
            return preliminary
        if not turns:
            return json_answer({"error": {"message": f"no turn for {received.path}"}}, 404)
        turn = turns[min(sent, len(turns) - 1)]
        sent += 1
        return render_turn(protocol_writer, turn, received, ids)

    return answer


def answer_preliminary(protocol_writer: Writer, received: Received) -> Answer | None:
    """Return the response to a preliminary request of the protocol; None for other requests."""
    return None if protocol_writer.lead is None else protocol_writer.lead(received)


def render_turn(protocol_writer: Writer, turn: Turn | Answer, received: Received, ids: CallIds) -> Answer:
    """Write a turn as a body or a stream, depending on the request; calls without ids get one from `ids`."""
    if isinstance(turn, Answer):
        return turn
    turn = ids.assign(turn)
    return protocol_writer.stream(turn) if protocol_writer.streams(received) else protocol_writer.build_answer(turn)
