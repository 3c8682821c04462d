"""The mailbox: whole files, named by send and attempt, in which a repeat is seen."""

from __future__ import annotations

from pathlib import Path

from channels.base import Accepted, EmailMessage, Medium, Message, TextMessage
from channels.file import FileAdapter, FileOptions, kind


def adapter(folder: Path, medium: Medium = "email") -> FileAdapter:
    built = kind.build(FileOptions(), medium, folder)
    assert isinstance(built, FileAdapter)
    return built


def mail(send_id: int, attempt: int = 1, data: bytes = b"Subject: halo\r\n\r\n.\r\n") -> Message:
    return EmailMessage(send_id, attempt, "budi@example.com", "toko@example.com", data)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "mailbox").iterdir())


def test_a_mail_is_its_bytes(tmp_path: Path) -> None:
    assert list(adapter(tmp_path).connect().send([mail(7)])) == [Accepted("00000007-1.eml")]
    assert (tmp_path / "mailbox" / "00000007-1.eml").read_bytes() == b"Subject: halo\r\n\r\n.\r\n"


def test_a_text_says_to_whom_it_goes(tmp_path: Path) -> None:
    text = TextMessage(8, 2, "+6281234567890", "Halo Budi é", "HX1", {"1": "Budi"})
    assert list(adapter(tmp_path, "whatsapp").connect().send([text])) == [Accepted("00000008-2.txt")]
    written = (tmp_path / "mailbox" / "00000008-2.txt").read_text(encoding="utf-8")
    assert "To: +6281234567890\nMedium: whatsapp\nSend: 8, attempt 2\nTemplate: HX1\nVariable 1: Budi\n\n" in written
    assert written.endswith("Halo Budi é\n")


def test_a_repeat_never_covers_the_first(tmp_path: Path) -> None:
    connection = adapter(tmp_path).connect()
    list(connection.send([mail(7, data=b"first"), mail(7, data=b"second"), mail(7, attempt=2), mail(7, data=b"third")]))
    assert names(tmp_path) == ["00000007-1-2.eml", "00000007-1-3.eml", "00000007-1.eml", "00000007-2.eml"]
    assert (tmp_path / "mailbox" / "00000007-1.eml").read_bytes() == b"first"


def test_nothing_else_is_left_in_the_mailbox(tmp_path: Path) -> None:
    list(adapter(tmp_path).connect().send([mail(number) for number in range(20)]))
    assert len(names(tmp_path)) == 20


def test_a_half_written_file_is_not_found(tmp_path: Path) -> None:
    box = adapter(tmp_path)
    (tmp_path / "mailbox").mkdir()
    (tmp_path / "mailbox" / ".9-1-123-456.part").write_text("half")
    (tmp_path / "mailbox" / "notes.txt").write_text("somebody's own")
    assert box.search([9]) == {9: None}


def test_the_first_of_several_files_of_one_send_is_found(tmp_path: Path) -> None:
    box = adapter(tmp_path)
    list(box.connect().send([mail(7), mail(70), mail(7, attempt=2)]))
    assert box.search([7, 70, 700]) == {7: Accepted("00000007-1.eml"), 70: Accepted("00000070-1.eml"), 700: None}


def test_a_mailbox_that_can_not_be_read_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("not a folder")
    assert adapter(tmp_path).search([1]) == {}
