"""Files written whole, and wrong paths refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bayes_sloth.errors import InputError
from bayes_sloth.files import check_writable, whole_file


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), whole_file(target) as path:
        path.write_text("half")
        assert target.read_text() == "old"
        raise RuntimeError
    assert target.read_text() == "old"
    with whole_file(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with whole_file(tmp_path / "link.csv") as path:
        path.write_text("new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_a_device_is_written_to_directly() -> None:
    check_writable(Path(os.devnull))
    with whole_file(Path(os.devnull)) as path:
        assert path == Path(os.devnull)


def test_a_folder_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def deny(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("tempfile.TemporaryFile", deny)
    with pytest.raises(InputError, match=r"cannot write .*fit\.nc: Permission denied; choose another folder"):
        check_writable(tmp_path / "fit.nc")
