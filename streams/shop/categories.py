"""Coarse categories and product ranges of a gift shop, read off the words of a product's description.

Online Retail has no categories. Interests need some, so the words of the description decide: the first line
of `CATEGORIES` that shares a word with it wins. The rule is ours and not part of the data set; it puts about
nine tenths of the lines of the published file into a category and leaves the others without one.
"""

from __future__ import annotations

import re
from functools import cache

CATEGORIES: tuple[tuple[str, str], ...] = (
    ("postage and fees", "POSTAGE CARRIAGE MANUAL DISCOUNT CHARGES FEE SAMPLES ADJUST"),
    ("christmas", "CHRISTMAS XMAS ADVENT BAUBLE BAUBLES REINDEER SANTA SNOWFLAKE SNOWMAN MISTLETOE NOEL"),
    ("bags", "BAG BAGS SHOPPER HANDBAG RUCKSACK BACKPACK WALLET PURSE TOTE SATCHEL"),
    (
        "jewellery",
        """
        NECKLACE BRACELET EARRINGS EARRING RING BROOCH BANGLE HAIRCLIP HAIR JEWELLERY JEWELLED
        DIAMANTE
        """,
    ),
    (
        "party and cards",
        """
        PARTY BUNTING BALLOON BALLOONS BIRTHDAY CARD CARDS WRAP GIFT RIBBON RIBBONS GARLAND CONFETTI
        NAPKINS
        """,
    ),
    (
        "toys and children",
        """
        TOY TOYS DOLL PLAYHOUSE CHILDRENS CHILDS CHILDREN PUZZLE GAME GAMES DOMINOES SKITTLES KIDS
        BABY SKIPPING DINOSAUR SOLDIER PAINT STICKERS
        """,
    ),
    (
        "stationery and craft",
        """
        NOTEBOOK PENCIL PENCILS PEN PENS BOOK JOURNAL STATIONERY SEWING KNITTING CRAFT FELTCRAFT
        PAPER CHALKBOARD MEMO MAGNETS CALENDAR STAMP TAPE ERASER RULER TISSUES PLASTERS
        """,
    ),
    (
        "kitchen and baking",
        """
        CAKE CAKES CAKESTAND BAKING COOKIE KITCHEN PANTRY RECIPE JAM APRON CUTTERS OVEN SCALES JELLY
        MEASURING SPOON WHISK BREAD BISCUIT HERB EGG TIN TINS BIN JAR
        """,
    ),
    (
        "tableware",
        """
        MUG CUP CUPS TEACUP TEAPOT TEA COFFEE BOWL PLATE PLATES SAUCER CUTLERY JUG GLASS GOBLET
        COASTER COASTERS TRAY TABLECLOTH PLACEMATS STRAWS TUMBLER TIER LUNCH SNACK BOTTLE FLASK
        PICNIC
        """,
    ),
    ("candles and lights", "T-LIGHT T-LIGHTS CANDLE CANDLES LANTERN LIGHT LIGHTS LAMP INCENSE CANDLEHOLDER"),
    (
        "garden",
        """
        GARDEN PLANT PLANTER FLOWER FLOWERS PARASOL BIRD BIRDS HERBS WATERING SEEDS GNOME GROW POT
        THERMOMETER
        """,
    ),
    (
        "storage",
        """
        DRAWER CABINET BOX BOXES STORAGE BASKET CRATE TRINKET RACK CHEST TIDY SHELF HOOK HOOKS
        HANGER
        """,
    ),
    (
        "home decoration",
        """
        CLOCK FRAME SIGN DOORMAT CUSHION HEART HEARTS MIRROR DECORATION PICTURE WALL METAL DOOR KNOB
        ORNAMENT WREATH VASE ART BLOCK CHAIN STAND WICKER CERAMIC WOODEN ZINC ENAMEL LETTER
        """,
    ),
    ("bath and warmth", "BATHROOM SOAP BATH TOWEL HOT WARMER SLIPPERS BLANKET UMBRELLA RAIN PONCHO TRAVEL"),
)
"""(category, words); the order decides."""

RANGES: tuple[tuple[str, str], ...] = (
    ("Retrospot", "RETROSPOT SPOTTY"),
    ("Regency", "REGENCY"),
    ("Spaceboy", "SPACEBOY"),
    ("Dolly Girl", "DOLLY"),
    ("Suki", "SUKI"),
    ("Charlotte", "CHARLOTTE"),
    ("Paisley Park", "PAISLEY"),
    ("Polkadot", "POLKADOT"),
    ("Strawberry", "STRAWBERRY"),
    ("Woodland", "WOODLAND"),
    ("Babushka", "BABUSHKA"),
    ("Bakelike", "BAKELIKE BAKELITE"),
    ("Skulls", "SKULL SKULLS"),
    ("Edwardian", "EDWARDIAN VICTORIAN"),
    ("Scandinavian", "SCANDINAVIAN"),
    ("English Rose", "ROSE ROSES"),
    ("Fairy Cake", "FAIRY"),
    ("Vintage", "VINTAGE ANTIQUE RETRO TRADITIONAL"),
)
"""Product ranges, which stand in for brands in the simulated shop."""

_WORD = re.compile(r"[A-Z][A-Z-]*")


def _by_word(table: tuple[tuple[str, str], ...]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for rank, (_, words) in enumerate(table):
        for word in words.split():
            ranks.setdefault(word, rank)
    return ranks


_CATEGORY_RANK = _by_word(CATEGORIES)
_RANGE_RANK = _by_word(RANGES)


def _first(table: tuple[tuple[str, str], ...], ranks: dict[str, int], description: str) -> str | None:
    found = [ranks[word] for word in _WORD.findall(description.upper()) if word in ranks]
    return table[min(found)][0] if found else None


@cache
def category_of(description: str) -> str | None:
    """Return the category of a product by the words of its description, or None."""
    return _first(CATEGORIES, _CATEGORY_RANK, description)


@cache
def range_of(description: str) -> str | None:
    """Return the product range named in a description, or None."""
    return _first(RANGES, _RANGE_RANK, description)
