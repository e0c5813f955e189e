"""Texts in several languages."""

import string

import pytest

from tools import catalogues as tool
from wattle.inbox.message import Message, Text
from wattle.orders.states import Status
from wattle.push.catalogue import catalogues, texts
from wattle.push.orders import _TEXTS
from wattle.users.preferences import Kind


def test_they_match_the_source_and_are_complete():
    assert tool.run(check=True) == 0


def test_every_text_about_orders_is_in_every_language():
    assert set(catalogues()) == {"de", "zh"}
    for title, body in _TEXTS.values():
        found = texts(title, body, number="W-1")
        assert set(found) == {"en", "de", "zh"}
        assert len({text.title for text in found.values()}) == 3
        assert all("W-1" in text.body for text in found.values())


def test_a_translation_replaces_nothing_else():
    for catalogue in catalogues().values():
        for _, body in _TEXTS.values():
            fields = {name for _, name, _, _ in string.Formatter().parse(catalogue.gettext(body)) if name}
            assert fields == {"number"}


def test_every_status_that_a_customer_hears_of_has_a_text():
    assert set(Status) - set(_TEXTS) == {Status.PENDING}


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("de", "Kuchen"),
        ("de-AT", "Kuchen"),
        ("pt-BR", "Bolo"),
        ("pt-PT", "Cake"),
        ("zh-Hans-CN", "蛋糕"),
        ("fr", "Cake"),
        (None, "Cake"),
    ],
)
def test_the_text_for_a_locale(locale, title):
    titles = {"en": "Cake", "de": "Kuchen", "pt-BR": "Bolo", "zh": "蛋糕"}
    message = Message("m", Kind.ACCOUNT, {tag: Text(title, "-") for tag, title in titles.items()}, {})
    assert message.text(locale).title == title


def test_a_message_comes_back_from_the_database_as_it_was():
    message = Message("m", Kind.ORDERS, {"en": Text("t", "b")}, {"k": "v"}, "https://e.com/i", "wattle://x", "b1")
    assert Message.stored(message.as_data()) == message
