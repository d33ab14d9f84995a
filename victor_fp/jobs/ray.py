"""Jobs on a Ray cluster: the extra `ray`.

for end in run_shards("prompts/", "/shared/out", make_provider, model="gpt-5-mini"):
    print(end.name, end.report.done, end.stopped)

A shard is a Ray task, which Ray schedules, and restarts on another worker if its worker or node is lost. The task runs the
ordinary job on the rows of the shard with its ledger, so that a restarted task continues where the lost one stopped.
Limits, cooldowns, breakers and budgets are shared through a `RedisStore`, or through one Ray actor, `RayStore`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from returns.result import Failure, Success

from victor_fp.core.faults import Cancelled, ConnectionFailed, Fault, InvalidRequest, is_shared_fault
from victor_fp.core.jobs.shards import Shard
from victor_fp.core.resilience.pool import Borrow, Lent, Pool, lend
from victor_fp.core.result import outcome
from victor_fp.jobs.shards import (
    MakeProvider,
    MakeStore,
    ShardEnd,
    is_complete,
    plan_shards,
    read_shard_report,
    run_shard,
)
from victor_fp.jobs.sources import ColumnRules
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.shared import OnLoss, SharedStore, Swapped

__all__ = ["RayStore", "close_store", "run_shards"]

STORE = "victor_fp-store"
NAMESPACE = "victor_fp"
KEEPER_PATIENCE = 300.0
"""Seconds for which a job waits for its actor at the start."""


def run_shards(
    source: str | Path | Iterable[str | Path],
    output: str | Path,
    make_provider: MakeProvider,
    *,
    make_store: MakeStore | None = None,
    rows_per_shard: int = 10_000,
    template: str | None = None,
    key: str | None = None,
    system: str | None = None,
    num_cpus: float = 1.0,
    retries: int = 20,
    durable: bool = True,
    **options: Any,
) -> Iterator[ShardEnd]:
    """Run a job on the Ray cluster, and yield the outcome of each shard, in the order in which they end.

    `source` is a JSONL or Parquet file, a folder of them, or several of both; `output` is a folder that all nodes can
    access. It contains the plan of the shards, and for each shard `NAME.jsonl` with its results and its ledger. A job that
    is run again with the same output sends only unfinished rows; complete shards are yielded first, with `is_resumed`.

    `make_provider(store)` is called on the workers and returns a provider or an awaitable of one; read keys there.
    `make_store` creates the shared store, such as `lambda: RedisStore(url)`; by default it is a Ray actor. `template`,
    `key` and `system` are those of `read_rows`; `options` are those of `victor_fp.jobs.run`, where `concurrency` applies to
    each worker and `budget` to all together. A task reserves `num_cpus` and is restarted up to `retries` times if its
    worker is lost. `durable=False` saves a disk write per commit; after a host failure some rows may be sent again.

    A shard that stops for a reason that affects all shards, such as an exhausted budget, ends the job: no more shards are
    started. A rejected job yields one `ShardEnd` without a name, whose `stopped` has the reason.
    """
    ray = _import_ray()
    rules = ColumnRules(template=template, key=key, system=system)
    match outcome(plan_shards(source, output, rows_per_shard=rows_per_shard, rules=rules, **options)):
        case Failure(fault):
            yield ShardEnd(name="", stopped=fault)
            return
        case Success(shards):
            pass
    folder, open_shards = Path(output).absolute(), list[Shard]()
    retry_failed = bool(options.get("retry_failed"))
    for shard in shards:
        report = read_shard_report(shard, folder)
        if report is not None and is_complete(report, retry_failed=retry_failed):
            yield ShardEnd(name=shard.name, report=report, is_resumed=True)
        else:
            open_shards.append(shard)
    if not open_shards:
        return
    if not ray.is_initialized():
        ray.init()
    if make_store is None:
        if (lost := _wait_for_keeper(ray)) is not None:
            yield ShardEnd(name="", stopped=lost)
            return
        make_store = RayStore
    task = partial(
        run_shard,
        output=folder,
        make_provider=make_provider,
        make_store=make_store,
        rules=rules,
        durable=durable,
        **options,
    )
    yield from _schedule(ray, open_shards, task, num_cpus, retries)


def _schedule(ray: Any, shards: list[Shard], task: Any, num_cpus: float, retries: int) -> Iterator[ShardEnd]:
    """Submit shards to Ray: twice as many as it has slots, so that no slot is idle and the autoscaler sees the demand."""
    remote = ray.remote(num_cpus=num_cpus, max_retries=retries)(_run_task)
    shared = ray.put(task)
    waiting, running, stopped = iter(shards), dict[Any, Shard](), False
    try:
        while True:
            slots = ray.cluster_resources().get("CPU", 1.0) / max(num_cpus, 0.01)
            while not stopped and len(running) < max(4, 2 * slots) and (shard := next(waiting, None)) is not None:
                running[remote.options(name=f"shard {shard.name}").remote(shared, shard)] = shard
            if not running:
                return
            (ref,), _ = ray.wait(list(running))
            end = _fetch_end(ray, ref, running.pop(ref))
            stopped = stopped or (end.stopped is not None and is_shared_fault(end.stopped))
            yield end
    finally:
        # The caller has stopped iterating: tasks stop at their next await, and rows in flight remain unfinished.
        for ref in running:
            ray.cancel(ref)


def _run_task(task: Any, shard: Shard) -> ShardEnd:
    end: ShardEnd = asyncio.run(task(shard))
    return end


def _fetch_end(ray: Any, ref: Any, shard: Shard) -> ShardEnd:
    """Return the result of a task. A task that raised, or that Ray gave up, affects only its shard."""
    where = f"shard {shard.name} of {shard.path}"
    try:
        end: ShardEnd = ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return ShardEnd(name=shard.name, stopped=InvalidRequest(message=f"{where}: {reason}"))
    except ray.exceptions.RayError as error:
        message = f"{where} failed: {type(error).__name__}; run the job again"
        return ShardEnd(name=shard.name, stopped=Cancelled(message=message))
    return end


class StateKeeper:
    """The actor: values by name, and a clock. Ray runs its methods one at a time."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._pools: dict[str, Pool] = {}

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> tuple[bool, bytes, float]:
        """Replace `expected` with `wanted`; return whether it was done, the current value if not, and the time."""
        current = self._values.get(name, b"")
        done = current == expected
        if done:
            self._values[name] = wanted
        return done, b"" if done else current, time.time()

    async def lend(self, name: str, borrow: Borrow) -> Lent:
        """Take a step of the pool of this name."""
        self._pools[name], lent = lend(self._pools.get(name), borrow, time.time())
        return lent


