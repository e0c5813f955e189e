"""Wattle: a mobile backend on Firebase.

Where to look: `api` lists every route and the order of the middleware; each area (`orders`, `users`, ...) holds its
`endpoints`, `schemas`, `service`, `repository` and `errors`; `callables`, `triggers` and `tasks` are the other ways in.
A request goes one way: api -> endpoints -> service -> repository -> adapters.
"""
