"""``hiperiso stick``: creates, updates, verifies, lists, fills, empties, boots and reads sticks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiperiso.contract.row import LOG_ROOT
from hiperiso.contract.stick import ISO_FOLDER
from hiperlab.cli.limits import DryRun, Keep, MaxSize, OlderThan
from hiperlab.cli.options import SettingsCommand, given, options_layer
from hiperlab.cli.words import completed
from hiperlab.examples import examples

app = typer.Typer(
    help="Create and use a USB stick that boots ISOs on bare metal.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PAYLOAD_VARIABLE = "HIPERISO_PAYLOAD"
_TARGET = "Image file, or device like /dev/sdX."
_ANY_TARGET = "Image file, device like /dev/sdX, or path where the data partition is mounted."

Payload = Annotated[
    Path | None,
    typer.Option(
        "--payload",
        envvar=PAYLOAD_VARIABLE,
        metavar="DIR",
        help="The payload: the directory created by hiperiso payload build.",
    ),
]
GrubEfi = Annotated[
    Path | None,
    typer.Option(
        "--grub-efi", metavar="FILE", help="Start this GRUB under UEFI instead of the distribution's."
    ),
]
SecureBoot = Annotated[
    bool | None,
    typer.Option(
        "--secure-boot/--no-secure-boot",
        help="Put the distribution's shim and signed GRUB first. This is the default for a new stick.",
    ),
]
KernelOptions = Annotated[
    str | None,
    typer.Option(
        "--kernel-options", metavar="TEXT", help="Kernel options of the host kernel, instead of the default."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(
    "create",
    epilog=examples(
        "lsblk                                    # which one is the stick?",
        "sudo -E hiperiso stick create /dev/sdX",
        "hiperiso stick create stick.img --size 16G --config hiperiso.json",
    ),
)
def create(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_TARGET)],
    *,
    size: Annotated[
        str,
        typer.Option("--size", metavar="SIZE", help="Size of a new image file, like 8G; not for a device."),
    ] = "8G",
    filesystem: Annotated[
        str,
        typer.Option(
            "--filesystem",
            metavar="NAME",
            help="File system of the data partition: exfat, ntfs or ext4.",
            autocompletion=completed("hiperlab.stick.formats", "FILESYSTEMS"),
        ),
    ] = "exfat",
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Put this hiperiso.json on the stick.")
    ] = None,
    payload: Payload = None,
    secure_boot: SecureBoot = None,
    grub_efi: GrubEfi = None,
    kernel_options: KernelOptions = None,
    seed: Annotated[
        str,
        typer.Option(
            "--seed", metavar="TEXT", help="Seed of unique ids: the same text gives an identical image."
        ),
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation before TARGET is erased.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Accept a disk that is not removable, or a file system that the payload cannot read.",
        ),
    ] = False,
) -> None:
    """Create a stick. TARGET is erased: its content is shown, and you are asked to confirm."""
    from hiperlab.stick import commands

    commands.create(
        commands.CreateRequest(
            target=target,
            size=size,
            filesystem=filesystem,
            config=config,
            system=commands.SystemRequest(payload, secure_boot, grub_efi, kernel_options),
            seed=seed,
            yes=yes,
            force=force,
        )
    )


@app.command(
    "update",
    epilog=examples(
        "sudo -E hiperiso stick update /dev/sdX",
        "hiperiso stick update stick.img --no-secure-boot",
    ),
)
def update(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_TARGET)],
    payload: Payload = None,
    secure_boot: SecureBoot = None,
    grub_efi: GrubEfi = None,
    kernel_options: KernelOptions = None,
) -> None:
    """Replace or repair the payload, boot loaders and menu of a stick. The data partition is not changed."""
    from hiperlab.stick import commands

    commands.update(target, commands.SystemRequest(payload, secure_boot, grub_efi, kernel_options))


@app.command(
    "verify",
    epilog=examples(
        "sudo hiperiso stick verify /dev/sdX",
        "hiperiso stick verify stick.img --json | jq .findings",
    ),
)
def verify(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_TARGET)],
    as_json: AsJson = False,
) -> None:
    """Check every file that the stick boots against its hash.

    The layout is checked, too. Exits 0 if all is intact, else 4.
    """
    from hiperlab.stick import commands

    raise typer.Exit(commands.verify(target, as_json=as_json))


@app.command(
    "list",
    epilog=examples(
        "hiperiso stick list /media/me/HIPERISO",
        "hiperiso stick list stick.img --json | jq .isos[].path",
    ),
)
def list_isos(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_ANY_TARGET)],
    as_json: AsJson = False,
) -> None:
    """List the ISOs of a stick.

    What the menu shows, and which settings apply to each, with their origin.
    """
    from hiperlab.stick import commands

    commands.list_isos(target, as_json=as_json)


@app.command(
    "add",
    epilog=examples(
        "hiperiso stick add stick.img debian-12.iso ubuntu-24.04.iso",
        "hiperiso stick add /media/me/HIPERISO rescue.iso --folder /ISOs/rescue",
        "hiperiso stick add stick.img fedora.iso --auto-install ks.cfg --dud driver.img",
        "hiperiso stick add stick.img live.iso --persistence changes.dat --set ram=4G",
    ),
)
def add(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_ANY_TARGET)],
    isos: Annotated[list[Path], typer.Argument(metavar="ISO...", help="The files to copy into /ISOs.")],
    *,
    folder: Annotated[
        str, typer.Option("--folder", metavar="PATH", help="Directory on the stick, instead of /ISOs.")
    ] = ISO_FOLDER,
    auto_install: Annotated[
        str, typer.Option("--auto-install", metavar="FILE", help="Answers for the installer of these ISOs.")
    ] = "",
    persistence: Annotated[
        str,
        typer.Option("--persistence", metavar="FILE", help="The image to which they write their changes."),
    ] = "",
    dud: Annotated[
        list[str] | None,
        typer.Option("--dud", metavar="FILE", help="The image of a driver update disk for them."),
    ] = None,
    injection: Annotated[
        str, typer.Option("--injection", metavar="FILE", help="An archive of files for them.")
    ] = "",
    conf_replace: Annotated[
        list[str] | None,
        typer.Option(
            "--conf-replace",
            metavar="org=/path;new=FILE",
            help="A file of theirs, and the one they see instead.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of theirs, such as ram=4G."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy ISOs onto a stick, without mounting it.

    Each is read back and compared.

    The files of --auto-install, --persistence, --dud, --injection and --conf-replace go to /hiperiso/files, and
    into iso_overrides of hiperiso.json, for these ISOs. An ISO that is on the stick already only gets the settings.
    """
    from hiperlab.stick import contents
    from hiperlab.stick.attach import Attachments

    values = {
        "auto_install": auto_install,
        "persistence": persistence,
        "dud": dud or [],
        "injection": injection,
        "conf_replace": conf_replace or [],
    }
    asked = Attachments(values, tuple(settings or ()))
    contents.add(contents.AddRequest(target, isos, folder, asked, as_json))


