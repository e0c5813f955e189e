"""Money is an integer in minor units (cents) with an ISO 4217 currency. No floats anywhere."""

BASIS_POINTS = 10_000


def tax_on(amount: int, rate: int) -> int:
    """The tax on `amount` minor units at `rate` basis points (1,000 is 10 %), half a unit rounded away from zero."""
    return (amount * rate + BASIS_POINTS // 2) // BASIS_POINTS
