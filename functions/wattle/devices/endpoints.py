from wattle.context import Context
from wattle.devices.schemas import Device, RegisterDevice
from wattle.schema import PathId
from wattle.services import Services


def register(services: Services, ctx: Context, device_id: PathId, body: RegisterDevice) -> Device:
    """Make or renew a device, under an id that the app chooses and keeps."""
    return services.devices.register(ctx, device_id, body)
