"""Which language a text is in, and which of its sentences are not English; in doubt nothing, and English."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from whatchanged.text.document import MASK, Document
from whatchanged.text.words import Span

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

__all__ = ["language_of", "non_english"]

# The rarer of py3langid's languages are left out: short texts of the common ones are taken for them.
_LANGUAGES = (
    "ar bg bn ca cs da de el en es et eu fa fi fr gu he hi hr hu hy id is it ja ka kn ko lt lv mk ml mr ms ne nl no "
    "pa pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh"
)
_SURE = 0.9
_LETTERS = 20
_DENSE = 6  # a letter of a script without cases says more: 猫 is a word
_LONG = 4000

_FUNCTION_WORDS = {
    "English": "the and of to is in that for with you are this it was be have your can on not from by or an "
    "at as we they their there which will if but has had were when what how all would",
    # Of the others only words that are not words of English themselves.
    "Spanish": "que los las una por para con como este esta es pero más su sus le lo se el y del al muy",
    "French": "les des une que qui dans pour avec est sont vous nous pas sur plus cette ces aux du et la le",
    "German": "der das und ist nicht ein eine einen mit für auf sie ich wir auch den dem zu von sich wie",
    "Italian": "che gli una per con sono della delle questo questa più anche nel il di è lo ma come non",
    "Portuguese": "que os uma para com não por mais como dos das está isso seu sua é em ao mas você pelo",
    "Dutch": "het een van en niet zijn voor met dat deze aan ook maar wordt bij naar je hij te als uit",
    "Swedish": "och att det som för på är med av inte den till ett om har jag kan från eller också",
    "Polish": "nie się jest na że to jak ale dla czy przez jako tylko są oraz może być od po",
    "Turkish": "bir ve bu için ile olarak çok daha gibi olan ne kadar değil mi ama var sonra",
    "Indonesian": "yang dan di untuk dengan ini itu dari pada tidak adalah akan dalam juga oleh atau saya",
    "Vietnamese": "của và là có không được cho trong một những với các này để người đã",
}
_STOPWORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_ENGLISH = _STOPWORDS.pop("English")
_WORD = re.compile(r"[^\W\d_]+")
# Latin letters beyond the European ones: phonetic, letter-like, mathematical and full-width forms.
_ALSO_LATIN = ((0x250, 0x36F), (0x1E00, 0x1EFF), (0x2070, 0x214F), (0xFF21, 0xFF5A), (0x1D400, 0x1D7FF))


def _other_script(letter: str) -> bool:
    code = ord(letter)
    return code > 0x24F and not any(low <= code <= high for low, high in _ALSO_LATIN)


def _is_foreign(sentence: str) -> bool:
    if not sentence.isascii():
        letters = [c for c in sentence if c.isalpha()]
        other = sum(map(_other_script, letters))
        if other >= 4 and 2 * other > len(letters):
            return True
    words = _WORD.findall(sentence.casefold())
    if len(words) < 5:
        return False
    english = sum(w in _ENGLISH for w in words)
    hits = max(([w for w in words if w in known] for known in _STOPWORDS.values()), key=len)
    return len(set(hits)) >= 2 and len(hits) >= max(3, 0.2 * len(words)) and 3 * english <= len(hits)


def non_english(document: Document) -> list[Span]:
    """Sentences of another language.

    More than half of the letters (and at least four) are of a non-Latin script; or, in a sentence
    of five words or more, a fifth of the words and at least three are function words of one of
    eleven languages, with at most a third as many English ones.
    """
    return [(start, end) for start, end in document.sentences if _is_foreign(document.plain[start:end])]


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(_LANGUAGES.split())
    return found


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the language most of a text is in, or ``None`` in doubt.

    Code, formulas and links are left out; the first 4,000 characters decide. In doubt means: fewer
    than twenty letters (six of scripts without capitals), no language of 57 common ones that reaches
    a probability of .9, or a text such as a list of names that is in none. Close relatives in short
    texts (Danish and Norwegian, Indonesian and Malay) stay in doubt.

    Source: py3langid, a naive Bayes classifier over byte n-grams whose model is in its package; no
    network.
    """
    plain = Document(text).plain.replace(MASK, " ")[:_LONG]
    letters = [c for c in plain if c.isalpha()]
    if sum(c.lower() == c.upper() for c in letters) < _DENSE and len(letters) < _LETTERS:
        return None
    code, sure = _identifier().classify(plain)
    return str(code) if sure >= _SURE else None
