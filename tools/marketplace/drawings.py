"""What the pictures of tutors show, by theme: plain drawings without people, the same for the same seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from random import Random

from tools.marketplace.canvas import HEIGHT, WIDTH, Canvas

CHALK, WOOD, DARK_WOOD, PAPER = "#f3f1e7", "#b98a5e", "#6f4e37", "#fbf7ee"
SHELF = 285
COVERS = ("#c8553d", "#588b8b", "#f28f3b", "#2d4654", "#8d6a9f", "#d9ae61", "#5b8e5a", "#a63d57")


@dataclass(frozen=True, slots=True)
class Theme:
    """What is written and how it is coloured where this is taught.

    :param wall: the colours behind everything, from top to bottom.
    """

    title: str
    words: tuple[str, str, str, str]
    wall: tuple[str, str]
    board: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture of the pool that all listings share, by the names of its theme and its scene."""

    theme: str
    scene: str

    @property
    def alt_text(self) -> str:
        """What somebody who does not see it is told."""
        return ALT_TEXTS[self.scene].format(title=THEMES[self.theme].title)

    def file(self, *, seed: int) -> bytes:
        """The JPEG that a tutor would upload."""
        theme = THEMES[self.theme]
        canvas = Canvas(*theme.wall)
        SCENES[self.scene](canvas, theme, Random(f"{seed} drawing {self.theme} {self.scene}"))
        file = BytesIO()
        canvas.finished().save(file, "JPEG", quality=90)
        return file.getvalue()


