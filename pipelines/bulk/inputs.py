"""What the model is asked about: how files of tf.Examples and folders are cut into works, and read by a worker."""

from __future__ import annotations

import abc
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ann_keras.datasets.folder_files import SUFFIXES
from ann_keras.task import Feature
from pipelines.bulk import storage, values
from pipelines.bulk.pushed import EXAMPLES, FEATURES
from pipelines.exits import UsageError

WORK_ROWS = 256
"""So many files of a folder, or rows of a table, are a work. A file of tf.Examples is one as a whole."""


@dataclass(frozen=True)
class Problem:
    """Why an example could not be read, or not be answered, in one line."""

    reason: str


Example = Mapping[str, Any] | bytes | Problem
"""Values by feature, a serialized tf.Example, or why there is neither."""


@dataclass(frozen=True)
class Work:
    """A run of inputs that one worker reads.

    Attributes:
        number: its place among all.
        path: of the file that it is in.
        offset: of its first byte there.
        first: the number of its first row there.
        rows: how many it has; None where only reading tells.
    """

    number: int
    path: str
    offset: int = 0
    first: int = 0
    rows: int | None = None


@dataclass(frozen=True)
class Source(abc.ABC):
    """Inputs of one kind.

    Attributes:
        path: the folder, the file or the pattern.
        features: that the model reads.
    """

    path: str
    features: tuple[Feature, ...]
    signature = FEATURES

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the names of a folder's files end, in lower case."""
        return ("",)

    @abc.abstractmethod
    def check(self) -> None:
        """Raises a UsageError for what cannot be read at all."""

    @abc.abstractmethod
    def works(self, temporary: str) -> Iterator[Work]:
        """Yields the works; what they need beside the inputs is written below the folder `temporary`."""

    @abc.abstractmethod
    def read(self, work: Work) -> Iterator[tuple[str, Example]]:
        """Yields the key and the example of each of its inputs, in order."""

    def notes(self) -> Iterable[str]:
        """What a user should know of them before they are answered, one line each."""
        return ()

    def names(self) -> list[str]:
        """The folder's files, relative to it, sorted."""
        return [name for name in storage.listing(self.path) if name.lower().endswith(self.suffixes)]

    def files(self) -> list[str]:
        """The file, the files of the pattern, or those of the folder, sorted."""
        found = storage.matching(self.path)
        return found or [storage.join(self.path, name) for name in self.names()]

    def check_files(self) -> list[str]:
        """The files, of which there is at least one."""
        if found := self.files():
            return found
        raise UsageError(f"--input {self.path}: there is no such file")

    def check_features(self) -> None:
        """Raises a UsageError for a model that does not say what it reads."""
        if not self.features:
            raise UsageError("the model does not say which features it reads; give it --input tfrecord:PATH")

    def prefix(self, path: str) -> str:
        """What is before a row's number in its key: the name of its file, where the input may be several."""
        if path == self.path:
            return ""
        folder = f"{self.path}/"
        return f"{storage.below(path, folder if path.startswith(folder) else self.path)}:"


class TfRecords(Source):
    """Files of serialized tf.Examples; a key is the record's index in its file."""

    signature = EXAMPLES

    def check(self) -> None:
        """Raises a UsageError where there is no file."""
        self.check_files()

    def works(self, temporary: str) -> Iterator[Work]:
        """Yields the files: where a record begins is known only by reading those before it."""
        for number, path in enumerate(self.files()):
            yield Work(number, path)

    def read(self, work: Work) -> Iterator[tuple[str, Example]]:
        """Yields the records; what cannot be read ends a file with a problem."""
        from serving.errors import ServingError
        from serving.server import tfrecord

        prefix, index = self.prefix(work.path), 0
        with storage.read(work.path, decompress=True) as file:
            try:
                for record in tfrecord.records(file):
                    yield f"{prefix}{index}", record
                    index += 1
            except (ServingError, zlib.error, EOFError) as error:
                yield f"{prefix}{index}", Problem(f"{error}; nothing after it in the file can be read")


class Folder(Source):
    """A folder of files that hold an example each; a key is the file's path relative to it."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Pictures, texts, or arrays as numpy saves them."""
        return {"image": SUFFIXES, "text": (".txt",)}.get(self.features[0].kind, (".npy",))

    def check(self) -> None:
        """Raises a UsageError where there is no folder, its files are of another kind, or hold too little."""
        self.check_features()
        if not storage.is_folder(self.path):
            raise UsageError(f"--input {self.path}: there is no such folder")
        if len(self.features) > 1:
            names = ", ".join(feature.name for feature in self.features)
            raise UsageError(
                f"--input {self.path}: a file holds one feature and the model reads {names}; "
                "give it csv:PATH or tfrecord:PATH"
            )
        if not self.names() and storage.listing(self.path):
            raise UsageError(f"--input {self.path}: no file in it is named {', '.join(self.suffixes)}")

    def works(self, temporary: str) -> Iterator[Work]:
        """Yields runs of a list of the files, whose names would make the pipeline's own description too large."""
        path, offset, names = storage.join(temporary, "files"), 0, self.names()
        with storage.write(path) as file:
            for number, start in enumerate(range(0, len(names), WORK_ROWS)):
                lines = [json.dumps(name).encode() + b"\n" for name in names[start : start + WORK_ROWS]]
                file.writelines(lines)
                yield Work(number, path, offset, start, len(lines))
                offset += sum(map(len, lines))

    def read(self, work: Work) -> Iterator[tuple[str, Example]]:
        """Yields the files; one that cannot be read is a problem."""
        with storage.read(work.path) as file:
            file.seek(work.offset)
            for _ in range(work.rows or 0):
                name = json.loads(file.readline())
                path = storage.join(self.path, name)
                yield name, example((feature.name, values.from_file(path, feature)) for feature in self.features)


def example(read: Iterable[tuple[str, Any]]) -> Example:
    """The values of the features, which are read one by one, or what is wrong with the first that is bad."""
    try:
        return dict(read)
    except (ValueError, OSError) as error:
        return Problem(getattr(error, "strerror", None) or str(error))
