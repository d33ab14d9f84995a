"""HTTP transports: the protocol, aiohttp, httpx, proxies, TLS, and protection against real connections."""