def _blackboard(canvas: Canvas, theme: Theme, chance: Random) -> None:
    canvas.box(140, 80, 1360, 690, DARK_WOOD, corner=18)
    canvas.box(165, 105, 1335, 665, theme.board)
    canvas.text(750, 190, theme.title, CHALK, size=96)
    canvas.line([(420, 262), (1080, 262 + chance.randint(-6, 6))], CHALK, width=6)
    for place, words in enumerate(chance.sample(theme.words, 4)):
        across, down = 470 + 560 * (place % 2), 360 + 130 * (place // 2)
        canvas.text(across + chance.randint(-40, 40), down + chance.randint(-15, 15), words, CHALK, size=54)
    left = chance.randint(560, 680)
    canvas.line([(left, 640), (left + 90, 560), (left + 180, 640), (left, 640)], CHALK, width=5)
    canvas.ring(left + 270, 600, 42, CHALK, width=5)
    canvas.box(560, 684, 940, 704, WOOD, corner=6)
    canvas.box(640, 674, 700, 686, CHALK, corner=6)
    _table(canvas)
    _pile(canvas, 230, 860, chance.sample(COVERS, 3), chance)
    _apple(canvas, chance.randint(1050, 1200), 812)


def _books(canvas: Canvas, theme: Theme, chance: Random) -> None:
    canvas.box(90, SHELF, 1410, SHELF + 22, WOOD, corner=4)
    left = 130
    for _ in range(12):
        thick, tall = chance.randint(38, 76), chance.randint(170, 250)
        cover = chance.choice(COVERS)
        canvas.box(left, SHELF - tall, left + thick, SHELF, cover, corner=5)
        canvas.box(left, SHELF - tall + 28, left + thick, SHELF - tall + 40, PAPER)
        left += thick + 5
    _plant(canvas, 1220, SHELF)
    _table(canvas)
    down = 860
    for cover, words in zip(chance.sample(COVERS, 5), (theme.title, *theme.words), strict=True):
        down -= 84
        left = 400 + chance.randint(-50, 50)
        canvas.box(left, down, left + 700, down + 80, cover, corner=12)
        canvas.box(left + 30, down, left + 44, down + 80, PAPER)
        canvas.text(left + 370, down + 40, words, PAPER, size=46)
    _apple(canvas, 750 + chance.randint(-120, 120), down - 48)


def _laptop(canvas: Canvas, theme: Theme, chance: Random) -> None:
    _window(canvas, chance)
    _table(canvas)
    canvas.box(400, 300, 1100, 770, "#2b2f36", corner=22)
    canvas.box(422, 322, 1078, 748, PAPER, corner=6)
    canvas.box(422, 322, 1078, 412, theme.board)
    canvas.text(750, 367, theme.title, CHALK, size=52)
    for place, words in enumerate(chance.sample(theme.words, 3)):
        canvas.ring(485, 482 + 95 * place, 18, theme.board, width=7)
        canvas.text(530, 482 + 95 * place, words, theme.board, size=42, anchor="lm")
    canvas.polygon([(400, 770), (1100, 770), (1200, 868), (300, 868)], "#c9ced6")
    canvas.polygon([(440, 782), (1060, 782), (1090, 826), (410, 826)], "#8d95a1")
    canvas.box(300, 866, 1200, 880, "#9aa1ac", corner=6)
    _mug(canvas, 1290, 880, chance.choice(COVERS))
    _pile(canvas, 60, 880, chance.sample(COVERS, 3), chance, wide=210)


def _table(canvas: Canvas) -> None:
    canvas.box(0, 860, WIDTH, HEIGHT, WOOD)
    canvas.box(0, 860, WIDTH, 876, "#d0a679")
    canvas.box(0, 970, WIDTH, HEIGHT, "#a1744c")


def _pile(
    canvas: Canvas, left: int, floor: int, covers: list[str], chance: Random, *, wide: int = 330
) -> None:
    for place, cover in enumerate(covers):
        down, shift = floor - 44 * (place + 1), chance.randint(-16, 16)
        canvas.box(left + shift, down, left + shift + wide, down + 42, cover, corner=8)
        canvas.box(left + shift + 24, down + 10, left + shift + wide, down + 32, PAPER)
        canvas.box(left + shift + wide - 4, down, left + shift + wide + 2, down + 42, cover)


def _apple(canvas: Canvas, across: int, down: int) -> None:
    canvas.disc(across - 18, down, 42, "#c0392b")
    canvas.disc(across + 18, down, 42, "#cd4536")
    canvas.line([(across, down - 34), (across + 8, down - 66)], DARK_WOOD, width=7)
    canvas.polygon(
        [
            (across + 8, down - 50),
            (across + 34, down - 74),
            (across + 58, down - 62),
            (across + 34, down - 48),
        ],
        "#5b8e5a",
    )


def _plant(canvas: Canvas, across: int, floor: int) -> None:
    for lean in (-90, -50, 0, 50, 90):
        top = floor - 250 + abs(lean)
        middle = (across + lean * 2 // 3, (floor + top) // 2)
        canvas.polygon(
            [(across - 12, floor - 80), (middle[0] - 24, middle[1]), (across + lean, top), middle], "#4f8a5b"
        )
        canvas.polygon([(across + 12, floor - 80), middle, (across + lean, top)], "#3f7350")
    canvas.polygon(
        [(across - 62, floor - 90), (across + 62, floor - 90), (across + 44, floor), (across - 44, floor)],
        "#c8704f",
    )


def _window(canvas: Canvas, chance: Random) -> None:
    canvas.box(110, 70, 1390, 640, PAPER, corner=10)
    canvas.box(135, 95, 1365, 615, "#bfe0ee")
    canvas.disc(chance.randint(220, 330), chance.randint(170, 230), 62, "#f7d37a")
    for left in (620, 980, 1180):
        across, down = left + chance.randint(-60, 60), chance.randint(150, 230)
        for shift, size in ((-52, 30), (0, 44), (52, 32)):
            canvas.disc(across + shift, down, size, "#ffffff")
    hills = [(135, 520), (420, 440), (760, 540), (1080, 430), (1365, 530), (1365, 615), (135, 615)]
    canvas.polygon(hills, "#8fbf8f")
    canvas.box(740, 95, 760, 615, PAPER)


def _mug(canvas: Canvas, across: int, floor: int, colour: str) -> None:
    canvas.ring(across + 62, floor - 66, 34, colour, width=14)
    canvas.box(across - 58, floor - 126, across + 58, floor, colour, corner=16)
    canvas.box(across - 58, floor - 104, across + 58, floor - 92, PAPER)


SCENES: Mapping[str, Callable[[Canvas, Theme, Random], None]] = {
    "blackboard": _blackboard,
    "books": _books,
    "laptop": _laptop,
}
ALT_TEXTS = {
    "blackboard": "A blackboard that says {title}, above a table with books and an apple",
    "books": "A pile of books about {title} on a table, under a shelf",
    "laptop": "A laptop that shows a lesson in {title}, on a table at a window",
}
THEMES = {
    "mathematics": Theme(
        "Mathematics",
        ("y = mx + c", "3x + 5 = 20", "sin A / a", "dy / dx"),
        ("#dfe9f2", "#a9c1d6"),
        "#24523f",
    ),
    "english": Theme(
        "English", ("Poetry", "To be or not", "Essays", "Grammar"), ("#f6e7d7", "#dcb894"), "#3c3a5a"
    ),
    "science": Theme("Science", ("F = ma", "V = IR", "CO2 + H2O", "pH 7"), ("#dff2ec", "#9fcfc0"), "#1f4d57"),
    "computing": Theme(
        "Computing", ("for x in list", "0110 1001", "if a > b", "print()"), ("#e4e6f4", "#aab0d8"), "#272c4a"
    ),
    "languages": Theme(
        "Languages", ("Bonjour", "Hola", "Guten Tag", "Ciao"), ("#fdeccb", "#f0bf7f"), "#7a3b3b"
    ),
    "humanities": Theme(
        "Humanities", ("1066", "Rivers", "Sources", "Maps"), ("#efe6d8", "#c9b18d"), "#4a4030"
    ),
    "business": Theme(
        "Business", ("Supply", "Demand", "Markets", "GDP + 2 %"), ("#e3efe0", "#adcba4"), "#2f4a3a"
    ),
    "society": Theme(
        "Society", ("Memory", "Identity", "Evidence", "Ethics"), ("#efe2f1", "#c7a8cc"), "#4b2f52"
    ),
    "arts": Theme("The Arts", ("do re mi", "Colour", "Stage", "Rhythm"), ("#fbe3e3", "#e8a9a4"), "#5a2e3f"),
    "sport": Theme("Sport", ("Fitness", "Team", "Heart rate", "Skills"), ("#e2f1fb", "#9ccbe8"), "#1f4766"),
}
THEME_OF = {
    "mathematics": "mathematics",
    "english": "english",
    **dict.fromkeys(("physics", "chemistry", "biology", "sciences"), "science"),
    "computer-science": "computing",
    **dict.fromkeys(
        ("french", "spanish", "german", "italian", "mandarin", "arabic", "latin", "languages"), "languages"
    ),
    **dict.fromkeys(("history", "geography", "religious-studies"), "humanities"),
    **dict.fromkeys(("economics", "business-studies"), "business"),
    **dict.fromkeys(("psychology", "sociology"), "society"),
    **dict.fromkeys(("music", "art", "drama"), "arts"),
    "physical-education": "sport",
}
POOL = tuple(Drawing(theme, scene) for theme in THEMES for scene in SCENES)
