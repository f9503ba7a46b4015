from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.kernel_cmdline import PARAMETERS, settings_of_cmdline, split_as_grub, word_as_grub
from hiperiso.contract.settings import ALL_ROWS

WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Zs"]) | st.just(" "), min_size=1), max_size=8
)


@given(WORDS)
def test_words_survive_grub(words: list[str]) -> None:
    assert split_as_grub(" ".join(word_as_grub(word) for word in words)) == words


@given(st.text())
def test_any_command_line_can_be_split(text: str) -> None:
    split_as_grub(text)


def test_parameters_are_the_variables_in_lower_case() -> None:
    assert PARAMETERS["ram"] == "hiperiso_guest_ram"
    assert PARAMETERS["iso"] == "hiperiso_iso"
    others = {row.name: row.variable.lower() for row in ALL_ROWS if row.name != "iso"}
    assert {name: PARAMETERS[name] for name in PARAMETERS if name != "iso"} == others


def test_as_grub_hands_it_over() -> None:
    # recorded from GRUB 2.06 and Linux 6.1
    line = (
        "BOOT_IMAGE=(hd0,gpt2)/EFI/hiperiso/vmlinuz quiet console=ttyS0,115200 root=bootchain "
        "hiperiso_log_dir=/hiperiso/logs hiperiso_trace_level=full hiperiso_fallback= "
        '"hiperiso_iso=/ISOs/it\\\'s (a) [name] $x.iso"'
    )
    assert settings_of_cmdline(line) == {
        "log_root": "/hiperiso/logs",
        "trace": "full",
        "iso": "/ISOs/it's (a) [name] $x.iso",
    }


def test_the_other_name_of_the_iso_and_the_last_value() -> None:
    assert settings_of_cmdline(
        "hiperiso_iso_path=/a.iso hiperiso_cpus=2 hiperiso_guest_cpus=3 hiperiso-guest-cpus=4"
    ) == {
        "iso": "/a.iso",
        "cpus": "4",
    }
