"""What must hold, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bounds:
    """Figures with their bounds, in the order in which they were measured."""

    rows: list[tuple[str, float, str, float, bool]] = field(default_factory=list)
    """What, figure, `<=` or `>=`, bound, whether it holds."""

    def at_most(self, what: str, figure: float, bound: float) -> None:
        """Enter a figure that must not be above a bound."""
        self.rows.append((what, figure, "<=", bound, figure <= bound))

    def at_least(self, what: str, figure: float, bound: float) -> None:
        """Enter a figure that must not be below a bound."""
        self.rows.append((what, figure, ">=", bound, figure >= bound))

    def hold(self) -> bool:
        """Return whether all bounds hold."""
        return all(holds for *_, holds in self.rows)

    def lines(self) -> list[str]:
        """Return the table."""
        return [
            f"{'must hold':<66}{'measured':>12}{'bound':>15}",
            *(
                f"{what:<66}{figure:>12,.4g}{sign:>5}{bound:>10,.4g}  {'holds' if holds else 'MISSED'}"
                for what, figure, sign, bound, holds in self.rows
            ),
        ]
