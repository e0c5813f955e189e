from typing import Annotated

from werkzeug.wrappers import Response

from wattle.context import Context
from wattle.http.envelope import Envelope
from wattle.privacy.schemas import Export
from wattle.services import Services


def export_me(services: Services, ctx: Context, query: Export) -> Annotated[Response, "application/json"]:
    """Everything that is held about the caller, as a JSON file.

    It is streamed. After 30,000 documents a part ends with `data.nextCursor`; each part is complete JSON.
    """
    uid = ctx.user.uid
    after = None
    if query.cursor is not None:
        section, path = services.cursors.read(query.cursor, uid, "export", {})
        after = (section, path)
    pieces = services.export.export(ctx, after, lambda position: services.cursors.sign(position, uid, "export", {}))
    response = Envelope(services.clock).stream(pieces, ctx.request_id)
    name = f"wattle-{services.clock():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
