"""Which addresses a webhook may call: the open internet, and of everything else only what the owner has named.

A journey is text that many may write; without this guard a webhook could reach what stands behind the firewall beside us,
such as a cloud's metadata service (OWASP: server-side request forgery).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER = frozenset(map(ip_address, ("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200")))
"""Metadata services of clouds hand out keys; not even a network that is allowed opens them. One has a public address."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""The last 32 bits are the IPv4 address that is meant (RFC 6052)."""

_OVERLOOKED = (IPv4Network("192.0.0.0/24"),)
"""Not of the open internet (RFC 6890), though some versions of Python call parts of it so (CVE-2024-4032)."""


def is_internal(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """True for what a webhook must not reach. An IPv6 address that leads to an IPv4 one is judged as both."""
    faces = [address, *_embedded(address)]
    if any(face in _NEVER for face in faces):
        return True
    networks = tuple(allowed)
    return not all(_is_open(face) or any(face in network for network in networks) for face in faces)


def _is_open(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        overlooked = any(address in network for network in _OVERLOOKED)
        return address.is_global and not (address.is_multicast or address.is_reserved or overlooked)
    if address.ipv4_mapped is not None or address in _NAT64:
        return True  # judged by its other face
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_site_local)


def _embedded(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
