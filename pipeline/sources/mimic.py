"""MIMIC-CXR notes, as an unpacked tree or read in place from ``mimic-cxr-reports.zip``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from pipeline.core.errors import ConfigError
from pipeline.core.records import Record
from pipeline.sources.base import (
    MAX_REPORT_BYTES,
    Listing,
    Locator,
    Source,
    file_input,
    read_report,
    report_record,
    tree_input,
)
from pipeline.sources.config import SourceConfig
from pipeline.sources.mimic_files import (
    PATIENT_FOLDER,
    STUDY_FILE,
    MetadataFiles,
    dataset_folders,
    find_metadata,
    find_tree,
    study_number,
    walk_tree,
)
from pipeline.sources.mimic_metadata import load_metadata
from pipeline.sources.pause import collector_paused
from pipeline.sources.zip_members import MemberPlace, ZipMembers, list_members

Entry: TypeAlias = tuple[str | None, str, Any]
"""Subject id, study id, and where the text is."""


class MimicSource(Source):
    """What tree and zip share: order by subject and study id, and the joined metadata."""

    def listing(self) -> Listing:
        """List all studies, by subject and then study id, with their metadata joined."""
        with collector_paused():
            entries = sorted(self.entries(), key=_entry_order)
        table = load_metadata(self.metadata_files())

        def locators() -> Iterator[Locator]:
            for subject, study, at in entries:
                locator: Locator = {"id": study, "at": at, "subject_id": subject}
                row = table.get(study)
                if row is not None:
                    locator.update(row.as_fields())
                    if subject is not None:
                        locator["subject_id"] = subject
                yield locator

        return locators

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """All studies in any order."""

    @abstractmethod
    def reports_folder(self) -> Path:
        """The folder above which metadata is looked for."""

    def metadata_files(self) -> MetadataFiles:
        """The tables that are joined."""
        folders = (*dataset_folders(self.reports_folder()), *dataset_folders(self.folder))
        return find_metadata(self.config.metadata, list(dict.fromkeys(folders)))

    def _metadata_inputs(self) -> list[dict[str, Any]]:
        return [file_input(path, "metadata") for path in self.metadata_files().found]


def _entry_order(entry: Entry) -> tuple[int, str, int, str]:
    subject, study, _ = entry
    return (len(subject or ""), subject or "", len(study), study)


class MimicTree(MimicSource):
    """``files/p10/p10000032/s50414267.txt``, from any level at or above the patient."""

    kind: ClassVar[str] = "mimic-tree"

    def class_folders(self) -> Iterable[Path]:
        """The input folder, and where it is inside a tree, the folder of the whole data set."""
        base = dataset_folders(self.folder)[0]
        return (self.folder, base, *([base.parent] if base.name == "files" else []))

    def reports_folder(self) -> Path:
        """Where the tree begins."""
        root = self.path.parent if self.path.is_file() else find_tree(self.path)
        if root is None:
            raise ConfigError(
                f"{self.path} holds no MIMIC-CXR notes (pNN/pXXXXXXXX/sXXXXXXXX.txt); "
                "point path at the folder above files/ or at mimic-cxr-reports.zip"
            )
        return root

    def names(self) -> Iterator[str]:
        """All study files in name order, relative to the folder."""
        if self.path.is_file():
            return iter((self.path.name,))
        root = self.reports_folder()
        below = root.relative_to(self.folder).as_posix()
        start = "" if below == "." else f"{below}/"
        skip = len(str(root)) + 1
        return (start + name[skip:] for name in walk_tree(str(root)))

    def entries(self) -> Iterator[Entry]:
        """Study files with the patient of their folder."""
        home = self.folder.resolve().name
        for name in self.names():
            above, _, file = name.rpartition("/")
            patient = PATIENT_FOLDER.fullmatch(above.rpartition("/")[2] or home)
            yield patient and patient.group(1), study_number(file), name

    def inputs(self) -> list[dict[str, Any]]:
        """One entry for the tree and one for each metadata file."""
        return [tree_input(self.folder, self.names()), *self._metadata_inputs()]

    def read_at(self, locator: Locator) -> Record:
        """Read one study file."""
        name = str(locator["at"])
        return report_record(locator, read_report(f"{self.folder}/{name}"), name)


class MimicZip(MimicSource):
    """``mimic-cxr-reports.zip`` or any zip with such a tree inside, never unpacked."""

    kind: ClassVar[str] = "mimic-zip"

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self._members: ZipMembers | None = None

    def reports_folder(self) -> Path:
        """The folder of the zip."""
        return self.path.parent

    def entries(self) -> Iterator[Entry]:
        """Members that are named like study files; others are not reports."""
        found = False
        for name, at in list_members(self.path):
            folder, _, file = name.rpartition("/")
            if not STUDY_FILE.fullmatch(file):
                continue
            found = True
            patient = PATIENT_FOLDER.fullmatch(folder.rpartition("/")[2])
            yield patient and patient.group(1), study_number(file), [name, *at]
        if not found:
            raise ConfigError(f"{self.path} holds no MIMIC-CXR notes (pNN/pXXXXXXXX/sXXXXXXXX.txt)")

    def inputs(self) -> list[dict[str, Any]]:
        """The zip and each metadata file."""
        return [file_input(self.path, "reports"), *self._metadata_inputs()]

    def read_at(self, locator: Locator) -> Record:
        """Read one member by the place its locator holds; the zip's directory is not needed."""
        if self._members is None:
            self._members = ZipMembers(self.path)
        name, *place = locator["at"]
        at: MemberPlace = tuple(place)
        return report_record(locator, self._members.read(at, MAX_REPORT_BYTES), str(name))
