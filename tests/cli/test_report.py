"""`victor report`: one request in a file that replays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.acme import HI
from tests.cli.conftest import KEY, answer_hello, build_options, victor
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_error
from victor_fp import ProviderRegistry
from victor_fp.recording import Recording, read_recording


async def fail_with_404(talk: Talk, received: Received) -> None:
    await talk.answer(build_error(f"no such thing, {received.headers['authorization']}", "model_gone"), 404)


def test_a_failing_call_is_written_without_the_key_and_replays(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server = serve(fail_with_404)
    out = tmp_path / "report.yaml"
    done = victor("report", "Hi", *build_options(server), "-o", str(out), env=keyed)
    assert (done.returncode, done.stdout) == (0, "")
    assert "victor: openai m-1: no such model (404, model_gone)" in done.stderr
    assert f"victor: wrote {out}, without keys" in done.stderr
    text = out.read_text()
    assert KEY not in text + done.stderr
    assert text.startswith("# victor_fp 0.1.0, Python 3.")
    assert "# openai m-1: ModelNotFound (404, model_gone): no such thing" in text
    (exchange,) = read_recording(out)
    assert exchange.request.url == f"{server.url}/v1/chat/completions"

    async def replay_status() -> int | None:
        recording = Recording(out, match="loose")
        provider = ProviderRegistry.create(
            "openai", api_key="k", base_url=f"{server.url}/v1", transport=recording.transport()
        )
        result = await provider.stream_result(HI, model="m-1").response()  # type: ignore[attr-defined]  # a built-in one
        status: int | None = result.failure().status
        return status

    assert asyncio.run(replay_status()) == 404


@pytest.mark.slow
def test_a_call_that_works_is_shown_and_written(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    done = victor(
        "report", *build_options(serve(answer_hello)), "-o", str(tmp_path / "r.yaml"), "--no-stream", env=keyed
    )
    assert (done.returncode, done.stdout) == (0, "Hello there!\n")
    assert "# answered: stop" in (tmp_path / "r.yaml").read_text()


@pytest.mark.slow
def test_a_file_that_exists_is_kept(keyed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("mine")
    done = victor("report", "-p", "openai", "-o", str(tmp_path / "r.yaml"), env=keyed)
    assert done.returncode == 2
    assert "exists. Choose another file: --out FILE" in done.stderr
    assert (tmp_path / "r.yaml").read_text() == "mine"


@pytest.mark.slow
def test_a_report_is_not_written_to_standard_output(keyed: dict[str, str]) -> None:
    done = victor("report", "-p", "openai", "-o", "-", env=keyed)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not written to standard output. Choose a file: --out FILE" in done.stderr


@pytest.mark.slow
def test_the_error_decides_the_exit_code_if_nothing_was_sent(world: dict[str, str], tmp_path: Path) -> None:
    done = victor("report", "-p", "openai/m-1", "-o", str(tmp_path / "r.yaml"), env=world)
    assert done.returncode == 3
    assert "the key is missing" in done.stderr
    assert "nothing was sent" in done.stderr
    assert not (tmp_path / "r.yaml").exists()
