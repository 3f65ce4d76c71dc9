"""``host:port`` as target files and ``[connect]`` write it, and what a socket wants."""


def socket_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets there, and without them here. Raises ``ValueError``."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
