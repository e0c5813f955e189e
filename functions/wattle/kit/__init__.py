"""Small pieces that know nothing of the app: clock, ids, money, retry, logging."""
