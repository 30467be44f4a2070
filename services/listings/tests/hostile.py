"""Texts that were made to break whatever reads them."""

from hypothesis import strategies as st

HOSTILE = {
    "hyphens": "-" * 33 + "a",
    "hyphens apart": "- " * 99,
    "quotes": '"' * 199,
    "an open quote": 'maths "exam practice',
    "quotes of all kinds": "“maths” „exams‟ «gcse» 'ks3' `x`",
    "brackets": "((((((((a",
    "brackets the wrong way round": ")a( ]b[ }c{",
    "operators of tsquery": "a & | ! b <-> c <2> d :* e:ABCD",
    "half operators": "<-> <2> <",
    "only operators": "&&||!!",
    "a prefix search": "mat:* !!maths:A*",
    "SQL": "'; DROP TABLE listing_search; --",
    "SQL comments": "/* maths */ -- x",
    "dollar quotes": "$$ $1 $tag$ %s %(q)s :q {q}",
    "backslashes": "\\" * 50 + "' \\x00 \\u0000 \\",
    "wildcards": "%_%" * 30,
    "a regular expression": "^(a+)+$ [[:alpha:]] .* (?=x)",
    "NUL": "\x00",
    "NUL among words": "maths\x00exams \x00 gcse",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029",
    "half a character": "\ud800 maths \udfff",
    "no character": "\ufffe\uffff\U0010ffff",
    "combining marks": "a" + "\u0301" * 199,
    "combining marks alone": "\u0301\u0489\u20dd" * 60,
    # As it arrives: marks of direction around it, then Hebrew and Arabic.
    "right to left": "\u202eshtam\u202c \u200f\u05de\u05ea\u05de\u05d8\u05d9\u05e7\u05d4"
    " \u0631\u064a\u0627\u0636\u064a\u0627\u062a",
    "ligatures that unfold": "﷽" * 200,
    "letters that grow": "ßİŉǰΐﬃ" * 30,
    "full width": "ｍａｔｈｓ　ＯＲ　－ｇｃｓｅ",  # noqa: RUF001
    "emoji": "🧮" * 100,
    "joined emoji": "👩‍🏫👨‍👩‍👧‍👦🏳️‍🌈" * 10,
    "Chinese without spaces": "数学老师" * 50,
    "one long word": "a" * 200,
    "one long number": "9" * 200,
    "numbers of many kinds": "1e5 2e-3 0x1F 1.2.3.4 -1 +2 1,000 ½ ² ٣ http://a.b/c?d=e x@y.z",
    "a chain of or": "or " * 66,
    "words and or": "maths or " * 22,
    "only words that say nothing": "the a of and to in is it",
    "a hundred exclusions": " ".join(f"-{chr(97 + number % 26)}" for number in range(66)),
    "options one after the other": "maths ks4 " * 20,
    "an exclusion of an exclusion": '--maths -"-exams" -or -""',
    "too long": "maths " * 2000,
    "only spaces": " \t\u00a0\u2003\u200b",
    "prices": "under £ over between 1e999 and -5 per hour £99999999999999999999 11+ 1-2-3",
    "towns without end": "in near around at from " * 20,
    "HTML": "<script>alert(1)</script> &amp; &#0;",
}
# As they stand in an address: bytes that are no UTF-8, halves of characters, what is not encoded at all.
ADDRESSES = (
    "%00",
    "%ff",
    "%ED%A0%80",
    "%C0%AF",
    "%F0%9F%A7",
    "%",
    "%zz",
    "%u0041",
    "+",
    "a;b",
    "a&q=b",
    "%25%32",
)

PIECES = [
    *(text[:12] for text in HOSTILE.values()),
    *"abc-\"'()&|!:*<>\\%_\x00\u0301\u202e£ 9",
    " ",
    " or ",
    " -",
    ' "',
]
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
