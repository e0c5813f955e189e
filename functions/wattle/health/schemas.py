from wattle.schema import Resource


class Health(Resource):
    status: str


class Readiness(Resource):
    """`uptime_seconds` since this process started; `memory_mb` is what it holds resident, in MiB."""

    status: str
    database: str
    uptime_seconds: float
    memory_mb: float
    version: str
