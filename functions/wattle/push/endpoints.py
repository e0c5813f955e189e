from wattle.context import Context
from wattle.push.schemas import Explanation
from wattle.schema import PathId, UserId
from wattle.services import Services


def explain(services: Services, ctx: Context, user_id: UserId, notification_id: PathId) -> Explanation:
    """Why a person got a notification on a device, or did not.

    A broadcast's notification has the broadcast's id, that of an order's news is `{orderId}-{version}`.

    Raises:
        NotificationNotFound.
    """
    return services.push.explain(user_id, notification_id, ctx.deadline)
