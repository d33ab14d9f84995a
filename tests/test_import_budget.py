"""Nothing happens at import: what is loaded, opened and warned about, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "aiohttp",
    "httpx",
    "victor_fp_wire",
    "typer",
    "rich",
    "keyring",
    "yaml",
    "botocore",
    "google",
    "genai_prices",
    "victor_fp.core.models.limit_data",
    "victor_fp.core.models.capability_data",
)


def run(code: str, *flags: str) -> str:
    """What a fresh interpreter prints; it must end well and say nothing on stderr."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
    command = [sys.executable, *flags, "-c", textwrap.dedent(code)]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def list_loaded(*statements: str) -> list[set[str]]:
    """The heavy modules that are loaded after each statement."""
    loaded = run("import sys\n" + "".join(f"{statement}\nprint(*sys.modules)\n" for statement in statements))
    return [
        {heavy for heavy in HEAVY if any(name == heavy or name.startswith(f"{heavy}.") for name in line.split())}
        for line in loaded.splitlines()
    ]


def test_the_package_alone_loads_nothing_but_itself() -> None:
    names = run("import victor_fp, sys; print(*sys.modules)").split()
    assert not {name for name in names if name.split(".")[0] in {*HEAVY, "pydantic", "msgspec", "returns", "asyncio"}}


@pytest.mark.parametrize(
    "statements",
    [
        (
            "from victor_fp.providers.registry import ProviderRegistry",
            "from victor_fp.providers.base import BaseProvider, Message",
            "from victor_fp import Message, ProviderRegistry, outcome, describe",
            "ProviderRegistry.create('openai', api_key='k')",
        ),
        ("import victor_fp.cli",),
    ],
    ids=["names and a provider", "command line"],
)
def test_names_and_providers_load_no_client_and_no_wire_model(statements: tuple[str, ...]) -> None:
    assert list_loaded(*statements) == [set()] * len(statements)


def test_the_registry_and_the_standard_types_load_no_provider() -> None:
    names = run("import victor_fp.providers.registry, victor_fp.providers.base, sys; print(*sys.modules)").split()
    kinds = ("returns", "asyncio", "victor_fp.core.catalogue", "victor_fp.core.dialects", "victor_fp.core.protocols")
    assert not [name for name in names if name.startswith(kinds)]


def test_one_protocol_loads_only_its_own_wire_models() -> None:
    code = """
    from victor_fp import Message, replay
    replay.request("openai", [Message(role="user", content="Hi")], model="m").unwrap()
    import sys
    print(*sorted({name.split(".")[1] for name in sys.modules if name.startswith("victor_fp_wire.")}))
    """
    assert run(code).split() == ["openai_chat"]


def test_one_provider_loads_only_its_group_of_the_catalogue() -> None:
    code = """
    from victor_fp import ProviderRegistry
    ProviderRegistry.create("claude", api_key="k")
    names = ProviderRegistry.list_providers()
    import sys
    print(*sorted(name.split(".")[4] for name in sys.modules if name.startswith("victor_fp.core.catalogue.entries.")))
    """
    assert run(code).split() == ["anthropic", "common"]


def test_the_list_of_providers_loads_no_parser_of_options_and_no_keyring() -> None:
    code = """
    import contextlib, io, sys
    from victor_fp.cli import run
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(["providers"]) == 0
    print(*sys.modules)
    """
    heavy = {*HEAVY, "pydantic", "asyncio", "victor_fp.core.protocols"}
    names = run(code).split()
    assert {
        module for module in heavy if any(name == module or name.startswith(f"{module}.") for name in names)
    } == set()


def test_every_public_name_resolves() -> None:
    run("import victor_fp\nfor name in victor_fp.__all__: getattr(victor_fp, name)")


def test_no_warning_at_exit_after_an_unclosed_call() -> None:
    code = """
    import asyncio
    from tests import openai_shapes as shapes
    from tests.acme import HI, build_acme
    from tests.loopback import serving

    async def answer(talk, _):
        await talk.answer(shapes.build_body())

    async def main():
        asyncio.get_running_loop().slow_callback_duration = 60  # slow callbacks on a busy machine are not a failure
        async with serving(answer) as server:
            provider = build_acme(server.url)
            print((await provider.chat(HI, model="m")).content)

    asyncio.run(main())
    """
    assert run(code, "-W", "error", "-X", "dev") == "Hello!\n"


def test_exiting_inside_a_stream_prints_nothing() -> None:
    code = """
    import asyncio
    from tests import openai_shapes as shapes
    from tests.acme import HI, build_acme
    from tests.loopback import serving

    async def stream(talk, _):
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hel"))
        await talk.wait_for_close(10)

    async def main():
        asyncio.get_running_loop().slow_callback_duration = 60  # slow callbacks on a busy machine are not a failure
        async with serving(stream) as server:
            provider = build_acme(server.url)
            async for chunk in provider.stream(HI, model="m"):
                print(chunk.content)
                raise SystemExit(0)

    asyncio.run(main())
    """
    assert run(code, "-W", "error", "-X", "dev") == "Hel\n"


def test_a_call_loads_no_httpx() -> None:
    code = """
    import asyncio, sys
    from tests import openai_shapes as shapes
    from tests.acme import HI, build_acme
    from tests.loopback import serving

    async def answer(talk, _):
        await talk.answer(shapes.build_body())

    async def main():
        async with serving(answer) as server, build_acme(server.url) as provider:
            print((await provider.chat(HI, model="m")).content)

    asyncio.run(main())
    print("httpx" in sys.modules, "httpcore" in sys.modules)
    """
    assert run(code) == "Hello!\nFalse False\n"
