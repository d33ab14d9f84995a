"""Objects in the buckets of a cloud, as the batch APIs of some vendors need them, and an adapter of the library obstore."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, Protocol

from returns.result import Failure, Result, Success

from victor_fp.core.faults import AuthRejected, ConnectionFailed, Fault, InvalidRequest, PermissionRefused
from victor_fp.core.result import outcome
from victor_fp.shell.transport.interception import build_refusal, is_offline

if TYPE_CHECKING:
    from collections.abc import Awaitable

OpenBucket = Callable[[str], Any]
"""From a URL such as gs://bucket to a store of obstore."""


class ObjectStore(Protocol):
    """Objects by URL, such as gs://bucket/folder/name."""

    async def write(self, url: str, data: bytes) -> Result[None, Fault]:
        """Write an object; one of that URL is replaced."""
        ...

    async def list(self, prefix: str) -> Result[tuple[str, ...], Fault]:
        """Return the URLs of the objects in a folder, whose URL ends with a slash, and in its folders."""
        ...

    def read(self, url: str) -> AsyncGenerator[Result[bytes, Fault], None]:
        """Yield the bytes of an object in pieces: successes, then at most one failure, which is the last item."""
        ...


class ObstoreBuckets:
    """Objects of Cloud Storage, S3 and others with obstore, which finds credentials in the environment.

    `region` is that of S3 buckets; without it, obstore finds it in the environment. `open_bucket` returns the store of a
    bucket, for credentials or options of the caller.
    """

    def __init__(self, open_bucket: OpenBucket | None = None, *, region: str | None = None) -> None:
        self._open_bucket = open_bucket
        self._region = region
        self._buckets: dict[str, Any] = {}

    async def write(self, url: str, data: bytes) -> Result[None, Fault]:
        """Write an object; one of that URL is replaced."""

        async def put(bucket: Any, path: str) -> None:
            await bucket.put_async(path, data)

        return await self._run(url, put)

    async def list(self, prefix: str) -> Result[tuple[str, ...], Fault]:
        """Return the URLs of the objects in a folder and in its folders."""

        async def collect(bucket: Any, path: str) -> tuple[str, ...]:
            root = prefix.removesuffix(path)
            return tuple([root + found["path"] async for page in bucket.list(path.rstrip("/")) for found in page])

        return await self._run(prefix, collect)

    async def read(self, url: str) -> AsyncGenerator[Result[bytes, Fault], None]:
        """Yield the bytes of an object in pieces: successes, then at most one failure, which is the last item."""

        async def get(bucket: Any, path: str) -> Any:
            return (await bucket.get_async(path)).stream()

        match outcome(await self._run(url, get)):
            case Failure(fault):
                yield Failure(fault)
                return
            case Success(stream):
                pass
        pieces = aiter(stream)

        async def advance(bucket: Any, path: str) -> bytes | None:  # noqa: ARG001  every operation has the same arguments
            piece = await anext(pieces, None)
            return None if piece is None else bytes(piece)

        while True:
            match outcome(await self._run(url, advance)):
                case Success(None):
                    return
                case Success(piece):
                    yield Success(piece)
                case Failure(fault):
                    yield Failure(fault)
                    return

    async def _run(self, url: str, operation: Callable[[Any, str], Awaitable[Any]]) -> Result[Any, Fault]:
        """Run an operation with the bucket and the path of a URL; exceptions of obstore become faults."""
        try:
            from obstore import exceptions
        except ModuleNotFoundError:
            message = "objects of batches require the extra: pip install 'victor-fp[object-store]', or batch_store="
            return Failure(InvalidRequest(code="extra_missing", message=message))
        scheme, _, rest = url.partition("://")
        name, _, path = rest.partition("/")
        try:
            bucket = self._find_bucket(f"{scheme}://{name}")
            if bucket is None:
                return Failure(build_refusal(url))
            return Success(await operation(bucket, path))
        except exceptions.UnauthenticatedError as error:
            return Failure(AuthRejected(message=_describe(url, error)))
        except exceptions.PermissionDeniedError as error:
            return Failure(PermissionRefused(message=_describe(url, error)))
        except (
            FileNotFoundError,  # of obstore as well, in place of NotFoundError
            ValueError,
            exceptions.NotFoundError,
            exceptions.InvalidPathError,
            exceptions.NotSupportedError,
            exceptions.UnknownConfigurationKeyError,
        ) as error:
            return Failure(InvalidRequest(message=_describe(url, error)))
        except (exceptions.BaseError, OSError) as error:
            return Failure(ConnectionFailed(message=_describe(url, error)))

    def _find_bucket(self, url: str) -> Any:
        """Return the store of a bucket; None while connections are forbidden."""
        if url not in self._buckets:
            if self._open_bucket is None and is_offline():
                return None
            self._buckets[url] = (self._open_bucket or self._open_default)(url)
        return self._buckets[url]

    def _open_default(self, url: str) -> Any:
        from obstore.store import S3Store, from_url

        if self._region and url.startswith("s3://"):
            return S3Store.from_url(url, region=self._region)
        return from_url(url)


def _describe(url: str, error: Exception) -> str:
    """Return the first line of the error, at most 300 characters; later lines show the requests and their headers."""
    return f"{url}: {str(error).strip().partition(chr(10))[0][:300]}"
