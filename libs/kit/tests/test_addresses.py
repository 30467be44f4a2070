"""Where a request comes from."""

from types import SimpleNamespace

import pytest

from cas_kit.addresses import client_ip


class TestClientIp:
    @pytest.mark.parametrize(
        ("forwarded", "trusted_hops", "ip"),
        [
            ([], 1, "192.0.2.1"),
            (["203.0.113.5"], 1, "203.0.113.5"),
            (["198.51.100.1, 203.0.113.5"], 1, "203.0.113.5"),
            (["198.51.100.1", "203.0.113.5"], 1, "203.0.113.5"),
            (["198.51.100.1, 203.0.113.5, 10.0.0.1"], 2, "203.0.113.5"),
            (["203.0.113.5"], 2, "192.0.2.1"),
            (["203.0.113.5"], 0, "192.0.2.1"),
            (["2001:DB8::0:1"], 1, "2001:db8::1"),
            (["::ffff:203.0.113.5"], 1, "203.0.113.5"),
            (["fe80::1%eth0"], 1, "fe80::1"),
            (["203.0.113.5, nonsense"], 1, None),
        ],
    )
    def test_is_what_our_outermost_proxy_saw(self, forwarded, trusted_hops, ip):
        request = SimpleNamespace(
            headers=SimpleNamespace(getlist=lambda _name: forwarded), client=SimpleNamespace(host="192.0.2.1")
        )
        assert client_ip(request, trusted_hops=trusted_hops) == ip

    def test_is_unknown_without_a_connection(self):
        request = SimpleNamespace(headers=SimpleNamespace(getlist=lambda _name: []), client=None)
        assert client_ip(request, trusted_hops=1) is None
