"""The price of attention, phi: money that one more contact loses later, from randomized weekly caps on contacts.

A shop brings the experiment as attributes of its customers: `weekly_cap`, the most contacts a week that were drawn for the customer;
`weekly_cap_probability`, the chance with which it was drawn; and maybe `weekly_cap_from`, since when it holds (else since the
customer is known). A cap moves spend only through the contacts it allows, so it is an instrument (Wald 1940; Angrist, Imbens &
Rubin 1996). With, per customer-week, c the contacts, y the spend and d what those contacts were measured to bring by themselves
(tau of the cell times the basket, `effects`),

    lost = sum w z (d - y) / sum w z c,    z = cap - weighted mean cap,  w = 1 / probability

What a contact brings at once has its own term in a candidate's value; phi is only what is missing from it: later contacts that
work less, purchases that annoyance prevents. Errors are clustered by customer, which the draw was made for, and hold the doubt
about tau. Where the spend before the draw is known, what it explains is taken out first. An instrument that moves contacts too little (F below WEAK) is not used: then the catalog's prior stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from arbitration.domain import Estimate

NAME = "attention"
WEAK = 10.0
"""F of contacts on the cap, below which a ratio of two differences is no estimate (Staiger & Stock 1997)."""
LEAST_CUSTOMERS = 200
PRIOR_SPREAD = 1.0
"""Standard deviation of the prior over its mean, at least: a conservative price may well be twice or nothing."""
SURE = 5.0
"""Standard errors of imbalance before the draw from which the caps are not believed to be random."""
Z = 1.96


@dataclass(frozen=True, slots=True)
class Attention:
    """Spend lost per contact, beyond what the contact itself is worth: `lost` with standard error `sd`, before any shrinkage.

    `mix`: share of contacts by channel, to turn contacts into pressure. `strength`: F of the instrument. `rows`: customer-weeks; 0
    where there was no experiment. `unbalanced`: standard errors by which the caps differ in the spend before they were drawn, 0 where
    `weekly_cap_from` is not known. `version` names the numbers.
    """

    lost: float = 0.0
    sd: float = 0.0
    strength: float = 0.0
    customers: int = 0
    rows: int = 0
    mix: Mapping[str, float] = field(default_factory=dict)
    unbalanced: float = 0.0
    version: str = "none"

    @property
    def usable(self) -> bool:
        """Whether an experiment was strong enough to say anything."""
        strong = self.strength >= WEAK and self.customers >= LEAST_CUSTOMERS and self.sd > 0
        return self.rows > 0 and strong and abs(self.unbalanced) <= SURE

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of `lost`, as measured."""
        return self.lost - Z * self.sd, self.lost + Z * self.sd

    def price(self, prior: float, margin_rate: float, pressure: Mapping[str, float]) -> Estimate:
        """Phi: money per unit of pressure. `prior` is the catalog's price, `pressure` the units g of a contact by channel.

        Measured money is shrunk toward the prior (normal with normal: Efron & Morris 1975). The variance of phi about the prior is
        estimated from the one measurement by the method of moments, (raw - prior)^2 - sd^2, and is at least PRIOR_SPREAD * prior
        squared. The price is never below 0: contacts that bring more than was measured of them are no reason to send more.
        """
        units = sum(share * pressure.get(channel, 1.0) for channel, share in self.mix.items())
        if not self.usable or units <= 0:
            return Estimate(prior)
        raw, sd = self.lost * margin_rate / units, self.sd * margin_rate / units
        spread2 = max((raw - prior) ** 2 - sd**2, (PRIOR_SPREAD * prior) ** 2)
        share = sd**2 / (sd**2 + spread2)
        mean = share * prior + (1 - share) * raw
        return Estimate(max(0.0, mean), sqrt(share * spread2), f"{NAME} {self.version}", 1)


def notes(found: Attention) -> list[str]:
    """What the card says of it."""
    if found.rows == 0:
        return ["No customer has a randomized weekly_cap: the catalog's price of attention stands."]
    low, high = found.interval
    said = (
        f"Spend lost per contact, beyond what the contact is worth: {found.lost:.4f} (95 %: {low:.4f} to {high:.4f}), from "
        f"{found.customers:,} customers in {found.rows:,} weeks; F of the caps on contacts: {found.strength:.0f}."
    )
    if found.usable:
        return [said, "It is shrunk toward the catalog's price, and never below 0."]
    reason = "the caps differ in what was spent before they were drawn" if abs(found.unbalanced) > SURE else "too weak"
    return [said, f"It is not used ({reason}): the catalog's price of attention stands."]
