"""Where the caller is signed in: an extension of the protocol, for a page of one's own devices."""

from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from cas_auth.operations import devices
from cas_auth.operations.devices import Device
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AuthDep, CallerDep, OriginDep
from cas_kit.rest import router

routes = router(tags=["user"])


class DeviceOut(BaseModel):
    """:param device: such as "Firefox on Windows"; null when its user agent says nothing."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    ip: str | None
    user_agent: str | None
    device: str | None
    aal: str
    current: bool

    @classmethod
    def of(cls, device: Device) -> Self:
        """What its owner is shown of this device."""
        return cls(
            id=device.id,
            created_at=device.created_at,
            last_used_at=device.last_used_at,
            ip=device.ip,
            user_agent=device.user_agent,
            device=device.name,
            aal=device.aal,
            current=device.current,
        )


class DevicesOut(BaseModel):
    sessions: list[DeviceOut]


@routes.get(f"{PREFIX}/user/sessions", responses={200: {"model": DevicesOut}, **documented(401, 403)})
def list_devices(caller: CallerDep, dependencies: AuthDep) -> Response:
    """List where the caller is signed in, the device that was used last first."""
    with dependencies.database.transaction() as session:
        found = devices.list_devices(
            session,
            dependencies.tools,
            user_id=caller.user_id,
            session_id=caller.session_id,
            now=datetime.now(UTC),
        )
    body = DevicesOut(sessions=[DeviceOut.of(device) for device in found])
    return Response(body.model_dump_json(), media_type="application/json")


@routes.delete(f"{PREFIX}/user/sessions/{{session_id}}", status_code=204, responses=documented(401, 403, 404))
def end_device(session_id: UUID, caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Sign the caller out on one of their devices; its tokens are refused from now on."""
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        devices.end_device(
            session,
            user_id=caller.user_id,
            session_id=caller.session_id,
            device_id=session_id,
            origin=origin,
            now=datetime.now(UTC),
        )
    return Response(status_code=204)
