from typing import Annotated

from pydantic import Field

from wattle.schema import Parameters


class Export(Parameters):
    cursor: Annotated[
        str | None, Field(max_length=2000, description="`data.nextCursor` of the part before, null with the last one.")
    ] = None
