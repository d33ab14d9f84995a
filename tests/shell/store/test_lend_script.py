"""The pool's script in Redis against its machine: the same loans and the same state for any sequence of borrows."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import pytest
from msgspec import msgpack
from redis.asyncio import Redis

from tests.bench.jobs_at_scale import measure_script
from tests.shell.store.redis_process import run_redis
from victor_fp.core.resilience.pool import Borrow, Lent, Pool, Share, TokenSecond, lend
from victor_fp.shell.store.packing import FORMAT, pack_borrow, unpack_lent
from victor_fp.shell.store.redis_scripts import LEND

TIMED = LEND.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}")
"""The script by the test's clock."""


def make_borrow(luck: random.Random, crowd: int, pool: Pool, now: float) -> Borrow:
    """Anything that a process may ask."""
    held = luck.choice((0, 0, 1, 3, 10))
    second = luck.choice(pool.tokens).second if pool.tokens else 7
    other = int(now) - luck.randint(-2, 70)
    return Borrow(
        name=f"{luck.randrange(crowd):02x}",
        requests_per_minute=luck.choice((None, 1, 60, 6000)),
        tokens_per_minute=luck.choice((None, 1000, 90_000)),
        concurrency=luck.choice((None, 2, 7, 100)),
        requests=luck.choice((0, 1, 5, 300)),
        ready=luck.choice((0, 0, 2)),
        tokens=luck.choice((0, 40, 5000)),
        least_tokens=luck.choice((0, 30, 2000)),
        permits=luck.choice((0, 1, 4, 50)),
        in_use=luck.randint(0, held),
        held=held,
        corrections=luck.choice(
            (
                (),
                (TokenSecond(second, -luck.randint(0, 50)), TokenSecond(3, 5), TokenSecond(other, luck.randint(1, 90))),
            )
        ),
        members=luck.choice((0, 3, 900)),
        cooled_until=luck.choice((-math.inf, now + 7)),
        cause=luck.choice(("", "rate limit")),
        is_alone=luck.random() < 0.1,
    )


@pytest.mark.parametrize(("seed", "crowd"), list(enumerate([6, 6, 6, 6, 50, 50])))
async def test_the_script_lends_what_the_machine_lends(seed: int, crowd: int) -> None:
    luck = random.Random(seed)
    now: float = 1_700_000_000.0
    pool: Pool | None = None
    async with run_redis() as url, Redis.from_url(url) as client:
        for _ in range(300):
            now += luck.choice((0.0, 0.125, 0.5, 3.0, 70.0 * (luck.random() < 0.05)))
            if luck.random() < 0.02:
                pool = None
                await client.delete("pool")
            borrow = make_borrow(luck, crowd, pool or Pool(), now)
            seconds, micros = divmod(round(now * 1e6), 10**6)
            answer = await client.eval(TIMED, 1, "pool", pack_borrow(borrow), FORMAT, 60_000, seconds, micros)
            pool, lent = lend(pool, borrow, now)
            found = unpack_lent(answer)
            assert found is not None
            assert list(list_numbers(found)) == pytest.approx(list(list_numbers(lent)), abs=1e-6)
            stored = await read_pool(client)
            assert (stored.tokens, stored.cause) == (pool.tokens, pool.cause)
            assert list(list_numbers(stored)) == pytest.approx(list(list_numbers(pool)), abs=1e-6)
            assert [one.name for one in stored.members] == [one.name for one in pool.members]
            assert [list(list_numbers(one)) for one in stored.members] == [
                pytest.approx(list(list_numbers(one)), abs=1e-6) for one in pool.members
            ]


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"\x01", b"garbage", b"\xc1", b"\x92\x03\x90", b"\x91" * 5000 + b"\x01"),
        *(msgpack.encode([FORMAT, [0.0, 0.0, 0.0, wrong, 0.0, "", wrong]]) for wrong in (None, 7, [7], [["x"]])),
        msgpack.encode([FORMAT, ["", {}, None, [], [], 3, []]]),
        msgpack.encode([FORMAT, [0.0, 0.0, 0.0, [], 0.0, 3, [0, [], [], []]]]),
        msgpack.encode([FORMAT, [0.0, 0.0, 0.0, [], 0.0, "", [0, [], [], ["x"], 0.0]]]),
    ],
)
@pytest.mark.parametrize("kind", ["string", "sorted set", "member"])
async def test_a_value_that_is_not_a_pool_is_ignored(value: bytes, kind: str) -> None:
    async with run_redis() as url, Redis.from_url(url) as client:
        if kind == "string":
            await client.set("pool", value)
        elif kind == "sorted set":
            await client.zadd("pool", {b"!" + value: 0})
        else:
            await client.eval(LEND, 1, "pool", pack_borrow(Borrow(name="a", concurrency=1)), FORMAT, 60_000)
            await client.zadd("pool", {b"a\0" + value: 0})
        asked = Borrow(name="a", requests_per_minute=60, requests=1, permits=1)
        found = unpack_lent(await client.eval(LEND, 1, "pool", pack_borrow(asked), FORMAT, 60_000))
        assert found is not None
        assert found.count == 1
        assert [one.name for one in (await read_pool(client)).members] == ["a"]


@pytest.mark.slow
async def test_the_time_of_the_script_does_not_grow_with_the_members() -> None:
    assert await measure_script(5000) < 5 * await measure_script(20)


def read_share(record: bytes) -> Share:
    """One member of the stored pool."""
    name, _, numbers = record.partition(b"\0")
    permits, wants, requests, tokens, until = struct.unpack("<5d", numbers)
    return Share(name.decode(), int(permits), int(wants), int(requests), int(tokens), until)


async def read_pool(client: Redis) -> Pool:
    """The stored pool."""
    found: Any = await client.zrange("pool", 0, -1)
    first, *others = found
    form, rest = msgpack.decode(first[1:])
    assert form == FORMAT
    settled_at, requests_until, tokens_until, tokens, cooled_until, cause, _ = rest
    return Pool(
        settled_at=settled_at,
        requests_until=requests_until,
        tokens_until=tokens_until,
        tokens=tuple(TokenSecond(*one) for one in tokens),
        members=tuple(map(read_share, others)),
        cooled_until=cooled_until,
        cause=cause,
    )


def list_numbers(value: Lent | object) -> list[float]:
    """All numbers of a struct."""
    fields: tuple[str, ...] = getattr(value, "__struct_fields__", ())
    return [found for name in fields if isinstance(found := getattr(value, name), int | float)]
