"""Writes text traces as QEMU does, access by access."""

from __future__ import annotations

from dataclasses import dataclass, field

from hiperiso.contract.tracereport import TraceAnswers
from hiperiso.trace.answers.answers import Answers
from hiperiso.trace.formats import parse_formats
from hiperiso.trace.reader import TraceReader
from hiperiso.trace.textlog import TextLog

DECLARED = [
    "memory_region_ops_read(int cpu_index, void *mr, uint64_t addr, uint64_t value, unsigned size, "
    'const char *name) "cpu %d mr %p addr 0x%"PRIx64" value 0x%"PRIx64" size %u name \'%s\'"',
    "memory_region_ops_write(int cpu_index, void *mr, uint64_t addr, uint64_t value, unsigned size, "
    'const char *name) "cpu %d mr %p addr 0x%"PRIx64" value 0x%"PRIx64" size %u name \'%s\'"',
    "pci_cfg_read(const char *dev, uint32_t bus, uint32_t slot, uint32_t func, unsigned offs, unsigned val) "
    '"%s %02x:%02x.%x @0x%x -> 0x%x"',
    "pci_update_mappings_add(const char *dev, uint32_t bus, uint32_t slot, uint32_t func, int bar, uint64_t addr, "
    'uint64_t size) "%s %02x:%02x.%x %d,0x%"PRIx64"+0x%"PRIx64',
    'serial_read(uint16_t addr, uint8_t value) "read addr 0x%02x val 0x%02x"',
    'serial_write(uint16_t addr, uint8_t value) "write addr 0x%02x val 0x%02x"',
    'pckbd_kbd_read_status(int status) "0x%02x"',
    "ide_atapi_cmd_read(void *s, const char *method, int lba, int nb_sectors) "
    '"IDEState: %p; read %s: LBA=%d nb_sectors=%d"',
    "blk_co_preadv(void *blk, void *bs, int64_t offset, int64_t bytes, int flags) "
    '"blk %p bs %p offset %"PRId64" bytes %" PRId64 " flags 0x%x"',
    'ahci_cmd_done(void *s, int port) "ahci(%p)[%d]: cmd done"',
    'virtio_queue_notify(void *vdev, int n, void *vq) "vdev %p n %d vq %p"',
    'virtio_blk_req_complete(void *vdev, void *req, int status) "vdev %p req %p status %d"',
    'ide_atapi_cmd_error(void *s, int sense_key, int asc) "IDEState: %p; sense=0x%x asc=0x%x"',
]
FORMATS = parse_formats(DECLARED)


@dataclass
class Guest:
    """What a guest does, at a rate of a thousand accesses a second if nothing else is said."""

    lines: list[str] = field(default_factory=list)
    t_s: float = 0.0

    def event(self, text: str, step_s: float = 0.001) -> None:
        """One record."""
        self.lines.append(f"7@{1_700_000_000 + self.t_s:.6f}:{text}\n")
        self.t_s += step_s

    def read(self, region: str, address: int, value: int, step_s: float = 0.001) -> None:
        """A read from a register."""
        name = f"name '{region}'"
        self.event(
            f"memory_region_ops_read cpu 0 mr 0x1 addr 0x{address:x} value 0x{value:x} size 1 {name}", step_s
        )

    def write(self, region: str, address: int, value: int, step_s: float = 0.001) -> None:
        """A write to a register."""
        name = f"name '{region}'"
        self.event(
            f"memory_region_ops_write cpu 0 mr 0x1 addr 0x{address:x} value 0x{value:x} size 1 {name}", step_s
        )

    def boots(self) -> None:
        """What some firmware does first: finds the AHCI controller, maps it, and reads the medium."""
        self.event("pci_cfg_read ich9-ahci 00:1f.2 @0x0 -> 0x29228086")
        self.event("pci_cfg_read ich9-ahci 00:1f.2 @0x8 -> 0x1060102")
        self.event("pci_update_mappings_add ich9-ahci 00:1f.2 5,0xfebd5000+0x1000")
        self.write("ahci", 0xFEBD5138, 1)
        self.medium(16)
        self.event("ahci_cmd_done ahci(0x1)[0]: cmd done")
        self.read("ahci", 0xFEBD5138, 0)

    def medium(self, lba: int) -> None:
        """A read of the medium."""
        self.event(f"ide_atapi_cmd_read IDEState: 0x2; read dma: LBA={lba} nb_sectors=1")
        self.event(f"blk_co_preadv blk 0x3 bs 0x4 offset {lba * 2048} bytes 2048 flags 0x0")

    def tick(self) -> None:
        """A timer interrupt."""
        self.write("pic", 0x20, 0x20, 0)

    def found(self, after_s: float = 0.0, *, compiled: bool = True) -> TraceAnswers:
        """The answers, where the recording ended `after_s` after the last access."""
        log = TextLog(FORMATS, compiled=compiled)
        trace = log.feed("".join(self.lines).encode()) + log.finish()
        reader = TraceReader(FORMATS, raw_text=True, compiled=compiled)
        answers = Answers(1_700_000_000 * 10**9)
        for at in range(0, len(trace), 10_000):
            for batch in reader.feed(trace[at : at + 10_000]):
                answers.feed(batch)
        return answers.found(1_700_000_000 * 10**9 + round((self.t_s + after_s) * 1e9))