@app.command(
    "remove",
    epilog=examples(
        "hiperiso stick remove stick.img debian-11.iso",
        "hiperiso stick remove /media/me/HIPERISO /ISOs/rescue/old.iso",
    ),
)
def remove(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_ANY_TARGET)],
    isos: Annotated[
        list[str], typer.Argument(metavar="ISO...", help="Their names, or their paths on the stick.")
    ],
    as_json: AsJson = False,
) -> None:
    """Remove ISOs from a stick. Its recordings and settings stay."""
    from hiperlab.stick import contents

    contents.remove(target, isos, as_json=as_json)


@app.command(
    "prune",
    epilog=examples(
        "hiperiso stick prune /media/me/HIPERISO --keep 20",
        "hiperiso stick prune stick.img --older-than 90d --dry-run",
    ),
)
def prune(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_ANY_TARGET)],
    *,
    keep: Keep = None,
    max_size: MaxSize = "",
    older_than: OlderThan = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove old recordings from a stick, the oldest first.

    As many as it takes to keep all limits that are given.

    Collect them first: hiperiso stick collect copies them into the local log root.
    """
    from hiperlab.stick import contents

    contents.prune(contents.PruneRequest(target, keep, max_size, older_than, dry_run, as_json))


@app.command(
    "boot",
    cls=SettingsCommand,
    epilog=examples(
        "hiperiso stick boot stick.img",
        "hiperiso stick boot stick.img --firmware bios --display gtk",
        "sudo hiperiso stick boot /dev/sdX --menu wait --expect-text 'Power off'",
    ),
)
def boot(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the final manifest, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict.")] = False,
) -> None:
    """Boot a stick under QEMU, and record that.

    It is an image file or a device, and is not changed.

    Its menu is answered, and it is a success when the stick has recorded a boot itself. The options are those of
    hiperiso boot.
    """
    import os
    import sys

    from hiperiso.contract.row import CONFIG, ISO, LOG_ROOT
    from hiperiso.errors import UsageError
    from hiperlab.cli.boot import boot_and_print, check_iso, make_request
    from hiperlab.stick.boot import WITHOUT_SVM, boot_defaults, fit_to_accelerator, with_defaults

    named = given(context, ISO)
    if not named:
        raise UsageError("no stick is named", hint="run `hiperiso stick boot stick.img`")
    check_iso(Path(named).absolute())
    options = with_defaults(options_layer(context), boot_defaults(Path(named)), os.environ)
    request = fit_to_accelerator(
        make_request(named, given(context, LOG_ROOT), given(context, CONFIG), options, os.environ)
    )
    if WITHOUT_SVM in request.notes and not (quiet or as_json):
        print(f"hiperiso: {WITHOUT_SVM}", file=sys.stderr)
    raise typer.Exit(int(boot_and_print(request, as_json=as_json, quiet=quiet)))


@app.command(
    "collect",
    epilog=examples(
        "hiperiso stick collect /media/me/HIPERISO",
        "sudo hiperiso stick collect /dev/sdX --log-root ~/boots",
    ),
)
def collect(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help=_ANY_TARGET)],
    log_root: Annotated[
        Path | None,
        typer.Option(
            LOG_ROOT.flag, envvar=LOG_ROOT.variable, help="Where to store the sessions.", metavar="DIR"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the recordings of a stick into the local log root.

    They are evaluated anew. The stick is not changed.

    Exits 0 if every session was copied and matches the contract, else 4.
    """
    from hiperlab.stick import commands

    raise typer.Exit(commands.collect(target, log_root, as_json=as_json))
