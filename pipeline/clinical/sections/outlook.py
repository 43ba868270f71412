"""What still comes in a report: needed where a title may belong to a wet read or addendum."""

from __future__ import annotations

from pipeline.clinical.sections.model import ORDERING, READ, WET_READ, Event


class Outlook:
    """The last event of each kind, so that looking ahead costs the same everywhere.

    Attributes:
        last: index of the last title event of each section.
        last_final: index of the last banner of a final report, -1 where there is none.
    """

    def __init__(self, events: list[Event]) -> None:
        self.last: dict[str, int] = {}
        self.last_final = last_title = last_rule = -1
        for index, event in enumerate(events):
            if event.use == "banner":
                if event.section == "final":
                    self.last_final = index
            elif event.use not in ("rule", "sub_heading"):
                self.last[event.section] = index
                if event.section in ORDERING or event.section in READ:
                    last_title = index
        for index in range(last_title - 1, -1, -1):
            if events[index].use == "rule":
                last_rule = index
                break
        self._last_boundary = max(self.last_final, last_rule)

    def holds(self, index: int, inside: str, section: str, was_read: bool) -> bool:
        """Whether the title at ``index`` is text of the wet read or addendum it stands in.

        It is while the report proper is still to come, after a ruled line or a banner. Without
        such an end a wet read also keeps a title of findings that came before or comes again.
        """
        if index < self._last_boundary:
            return True
        if inside != WET_READ or section not in READ:
            return False
        return was_read or self.last.get(section, -1) > index
