"""Messages that administrators send: `broadcasts/{id}` and `broadcasts/{id}/chunks/{n}`.

To people it goes in chunks of 100 through a task queue, each person with his inbox entry, ledger, preferences and quiet
hours. To a topic or a condition it is one message, which FCM hands out: in English, without an inbox entry.

`service` makes, previews and cancels them, `delivery` sends them.
"""
