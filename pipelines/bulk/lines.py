"""Files that hold a text a line, for a model that reads one text."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.bulk import storage
from pipelines.bulk.inputs import WORK_ROWS, Example, Source, Work
from pipelines.exits import UsageError


class Lines(Source):
    """Files of lines, which end in a line feed and may be of any bytes; a key is the line's number, from 1 on."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those of a folder of such files."""
        return (".txt",)

    def check(self) -> None:
        """Raises a UsageError where there is no file, or the model reads something else than one text."""
        self.check_features()
        if [feature.kind for feature in self.features] != ["text"]:
            names = ", ".join(f"{feature.name} ({feature.kind})" for feature in self.features)
            raise UsageError(f"--input {self.path}: a line is one text, and the model reads {names}")
        for path in self.check_files():
            if path.endswith(".gz"):
                # A line in the middle of it could be found only by unpacking all that is before it.
                raise UsageError(f"--input {path}: unpack it first")

    def works(self, temporary: str) -> Iterator[Work]:
        """Yields runs of lines; all files are read once for it."""
        number = 0
        for path in self.files():
            offset, first, size, count = 0, 1, 0, 0
            with storage.read(path) as file:
                for line in file:
                    size, count = size + len(line), count + 1
                    if count == WORK_ROWS:
                        yield Work(number, path, offset, first, count)
                        number, offset, first, size, count = number + 1, offset + size, first + count, 0, 0
            if count:
                yield Work(number, path, offset, first, count)
                number += 1

    def read(self, work: Work) -> Iterator[tuple[str, Example]]:
        """Yields the lines without their ends."""
        (feature,), prefix = self.features, self.prefix(work.path)
        with storage.read(work.path) as file:
            file.seek(work.offset)
            for number in range(work.first, work.first + (work.rows or 0)):
                line = file.readline()
                if not line:
                    raise RuntimeError(f"{work.path} changed while it was read")
                yield f"{prefix}{number}", {feature.name: line.removesuffix(b"\n").removesuffix(b"\r")}
