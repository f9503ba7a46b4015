"""The dialogs as they behave on a screen, pure: keys and time in, rows out.

A model has ``rows(width, height)``, what to draw, and ``key(name)``, which returns an Answer when the dialog is over.
Names of keys: ``up down left right home end page_up page_down enter escape tab back_tab backspace delete``, else the
character itself.
"""

from __future__ import annotations

from bootchain.interactive.dialogs import (
    CANCEL,
    OK,
    Answer,
    Choice,
    Form,
    Gauge,
    Message,
    Wait,
    clean,
    wrap,
)

NORMAL, SELECTED, DIM, FIELD = "normal", "selected", "dim", "field"

_SPINNER = "|/-\\"


class Row:
    """One line of a dialog: its text, and its style over the whole width; ``cursor`` is a column or -1."""

    __slots__ = ("cursor", "style", "text")

    def __init__(self, text: str, style: str = NORMAL, cursor: int = -1) -> None:
        self.text = text
        self.style = style
        self.cursor = cursor


class ChoiceModel:
    """A list to move in; a digit or the first letter of a label jumps to it."""

    def __init__(self, dialog: Choice) -> None:
        self._dialog = dialog
        self.index = dialog.default
        self._page = 1

    @property
    def hint(self) -> str:
        """The line at the bottom."""
        return f"Enter: choose   Esc: {clean(self._dialog.back)}"

    def rows(self, width: int, height: int) -> list[Row]:
        """The part of the list around the chosen entry that fits."""
        items = self._dialog.items
        head = [Row(line) for line in wrap(self._dialog.text, width)][: max(0, height - 3)]
        head += [Row("")] if self._dialog.text else []
        self._page = max(1, height - len(head))
        top = max(0, min(self.index - self._page // 2, len(items) - self._page))
        shown = items[top : top + self._page]
        for number, (_, label) in enumerate(shown, top):
            mark = (
                "^"
                if number == top and top
                else "v"
                if number == top + self._page - 1 < len(items) - 1
                else " "
            )
            style = SELECTED if number == self.index else NORMAL
            head.append(Row(f"{mark} {clean(label)}"[:width], style))
        return head

    def key(self, name: str) -> Answer | None:
        """Move, choose, or go back."""
        items = self._dialog.items
        moves = {
            "up": -1,
            "down": 1,
            "page_up": -self._page,
            "page_down": self._page,
            "tab": 1,
            "back_tab": -1,
        }
        if name in moves:
            self.index = max(0, min(len(items) - 1, self.index + moves[name]))
        elif name in ("home", "end"):
            self.index = 0 if name == "home" else len(items) - 1
        elif name == "enter":
            return Answer(OK, items[self.index][0])
        elif name == "escape":
            return Answer(CANCEL)
        elif len(name) == 1:
            self._jump(name)
        return None

    def _jump(self, letter: str) -> None:
        items = self._dialog.items
        order = [*range(self.index + 1, len(items)), *range(self.index + 1)]
        for number in order:
            label = clean(items[number][1]).lstrip()
            if label[:1].lower() == letter.lower():
                self.index = number
                return
        if letter.isascii() and letter.isdigit() and 1 <= int(letter) <= len(items):
            self.index = int(letter) - 1


class FormModel:
    """Fields to edit, one of them at a time."""

    def __init__(self, dialog: Form) -> None:
        self._dialog = dialog
        self.values = [field.value for field in dialog.fields]
        self.index = 0
        self.cursor = len(self.values[0])

    @property
    def hint(self) -> str:
        """The line at the bottom."""
        done = "done" if self.index == len(self.values) - 1 else "next"
        return f"Enter: {done}   Tab: move   Esc: {clean(self._dialog.back)}"

    def rows(self, width: int, height: int) -> list[Row]:
        """Text and fields; the field being edited is always among them."""
        fields = self._dialog.fields
        head = [Row(line) for line in wrap(self._dialog.text, width)][: max(0, height - 2)]
        room = max(1, height - len(head))
        top = max(0, min(self.index - room // 2, len(fields) - room))
        labels = min(max(len(clean(field.label)) for field in fields), max(4, width // 2 - 2))
        for number in range(top, min(len(fields), top + room)):
            field, value = fields[number], self.values[number]
            shown = "*" * len(value) if field.secret else clean(value)
            room_for_value = max(1, width - labels - 3)
            editing = number == self.index
            first = max(0, self.cursor - room_for_value + 1) if editing else 0
            text = f"{clean(field.label)[:labels]:<{labels}}: {shown[first : first + room_for_value]}"
            cursor = labels + 2 + self.cursor - first if editing else -1
            head.append(Row(text, FIELD if editing else NORMAL, cursor))
        return head

    def key(self, name: str) -> Answer | None:
        """Edit, move, end or go back."""
        if name == "enter":
            if self.index == len(self.values) - 1:
                names = [field.name for field in self._dialog.fields]
                pairs = zip(names, self.values, strict=True)
                return Answer(OK, "\n".join(f"{field}={value}" for field, value in pairs))
            self._go(1)
        elif name == "escape":
            return Answer(CANCEL)
        elif name in ("down", "tab"):
            self._go(1)
        elif name in ("up", "back_tab"):
            self._go(-1)
        else:
            self._edit(name)
        return None

    def _go(self, by: int) -> None:
        self.index = (self.index + by) % len(self.values)
        self.cursor = len(self.values[self.index])

    def _edit(self, name: str) -> None:
        value = self.values[self.index]
        if name in ("left", "right"):
            self.cursor = max(0, min(len(value), self.cursor + (1 if name == "right" else -1)))
        elif name in ("home", "end"):
            self.cursor = 0 if name == "home" else len(value)
        elif name == "backspace" and self.cursor:
            self.cursor -= 1
            self.values[self.index] = value[: self.cursor] + value[self.cursor + 1 :]
        elif name == "delete":
            self.values[self.index] = value[: self.cursor] + value[self.cursor + 1 :]
        elif len(name) == 1 and name.isprintable():
            self.values[self.index] = value[: self.cursor] + name + value[self.cursor :]
            self.cursor += 1


class MessageModel:
    """Text to read, scrolled when it is long; a question has the answers y and n."""

    def __init__(self, dialog: Message) -> None:
        self._dialog = dialog
        self.top = 0
        self._last_top = 0

    @property
    def hint(self) -> str:
        """The line at the bottom."""
        if self._dialog.question:
            return "y: yes   n: no"
        scroll = "Up, Down: more   " if self._last_top else ""
        return f"{scroll}Enter: go on   Esc: {clean(self._dialog.back)}"

    def rows(self, width: int, height: int) -> list[Row]:
        """The part of the text that fits."""
        lines = wrap(self._dialog.text, width)
        self._last_top = max(0, len(lines) - height)
        self.top = min(self.top, self._last_top)
        return [Row(line) for line in lines[self.top : self.top + height]]

    def key(self, name: str) -> Answer | None:
        """Scroll, agree or go back."""
        moves = {"up": -1, "down": 1, "page_up": -10, "page_down": 10}
        if name in moves:
            self.top = max(0, min(self._last_top, self.top + moves[name]))
        elif name == "escape" or (self._dialog.question and name in ("n", "N")):
            return Answer(CANCEL)
        elif self._dialog.question:
            return Answer(OK) if name in ("y", "Y") else None
        elif name in ("enter", " "):
            return Answer(OK)
        return None


class GaugeModel:
    """A bar that fills."""

    hint = ""

    def __init__(self, dialog: Gauge) -> None:
        self._dialog = dialog
        self.percent = 0
        self.text = ""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 -- a few rows, whatever the height
        """Text, bar, and what is being done."""
        room = max(1, width - 7)
        full = room * self.percent // 100
        bar = f"[{'#' * full}{'.' * (room - full)}] {self.percent:3}%"
        return [
            *(Row(line) for line in wrap(self._dialog.text, width)),
            Row(""),
            Row(bar),
            Row(clean(self.text)[:width], DIM),
        ]

    def key(self, _name: str) -> Answer | None:
        """A gauge takes no keys."""
        return None


class WaitModel:
    """Time that passes; ``elapsed_s`` is set from outside."""

    def __init__(self, dialog: Wait) -> None:
        self._dialog = dialog
        self.elapsed_s = 0.0

    @property
    def hint(self) -> str:
        """The line at the bottom."""
        return "Esc: give up" if self._dialog.command else "any key: interrupt"

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 -- a few rows, whatever the height
        """Text, and how long it has been or still takes."""
        if self._dialog.command:
            sign = _SPINNER[int(self.elapsed_s * 4) % len(_SPINNER)]
            line = f"{sign} {self.elapsed_s:.0f} s"
        else:
            line = f"{max(0.0, self._dialog.timeout_s - self.elapsed_s):.0f} s left"
        return [*(Row(text) for text in wrap(self._dialog.text, width)), Row(""), Row(line, DIM)]

    def key(self, name: str) -> Answer | None:
        """The way back; any key for a countdown."""
        return Answer(CANCEL) if name == "escape" or not self._dialog.command else None


Model = ChoiceModel | FormModel | MessageModel | GaugeModel | WaitModel


def model_of(dialog: Choice | Form | Message | Gauge | Wait) -> Model:
    """The model that shows a dialog."""
    if isinstance(dialog, Choice):
        return ChoiceModel(dialog)
    if isinstance(dialog, Form):
        return FormModel(dialog)
    if isinstance(dialog, Message):
        return MessageModel(dialog)
    if isinstance(dialog, Gauge):
        return GaugeModel(dialog)
    return WaitModel(dialog)