class RayStateServer:
    """Calls the actor; methods return None if it is lost, or is being restarted."""

    def __init__(self, keeper: Any) -> None:
        self._keeper = keeper
        self._lost: type[Exception] = _import_ray().exceptions.RayError

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Replace `expected` by `wanted`."""
        try:
            done, current, at = await self._keeper.swap.remote(name, expected, wanted)
        except self._lost:
            return None
        return Swapped(done=done, current=current, at=at)

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """Take a step of the pool of this name."""
        try:
            lent: Lent = await self._keeper.lend.remote(name, borrow)
        except self._lost:
            return None
        return lent

    async def aclose(self) -> None:
        """Do nothing: other processes may use the actor."""


class RayStore(SharedStore):
    """Limits, cooldowns, breakers and budgets in one Ray actor, for clusters without Redis.

    The actor is found by its name, or started on this node. It outlives the job, so that a budget continues when a job is
    run again, and ends with its node or by `close_store`. A restarted actor is empty, and spent amounts are restored only
    from processes that are still running: use Redis for budgets that must not be lost.
    """

    def __init__(
        self,
        name: str = STORE,
        *,
        on_loss: OnLoss = "open",
        timeout: float = 2.0,
        poll: float = 0.1,
        runtime: Runtime = SYSTEM,
    ) -> None:
        super().__init__(
            RayStateServer(_find_keeper(name)), on_loss=on_loss, timeout=timeout, poll=poll, runtime=runtime
        )


def close_store(name: str = STORE) -> Fault | None:
    """End the actor of a `RayStore` and discard its state. Return a fault if there is no such actor."""
    ray = _import_ray()
    try:
        ray.kill(ray.get_actor(name, namespace=NAMESPACE))
    except ValueError:
        return InvalidRequest(message=f"there is no actor {name!r} in the namespace {NAMESPACE!r}")
    return None


def _find_keeper(name: str) -> Any:
    """Return the actor of this name. A missing actor is started on this node, because a driver's node outlives its job."""
    ray = _import_ray()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=True)
    made = ray.remote(num_cpus=0, max_restarts=-1, max_concurrency=1000)(StateKeeper)
    return made.options(
        name=name, namespace=NAMESPACE, get_if_exists=True, lifetime="detached", scheduling_strategy=here
    ).remote()


def _wait_for_keeper(ray: Any) -> Fault | None:
    """Wait until the actor of the job answers. Ray restarts one whose node was lost when it has noticed the loss."""
    ends = time.monotonic() + KEEPER_PATIENCE
    while True:
        try:
            ray.get(_find_keeper(STORE).__ray_ready__.remote())
        except ray.exceptions.ActorUnavailableError as error:
            if time.monotonic() > ends:
                return ConnectionFailed(
                    message=f"the actor of the shared store does not respond: {error}", phase="pool"
                )
            time.sleep(0.5)
        else:
            return None


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("jobs on Ray require the extra: pip install 'victor-fp[ray]'", name="ray") from error
    return ray
