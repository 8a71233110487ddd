"""The language of a text, told or left open; no text of one language taken for another."""

import pytest

from whatchanged.text.language import language_of

TEXTS = {
    "en": "The harbour lies still and the lanterns are lit along the quay while the boats come home.",
    "de": "Das Haus steht am Fluss und ist seit hundert Jahren bewohnt.",
    "fr": "Le chat dort sur le canapé pendant que la pluie tombe.",
    "es": "El gato duerme mientras llueve en la ciudad.",
    "it": "La pioggia cade sul tetto della casa.",
    "pt": "O gato dorme enquanto chove na cidade.",
    "nl": "De kat slaapt op de bank terwijl het buiten regent.",
    "tr": "Kedi uyurken yağmur yağıyor.",
    "ru": "Старый маяк стоит на скале, и каждую ночь его свет виден с кораблей.",
    "uk": "Кішка спить, поки йде дощ.",
    "zh": "猫在睡觉，外面下着雨。",
    "ja": "猫が寝ている間に雨が降る。",
    "ko": "비가 오는 동안 고양이가 잔다.",
    "ar": "القطة نائمة بينما يهطل المطر.",
    "hi": "बारिश हो रही है और बिल्ली सो रही है।",
    "id": "Kucing tidur saat hujan turun di kota.",
    "vi": "Con mèo ngủ trong khi trời mưa.",
    "th": "แมวนอนหลับขณะที่ฝนตก",
    "sw": "Paka analala wakati mvua inanyesha mjini.",
    "fi": "Kissa nukkuu, kun sataa vettä.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_languages_are_told(code: str) -> None:
    assert language_of(TEXTS[code]) == code


@pytest.mark.parametrize(
    "text",
    [
        "", "42", "Paris", "Yes.", "Ja, gerne.", "H2O -> 2H + O", "😀 😀 😀",
        "Vienna, Salzburg, Graz, Linz, Innsbruck",
        "```python\ndef der_die_das(und): return mit(und, nicht, auf)\n```",
        "https://example.org/le-chat-dort-sur-le-canape-pendant-que-la-pluie-tombe",
        "Katten sover mens det regner.",  # Danish and Norwegian alike
    ],
)  # fmt: skip
def test_in_doubt_none(text: str) -> None:
    assert language_of(text) is None


def test_code_and_quotations_do_not_decide() -> None:
    code = "\n```\nwhile True: print('the lanterns are lit along the quay and the boats come home')\n```\n"
    assert language_of(TEXTS["de"] + code * 3) == "de"
    assert (
        language_of("In Spanish this is said so: «El gato duerme». It means that the cat is asleep.") == "en"
    )
