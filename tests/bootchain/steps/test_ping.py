"""ping in a network of its own."""

from __future__ import annotations

import pytest

from .places import Chain

# A router in another network namespace, which answers only later.
ROUTER = """
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.9.9.2/24 dev v0
ip link set v0 up
ip -6 addr add fd09::2/64 dev v0 nodad
unshare --net sleep 100000 &
router=$!
echo $router >"$mntdir/router"
while [ "$(readlink /proc/$router/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
ip link set v1 netns $router
nsenter -t $router -n ip link set v1 up
nsenter -t $router -n ip addr add 10.9.9.1/24 dev v1
nsenter -t $router -n ip -6 addr add fd09::1/64 dev v1 nodad
(until grep -q "still waiting" "$BC_LOGFILE"; do sleep 0.1; done
ip route add default via 10.9.9.1; ip -6 route add default via fd09::1) &
"""


@pytest.fixture
def network(each_shell: Chain) -> Chain:
    each_shell.own_network = True
    each_shell.step("net", "ip link set lo up")
    each_shell.step("router", ROUTER)
    each_shell.step("stop", "break_bc_loop")
    return each_shell


START = "root=bootchain bootchain=noretry,net,ping,stop"


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("127.0.0.1", "127.0.0.1 answers"),
        ("localhost", "localhost answers"),
        ("v4:127.0.0.1", "127.0.0.1 answers"),
        ("v6:::1", "::1 answers"),
        ("::1", "::1 answers"),
        ("v4,iter=2,waitfor:127.0.0.1", "127.0.0.1 answers"),
    ],
)
def test_who_answers(network: Chain, parameter: str, message: str) -> None:
    ended = network.run(f"{START} ping={parameter}")
    assert ended.code == 0, ended.log
    assert message in ended.log


@pytest.mark.parametrize("parameter", ["", "ping=v4:%gateway", "ping=v6:%gateway", "ping=v6"])
def test_the_gateway_that_comes_late(network: Chain, parameter: str) -> None:
    network.after = 'kill "$(cat ../mnt/router)"'
    ended = network.run(f"root=bootchain bootchain=noretry,router,ping,stop {parameter}")
    assert ended.code == 0, ended.log
    assert "there is no default gateway, still waiting" in ended.log
    wanted = "fd09:0000:0000:0000:0000:0000:0000:0001" if "v6" in parameter else "10.9.9.1"
    assert f"{wanted} answers" in ended.log


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("iter=1:10.9.9.9", "10.9.9.9 does not answer after 1 attempt(s)"),
        ("v4,iter=1", "there is no default gateway after 1 attempt(s)"),
        ("iter=x:127.0.0.1", "iter=x is not a number of attempts"),
        ("v4,v5:127.0.0.1", "unknown option 'v5' in ping="),
    ],
)
def test_failures_say_why(network: Chain, parameter: str, message: str) -> None:
    ended = network.run(f"{START} ping={parameter}")
    assert ended.code == 1
    assert message in ended.log
