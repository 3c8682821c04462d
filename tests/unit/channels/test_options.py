"""The settings of the adapters: what is filled in, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels import console, file, smtp
from channels.base import AdapterError

GOOD = {"host": "smtp.example.com", "from": "Toko Kita <halo@toko.example>"}


def options(**changes: Any) -> smtp.SmtpOptions:
    return smtp.SmtpOptions.model_validate({**GOOD, **changes})


def test_smtp_encrypts_by_default_and_keeps_the_sender() -> None:
    settings = options()
    assert (settings.security, settings.timeout, settings.connections) == ("starttls", 30, 4)
    assert settings.sender == "Toko Kita <halo@toko.example>"


def test_values_from_the_environment_are_text() -> None:
    settings = options(port="2525", timeout="10s", connections="8")
    assert (settings.port, settings.timeout, settings.connections) == (2525, 10, 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": ""},
        {"host": "smtp example com"},
        {"host": "a..b"},
        {"host": "smtp.example.com\r\n"},
        {"port": 65536},
        {"port": -1},
        {"security": "ssl"},
        {"from": "nobody"},
        {"from": "a@b.com\r\nBcc: c@d.com"},
        {"from": "Toko <a@b.com>, c@d.com"},
        {"username": "toko"},
        {"password": "rahasia"},
        {"username": "toko", "password": "rahasía"},
        {"username": "toko", "password": "rahasia", "security": "none"},
        {"timeout": 0},
        {"timeout": "1h"},
        {"connections": 0},
        {"sender": "a@b.com"},
        {"user": "toko"},
    ],
)
def test_a_setting_that_can_not_work_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**changes)


def test_a_server_on_this_machine_may_get_a_password_in_clear() -> None:
    assert options(host="localhost", security="none", username="toko", password="rahasia").username == "toko"


def test_a_password_is_not_shown() -> None:
    settings = options(username="toko", password="rahasia")
    assert "rahasia" not in repr(settings)
    assert "rahasia" not in str(settings.model_dump())


def test_a_certificate_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"no-such\.pem"):
        smtp.kind.build(options(ca_file=str(tmp_path / "no-such.pem")), "email", tmp_path)
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(AdapterError, match=r"empty\.pem"):
        smtp.kind.build(options(ca_file=str(tmp_path / "empty.pem")), "email", tmp_path)


def test_file_and_console_need_no_setting() -> None:
    assert file.FileOptions.model_validate({}).sender is None
    assert console.ConsoleOptions.model_validate({"from": "a@b.com"}).sender == "a@b.com"
