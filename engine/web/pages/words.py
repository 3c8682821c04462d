"""The words on the pages for customers, by language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "ask_title": "Unsubscribe",
        "ask": "Do you want to stop getting messages about",
        "sent_to": "These messages go to",
        "everything": "Also stop every other marketing message to this address",
        "button": "Unsubscribe",
        "still": "Messages about your orders and your account still reach you.",
        "gone_title": "You are unsubscribed",
        "gone": "We no longer send you messages about",
        "gone_everything": "We no longer send marketing messages to this address.",
        "more": "Would you rather get no marketing messages at all?",
        "button_everything": "Stop all marketing messages",
        "nobody_title": "You are unsubscribed",
        "nobody": "We have no marketing messages for this address. There is nothing more to do.",
        "trouble_title": "This page does not work",
        "trouble": (
            "Nothing was changed. The link may be incomplete: open it once more from the message. "
            "If it still does not work, please write to the sender of the message."
        ),
        "later_title": "Please try again",
        "later": "Something went wrong on our side. Please open the link once more in a minute.",
    },
    "id": {
        "ask_title": "Berhenti berlangganan",
        "ask": "Apakah Anda ingin berhenti menerima pesan tentang",
        "sent_to": "Pesan ini dikirim ke",
        "everything": "Hentikan juga semua pesan pemasaran lain ke alamat ini",
        "button": "Berhenti berlangganan",
        "still": "Pesan tentang pesanan dan akun Anda tetap kami kirim.",
        "gone_title": "Anda telah berhenti berlangganan",
        "gone": "Kami tidak lagi mengirim pesan kepada Anda tentang",
        "gone_everything": "Kami tidak lagi mengirim pesan pemasaran ke alamat ini.",
        "more": "Tidak ingin menerima pesan pemasaran sama sekali?",
        "button_everything": "Hentikan semua pesan pemasaran",
        "nobody_title": "Anda telah berhenti berlangganan",
        "nobody": "Tidak ada pesan pemasaran untuk alamat ini. Tidak ada lagi yang perlu dilakukan.",
        "trouble_title": "Halaman ini tidak berfungsi",
        "trouble": (
            "Tidak ada yang berubah. Tautannya mungkin tidak lengkap: buka sekali lagi dari pesan tersebut. "
            "Jika masih tidak berfungsi, silakan hubungi pengirim pesan itu."
        ),
        "later_title": "Silakan coba lagi",
        "later": "Terjadi gangguan di pihak kami. Silakan buka tautan itu sekali lagi sebentar lagi.",
    },
}
