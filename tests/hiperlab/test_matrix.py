"""Axes of settings become jobs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.config.settings import Layer, resolve_settings
from hiperiso.errors import UsageError
from hiperlab.matrix import MAX_JOBS, parse_axes, plan_jobs


def names(*texts: str) -> list[str]:
    return [job.name for job in plan_jobs(parse_axes(texts))]


def test_every_combination_once_with_a_name() -> None:
    assert names("firmware=bios,uefi", "ram=1G,4G") == [
        "firmware=bios ram=1024",
        "firmware=bios ram=4096",
        "firmware=uefi ram=1024",
        "firmware=uefi ram=4096",
    ]


def test_spellings_of_one_value_are_one_job() -> None:
    assert names("ram=1G,1024, 1024M", "ram=2G", "ram=1gb") == ["ram=1024", "ram=2048"]
    assert names("keep-disks=1,yes,0") == ["keep_disks=1", "keep_disks=0"]


def test_a_value_with_a_comma_is_given_by_itself() -> None:
    jobs = plan_jobs(parse_axes(["disk=1G,bus=nvme", "disk=2G", "expect_text=one, two"]))
    assert [job.values["disk"] for job in jobs] == [["1024M,bus=nvme"], ["2048M,bus=virtio"]]
    assert {job.values["expect_text"] for job in jobs} == {"one, two"}


def test_all_errors_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_axes(["fimware=bios", "ram=1G,lots,", "cpus", "no_kvm=direct", "=x", "iso=a"])
    message = caught.value.message
    for part in (
        "did you mean 'firmware'?",
        "'lots' is not an amount of RAM",
        "ram: a value is empty",
        "'cpus' is not NAME=VALUE",
        "no_kvm: only a machine booted from a stick",
        "'=x' is not NAME=VALUE",
        "iso cannot be set here",
    ):
        assert part in message, message


def test_too_many_are_refused() -> None:
    with pytest.raises(UsageError, match=str(MAX_JOBS)):
        names("cpus=" + ",".join(map(str, range(1, 101))), "ram=" + ",".join(map(str, range(16, 36))))


def test_without_axes_there_is_one_job() -> None:
    assert names() == [""]


@given(
    st.dictionaries(
        st.sampled_from(["ram", "cpus", "firmware", "medium", "vga", "timeout"]),
        st.lists(st.integers(0, 3), min_size=1, max_size=5),
        max_size=4,
    )
)
def test_jobs_are_unique_complete_and_can_be_booted(chosen: dict[str, list[int]]) -> None:
    spelled = {
        "ram": ["512", "1G", "1024M", "2G"],
        "cpus": ["1", "2", "3", "4"],
        "firmware": ["auto", "bios", "uefi", "UEFI"],
        "medium": ["cdrom", "usb", "disk", "nvme"],
        "vga": ["std", "virtio", "none", "STD"],
        "timeout": ["60", "60.0", "1e2", "100"],
    }
    axes = parse_axes([f"{name}={','.join(spelled[name][at] for at in ats)}" for name, ats in chosen.items()])
    jobs = plan_jobs(axes)
    assert len({job.name for job in jobs}) == len(jobs)
    assert {tuple(job.at.values()) for job in jobs} == set(itertools.product(*(axis.texts for axis in axes)))
    for job in jobs:
        settings, origins = resolve_settings([Layer(job.values, lambda name: name)])
        assert len(origins) == len(job.values) and settings is not None
